#include "storage/blob.h"

#include "storage/rows.h"

#include <stdlib.h>

/* A blob's time of last use is renewed when it is older than this: the collector's grace is far
 * longer. */
#define TOUCH_AFTER_MS (5 * 60 * 1000LL)

struct blob_touch {
	struct store_job job;
	struct digest digest;
};

static void touch_run(struct store_tx *tx, struct store_job *job)
{
	struct blob_touch *touch = (struct blob_touch *)job;
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_TOUCH);
	bind_digest(q, 1, &touch->digest);
	bind_int(q, 2, clock_now_ms(&tx->store->clock));
	tx_exec(tx, job, q);
}

/* Whoever was told that a blob exists may rely on it for a while: it must not be collected. */
static void renew(struct store *store, const struct digest *digest, int64_t touched_ms)
{
	if (clock_now_ms(&store->clock) - touched_ms < TOUCH_AFTER_MS)
		return;
	struct blob_touch *touch = calloc(1, sizeof(*touch));
	if (!touch)
		abort();
	touch->job.run = touch_run;
	touch->job.done = store_job_free;
	touch->digest = *digest;
	store_submit(store, &touch->job);
}

static sqlite3_stmt *look_up(struct store_reader *reader, enum db_query query,
    const struct repository_key *key, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(&reader->db, query);
	bind_key(q, key);
	bind_digest(q, 4, digest);
	return q;
}

enum error_code blob_stat(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct blob *out)
{
	int64_t touched_ms = 0;
	sqlite3_stmt *q = look_up(reader, Q_BLOB_STAT, key, digest);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW) {
		*out = (struct blob){.id = sqlite3_column_int64(q, 0), .fd = -1};
		out->size = (uint64_t)sqlite3_column_int64(q, 1);
		touched_ms = sqlite3_column_int64(q, 2);
	}
	db_done(q);
	if (step == SQLITE_DONE)
		return row_missing(&reader->db, key, ERR_BLOB_UNKNOWN);
	if (step != SQLITE_ROW)
		return db_failure(&reader->db);
	renew(reader->store, digest, touched_ms);
	return ERR_NONE;
}

enum error_code blob_open(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct arena *a, struct blob *out)
{
	sqlite3_stmt *q = look_up(reader, Q_BLOB_OPEN, key, digest);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW) {
		*out = (struct blob){.id = sqlite3_column_int64(q, 0), .fd = -1};
		out->size = (uint64_t)sqlite3_column_int64(q, 1);
		out->data = column_dup(q, 3, a);
	}
	db_done(q);
	if (step == SQLITE_DONE)
		return row_missing(&reader->db, key, ERR_BLOB_UNKNOWN);
	if (step != SQLITE_ROW)
		return db_failure(&reader->db);
	if (out->data.at)
		return ERR_NONE;
	out->fd = files_open_blob(&reader->store->files, digest);
	return out->fd >= 0 ? ERR_NONE : ERR_STORAGE_FAILED;
}
