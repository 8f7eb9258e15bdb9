/*
 * The flusher: one thread that puts the database's log on disk.
 *
 * A commit only writes the log (synchronous=NORMAL); this is what makes it durable: one fdatasync
 * of the log covers every commit before it, and the writer goes on committing meanwhile. SQLite
 * would do the same with synchronous=FULL, but inside the commit and with the writer waiting.
 *
 * The kernel reports a failed write-back once and then forgets the pages were dirty, so a later
 * flush of the log proves nothing. After a failure the log is suspect: nothing is acknowledged, and
 * the writer has it copied into the database and that flushed (a truncating checkpoint) before it
 * runs anything else.
 */
#ifndef DRYDOCK_STORAGE_FLUSHER_H
#define DRYDOCK_STORAGE_FLUSHER_H

#include "storage/jobs/job_list.h"

#include <pthread.h>
#include <stdatomic.h>

struct flusher {
	struct store *store;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_list waiting;
	bool stop;
	int log_fd; /* drydock.db-wal: the same file for as long as the database is open */
	atomic_bool entry_kept; /* its folder entry has been flushed */
	/*
	 * Held over a flush and what is made of its outcome: the kernel tells a failure to one of two flushes of the same
	 * descriptor only.
	 */
	pthread_mutex_t flushing;
};

bool flusher_start(struct flusher *f, struct store *store);
void flusher_stop(struct flusher *f);
/* Committed jobs; each one's done is called after the flush. Empties the list. */
void flusher_submit(struct flusher *f, struct job_list *jobs);
/*
 * Flushes the log here and now, beside the thread: 0, or an errno (then the log is suspect, as after any flush that
 * failed). For what is rare and takes long anyway. Does nothing for an ephemeral store.
 */
int flusher_flush(struct flusher *f);

#endif
