/*
 * Some room held in reserve, so that things can be deleted on a full disk. Storage-internal.
 *
 * Whoever deletes writes first: the rows' change goes to the log. So a file of RESERVE_BYTES holds room in the data
 * folder. When the disk is full it is given up for jobs that free space (store_job.frees: deletions, collections,
 * lifecycle runs, reset); until it could be taken again all others are refused with ERR_STORAGE_FULL, so that they do not
 * use it up. The log is then copied into the database and cut after each commit, which gives that room back.
 *
 * RESERVE_BYTES is enough for what the log may hold that has no place in the database file yet (store_tend_log
 * begins to copy at half of that), and for the log of the deletions themselves. A disk that does not have twice as much free
 * when the store is opened gets no reserve, an ephemeral store neither.
 */
#ifndef DRYDOCK_STORAGE_RESERVE_H
#define DRYDOCK_STORAGE_RESERVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { RESERVE_BYTES = 8 * 1024 * 1024 };

struct store;

struct reserve {
	pthread_mutex_t lock;
	bool held;
	atomic_bool given_up; /* it was held, and is to be taken again */
};

/* When the store is opened, before anything is written: a full disk's is given up at once. */
void reserve_open(struct store *store);
/* On a worker, later: makes it when it is not there and the disk has room. */
void reserve_make(struct store *store);
void reserve_release(struct store *store);

/*
 * On the writer: before jobs that free space, and when they have failed for want of it. Gives it up when the disk is (almost)
 * full; whether it did just now.
 */
bool reserve_lend(struct store *store);
/* Any thread. False while it is given up and there is no room to take it again: nothing but what frees space may be written. */
bool reserve_whole(struct store *store);

#endif
