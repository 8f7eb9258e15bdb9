/*
 * Making a preview: decided from one snapshot, which is let go before anything is written, as the database's
 * log would grow behind it. So what has changed by the time it is written down is left out, as it would be by a
 * run (lifecycle_batch.h).
 */
#include "storage/lifecycle/preview_due.h"

#include "storage/images/image_rows.h"
#include "storage/jobs/await.h"
#include "storage/lifecycle/lifecycle_batch.h"
#include "storage/lifecycle/lifecycle_eval.h"

#include <stdlib.h>

enum { ITEMS_AT_ONCE = 64 };

/* A job of storage's own: it owns its arena, with the policy. */
struct preview_make {
	struct store_job job;
	struct arena arena;
	int64_t repository_id, set_id;
	struct slice policy;
	uint64_t expiring, transitioning;
	bool made;
};

/* A transaction's worth of items. */
struct item_batch {
	struct store_job job;
	const struct lifecycle_eval *eval;
	size_t first, count; /* of its outcomes */
	int64_t repository_id, set_id;
	uint64_t expiring, transitioning; /* out */
	bool gone;                        /* out: the set is not wanted any more */
};

static bool set_lives(struct store_tx *tx, struct store_job *job, int64_t set_id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_SET_LIVES);
	bind_int(q, 1, set_id);
	int step = db_step(tx->db, q);
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(tx, job);
	return step == SQLITE_ROW;
}

static void add_item(struct store_tx *tx, struct item_batch *batch, size_t at,
    const struct lifecycle_outcome *outcome, const struct image_row *row)
{
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_ITEM_ADD);
	bind_int(q, 1, batch->set_id);
	bind_int(q, 2, row->tag_count > 0);
	bind_int(q, 3, (int64_t)at + 1);
	bind_digest(q, 4, &row->digest);
	bind_int(q, 5, (int64_t)row->tag_count);
	bind_blob(q, 6, row->tags.at, row->tags.len);
	bind_int(q, 7, row->pushed_ms);
	bind_int(q, 8, row->status == IMAGE_ARCHIVED);
	bind_int(q, 9, outcome->action);
	bind_int(q, 10, batch->eval->policy.rules[outcome->rule].priority);
	tx->bytes += row->tags.len;
	if (!tx_exec(tx, &batch->job, q))
		return;
	if (outcome->action == LIFECYCLE_EXPIRE)
		batch->expiring++;
	else
		batch->transitioning++;
}

static void write_outcome(struct store_tx *tx, struct item_batch *batch, size_t at)
{
	struct lifecycle_outcome outcome;
	struct image_row row;
	lifecycle_outcome(batch->eval->engine, at, &outcome);
	const struct lifecycle_seen *seen = &batch->eval->seen[outcome.id];
	if (image_row_find(tx, &batch->job, batch->repository_id, &outcome.digest, &row) !=
	    ERR_NONE)
		return;
	bool follows = outcome.decision == LIFECYCLE_FOLLOWS;
	if (row.id == seen->image_id && (follows || lifecycle_row_mark(&row) == seen->mark))
		add_item(tx, batch, at, &outcome, &row);
}

static void batch_run(struct store_tx *tx, struct store_job *job)
{
	struct item_batch *batch = (struct item_batch *)job;
	batch->gone = !set_lives(tx, job, batch->set_id);
	for (size_t i = 0; i < batch->count && !batch->gone && job->error.code == ERR_NONE; i++)
		write_outcome(tx, batch, batch->first + i);
}

static const struct job_ops batch_ops = {.run = batch_run};

static bool write_batch(struct store *store, struct preview_make *make,
    const struct lifecycle_eval *eval, size_t first, size_t count)
{
	struct arena a;
	struct item_batch batch = {
	    .job.arena = &a,
	    .eval = eval,
	    .first = first,
	    .count = count,
	    .repository_id = make->repository_id,
	    .set_id = make->set_id,
	};
	arena_init(&a);
	bool written = job_await_kindly(store, &batch.job, &batch_ops) == ERR_NONE && !batch.gone;
	arena_release(&a);
	make->expiring += batch.expiring;
	make->transitioning += batch.transitioning;
	return written && !atomic_load(&store->winding_down);
}

/* False: not all was written. */
static bool write_all(
    struct store *store, struct preview_make *make, const struct lifecycle_eval *eval)
{
	size_t n = lifecycle_action_count(eval->engine), count;
	for (size_t at = 0; at < n; at += count) {
		count = n - at < ITEMS_AT_ONCE ? n - at : ITEMS_AT_ONCE;
		if (!write_batch(store, make, eval, at, count))
			return false;
	}
	return true;
}

static void make_work(struct store *store, struct store_job *job)
{
	struct preview_make *make = (struct preview_make *)job;
	struct lifecycle_eval eval = {.engine = NULL};
	struct err err = {""};
	struct store_reader *reader = store_reader_open(store, &err);
	int64_t now_ms = clock_now_ms(&store->clock);
	bool decided = reader &&
	    lifecycle_evaluate(reader, make->repository_id, make->policy, now_ms, &make->arena,
		&eval) == LIFECYCLE_EVALUATED;
	store_reader_close(reader);
	make->made = decided && write_all(store, make, &eval);
	lifecycle_eval_release(&eval);
}

/* Without effect when the repository, and its preview with it, has gone. */
static void end_run(struct store_tx *tx, struct store_job *job)
{
	struct preview_make *make = (struct preview_make *)job;
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_END);
	bind_int(q, 1, make->repository_id);
	bind_int(q, 2, make->set_id);
	bind_int(q, 3, make->made ? PREVIEW_COMPLETE : PREVIEW_FAILED);
	bind_int(q, 4, clock_now_ms(&tx->store->clock));
	bind_int(q, 5, (int64_t)make->expiring);
	bind_int(q, 6, (int64_t)make->transitioning);
	tx_exec(tx, job, q);
}

static void make_done(struct store_job *job)
{
	arena_release(job->arena);
	free(job);
}

static const struct job_ops make_ops = {.work = make_work, .run = end_run};

void preview_make_submit(struct store *store, const struct preview_start *start)
{
	struct preview_make *make = calloc(1, sizeof(*make));
	if (!make)
		abort();
	arena_init(&make->arena);
	make->job.arena = &make->arena;
	make->job.done = make_done;
	make->repository_id = start->repository_id;
	make->set_id = start->set_id;
	make->policy = arena_dup(&make->arena, start->policy);
	store_submit_to(store, &store->lifecycle_previews, &make->job, &make_ops);
}
