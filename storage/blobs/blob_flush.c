/*
 * Flushing a blob's file is one job: a worker flushes the file and the folders that lead to it, then the writer
 * notes that in its row.
 *
 * store->flushes, the writer's own list, has those that are under way: an image that waits for one begins no
 * second. The generation keeps a flush that began before a reset from speaking of a blob of the same digest that
 * was pushed after it. When the disk refuses, the rows go and then the file, and images that wait for it fail:
 * what was never on disk is never acknowledged.
 */
#include "storage/blobs/blob_flush.h"

#include "storage/core.h"

#include <stdlib.h>

struct blob_flush {
	struct store_job job;
	struct blob_flush *next; /* of those under way; the writer's */
	struct digest digest;
	uint64_t generation; /* of the content it belongs to: see store_reset */
	bool failed;
	bool held;  /* it failed, but an image holds the blob: its row stays */
	bool stale; /* the name has another file since: it says nothing of that */
};

static void flush_work(struct store *store, struct store_job *job)
{
	struct blob_flush *flush = (struct blob_flush *)job;
	flush->failed = files_flush_blob(&store->files, &flush->digest) != 0;
}

bool blob_drop_rows(struct db *db, const struct digest *digest)
{
	int64_t id = 0;
	sqlite3_stmt *q = db_query(db, Q_BLOB_FIND);
	bind_digest(q, 1, digest);
	int step = db_step(db, q);
	if (step == SQLITE_ROW)
		id = sqlite3_column_int64(q, 0);
	db_done(q);
	if (step != SQLITE_ROW)
		return step == SQLITE_DONE;
	bool dropped = true;
	static const enum db_query of_id[] = {Q_BLOB_UNLINK_ALL, Q_STRAY_DROP_ALL, Q_CONTENT_DROP};
	for (size_t i = 0; i < 3 && dropped; i++) {
		q = db_query(db, of_id[i]);
		bind_int(q, 1, id);
		dropped = db_exec(db, q);
	}
	q = db_query(db, Q_BLOB_DROP);
	bind_digest(q, 1, digest);
	return dropped && db_exec(db, q);
}

enum found blob_held(struct db *db, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(db, Q_BLOB_HELD);
	bind_digest(q, 1, digest);
	enum found found = db_found(db_step(db, q));
	db_done(q);
	return found;
}

void blob_flush_outdate(struct store *store, const struct digest *digest)
{
	for (struct blob_flush *flush = store->flushes; flush; flush = flush->next)
		flush->stale = flush->stale || digest_eq(&flush->digest, digest);
}

static void flush_run(struct store_tx *tx, struct store_job *job)
{
	struct blob_flush *flush = (struct blob_flush *)job;
	if (flush->generation != atomic_load(&tx->store->generation))
		return; /* content of before a reset: a blob of this name is another now */
	if (flush->stale)
		return;
	if (flush->failed && blob_held(tx->db, &flush->digest) != ABSENT) {
		flush->held = true; /* the next put, upload or start tries again */
		return;
	}
	if (flush->failed) {
		tx->last = true; /* the jobs after it are to know that its file waits for removal */
		if (!blob_drop_rows(tx->db, &flush->digest))
			tx_fail(tx, job);
		return;
	}
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_SYNCED);
	bind_digest(q, 1, &flush->digest);
	tx_exec(tx, job, q);
}

static void no_longer_under_way(struct store *store, const struct blob_flush *flush)
{
	struct blob_flush **at = &store->flushes;
	while (*at != flush)
		at = &(*at)->next;
	*at = flush->next;
}

static bool is_current(struct store *store, const struct blob_flush *flush)
{
	return flush->generation == atomic_load(&store->generation);
}

static void flush_committed(struct store *store, struct store_job *job)
{
	struct blob_flush *flush = (struct blob_flush *)job;
	bool lost = flush->failed && !flush->stale && is_current(store, flush);
	no_longer_under_way(store, flush);
	if (lost && !flush->held) {
		removal_add(store, &flush->digest, false);
		removal_start(store);
	}
	writer_unpark(&store->writer, &flush->digest, lost);
}

/* The file may be on disk, but that is not noted: who waits is told so, and the next put begins another flush. */
static void flush_failed(struct store *store, struct store_job *job)
{
	struct blob_flush *flush = (struct blob_flush *)job;
	no_longer_under_way(store, flush);
	writer_unpark(&store->writer, &flush->digest, !flush->stale && is_current(store, flush));
}

static const struct job_ops flush_ops = {.work = flush_work,
    .run = flush_run,
    .committed = flush_committed,
    .failed = flush_failed,
    .frees = true};

void blob_flush_submit(struct store *store, const struct digest *digest)
{
	struct blob_flush *flush = calloc(1, sizeof(*flush));
	if (!flush)
		abort();
	flush->job.done = store_job_free;
	flush->digest = *digest;
	flush->generation = atomic_load(&store->generation);
	flush->next = store->flushes;
	store->flushes = flush;
	store_submit(store, &flush->job, &flush_ops);
}

void blob_flush_want(struct store *store, const struct digest *digest)
{
	uint64_t generation = atomic_load(&store->generation);
	for (struct blob_flush *flush = store->flushes; flush; flush = flush->next) {
		if (flush->generation == generation && !flush->stale &&
		    digest_eq(&flush->digest, digest))
			return;
	}
	blob_flush_submit(store, digest);
}
