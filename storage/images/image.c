/* Reading images, manifests and tags. */
#include "storage/images/image.h"

#include "storage/images/image_rows.h"
#include "storage/repositories/rows.h"

#include <stdlib.h>

/* Splits a row's tags, copied into the arena at once. */
static void read_tags(sqlite3_stmt *q, struct arena *a, struct image *out)
{
	struct slice rest = column_dup(q, 10, a);
	size_t count = (size_t)sqlite3_column_int64(q, 9);
	out->tags = count > 0 ? arena_array(a, count, sizeof(*out->tags)) : NULL;
	out->tag_count = 0;
	while (out->tag_count < count && tags_next(&rest, &out->tags[out->tag_count]))
		out->tag_count++;
}

/* The columns of SQL_OF_IMAGE. */
static void read_image(sqlite3_stmt *q, struct arena *a, struct image *out)
{
	out->id = sqlite3_column_int64(q, 0);
	column_digest(q, 1, &out->digest);
	out->media_type = column_dup(q, 3, a);
	out->artifact_type = column_dup(q, 4, a);
	out->size_bytes = (uint64_t)sqlite3_column_int64(q, 5);
	out->pushed_ms = sqlite3_column_int64(q, 6);
	out->pulled_ms = sqlite3_column_int64(q, 7);
	column_digest(q, 8, &out->subject);
	out->status = (enum image_status)(sqlite3_column_int(q, 2) >> 1);
	out->archived_ms = sqlite3_column_int64(q, 11);
	out->activated_ms = sqlite3_column_int64(q, 12);
	out->scanned_ms = sqlite3_column_int64(q, 13);
	read_tags(q, a, out);
}

/* With a digest and a tag: by digest, and the tag must be among its own. */
enum error_code image_find(struct store_reader *reader, int64_t repository_id,
    const struct image_id *id, struct arena *a, struct image *out)
{
	bool by_digest = id->digest.algorithm != DIGEST_NONE;
	sqlite3_stmt *q = db_query(&reader->db, by_digest ? Q_IMAGE_BY_DIGEST : Q_IMAGE_BY_TAG);
	bind_int(q, 1, repository_id);
	if (by_digest)
		bind_digest(q, 2, &id->digest);
	else
		bind_text(q, 2, id->tag);
	int step = db_step(&reader->db, q);
	bool meant = step == SQLITE_ROW &&
	    (!by_digest || !id->tag.at || tags_have(column_slice(q, 10), id->tag));
	if (meant)
		read_image(q, a, out);
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return db_failure(&reader->db);
	return meant ? ERR_NONE : ERR_IMAGE_NOT_FOUND;
}

static enum db_query manifest_query(bool by_tag, bool with_bytes)
{
	if (with_bytes)
		return by_tag ? Q_MANIFEST_READ_TAG : Q_MANIFEST_READ_DIGEST;
	return by_tag ? Q_MANIFEST_STAT_TAG : Q_MANIFEST_STAT_DIGEST;
}

static void read_manifest(
    sqlite3_stmt *q, bool with_bytes, struct arena *a, struct stored_manifest *out)
{
	out->image_id = sqlite3_column_int64(q, 0);
	column_digest(q, 1, &out->digest);
	out->media_type = column_dup(q, 2, a);
	out->pulled_ms = sqlite3_column_int64(q, 3);
	out->size = (uint64_t)sqlite3_column_int64(q, 4);
	out->repository_id = sqlite3_column_int64(q, 5);
	out->bytes = with_bytes ? column_dup(q, 6, a) : slice_of(NULL, 0);
}

