/*
 * The rows of one image: its own, its tags', its place in the archive.
 *
 * An image keeps its tags in its row, so that a page of images needs no join; the table `tag` says the same the
 * other way round, so that a pull by tag is one look-up. Whether it has tags, and its status, are in the row's
 * key: a change of either moves the row within its tree. Nothing else writes these tables, so they cannot
 * disagree.
 */
#include "storage/images/image_rows.h"

#include "protocol/buf.h"
#include "storage/blobs/stray.h"
#include "storage/images/orphan.h"

bool tags_next(struct slice *tags, struct slice *name)
{
	const char *end = tags->len > 0 ? memchr(tags->at, '\0', tags->len) : NULL;
	if (!end)
		return false;
	*name = slice_of(tags->at, (size_t)(end - tags->at));
	*tags = slice_skip(*tags, name->len + 1);
	return true;
}

bool tags_have(struct slice tags, struct slice name)
{
	struct slice at;
	while (tags_next(&tags, &at)) {
		if (slice_eq(at, name))
			return true;
	}
	return false;
}

/* How many bytes of tags come before the place of name. */
static size_t place_of(struct slice tags, struct slice name)
{
	struct slice rest = tags, at;
	size_t before = 0;
	while (tags_next(&rest, &at) && slice_cmp(at, name) < 0)
		before = tags.len - rest.len;
	return before;
}

struct slice tags_with(struct slice tags, struct slice name, struct arena *a)
{
	size_t before = place_of(tags, name);
	char *all = arena_alloc(a, tags.len + name.len + 1);
	memcpy(all, tags.len ? tags.at : "", before);
	memcpy(all + before, name.at, name.len);
	all[before + name.len] = '\0';
	memcpy(all + before + name.len + 1, tags.len ? tags.at + before : "", tags.len - before);
	return slice_of(all, tags.len + name.len + 1);
}

struct slice tags_without(struct slice tags, struct slice name, struct arena *a)
{
	if (!tags_have(tags, name))
		return tags;
	size_t before = place_of(tags, name), after = before + name.len + 1;
	char *all = arena_alloc(a, tags.len);
	memcpy(all, tags.at, before);
	memcpy(all + before, tags.at + after, tags.len - after);
	return slice_of(all, tags.len - name.len - 1);
}

int image_row_place(const struct image_row *row)
{
	return (int)row->status * 2 + row->tagged;
}

void image_row_set_place(struct image_row *row, int place)
{
	row->tagged = place & 1;
	row->status = (enum image_status)(place >> 1);
}

enum error_code image_row_find(struct store_tx *tx, struct store_job *job, int64_t repository_id,
    const struct digest *digest, struct image_row *out)
{
	sqlite3_stmt *q = db_query(tx->db, Q_IMAGE_BY_DIGEST);
	bind_int(q, 1, repository_id);
	bind_digest(q, 2, digest);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW) {
		out->repository_id = repository_id;
		out->id = sqlite3_column_int64(q, 0);
		out->digest = *digest;
		image_row_set_place(out, sqlite3_column_int(q, 2));
		out->media_type = column_dup(q, 3, job->arena);
		out->artifact_type = column_dup(q, 4, job->arena);
		column_digest(q, 8, &out->subject);
		out->pushed_ms = sqlite3_column_int64(q, 6);
		out->pulled_ms = sqlite3_column_int64(q, 7);
		out->archived_ms = sqlite3_column_int64(q, 11);
		out->activated_ms = sqlite3_column_int64(q, 12);
		out->scanned_ms = sqlite3_column_int64(q, 13);
		out->tag_count = (size_t)sqlite3_column_int64(q, 9);
		out->tags = column_dup(q, 10, job->arena);
	}
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	if (step == SQLITE_DONE)
		return ERR_IMAGE_NOT_FOUND;
	tx_fail(tx, job);
	return job->error.code;
}

enum error_code tag_row_find(struct store_tx *tx, struct store_job *job, int64_t repository_id,
    struct slice tag, struct digest *out)
{
	sqlite3_stmt *q = db_query(tx->db, Q_TAG_FIND);
	bind_int(q, 1, repository_id);
	bind_text(q, 2, tag);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW)
		column_digest(q, 0, out);
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	if (step == SQLITE_DONE)
		return ERR_IMAGE_NOT_FOUND;
	tx_fail(tx, job);
	return job->error.code;
}

