/*
 * What a push sets off: a note that the image was scanned, where a setting says so, and copies to other
 * registries.
 *
 * Both happen in the push's own transaction: either all of it is there, or nothing. An image that comes back from
 * the archive counts as pushed. A copy is noted as scanned too, and is copied no further.
 */
#include "storage/images/push_effects.h"

#include "protocol/scan_filter.h"
#include "storage/images/replication.h"
#include "storage/repositories/document_rows.h"
#include "storage/repositories/rows.h"

bool scan_possible(const struct image_row *row)
{
	return slice_is(row->artifact_type, "application/vnd.docker.container.image.v1+json") ||
	    slice_is(row->artifact_type, "application/vnd.oci.image.config.v1+json");
}

bool image_row_scanned(struct store_tx *tx, struct store_job *job, struct image_row *row)
{
	sqlite3_stmt *q = db_query(tx->db, Q_IMAGE_SCANNED);
	row->scanned_ms = clock_now_ms(&tx->store->clock);
	bind_int(q, 1, row->repository_id);
	bind_int(q, 2, image_row_place(row));
	bind_digest(q, 3, &row->digest);
	bind_int(q, 4, row->scanned_ms);
	return tx_exec(tx, job, q);
}

static bool scan(struct store_tx *tx, struct store_job *job, const struct push *push)
{
	struct document_key key = {
	    push->key->account, push->key->region, DOCUMENT_SCANNING, slice_str("")};
	struct document found = {.text = {0}};
	enum error_code code = document_row_find(tx->db, &key, job->arena, &found);
	if (code != ERR_NONE && code != ERR_SETTING_NOT_FOUND) {
		tx_fail(tx, job);
		return false;
	}
	return !scan_follows_push(found.text, push->scan_on_push, push->key->name) ||
	    image_row_scanned(tx, job, push->row);
}

bool push_effects(struct store_tx *tx, struct store_job *job, const struct push *push)
{
	if (push->fresh && scan_possible(push->row) && !scan(tx, job, push))
		return false;
	return push->replica ||
	    replicate(tx, job, push->key, push->row, push->tags, push->tag_count);
}

bool restore_effects(struct store_tx *tx, struct store_job *job, struct image_row *row)
{
	struct repository_key key = {{0}, {0}, {0}};
	struct push push = {.key = &key, .fresh = true, .row = row};
	struct slice *tags = arena_array(job->arena, row->tag_count + 1, sizeof(*tags));
	struct slice rest = row->tags;
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_BY_ID);
	bind_int(q, 1, row->repository_id);
	bool there = db_step(tx->db, q) == SQLITE_ROW;
	if (there) {
		key.account = column_dup(q, 1, job->arena);
		key.region = column_dup(q, 2, job->arena);
		key.name = column_dup(q, 3, job->arena);
		push.scan_on_push = sqlite3_column_int(q, 7) != 0;
	}
	db_done(q);
	while (tags_next(&rest, &tags[push.tag_count]))
		push.tag_count++;
	push.tags = tags;
	return !there || key.account.len == 0 || push_effects(tx, job, &push);
}
