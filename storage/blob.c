#include "storage/blob.h"

#include "storage/rows.h"

#include <stdlib.h>

/* A blob's time of last use is renewed when it is older than this: the collector's grace is far longer. */
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

/* mounting */

/* The blob as the source sees it. False when the job has failed. */
static bool find_source(struct store_tx *tx, struct blob_mount *mount, int64_t *blob_id)
{
	struct repository_key from = {mount->key.account, mount->key.region, mount->from};
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_STAT);
	bind_key(q, &from);
	bind_digest(q, 4, &mount->digest);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW) {
		*blob_id = sqlite3_column_int64(q, 0);
		mount->size = (uint64_t)sqlite3_column_int64(q, 1);
	}
	db_done(q);
	if (step == SQLITE_DONE)
		job_refuse(&mount->job, ERR_BLOB_UNKNOWN, &mount->key);
	else if (step != SQLITE_ROW)
		tx_fail(tx, &mount->job);
	return step == SQLITE_ROW;
}

static bool is_referenced(struct store_tx *tx, struct blob_mount *mount, int64_t blob_id)
{
	int64_t from_id = 0;
	struct repository_key from = {mount->key.account, mount->key.region, mount->from};
	if (row_repository_id(tx->db, &from, &from_id) != ERR_NONE)
		return false;
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_REFERENCED);
	bind_int(q, 1, blob_id);
	bind_int(q, 2, from_id);
	bool referenced = db_step(tx->db, q) == SQLITE_ROW;
	db_done(q);
	return referenced;
}

static void mount_run(struct store_tx *tx, struct store_job *job)
{
	struct blob_mount *mount = (struct blob_mount *)job;
	int64_t repository_id, blob_id;
	if (!job_repository_id(tx, job, &mount->key, &repository_id) ||
	    !find_source(tx, mount, &blob_id))
		return;
	if (mount->referenced_only && !is_referenced(tx, mount, blob_id)) {
		job_refuse(job, ERR_BLOB_UNKNOWN, &mount->key);
		return;
	}
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_LINK);
	bind_int(q, 1, blob_id);
	bind_int(q, 2, repository_id);
	if (!tx_exec(tx, job, q))
		return;
	q = db_query(tx->db, Q_BLOB_TOUCH);
	bind_digest(q, 1, &mount->digest);
	bind_int(q, 2, clock_now_ms(&tx->store->clock));
	tx_exec(tx, job, q);
}

void blob_mount_submit(struct store *store, struct blob_mount *mount)
{
	mount->job.run = mount_run;
	mount->job.flush = STORE_FLUSH_LATER;
	store_submit(store, &mount->job);
}
