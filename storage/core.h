/*
 * What a struct store is made of. Storage-internal.
 *
 * Threads: the writer (writer.h), the flusher (flusher.h), some workers (worker.h), and the
 * callers' own with a reader each. What they share is in the parts' own locks and in the atomics
 * here.
 */
#ifndef DRYDOCK_STORAGE_CORE_H
#define DRYDOCK_STORAGE_CORE_H

#include "storage/blobs/removal.h"
#include "storage/blobs/upload_table.h"
#include "storage/db/files.h"
#include "storage/jobs/flusher.h"
#include "storage/jobs/reserve.h"
#include "storage/jobs/worker.h"
#include "storage/jobs/writer.h"
#include "storage/store.h"

enum { PULL_SLOTS = 256 };
enum checkpoint_state { CHECKPOINT_IDLE, CHECKPOINT_RUNS, CHECKPOINT_ALMOST };

struct store {
	struct files files;
	bool ephemeral;
	struct quotas quotas;
	struct clock clock;
	uint8_t token_key[TOKEN_KEY_LEN];
	struct writer writer;
	struct flusher flusher;
	struct workers workers;
	/* Of one thread each, for work that takes long and waits for the writer between its steps. */
	struct workers lifecycle_runs, lifecycle_previews, collector;
	struct workers parsers; /* of store_submit_apart */
	struct upload_table uploads;
	struct removals removals; /* the writer's */
	struct reserve reserve;
	struct db checkpointer;
	struct blob_flush *flushes; /* under way; the writer's own */
	/* Jobs between submission and done; store_close waits for none. */
	pthread_mutex_t count_lock;
	pthread_cond_t count_zero;
	size_t count;
	atomic_bool closing;
	atomic_bool winding_down;    /* long work is to end at its next step */
	atomic_bool broken;          /* the last commit or flush failed */
	atomic_bool full;            /* the last commit failed for want of room */
	atomic_bool log_suspect;     /* a flush of the log failed: checkpoint before going on */
	_Atomic int checkpoint;      /* enum checkpoint_state */
	_Atomic uint64_t jobs_run;   /* by the writer, since the start */
	_Atomic uint64_t generation; /* of the content: a reset begins a new one */
	_Atomic uint64_t pulls[PULL_SLOTS]; /* image pulls noted lately (image_note_pull) */
	bool keep_orphans;                  /* store_options, as the next three */
	bool enforce_policies;
	int64_t lifecycle_interval_ms;
	void (*lifecycle_ran)(const struct lifecycle_report *report);
	void (*checkpoint_failed)(const char *cause);
	atomic_bool log_stuck; /* the last checkpoint failed */
	_Atomic uint64_t checkpoints_failed;
	int64_t lifecycle_last_ms;       /* when the last run of all was due; the writer's own */
	atomic_bool lifecycle_scheduled; /* a run of all, of the schedule's, is under way */
	int64_t tick_ms; /* how often the schedule is looked at; constant once the writer runs */
	struct gc_settings gc;
	int64_t collected_ms; /* when the last collection ended; the writer's */
	bool collecting;      /* one runs that nobody asked for; the writer's */
	_Atomic uint64_t collections_begun, lifecycle_runs_begun; /* by the schedule */
	atomic_bool sweep_due; /* files without a row may be there: after a crash */
};

struct store_reader {
	struct store *store;
	struct db db;
};

/* Opens one more connection. False with *err filled; it is to be closed all the same. */
bool store_connect(struct store *store, struct db *db, enum db_role role, struct err *err);
/* Before done is called the last time, and the count of running jobs goes down. */
void store_finish_job(struct store *store, struct store_job *job);
/* The same as store_submit for a job whose work is for another pool than the workers. */
void store_submit_to(
    struct store *store, struct workers *pool, struct store_job *job, const struct job_ops *ops);
/* A job of storage's own: malloc'd with struct store_job first, freed when done. */
void store_job_free(struct store_job *job);
/* Unlinks an upload's file on a worker: many megabytes take their time. */
void upload_file_remove(struct store *store, const uint8_t id[16]);
/*
 * Sets the clock to what is kept of it. On the writer's thread, or before there is one. False, and the clock as it was:
 * that cannot be read.
 */
bool store_load_clock(struct store *store);
/* Forgets sessions nobody has touched for a day; how many. */
size_t uploads_expire(struct store *store);

#endif