enum error_code image_row_named(struct store_tx *tx, struct store_job *job, int64_t repository_id,
    const struct image_id *id, struct image_row *out)
{
	struct digest digest = id->digest;
	enum error_code code = ERR_NONE;
	if (id->tag.at)
		code = tag_row_find(tx, job, repository_id, id->tag, &digest);
	if (code == ERR_NONE && id->tag.at && id->digest.algorithm != DIGEST_NONE &&
	    !digest_eq(&id->digest, &digest))
		code = ERR_IMAGE_NOT_FOUND;
	return code == ERR_NONE ? image_row_find(tx, job, repository_id, &digest, out) : code;
}

/* Writes a row's new tags; the row moves when it gets its first or loses its last. */
static bool write_tags(struct store_tx *tx, struct store_job *job, struct image_row *row,
    struct slice tags, size_t count)
{
	sqlite3_stmt *q = db_query(tx->db, Q_IMAGE_TAGS);
	bind_int(q, 1, row->repository_id);
	bind_int(q, 2, image_row_place(row));
	bind_digest(q, 3, &row->digest);
	bind_int(q, 4, (int)row->status * 2 + (count > 0));
	bind_int(q, 5, (int64_t)count);
	bind_blob(q, 6, tags.at, tags.len);
	if (!tx_exec(tx, job, q))
		return false;
	tx->bytes += tags.len;
	row->tagged = count > 0;
	row->tag_count = count;
	row->tags = tags;
	return true;
}

bool image_row_add_tag(
    struct store_tx *tx, struct store_job *job, struct image_row *row, struct slice tag)
{
	struct slice tags = tags_with(row->tags, tag, job->arena);
	if (!write_tags(tx, job, row, tags, row->tag_count + 1))
		return false;
	sqlite3_stmt *q = db_query(tx->db, Q_TAG_PUT);
	bind_int(q, 1, row->repository_id);
	bind_text(q, 2, tag);
	bind_digest(q, 3, &row->digest);
	return tx_exec(tx, job, q);
}

bool image_row_remove_tag(
    struct store_tx *tx, struct store_job *job, struct image_row *row, struct slice tag)
{
	struct slice tags = tags_without(row->tags, tag, job->arena);
	if (!write_tags(tx, job, row, tags, row->tag_count - 1))
		return false;
	sqlite3_stmt *q = db_query(tx->db, Q_TAG_DROP);
	bind_int(q, 1, row->repository_id);
	bind_text(q, 2, tag);
	return tx_exec(tx, job, q);
}

/* Its row in archive, where it has one exactly while it is not ACTIVE. */
static bool note_archived(
    struct store_tx *tx, struct store_job *job, const struct image_row *row, int64_t due_ms)
{
	sqlite3_stmt *q = db_query(tx->db, Q_ARCHIVE_PUT);
	bind_int(q, 1, row->id);
	bind_int(q, 2, row->repository_id);
	bind_digest(q, 3, &row->digest);
	bind_int(q, 4, due_ms);
	return tx_exec(tx, job, q);
}

static bool forget_archived(struct store_tx *tx, struct store_job *job, int64_t image_id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_ARCHIVE_DROP);
	bind_int(q, 1, image_id);
	return tx_exec(tx, job, q);
}

/* NULL stands for: as it was. */
static void bind_time(sqlite3_stmt *q, int at, bool given, int64_t when_ms)
{
	if (given)
		bind_int(q, at, when_ms);
	else
		bind_text(q, at, slice_of(NULL, 0));
}

bool image_row_move(struct store_tx *tx, struct store_job *job, struct image_row *row,
    enum image_status to, int64_t when_ms)
{
	int from = image_row_place(row);
	sqlite3_stmt *q = db_query(tx->db, Q_IMAGE_MOVE);
	row->status = to;
	bind_int(q, 1, row->repository_id);
	bind_int(q, 2, from);
	bind_digest(q, 3, &row->digest);
	bind_int(q, 4, image_row_place(row));
	bind_int(q, 5, to);
	bind_time(q, 6, to == IMAGE_ARCHIVED, when_ms);
	bind_time(q, 7, to == IMAGE_ACTIVE, when_ms);
	if (!tx_exec(tx, job, q))
		return false;
	return to == IMAGE_ACTIVE
	    ? forget_archived(tx, job, row->id)
	    : note_archived(tx, job, row, to == IMAGE_ACTIVATING ? when_ms : 0);
}