enum error_code manifest_read(struct store_reader *reader, const struct repository_key *key,
    const struct image_id *id, bool with_bytes, struct arena *a, struct stored_manifest *out)
{
	bool by_tag = id->tag.at != NULL;
	sqlite3_stmt *q = db_query(&reader->db, manifest_query(by_tag, with_bytes));
	bind_key(q, key);
	if (by_tag)
		bind_text(q, 4, id->tag);
	else
		bind_digest(q, 4, &id->digest);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW)
		read_manifest(q, with_bytes, a, out);
	db_done(q);
	if (step == SQLITE_DONE)
		return row_missing(&reader->db, key, ERR_MANIFEST_UNKNOWN);
	if (step != SQLITE_ROW)
		return db_failure(&reader->db);
	bool other =
	    by_tag && id->digest.algorithm != DIGEST_NONE && !digest_eq(&id->digest, &out->digest);
	return other ? ERR_MANIFEST_UNKNOWN : ERR_NONE;
}

/* The listing of a few places (image_rows.h), merged; -1 stands for none. */
static sqlite3_stmt *list_merged(struct store_reader *reader, struct image_filter filter)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_IMAGE_LIST_ALL);
	for (int place = 0; place < 2 * IMAGE_STATUS_COUNT; place++) {
		bool tags = filter.tags == TAG_STATUS_ANY ||
		    (filter.tags == TAG_STATUS_TAGGED) == (place % 2 == 1);
		bool status = filter.status == IMAGE_ANY_STATUS || (int)filter.status == place / 2;
		bind_int(q, 3 + place, tags && status ? place : -1);
	}
	return q;
}

/* A listing from (and with) the digest of after on. */
static sqlite3_stmt *list_from(struct store_reader *reader, int64_t repository_id,
    struct image_filter filter, const struct digest *after)
{
	bool any_tags = filter.tags == TAG_STATUS_ANY;
	int from = 2;
	sqlite3_stmt *q;
	if (filter.status != IMAGE_ANY_STATUS && !any_tags) {
		q = db_query(&reader->db, Q_IMAGE_LIST);
		bind_int(q, 2, (int)filter.status * 2 + (filter.tags == TAG_STATUS_TAGGED));
		from = 3;
	} else if (filter.status == IMAGE_ACTIVE) {
		q = db_query(&reader->db, Q_IMAGE_LIST_ANY);
	} else {
		q = list_merged(reader, filter);
	}
	bind_int(q, 1, repository_id);
	if (after && after->algorithm != DIGEST_NONE)
		bind_digest(q, from, after);
	else
		bind_blob(q, from, "", 0);
	return q;
}

static bool is_digest(sqlite3_stmt *q, const struct digest *digest)
{
	struct digest at;
	return digest && column_digest(q, 1, &at) && digest_eq(&at, digest);
}

/* What a page's tags may cost; ordinary images have some dozens of bytes. */
enum { PAGE_TAG_BYTES = 2 * 1024 * 1024 };

static size_t tag_cost(const struct image *image, sqlite3_stmt *q)
{
	return (size_t)sqlite3_column_bytes(q, 10) + image->tag_count * sizeof(*image->tags);
}

enum error_code image_list_filtered(struct store_reader *reader, int64_t repository_id,
    struct image_filter filter, const struct digest *after, size_t limit, struct arena *a,
    struct image_page *out)
{
	sqlite3_stmt *q = list_from(reader, repository_id, filter, after);
	size_t cost = 0;
	*out = (struct image_page){.at = arena_array(a, limit, sizeof(*out->at))};
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW && is_digest(q, after))
		step = db_step(&reader->db, q);
	while (step == SQLITE_ROW && out->count < limit && cost < PAGE_TAG_BYTES) {
		read_image(q, a, &out->at[out->count]);
		cost += tag_cost(&out->at[out->count++], q);
		step = db_step(&reader->db, q);
	}
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}

/* Adds a row's pairs, those after `after`; false when the page was full before the row ended. */
static bool add_pairs(sqlite3_stmt *q, const struct image_id *after, size_t limit, struct arena *a,
    struct image_id_page *out)
{
	bool same = after && is_digest(q, &after->digest);
	struct slice rest = column_slice(q, 10), tag;
	struct image_id id = {.tag = slice_of(NULL, 0)};
	column_digest(q, 1, &id.digest);
	if (rest.len == 0 && !same) {
		if (out->count == limit)
			return false;
		out->at[out->count++] = id;
	}
	while (tags_next(&rest, &tag)) {
		if (same && (!after->tag.at || slice_cmp(tag, after->tag) <= 0))
			continue;
		if (out->count == limit)
			return false;
		id.tag = arena_dup(a, tag);
		out->at[out->count++] = id;
	}
	return true;
}

