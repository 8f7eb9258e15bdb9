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
#include "storage/clock.h"

struct lifecycle_report;
struct store;
struct store_reader; /* a thread's own read connection with its prepared statements */
struct store_job;
struct store_tx; /* the writer's transaction, seen by jobs' run functions (storage-internal) */

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

/* A cause in words, for people; untouched on success. */
struct err {
	char text[512];
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
/* Why its last call answered ERR_STORAGE_FAILED or _FULL, for the log; borrowed until the next call. */
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

enum store_flush {
	STORE_FLUSH_LATER, /* survives kill -9 when done is called; power loss only after a later flush */
	STORE_FLUSH_NOW, /* on disk when done is called (and all that was committed before it) */
};

/*
 * What a kind of job does; constant, and any of the functions may be NULL. Of a job with a run function exactly one of
 * committed and failed is called, once: what follows a change, and what follows the loss of one, stand apart.
 */
struct job_ops {
	/*
	 * First, on a worker thread, outside any transaction: hashing, flushing, file moves. When it leaves the job's
	 * error set, run is skipped. NULL: nothing.
	 */
	void (*work)(struct store *store, struct store_job *job);
	/* On the writer, in its transaction, in a savepoint of the job's own. NULL: the job ends with its work. */
	void (*run)(struct store_tx *tx, struct store_job *job);
	/* On the writer, after the commit, before the next transaction begins: what run wrote is in the database. */
	void (*committed)(struct store *store, struct store_job *job);
	/* In its place: nothing of the job is in the database. It refused, or it, its work or the commit failed: its error says so. */
	void (*failed)(struct store *store, struct store_job *job);
	enum store_flush flush;
	/* It deletes, or makes room in some other way: on a full disk it gets what is held in reserve (reserve.h). */
	bool frees;
};

/*
 * A job. Embedded as first member in a typed request (struct repository_create, ...), whose header says
 * what to fill. The submitter owns the memory and must keep it, and the arena, untouched until done was
 * called. error.code is ERR_NONE on success; otherwise the job's changes were rolled back (unless its
 * header says otherwise), and error's slices live in the arena.
 */
struct store_job {
	struct store_job *next;
	const struct job_ops *ops; /* store_submit's */
	/* When it is over, on one of the store's threads: must only hand the job on (post, free). */
	void (*done)(struct store_job *job);
	const struct digest *waits_for; /* storage's */
	void *owner;                    /* the submitter's */
	struct arena *arena;
	struct error error;
};

void store_submit(struct store *store, struct store_job *job, const struct job_ops *ops);
/*
 * The same for a job whose work is long for the processor and touches no file: parsing and writing texts of
 * megabytes. It has threads of its own, so that it never waits for a disk, nor a flush for it.
 */
void store_submit_apart(struct store *store, struct store_job *job, const struct job_ops *ops);

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