/* What other tables say of an image that goes. */
static bool drop_beside(struct store_tx *tx, struct store_job *job, const struct image_row *row)
{
	sqlite3_stmt *q = db_query(tx->db, Q_REPLICATION_DROP);
	bind_int(q, 1, row->id);
	return tx_exec(tx, job, q) &&
	    (row->status == IMAGE_ACTIVE || forget_archived(tx, job, row->id)) &&
	    (row->subject.algorithm == DIGEST_NONE ||
		orphan_forget(tx, job, row->repository_id, &row->digest));
}

/*
 * The blob ids listed in the row of its manifest no longer count as referred to by it; those that no other
 * image of the repository holds are strays from now on.
 */
static bool drop_references(struct store_tx *tx, struct store_job *job, const struct image_row *row)
{
	bool dropped = true;
	sqlite3_stmt *q = db_query(tx->db, Q_MANIFEST_BLOBS);
	bind_int(q, 1, row->id);
	int step = db_step(tx->db, q);
	struct slice blobs = step == SQLITE_ROW ? column_slice(q, 0) : slice_of("", 0);
	for (size_t at = 0; at + sizeof(int64_t) <= blobs.len && dropped; at += sizeof(int64_t)) {
		int64_t blob_id;
		memcpy(&blob_id, blobs.at + at, sizeof(blob_id));
		sqlite3_stmt *drop = db_query(tx->db, Q_IMAGE_BLOB_DROP);
		bind_int(drop, 1, blob_id);
		bind_int(drop, 2, row->repository_id);
		bind_int(drop, 3, row->id);
		dropped =
		    tx_exec(tx, job, drop) && stray_note(tx, job, blob_id, row->repository_id);
	}
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(tx, job);
	return dropped && job->error.code == ERR_NONE;
}

bool image_row_drop(struct store_tx *tx, struct store_job *job, const struct image_row *row)
{
	if (!drop_references(tx, job, row))
		return false;
	sqlite3_stmt *q = db_query(tx->db, Q_CHILD_DROP);
	bind_int(q, 1, row->repository_id);
	bind_digest(q, 2, &row->digest);
	if (!tx_exec(tx, job, q))
		return false;
	q = db_query(tx->db, Q_MANIFEST_DROP);
	bind_int(q, 1, row->id);
	if (!tx_exec(tx, job, q))
		return false;
	q = db_query(tx->db, Q_IMAGE_DROP);
	bind_int(q, 1, row->repository_id);
	bind_int(q, 2, image_row_place(row));
	bind_digest(q, 3, &row->digest);
	return tx_exec(tx, job, q) && drop_beside(tx, job, row);
}

bool image_count_add(struct store_tx *tx, struct store_job *job, int64_t repository_id, int by)
{
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_COUNT);
	bind_int(q, 1, repository_id);
	bind_int(q, 2, by);
	return tx_exec(tx, job, q);
}

bool image_row_remove(struct store_tx *tx, struct store_job *job, const struct image_row *row)
{
	struct slice rest = row->tags, tag;
	while (tags_next(&rest, &tag)) {
		sqlite3_stmt *q = db_query(tx->db, Q_TAG_DROP);
		bind_int(q, 1, row->repository_id);
		bind_text(q, 2, tag);
		if (!tx_exec(tx, job, q))
			return false;
	}
	return image_row_drop(tx, job, row) && image_count_add(tx, job, row->repository_id, -1) &&
	    orphans_note(tx, job, row);
}

struct slice image_row_parents(
    struct store_tx *tx, struct store_job *job, const struct image_row *row)
{
	struct buf parents;
	buf_init(&parents, job->arena, MANIFEST_BYTES_MAX, 0);
	sqlite3_stmt *q = db_query(tx->db, Q_CHILD_PARENTS);
	bind_int(q, 1, row->repository_id);
	bind_digest(q, 2, &row->digest);
	int step;
	while ((step = db_step(tx->db, q)) == SQLITE_ROW) {
		struct digest parent;
		char text[DIGEST_TEXT_MAX];
		if (!column_digest(q, 0, &parent))
			continue;
		buf_puts(&parents, parents.len > 0 ? ", " : "");
		buf_put_slice(&parents, digest_format(&parent, text));
	}
	if (step != SQLITE_DONE)
		tx_fail(tx, job);
	db_done(q);
	return parents.len > 0 ? buf_slice(&parents) : slice_of(NULL, 0);
}
