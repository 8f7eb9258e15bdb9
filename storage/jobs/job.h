/*
 * Jobs: what is written, and what takes long, for whoever submits it. Any thread.
 */
#ifndef DRYDOCK_STORAGE_JOB_H
#define DRYDOCK_STORAGE_JOB_H

#include "protocol/digest.h"
#include "protocol/errors.h"

struct store;
struct store_job;
struct
    store_tx; /* the writer's transaction, as jobs' run functions see it: writer.h (storage-internal) */

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

#endif