enum error_code image_id_list_filtered(struct store_reader *reader, int64_t repository_id,
    struct image_filter filter, const struct image_id *after, size_t limit, struct arena *a,
    struct image_id_page *out)
{
	sqlite3_stmt *q = list_from(reader, repository_id, filter, after ? &after->digest : NULL);
	*out = (struct image_id_page){.at = arena_array(a, limit, sizeof(*out->at))};
	int step;
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW) {
		if (!add_pairs(q, after, limit, a, out))
			break;
	}
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}

enum error_code image_list(struct store_reader *reader, int64_t repository_id,
    enum tag_status status, const struct digest *after, size_t limit, struct arena *a,
    struct image_page *out)
{
	struct image_filter active = {status, IMAGE_ACTIVE};
	return image_list_filtered(reader, repository_id, active, after, limit, a, out);
}

enum error_code image_id_list(struct store_reader *reader, int64_t repository_id,
    enum tag_status status, const struct image_id *after, size_t limit, struct arena *a,
    struct image_id_page *out)
{
	struct image_filter active = {status, IMAGE_ACTIVE};
	return image_id_list_filtered(reader, repository_id, active, after, limit, a, out);
}

enum error_code tag_list(struct store_reader *reader, int64_t repository_id, struct slice after,
    size_t limit, struct arena *a, struct tag_page *out)
{
	struct slice first = SLICE("");
	sqlite3_stmt *q = db_query(&reader->db, Q_TAG_LIST);
	bind_int(q, 1, repository_id);
	bind_text(q, 2, after.at ? after : first);
	*out = (struct tag_page){.at = arena_array(a, limit, sizeof(*out->at))};
	int step;
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW && out->count < limit)
		out->at[out->count++] = column_dup(q, 0, a);
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}

/* noting pulls */

#define DAY_MS (24 * 3600 * 1000LL)

struct image_pull {
	struct store_job job;
	int64_t repository_id;
	struct digest digest;
};

static void pull_run(struct store_tx *tx, struct store_job *job)
{
	struct image_pull *pull = (struct image_pull *)job;
	int64_t now = clock_now_ms(&tx->store->clock);
	sqlite3_stmt *q = db_query(tx->db, Q_IMAGE_PULLED);
	bind_int(q, 1, pull->repository_id);
	bind_digest(q, 2, &pull->digest);
	bind_int(q, 3, now);
	bind_int(q, 4, now - DAY_MS);
	tx_exec(tx, job, q);
}

/*
 * Thousands of pulls a second may find the same old time before the first note of it is committed:
 * the images noted lately are remembered, with their day, in a small table that may forget.
 */
static bool noted(struct store *store, int64_t image_id, int64_t now)
{
	uint64_t mark = (uint64_t)image_id << 20 | ((uint64_t)(now / DAY_MS) & 0xfffff);
	_Atomic uint64_t *slot = &store->pulls[(uint64_t)image_id % PULL_SLOTS];
	return atomic_exchange(slot, mark) == mark;
}

static const struct job_ops pull_ops = {.run = pull_run};

void image_note_pull(struct store *store, const struct stored_manifest *manifest)
{
	int64_t now = clock_now_ms(&store->clock);
	if (now - manifest->pulled_ms < DAY_MS || noted(store, manifest->image_id, now))
		return;
	struct image_pull *pull = calloc(1, sizeof(*pull));
	if (!pull)
		abort();
	pull->job.done = store_job_free;
	pull->repository_id = manifest->repository_id;
	pull->digest = manifest->digest;
	store_submit(store, &pull->job, &pull_ops);
}
