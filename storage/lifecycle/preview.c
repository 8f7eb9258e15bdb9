/*
 * Previews: reading them, beginning one, ageing out, clearing away. preview_make.c fills one with results.
 *
 * Results are rows under a number of their own, the set. A new preview gets a new set in the transaction that
 * gives the old one up, so that no page ever shows two of them mixed; rows of sets that were given up are removed
 * a page at a time, between other jobs.
 */
#include "storage/lifecycle/preview.h"

#include "storage/images/archive_due.h"
#include "storage/images/image_rows.h"
#include "storage/lifecycle/preview_due.h"
#include "storage/repositories/rows.h"

#include <stdlib.h>

/* ---- reading ---- */

enum error_code preview_find(
    struct store_reader *reader, int64_t repository_id, struct arena *a, struct preview *out)
{
	int64_t done_ms = 0;
	sqlite3_stmt *q = db_query(&reader->db, Q_PREVIEW_FIND);
	bind_int(q, 1, repository_id);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW) {
		out->set_id = sqlite3_column_int64(q, 0);
		out->status = (enum preview_status)sqlite3_column_int(q, 1);
		out->policy = column_dup(q, 2, a);
		done_ms = sqlite3_column_int64(q, 3);
		out->expiring = (uint64_t)sqlite3_column_int64(q, 4);
		out->transitioning = (uint64_t)sqlite3_column_int64(q, 5);
	}
	db_done(q);
	if (step != SQLITE_ROW)
		return step == SQLITE_DONE ? ERR_PREVIEW_NOT_FOUND : db_failure(&reader->db);
	if (out->status == PREVIEW_COMPLETE &&
	    clock_now_ms(&reader->store->clock) - done_ms >= PREVIEW_LIFETIME_MS)
		out->status = PREVIEW_EXPIRED; /* its row will soon say so too */
	return ERR_NONE;
}

/* The columns of SQL_OF_PREVIEW_ITEM. */
static void read_item(sqlite3_stmt *q, struct arena *a, struct preview_item *out)
{
	struct slice rest = column_dup(q, 3, a);
	size_t count = (size_t)sqlite3_column_int64(q, 2);
	out->at = sqlite3_column_int64(q, 0);
	column_digest(q, 1, &out->digest);
	out->tags = arena_array(a, count + 1, sizeof(*out->tags));
	out->tag_count = 0;
	while (out->tag_count < count && tags_next(&rest, &out->tags[out->tag_count]))
		out->tag_count++;
	out->pushed_ms = sqlite3_column_int64(q, 4);
	out->archived = sqlite3_column_int(q, 5) != 0;
	out->action = (enum lifecycle_action)sqlite3_column_int(q, 6);
	out->priority = sqlite3_column_int64(q, 7);
}

enum error_code preview_list(struct store_reader *reader, int64_t set_id, enum tag_status tags,
    int64_t after, size_t limit, struct arena *a, struct preview_page *out)
{
	bool any = tags == TAG_STATUS_ANY;
	sqlite3_stmt *q =
	    db_query(&reader->db, any ? Q_PREVIEW_ITEM_LIST_ANY : Q_PREVIEW_ITEM_LIST);
	int step;
	bind_int(q, 1, set_id);
	if (!any)
		bind_int(q, 2, tags == TAG_STATUS_TAGGED);
	bind_int(q, any ? 2 : 3, after);
	*out = (struct preview_page){.items = arena_array(a, limit, sizeof(*out->items))};
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW && out->count < limit)
		read_item(q, a, &out->items[out->count++]);
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}

enum error_code preview_item_find(struct store_reader *reader, int64_t set_id,
    const struct digest *digest, struct arena *a, struct preview_item *out)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_PREVIEW_ITEM_FIND);
	bind_int(q, 1, set_id);
	bind_digest(q, 2, digest);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW)
		read_item(q, a, out);
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	return step == SQLITE_DONE ? ERR_IMAGE_NOT_FOUND : db_failure(&reader->db);
}

/* ---- beginning ---- */

bool preview_drop(struct store_tx *tx, struct store_job *job, int64_t repository_id)
{
	static const enum db_query steps[] = {Q_PREVIEW_SET_DEAD, Q_PREVIEW_DROP};
	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *q = db_query(tx->db, steps[i]);
		bind_int(q, 1, repository_id);
		if (!tx_exec(tx, job, q))
			return false;
	}
	return true;
}

/* False when one is being made, or the job has failed. */
static bool none_in_progress(struct store_tx *tx, struct preview_start *start)
{
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_FIND);
	bind_int(q, 1, start->repository_id);
	int step = db_step(tx->db, q);
	bool busy = step == SQLITE_ROW && sqlite3_column_int(q, 1) == PREVIEW_IN_PROGRESS;
	db_done(q);
	if (busy)
		job_refuse(&start->job, ERR_PREVIEW_IN_PROGRESS, &start->key);
	else if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(tx, &start->job);
	return start->job.error.code == ERR_NONE;
}

