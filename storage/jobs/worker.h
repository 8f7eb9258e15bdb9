/*
 * Worker threads for what may block: hashing a file, flushing it, unlinking it, checkpointing.
 *
 * They run jobs' work functions; a job with a run function then goes to the writer. Threads are
 * made when there is work and none is free, up to a number of each pool's own, and stay.
 */
#ifndef DRYDOCK_STORAGE_WORKER_H
#define DRYDOCK_STORAGE_WORKER_H

#include "storage/jobs/job_list.h"

#include <pthread.h>

enum { WORKERS_MAX = 4, PARSERS_MAX = 2 };

struct workers {
	struct store *store;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list waiting;
	pthread_t threads[WORKERS_MAX];
	size_t thread_count, thread_max, idle;
	bool stop;
};

/* thread_max: 1 to WORKERS_MAX. */
void workers_init(struct workers *w, struct store *store, size_t thread_max);
/* Makes the first thread now, so that no work is ever done by who submits it. False: it cannot be had. */
bool workers_start(struct workers *w);
void workers_submit(struct workers *w, struct store_job *job);
/* Does what waits, then joins all threads. */
void workers_stop(struct workers *w);

/* A thread with the small stack that storage needs, and all signals blocked. */
bool thread_start(pthread_t *thread, void *(*main)(void *), void *arg);

#endif
