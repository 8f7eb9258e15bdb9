#include "storage/referrer.h"

#include "storage/rows.h"

/* Manifests a page reads before it ends: those of ordinary referrers have a few KiB. */
enum { PAGE_BYTES = 4 * 1024 * 1024 };

static bool wanted(const struct referrer_query *query, struct slice type)
{
	for (size_t i = 0; i < query->type_count; i++) {
		if (slice_eq(query->types[i], type))
			return true;
	}
	return query->type_count == 0;
}

/* The annotations are read out of the manifest, whose tree is gone again when this returns. */
static struct slice read_annotations(sqlite3_stmt *q, struct arena *a)
{
	struct arena scratch;
	struct manifest manifest;
	struct slice found = {0};

	arena_init(&scratch);
	if (manifest_parse(column_slice(q, 4), column_slice(q, 1), &scratch, &manifest, NULL) ==
	    MANIFEST_OK)
		found = arena_dup(a, manifest.annotations);
	arena_release(&scratch);
	return found;
}

static void read_row(sqlite3_stmt *q, struct arena *a, struct referrer *out)
{
	column_digest(q, 0, &out->digest);
	out->media_type = column_dup(q, 1, a);
	out->artifact_type = column_dup(q, 2, a);
	out->size = (uint64_t)sqlite3_column_int64(q, 3);
	out->status = (enum image_status)sqlite3_column_int(q, 5);
	out->annotations = read_annotations(q, a);
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

enum error_code referrer_list(struct store_reader *reader, const struct referrer_query *query,
    struct arena *a, struct referrer_page *out)
{
	int64_t repository_id;
	uint64_t bytes = 0;
	int step;
	enum error_code failure = row_repository_id(&reader->db, &query->key, &repository_id);

	if (failure != ERR_NONE)
		return failure;
	sqlite3_stmt *q = list_from(reader, repository_id, query);
	*out = (struct referrer_page){.at = arena_array(a, query->limit, sizeof(*out->at))};
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW) {
		if (!wanted(query, column_slice(q, 2)))
			continue;
		if (out->count == query->limit || bytes >= PAGE_BYTES)
			break;
		read_row(q, a, &out->at[out->count]);
		bytes += out->at[out->count++].size;
	}
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}