static void start_run(struct store_tx *tx, struct store_job *job)
{
	struct preview_start *start = (struct preview_start *)job;
	if (!job_repository_id(tx, job, &start->key, &start->repository_id) ||
	    !none_in_progress(tx, start) ||
	    !archive_end_due(tx, job, clock_now_ms(&tx->store->clock)) ||
	    !preview_drop(tx, job, start->repository_id) ||
	    !tx_exec(tx, job, db_query(tx->db, Q_PREVIEW_SET_ADD)))
		return;
	start->set_id = sqlite3_last_insert_rowid(tx->db->handle);
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_PUT);
	bind_int(q, 1, start->repository_id);
	bind_int(q, 2, start->set_id);
	bind_text(q, 3, start->policy);
	tx_exec(tx, job, q);
}

static void start_committed(struct store *store, struct store_job *job)
{
	preview_make_submit(store, (struct preview_start *)job);
	preview_purge_submit(store);
}

static const struct job_ops start_ops = {.run = start_run, .committed = start_committed};

void preview_start_submit(struct store *store, struct preview_start *start)
{
	store_submit(store, &start->job, &start_ops);
}

/* ---- ending ---- */

struct preview_job {
	struct store_job job;
	int64_t repository_id, set_id;
	bool more;
};

static struct preview_job *own_job(void)
{
	struct preview_job *own = calloc(1, sizeof(*own));
	if (!own)
		abort();
	own->job.done = store_job_free;
	return own;
}

enum { PURGE_ITEMS = 256 };

static void purge_run(struct store_tx *tx, struct store_job *job)
{
	struct preview_job *purge = (struct preview_job *)job;
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_SET_DOOMED);
	purge->more = db_step(tx->db, q) == SQLITE_ROW;
	int64_t set_id = purge->more ? sqlite3_column_int64(q, 0) : 0;
	db_done(q);
	if (!purge->more)
		return;
	q = db_query(tx->db, Q_PREVIEW_ITEM_DROP_SOME);
	bind_int(q, 1, set_id);
	bind_int(q, 2, PURGE_ITEMS);
	if (!tx_exec(tx, job, q) || sqlite3_changes(tx->db->handle) > 0)
		return;
	q = db_query(tx->db, Q_PREVIEW_SET_DROP);
	bind_int(q, 1, set_id);
	tx_exec(tx, job, q);
}

static void purge_committed(struct store *store, struct store_job *job)
{
	struct preview_job *purge = (struct preview_job *)job;
	if (purge->more && !atomic_load(&store->closing))
		preview_purge_submit(store);
}

static const struct job_ops purge_ops = {
    .run = purge_run, .committed = purge_committed, .frees = true};

void preview_purge_submit(struct store *store)
{
	struct preview_job *purge = own_job();
	store_submit(store, &purge->job, &purge_ops);
}

/* Its row stays, to say that there was one; its items go. */
static void expire_run(struct store_tx *tx, struct store_job *job)
{
	struct preview_job *expire = (struct preview_job *)job;
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_EXPIRE);
	bind_int(q, 1, expire->repository_id);
	bind_int(q, 2, expire->set_id);
	if (!tx_exec(tx, job, q) || sqlite3_changes(tx->db->handle) == 0)
		return;
	q = db_query(tx->db, Q_PREVIEW_SET_DEAD);
	bind_int(q, 1, expire->repository_id);
	tx_exec(tx, job, q);
}

/* And whatever else is due by then. */
static void expire_committed(struct store *store, struct store_job *job)
{
	(void)job;
	if (atomic_load(&store->closing))
		return;
	preview_purge_submit(store);
	preview_tend(store);
}

static const struct job_ops expire_ops = {.run = expire_run, .committed = expire_committed};

void preview_tend(struct store *store)
{
	struct db *db = &store->writer.db;
	sqlite3_stmt *q = db_query(db, Q_PREVIEW_DUE);
	bind_int(q, 1, clock_now_ms(&store->clock) - PREVIEW_LIFETIME_MS);
	bool due = db_step(db, q) == SQLITE_ROW;
	int64_t repository_id = due ? sqlite3_column_int64(q, 0) : 0;
	int64_t set_id = due ? sqlite3_column_int64(q, 1) : 0;
	db_done(q);
	if (!due)
		return;
	struct preview_job *expire = own_job();
	expire->repository_id = repository_id;
	expire->set_id = set_id;
	store_submit(store, &expire->job, &expire_ops);
}

bool preview_recover(struct store *store)
{
	struct db *db = &store->writer.db;
	if (!db_run(db, Q_PREVIEW_CUT_OFF))
		return false;
	sqlite3_stmt *q = db_query(db, Q_PREVIEW_SET_DOOMED);
	int step = db_step(db, q);
	db_done(q);
	if (step == SQLITE_ROW)
		preview_purge_submit(store);
	return step == SQLITE_ROW || step == SQLITE_DONE;
}
