/*
 * Without a filter a page is read from image_subject, in order. With artifact types each has its own stretch of
 * image_artifact: what may be on the page is gathered from these, put in order, and read. Either way a page costs
 * what is on it, however many referrers a subject has.
 */
#include "storage/images/referrer.h"

#include "storage/repositories/rows.h"

#include <stdlib.h>

/* Manifests a page reads before it ends: those of ordinary referrers have a few KiB. */
enum { PAGE_BYTES = 4 * 1024 * 1024 };

/* The annotations are read out of the manifest, whose tree is gone again when this returns. */
struct slice referrer_annotations(const struct referrer *referrer, struct arena *a)
{
	struct arena scratch;
	struct manifest manifest;
	struct slice found = {0};

	arena_init(&scratch);
	if (manifest_parse(referrer->manifest, referrer->media_type, &scratch, &manifest, NULL) ==
	    MANIFEST_OK)
		found = arena_dup(a, manifest.annotations);
	arena_release(&scratch);
	return found;
}

uint64_t referrer_page_bytes(const struct referrer_page *page)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < page->count; i++)
		bytes += page->at[i].manifest.len;
	return bytes;
}

static void read_row(sqlite3_stmt *q, struct arena *a, struct referrer *out)
{
	column_digest(q, 0, &out->digest);
	out->media_type = column_dup(q, 1, a);
	out->artifact_type = column_dup(q, 2, a);
	out->size = (uint64_t)sqlite3_column_int64(q, 3);
	out->status = (enum image_status)sqlite3_column_int(q, 5);
	out->manifest = column_dup(q, 4, a);
}

static sqlite3_stmt *list_from(
    struct store_reader *reader, int64_t repository_id, const struct referrer_query *query)
{
	bool all = query->status == IMAGE_ANY_STATUS;
	sqlite3_stmt *q = db_query(&reader->db, all ? Q_REFERRER_LIST_ALL : Q_REFERRER_LIST);

	if (!all) {
		bind_int(q, 4, (int)query->status * 2);
		bind_int(q, 5, (int)query->status * 2 + 1);
	}
	bind_int(q, 1, repository_id);
	bind_digest(q, 2, &query->subject);
	if (query->after.algorithm != DIGEST_NONE)
		bind_digest(q, 3, &query->after);
	else
		bind_blob(q, 3, "", 0);
	return q;
}

/* ---- of some artifact types ---- */

/* Digests of those that may be on the page, and the place (image_rows.h) of each. */
struct candidate {
	struct digest digest;
	int place;
};

struct candidates {
	struct candidate *at;
	size_t count, limit; /* limit: more than that of one type and place is never needed */
};

static bool named_before(const struct referrer_query *query, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (slice_eq(query->types[j], query->types[i]))
			return true;
	}
	return false;
}

static bool find_candidates(struct store_reader *reader, int64_t repository_id,
    const struct referrer_query *query, struct slice type, int place, struct candidates *found)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_REFERRER_OF_TYPE);
	int step;

	bind_int(q, 1, repository_id);
	bind_digest(q, 2, &query->subject);
	bind_text(q, 3, type);
	bind_int(q, 4, place);
	if (query->after.algorithm != DIGEST_NONE)
		bind_digest(q, 5, &query->after);
	else
		bind_blob(q, 5, "", 0);
	bind_int(q, 6, (int64_t)found->limit);
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW) {
		struct candidate *next = &found->at[found->count++];

		column_digest(q, 0, &next->digest);
		next->place = place;
	}
	db_done(q);
	return step == SQLITE_DONE;
}

/* By digest key order, as the index has them. */
static int compare_candidates(const void *left, const void *right)
{
	uint8_t a[DIGEST_KEY_MAX] = {0}, b[DIGEST_KEY_MAX] = {0};

	digest_to_key(&((const struct candidate *)left)->digest, a);
	digest_to_key(&((const struct candidate *)right)->digest, b);
	return memcmp(a, b, sizeof(a)); /* algorithms differ in the first byte */
}

/* Reads one; it may be gone by now. */
static bool read_candidate(struct store_reader *reader, int64_t repository_id,
    const struct candidate *from, struct arena *a, struct referrer_page *out)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_REFERRER_AT);

	bind_int(q, 1, repository_id);
	bind_int(q, 2, from->place);
	bind_digest(q, 3, &from->digest);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW)
		read_row(q, a, &out->at[out->count++]);
	db_done(q);
	return step == SQLITE_ROW || step == SQLITE_DONE;
}

/* The first of each type and place, in one order, as many as there is room for. */
static enum error_code list_of_types(struct store_reader *reader, int64_t repository_id,
    const struct referrer_query *query, struct arena *a, struct referrer_page *out)
{
	bool all = query->status == IMAGE_ANY_STATUS;
	int first = all ? 0 : (int)query->status * 2;
	int end = all ? 2 * IMAGE_STATUS_COUNT : first + 2;
	struct candidates found = {.limit = query->limit + 1};
	uint64_t bytes = 0;
	size_t i;

	found.at = arena_array(
	    a, query->type_count * (size_t)(end - first) * found.limit, sizeof(*found.at));
	for (i = 0; i < query->type_count; i++) {
		if (named_before(query, i))
			continue;
		for (int place = first; place < end; place++)
			if (!find_candidates(
				reader, repository_id, query, query->types[i], place, &found))
				return db_failure(&reader->db);
	}
	qsort(found.at, found.count, sizeof(*found.at), compare_candidates);
	for (i = 0; i < found.count && out->count < query->limit && bytes < PAGE_BYTES; i++) {
		size_t before = out->count;

		if (!read_candidate(reader, repository_id, &found.at[i], a, out))
			return db_failure(&reader->db);
		bytes += out->count > before ? out->at[before].size : 0;
	}
	out->more = i < found.count && out->count > 0;
	return ERR_NONE;
}

enum error_code referrer_list(struct store_reader *reader, const struct referrer_query *query,
    struct arena *a, struct referrer_page *out)
{
	int64_t repository_id;
	uint64_t bytes = 0;
	int step;
	enum error_code failure = row_repository_id(&reader->db, &query->key, &repository_id);

	if (failure != ERR_NONE)
		return failure;
	*out = (struct referrer_page){.at = arena_array(a, query->limit, sizeof(*out->at))};
	if (query->type_count > 0)
		return list_of_types(reader, repository_id, query, a, out);
	sqlite3_stmt *q = list_from(reader, repository_id, query);
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW) {
		if (out->count == query->limit || bytes >= PAGE_BYTES)
			break;
		read_row(q, a, &out->at[out->count]);
		bytes += out->at[out->count++].size;
	}
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}
