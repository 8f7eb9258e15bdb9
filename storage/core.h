/*
 * What a struct store is made of. Storage-internal.
 *
 * Threads: the writer (writer.h), the flusher (flusher.h), some workers (worker.h), and the callers' own
 * with a reader each. What they share is in the parts' own locks and in the atomics here.
 */
#ifndef DRYDOCK_STORAGE_CORE_H
#define DRYDOCK_STORAGE_CORE_H

#include "storage/files.h"
#include "storage/flusher.h"
#include "storage/upload_table.h"
#include "storage/worker.h"
#include "storage/writer.h"

enum { PULL_SLOTS = 256 };

struct store {
	struct files files;
	bool ephemeral;
	uint64_t image_quota;
	struct clock clock;
	uint8_t token_key[TOKEN_KEY_LEN];
	struct writer writer;
	struct flusher flusher;
	struct workers workers;
	struct upload_table uploads;
	struct db checkpointer;
	/* Jobs between submission and done; store_close waits for none. */
	pthread_mutex_t count_lock;
	pthread_cond_t count_zero;
	size_t count;
	atomic_bool closing;
	atomic_bool broken;        /* the last commit or flush failed */
	atomic_bool log_suspect;   /* a flush of the log failed: checkpoint before going on */
	atomic_bool checkpointing; /* a worker is at it */
	_Atomic uint64_t generation; /* of the content: a reset begins a new one */
	_Atomic uint64_t pulls[PULL_SLOTS]; /* image pulls noted lately (image_note_pull) */
};

struct store_reader {
	struct store *store;
	struct db db;
};

/* Before done is called the last time, and the count of running jobs goes down. */
void store_finish_job(struct store *store, struct store_job *job);
/* A job of storage's own: malloc'd with struct store_job first, freed when done. */
void store_job_free(struct store_job *job);
/*
 * From the writer after a commit. A worker copies the log into the database, beside the writer. Under
 * steady writes that never catches up with the log's end, where alone the log can start anew: when it
 * has grown long, the writer itself does the rest between two transactions.
 */
void store_tend_log(struct store *store);

#endif
