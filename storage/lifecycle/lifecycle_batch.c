/*
 * A batch of lifecycle decisions, carried out in one transaction of the writer.
 *
 * They were taken on an earlier view of the repository. So each is held against the row as it is now: by the
 * image's id, and by a hash over all that a rule may have looked at. What does not hold any more is left to the
 * next run; a policy or a repository that was replaced ends the batch. Deleting and archiving are done by the
 * functions that the API uses.
 */
#include "storage/lifecycle/lifecycle_batch.h"

#include "storage/jobs/await.h"

#include "storage/images/archive_due.h"
#include "storage/images/orphan.h"
#include "storage/repositories/document_rows.h"
#include "storage/repositories/rows.h"

/* FNV-1a: nobody gains by two states of an image of their own that look the same. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t lifecycle_mark(const struct lifecycle_image *image)
{
	int64_t facts[] = {image->status, image->pushed_ms, image->pulled_ms, image->archived_ms,
	    image->activated_ms};
	uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), facts, sizeof(facts));
	return mix(hash, image->tags.len > 0 ? image->tags.at : "", image->tags.len);
}

uint64_t lifecycle_row_mark(const struct image_row *row)
{
	static const enum lifecycle_status statuses[IMAGE_STATUS_COUNT] = {
	    LIFECYCLE_ACTIVE, LIFECYCLE_ARCHIVED, LIFECYCLE_ACTIVATING};
	struct lifecycle_image image = {
	    .tags = row->tags,
	    .status = statuses[row->status],
	    .pushed_ms = row->pushed_ms,
	    .pulled_ms = row->pulled_ms,
	    .archived_ms = row->archived_ms,
	    .activated_ms = row->activated_ms,
	};
	return lifecycle_mark(&image);
}

/* Whether all is as it was when it was decided: the repository, its policy; and the time not before that. */
static bool still_valid(struct store_tx *tx, struct lifecycle_batch *batch)
{
	const struct repository_key *key = &batch->key;
	struct document_key policy = {
	    key->account, key->region, DOCUMENT_LIFECYCLE_POLICY, key->name};
	struct document found;
	int64_t id;
	enum error_code code = row_repository_id(tx->db, key, &id);
	bool valid = code == ERR_NONE && id == batch->repository_id &&
	    clock_now_ms(&tx->store->clock) >= batch->decided_ms;
	if (valid && batch->policy.at) {
		code = document_row_find(tx->db, &policy, batch->job.arena, &found);
		valid = code == ERR_NONE && slice_eq(found.text, batch->policy);
	}
	if (code >= ERR_STORAGE_FULL)
		tx_fail(tx, &batch->job);
	return valid;
}

/* The subject of a row, where it has one in the repository. */
static bool find_subject(struct store_tx *tx, struct store_job *job, const struct image_row *row,
    struct image_row *subject)
{
	return row->subject.algorithm != DIGEST_NONE &&
	    image_row_find(tx, job, row->repository_id, &row->subject, subject) == ERR_NONE;
}

/* Whether the image is to go still, for the reason that was given. */
static bool still_meant(struct store_tx *tx, struct lifecycle_batch *batch,
    const struct lifecycle_item *item, const struct image_row *row)
{
	struct store_job *job = &batch->job;
	struct image_row subject;
	bool has_subject = find_subject(tx, job, row, &subject);
	switch (item->deed.cause) {
	case LIFECYCLE_BY_RULE:
		return row->id == item->image_id && lifecycle_row_mark(row) == item->mark &&
		    !has_subject;
	case LIFECYCLE_WITH_SUBJECT:
		if (row->id != item->image_id)
			return false;
		return item->deed.action == LIFECYCLE_EXPIRE
		    ? !has_subject || item->held
		    : has_subject && (subject.status == IMAGE_ARCHIVED || item->held);
	case LIFECYCLE_SUBJECT_DELETED:
		return !has_subject && orphan_noted(tx, job, row->repository_id, &row->digest);
	}
	return false;
}

static bool kept_by_index(struct store_tx *tx, struct store_job *job, struct lifecycle_item *item,
    const struct image_row *row)
{
	bool transition = item->deed.action == LIFECYCLE_TRANSITION;
	if (transition && !archive_held(tx, job, row))
		return false;
	item->deed.parents = image_row_parents(tx, job, row);
	return item->deed.parents.at != NULL;
}

/* One decision; its result is OVERTAKEN unless it is found to be still due. */
static void carry_out(
    struct store_tx *tx, struct lifecycle_batch *batch, struct lifecycle_item *item)
{
	struct store_job *job = &batch->job;
	struct image_row row;
	item->deed.result = LIFECYCLE_OVERTAKEN;
	if (image_row_find(tx, job, batch->repository_id, &item->deed.digest, &row) != ERR_NONE)
		return;
	item->deed.tags = row.tags;
	if (!still_meant(tx, batch, item, &row))
		return;
	if (kept_by_index(tx, job, item, &row)) {
		item->deed.result = LIFECYCLE_REFERENCED;
		return;
	}
	if (item->held)
		return; /* not any more: the next run will see */
	item->deed.result = LIFECYCLE_CARRIED_OUT;
	if (item->deed.action == LIFECYCLE_EXPIRE)
		image_row_remove(tx, job, &row);
	else if (row.status != IMAGE_ARCHIVED) /* with its subject */
		archive_take(tx, job, &row, clock_now_ms(&tx->store->clock));
}

/* A note of an orphan that is none any more, or is not there, says nothing. */
static void clear_note(
    struct store_tx *tx, struct lifecycle_batch *batch, const struct lifecycle_item *item)
{
	if (item->deed.cause == LIFECYCLE_SUBJECT_DELETED &&
	    item->deed.result == LIFECYCLE_OVERTAKEN)
		orphan_forget(tx, &batch->job, batch->repository_id, &item->deed.digest);
}

static void note_evaluated(struct store_tx *tx, struct lifecycle_batch *batch)
{
	sqlite3_stmt *q = db_query(tx->db, Q_POLICY_EVALUATED);
	bind_text(q, 1, batch->key.account);
	bind_text(q, 2, batch->key.region);
	bind_int(q, 3, DOCUMENT_LIFECYCLE_POLICY);
	bind_text(q, 4, batch->key.name);
	bind_text(q, 5, batch->policy);
	bind_int(q, 6, batch->decided_ms);
	tx_exec(tx, &batch->job, q);
}

static void batch_run(struct store_tx *tx, struct store_job *job)
{
	struct lifecycle_batch *batch = (struct lifecycle_batch *)job;
	batch->stopped = !still_valid(tx, batch);
	if (batch->stopped)
		return;
	for (size_t i = 0; i < batch->count && job->error.code == ERR_NONE; i++) {
		carry_out(tx, batch, &batch->items[i]);
		if (job->error.code == ERR_NONE)
			clear_note(tx, batch, &batch->items[i]);
	}
	if (batch->evaluated && job->error.code == ERR_NONE)
		note_evaluated(tx, batch);
}

void lifecycle_batch_init(struct lifecycle_batch *batch, struct arena *a)
{
	*batch = (struct lifecycle_batch){.job.arena = a};
}

enum error_code lifecycle_batch_await(struct store *store, struct lifecycle_batch *batch)
{
	static const struct job_ops some = {.run = batch_run, .frees = true};
	/* with the last, all that went before is on disk */
	static const struct job_ops last = {
	    .run = batch_run, .frees = true, .flush = STORE_FLUSH_NOW};
	return job_await_kindly(store, &batch->job, batch->evaluated ? &last : &some);
}
