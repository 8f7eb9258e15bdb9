/*
 * How log lines reach standard error. For server/log.c.
 *
 * Between log_out_start and log_out_end no caller ever waits for whoever reads the log. A line that can be
 * written at once is written by its caller, one write(2) a line. When it cannot be (the pipe is full, another
 * thread writes just now), it joins a queue that a thread of the log's own empties, whole lines to a write.
 * Only when LOG_QUEUE_BYTES wait unread are lines lost, and they are counted.
 *
 * Any thread. Before log_out_start, and in the verbs that run no server, a line is simply written.
 */
#ifndef DRYDOCK_SERVER_LOG_OUT_H
#define DRYDOCK_SERVER_LOG_OUT_H

#include "protocol/slice.h"

#include <stdint.h>

/* LOG_LINE_MAX is PIPE_BUF: what a pipe takes whole, or not at all. */
enum { LOG_LINE_MAX = 4096, LOG_QUEUE_BYTES = 1024 * 1024 };

/* Once, before other threads log. When no thread can be made, lines go on to be written by who says them. */
void log_out_start(void);
/* A line with its newline, of at most LOG_LINE_MAX bytes. False: it is lost, because nobody reads. */
bool log_out(struct slice line);
/* How many lines were lost since this was last asked, once there is room to say so; else 0. */
uint64_t log_out_take_lost(void);
/* How many lines were lost in all. */
uint64_t log_out_lost(void);
/* Waits until all that was said is written; gives up when for a second nothing of it is taken. */
void log_out_end(void);

#endif
