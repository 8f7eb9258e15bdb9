/*
 * The writer: one thread that runs all waiting jobs inside one transaction and commits once.
 *
 * Each job has a savepoint, so that one that fails leaves nothing and takes nobody with it. After
 * the commit every job is settled here (struct job_ops), and those that asked for STORE_FLUSH_NOW
 * go on to the flusher, so that the next transaction is filled while the disk works. A commit that
 * fails fails every job in it; the next batch starts anew.
 */
#ifndef DRYDOCK_STORAGE_WRITER_H
#define DRYDOCK_STORAGE_WRITER_H

#include "storage/db/db.h"
#include "storage/jobs/job_list.h"

#include <pthread.h>

/* What the writer has others do: it knows jobs, and nothing of what they are about. On its thread. */
struct writer_hooks {
	/* Every store->tick_ms, between two transactions: what is due by the clock is submitted here. */
	void (*tick)(struct store *store);
	/* A job waits for this blob to be on disk (tx->waits_for): its flush is begun, unless one is under way. */
	void (*want_flushed)(struct store *store, const struct digest *digest);
	/* After each transaction: keeps the log short. */
	void (*tend_log)(struct store *store);
};

struct writer {
	struct store *store;
	const struct writer_hooks *hooks;
	struct db db;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards waiting, asleep, stop */
	pthread_cond_t wake;
	struct job_list waiting;
	bool asleep, stop;
	/* the writer thread's own */
	struct job_list parked; /* image_puts whose blobs are being flushed */
	int log_frames;         /* the log's length after the last commit */
	int64_t tick_ms;        /* when to look at the schedule next, on the monotonic clock */
};

/* The transaction as a running job sees it. */
struct store_tx {
	struct store *store;
	struct db *db;
	/* Set by a job's run function: */
	const struct digest *waits_for; /* run it again when this blob has been flushed */
	bool last;                      /* nothing more in this transaction */
	size_t bytes;                   /* content it wrote: bounds the batch */
};

/* Jobs may be submitted from here on; db is the caller's to open before writer_start. */
void writer_init(struct writer *w, struct store *store, const struct writer_hooks *hooks);
bool writer_start(struct writer *w);
/* Runs what waits, and stops. The connection stays open until the caller closes it. */
void writer_stop(struct writer *w);
/* What writer_init made; when no other thread can submit any more. */
void writer_release(struct writer *w);
void writer_submit(struct writer *w, struct store_job *job);

/*
 * From a committed or failed function: jobs that wait for this blob run again, or fail with ERR_STORAGE_FAILED
 * when it could not be flushed. NULL: all run again.
 */
void writer_unpark(struct writer *w, const struct digest *digest, bool failed);

/* In a run function: the job fails with the database's last error. */
void tx_fail(struct store_tx *tx, struct store_job *job);
/* Runs a bound statement; on error the job fails and false is returned. */
bool tx_exec(struct store_tx *tx, struct store_job *job, sqlite3_stmt *q);
/* In any function of job_ops: the job fails with this error and a cause for the log. */
void job_fail(struct store_job *job, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
