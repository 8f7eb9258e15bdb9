/* Making a preview: decided from one snapshot, written down in small transactions. */
#include "storage/preview_due.h"

#include "storage/await.h"
#include "storage/lifecycle_eval.h"

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
	int64_t set_id;
	const struct preview_item *items;
	const struct slice *tags; /* of each, as they are kept: each followed by a NUL */
	size_t count;
	bool gone; /* out: the set is not wanted any more */
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

static bool add_item(struct store_tx *tx, struct item_batch *batch, const struct preview_item *item,
    struct slice tags)
{
	sqlite3_stmt *q = db_query(tx->db, Q_PREVIEW_ITEM_ADD);
	bind_int(q, 1, batch->set_id);
	bind_int(q, 2, item->tag_count > 0);
	bind_int(q, 3, item->at);
	bind_digest(q, 4, &item->digest);
	bind_int(q, 5, (int64_t)item->tag_count);
	bind_blob(q, 6, tags.at, tags.len);
	bind_int(q, 7, item->pushed_ms);
	bind_int(q, 8, item->archived);
	bind_int(q, 9, item->action);
	bind_int(q, 10, item->priority);
	tx->bytes += tags.len;
	return tx_exec(tx, &batch->job, q);
}

static void batch_run(struct store_tx *tx, struct store_job *job)
{
	struct item_batch *batch = (struct item_batch *)job;
	batch->gone = !set_lives(tx, job, batch->set_id);
	for (size_t i = 0; i < batch->count && !batch->gone && job->error.code == ERR_NONE; i++)
		add_item(tx, batch, &batch->items[i], batch->tags[i]);
}

/* A row's tags again, of an image that was read. */
static struct slice join_tags(const struct image *image, struct arena *a)
{
	size_t len = 0;
	for (size_t i = 0; i < image->tag_count; i++)
		len += image->tags[i].len + 1;
	char *all = arena_alloc(a, len + 1);
	for (size_t i = 0, at = 0; i < image->tag_count; i++) {
		memcpy(all + at, image->tags[i].at, image->tags[i].len);
		at += image->tags[i].len + 1;
		all[at - 1] = '\0';
	}
	return slice_of(all, len);
}

/* What is to be shown of one outcome; the image is read in the snapshot that decided it. */
static bool fill_item(struct preview_make *make, struct store_reader *reader,
    const struct lifecycle_eval *eval, size_t at, struct arena *a, struct preview_item *item,
    struct slice *tags)
{
	struct lifecycle_outcome outcome;
	struct image image;
	lifecycle_outcome(eval->engine, at, &outcome);
	struct image_id id = {.digest = outcome.digest, .tag = {NULL, 0}};
	if (image_find(reader, make->repository_id, &id, a, &image) != ERR_NONE)
		return false;
	*item = (struct preview_item){
	    .at = (int64_t)at + 1,
	    .digest = outcome.digest,
	    .tag_count = image.tag_count,
	    .pushed_ms = image.pushed_ms,
	    .archived = image.status == IMAGE_ARCHIVED,
	    .action = outcome.action,
	    .priority = eval->policy.rules[outcome.rule].priority,
	};
	*tags = join_tags(&image, a);
	if (outcome.action == LIFECYCLE_EXPIRE)
		make->expiring++;
	else
		make->transitioning++;
	return true;
}

static bool write_batch(struct store *store, struct preview_make *make, struct store_reader *reader,
    const struct lifecycle_eval *eval, size_t *at)
{
	size_t n = lifecycle_action_count(eval->engine);
	struct preview_item items[ITEMS_AT_ONCE];
	struct slice tags[ITEMS_AT_ONCE];
	struct item_batch batch = {
	    .job = {.run = batch_run}, .set_id = make->set_id, .items = items, .tags = tags};
	struct arena a;
	bool written = true;
	arena_init(&a);
	batch.job.arena = &a;
	for (; written && *at < n && batch.count < ITEMS_AT_ONCE; ++*at, batch.count++)
		written =
		    fill_item(make, reader, eval, *at, &a, &items[batch.count], &tags[batch.count]);
	if (written && batch.count > 0)
		written = job_await(store, &batch.job) == ERR_NONE;
	arena_release(&a);
	return written && !batch.gone && !atomic_load(&store->winding_down);
}

/* False: not all was written, or the policy could not be applied. */
static bool make_items(struct store *store, struct preview_make *make, struct store_reader *reader)
{
	struct lifecycle_eval eval;
	int64_t now_ms = clock_now_ms(&store->clock);
	size_t at = 0;
	bool made = lifecycle_evaluate(reader, make->repository_id, make->policy, now_ms,
			&make->arena, &eval) == LIFECYCLE_EVALUATED;
	while (made && at < lifecycle_action_count(eval.engine))
		made = write_batch(store, make, reader, &eval, &at);
	lifecycle_eval_release(&eval);
	return made;
}

static void make_work(struct store *store, struct store_job *job)
{
	struct preview_make *make = (struct preview_make *)job;
	struct err err = {""};
	struct store_reader *reader = store_reader_open(store, &err);
	make->made = reader && db_run(&reader->db, Q_BEGIN_READ) && make_items(store, make, reader);
	store_reader_close(reader); /* and with it the snapshot */
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

void preview_make_submit(struct store *store, const struct preview_start *start)
{
	struct preview_make *make = calloc(1, sizeof(*make));
	if (!make)
		abort();
	arena_init(&make->arena);
	make->job.arena = &make->arena;
	make->job.work = make_work;
	make->job.run = end_run;
	make->job.done = make_done;
	make->repository_id = start->repository_id;
	make->set_id = start->set_id;
	make->policy = arena_dup(&make->arena, start->policy);
	store_submit_to(store, &store->lifecycle_previews, &make->job);
}
