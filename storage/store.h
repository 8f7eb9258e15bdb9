/*
 * The store: one data folder, its database, its threads.
 *
 *	DATA/drydock.db          everything but large blobs (SQLite, write-ahead log)
 *	DATA/blobs/sha256/ab/... large blobs, by content
 *	DATA/uploads/<uuid>      the bytes of large uploads in flight
 *	DATA/sessions*           what is known of uploads in flight, and the bytes of small ones
 *	DATA/reserve             room for deleting on a full disk
 *	DATA/lock                held while the folder has an owner
 *
 * Reads run on the calling thread through that thread's struct store_reader. Writes are jobs: any
 * thread submits one, the writer thread runs all that wait inside one transaction (a savepoint each),
 * commits once, and then calls each job's done. Storage logs nothing and knows no HTTP.
 */
#ifndef DRYDOCK_STORAGE_STORE_H
#define DRYDOCK_STORAGE_STORE_H

#include "protocol/digest.h"
#include "protocol/errors.h"
#include "protocol/quotas.h"
#include "protocol/token.h"
#include "storage/db/err.h"
#include "storage/jobs/clock.h"
#include "storage/jobs/job.h"

struct lifecycle_report;
struct store;
struct store_reader; /* a thread's own read connection with its prepared statements */
struct store_tx;     /* the writer's transaction, seen by jobs' run functions (storage-internal) */

/* When what no image holds is collected (gc.h). */
struct gc_settings {
	int64_t grace_ms;    /* after somebody last relied on it */
	int64_t interval_ms; /* by itself, so often; 0: never */
};
#define GC_DEFAULTS ((struct gc_settings){24 * 3600 * 1000LL, 3600 * 1000LL})

struct store_options {
	const char
	    *path; /* the data folder, made when absent; NULL with ephemeral: a temporary one */
	bool ephemeral;               /* no flushes; the folder is removed by store_close */
	struct quotas quotas;         /* zeroed: ECR's own */
	const struct gc_settings *gc; /* NULL: GC_DEFAULTS */
	/* How often all lifecycle policies are run, by the store's clock; 0: every hour; below: only when
	 * asked to. */
	int64_t lifecycle_interval_ms;
	bool keep_orphans; /* referrers stay when their subject is deleted */
	bool
	    enforce_policies; /* a copy needs the leave of its destination's registry (replication.h) */
	/* Told of each repository that a run of the schedule is through with, on a thread of the store's; NULL: nobody. */
	void (*lifecycle_ran)(const struct lifecycle_report *report);
	/*
	 * Told why, on a thread of the store's, when the database cannot take in the log, which grows from then on; once until it
	 * could again. NULL: nobody.
	 */
	void (*checkpoint_failed)(const char *cause);
};

/*
 * Opens (or makes) a data folder: takes its lock, migrates its schema, clears what a crash left
 * half-made. NULL with *err filled when the folder is owned by another process, was written by a newer
 * version, or cannot be used. Cost does not grow with what is stored.
 */
struct store *store_open(const struct store_options *options, struct err *err)
    __attribute__((warn_unused_result));
/* What takes long (lifecycle runs, previews) ends at its next step from now on. Before store_close: jobs of others go on. */
void store_wind_down(struct store *store);
/* Runs every job submitted so far, flushes, stops the threads, lets the folder go. */
void store_close(struct store *store);

struct store_reader *store_reader_open(struct store *store, struct err *err);
void store_reader_close(struct store_reader *reader);
/* Why its last read answered ERR_STORAGE_FAILED or _FULL, for the log; borrowed until the next one. "" when it did not. */
const char *store_reader_cause(const struct store_reader *reader);

struct clock *store_clock(struct store *store);
/* Sealing key of tokens, made once per data folder. */
const uint8_t *store_token_key(const struct store *store); /* TOKEN_KEY_LEN bytes */
const char *store_path(const struct store *store);
/* For reading what is allowed. */
const struct quotas *store_quotas(const struct store *store);
/* True when the writer has failed to commit since the last success (health). */
bool store_broken(const struct store *store);
/* How often the database could not take in the log, since the start. Any thread. */
uint64_t store_checkpoints_failed(const struct store *store);

/* How often the schedule has begun what nobody asked for, since the start (metrics). After a move of the clock that has
 * been answered, whatever became due by it is counted. From any thread. */
struct store_scheduled {
	uint64_t collections, lifecycle_runs;
};
void store_scheduled(struct store *store, struct store_scheduled *scheduled);

/* Empties everything but the schema and the token key, removes all blobs and uploads in flight. */
struct store_reset {
	struct store_job job;
};
void store_reset_submit(struct store *store, struct store_reset *reset);

/* Moves the clock and keeps the offset across restarts. */
struct clock_move {
	struct store_job job;
	int64_t offset_ms;
	bool back; /* the submitter's: it is less than it was */
};
void clock_move_submit(struct store *store, struct clock_move *move);

#endif
