/* Each image against its manifest, its tags and what it refers to. */
#include "storage/blobs/stray.h"
#include "storage/images/image_rows.h"
#include "storage/repositories/rows.h"
#include "storage/upkeep/check_internal.h"

#include <stdlib.h>

enum { NAMED_MAX = 3 }; /* missing layers that a sentence names */

/* An image's row, all of it in the check's arena. */
struct item {
	struct image_row row;
	int place; /* the key's column tagged, as it is */
	int status;
	uint64_t manifest_size, size_bytes;
	struct slice blobs, bytes; /* of its manifest; absent: it has none */
	struct check_image names;
	struct slice called; /* "team/app@sha256:... (v1, latest)" */
	struct manifest manifest;
	int64_t *ids; /* of config and layers that are there */
	size_t id_count, missing_count;
	struct slice missing; /* the first few */
};

static struct slice list_tags(struct check *ck, struct slice tags)
{
	struct slice all = slice_of("", 0), tag;
	while (tags_next(&tags, &tag))
		all = arena_slicef(
		    &ck->arena, "%.*s%s%.*s", SLICE_ARG(all), all.len ? ", " : "", SLICE_ARG(tag));
	return all;
}

static void name_item(struct check *ck, struct item *i, sqlite3_stmt *q)
{
	char text[DIGEST_TEXT_MAX];
	i->names.account = column_dup(q, 14, &ck->arena);
	i->names.region = column_dup(q, 15, &ck->arena);
	i->names.repository = column_dup(q, 16, &ck->arena);
	i->names.digest = arena_dup(&ck->arena, digest_format(&i->row.digest, text));
	i->names.tags = list_tags(ck, i->row.tags);
	i->called = arena_slicef(&ck->arena, "%.*s@%.*s%s%.*s%s in account %.*s, %.*s",
	    SLICE_ARG(i->names.repository), SLICE_ARG(i->names.digest),
	    i->names.tags.len ? " (" : "", SLICE_ARG(i->names.tags), i->names.tags.len ? ")" : "",
	    SLICE_ARG(i->names.account), SLICE_ARG(i->names.region));
}

static void read_item(struct check *ck, struct item *i, sqlite3_stmt *q)
{
	struct arena *a = &ck->arena;
	i->row.repository_id = sqlite3_column_int64(q, 0);
	i->place = sqlite3_column_int(q, 1);
	image_row_set_place(&i->row, i->place);
	column_digest(q, 2, &i->row.digest);
	i->row.id = sqlite3_column_int64(q, 3);
	i->row.media_type = column_dup(q, 4, a);
	i->row.artifact_type = column_dup(q, 5, a);
	i->manifest_size = (uint64_t)sqlite3_column_int64(q, 6);
	i->size_bytes = (uint64_t)sqlite3_column_int64(q, 7);
	column_digest(q, 8, &i->row.subject);
	i->status = sqlite3_column_int(q, 9);
	i->row.tag_count = (size_t)sqlite3_column_int64(q, 10);
	i->row.tags = column_dup(q, 11, a);
	i->blobs = column_dup(q, 12, a);
	i->bytes = column_dup(q, 13, a);
	name_item(ck, i, q);
}

/* Where to go on. */
struct place {
	int64_t repository_id;
	int tagged;
	struct digest digest;
};

static bool next_item(struct check *ck, const struct place *after, struct item *out, bool *failed)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_IMAGE_NEXT);
	bind_int(q, 1, after->repository_id);
	bind_int(q, 2, after->tagged);
	if (after->digest.algorithm != DIGEST_NONE)
		bind_digest(q, 3, &after->digest);
	else
		bind_blob(q, 3, "", 0);
	int step = db_step(ck->tx.db, q);
	memset(out, 0, sizeof(*out));
	if (step == SQLITE_ROW)
		read_item(ck, out, q);
	db_done(q);
	*failed = step != SQLITE_ROW && step != SQLITE_DONE;
	return step == SQLITE_ROW;
}

static bool exec_for(struct check *ck, const struct item *i, enum db_query query)
{
	sqlite3_stmt *q = db_query(ck->tx.db, query);
	bind_int(q, 1, i->row.repository_id);
	bind_digest(q, 2, &i->row.digest);
	return db_exec(ck->tx.db, q);
}

/* ---- the manifest ---- */

/* The image goes with its tags, so that it can be pushed anew: as it is it would be taken for there. */
static bool drop_item(struct check *ck, struct item *i)
{
	return exec_for(ck, i, Q_CHECK_TAGS_DROP) && image_row_drop(&ck->tx, &ck->job, &i->row);
}

static bool manifest_sound(struct item *i)
{
	struct digest found;
	if (!i->bytes.at)
		return false;
	memset(&found, 0, sizeof(found));
	digest_compute((enum digest_algorithm)i->row.digest.algorithm, i->bytes, &found);
	return digest_eq(&found, &i->row.digest);
}

/* False when there is nothing more to be said of it. */
static bool check_manifest(struct check *ck, struct item *i, bool *good)
{
	bool sound = manifest_sound(i);
	if (sound &&
	    manifest_parse(i->bytes, i->row.media_type, &ck->arena, &i->manifest, NULL) ==
		MANIFEST_OK)
		return true;
	if (check_find(ck, CHECK_IMAGE_CORRUPT, &i->names, true, "image %.*s: its manifest %s; %s",
		SLICE_ARG(i->called),
		!i->bytes.at ? "is not there"
		    : sound  ? "cannot be read"
			     : "is not that of its digest",
		ck->options->repair ? "it was removed: push it again"
				    : "--repair removes it, so that it can be pushed again"))
		*good = drop_item(ck, i);
	return false;
}

/* ---- its blobs ---- */

/* A blob's id, 0: there is none of that digest. */
static int64_t blob_id(struct check *ck, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_BLOB_FIND);
	bind_digest(q, 1, digest);
	int64_t id = db_step(ck->tx.db, q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	db_done(q);
	return id;
}

static void look_for(struct check *ck, struct item *i, const struct descriptor *d)
{
	char text[DIGEST_TEXT_MAX];
	int64_t id = blob_id(ck, &d->digest);
	if (id)
		i->ids[i->id_count++] = id;
	if (id && !check_is_broken(ck, &d->digest))
		return;
	if (i->missing_count++ < NAMED_MAX)
		i->missing = arena_slicef(&ck->arena, "%.*s%s%.*s", SLICE_ARG(i->missing),
		    i->missing.len ? ", " : "", SLICE_ARG(digest_format(&d->digest, text)));
}

static void find_blobs(struct check *ck, struct item *i)
{
	const struct manifest *m = &i->manifest;
	i->ids = arena_array(&ck->arena, m->layer_count + 1, sizeof(*i->ids));
	i->missing = slice_of("", 0);
	if (m->config.digest.algorithm != DIGEST_NONE)
		look_for(ck, i, &m->config);
	for (size_t n = 0; n < m->layer_count; n++) {
		if (!m->layers[n].foreign)
			look_for(ck, i, &m->layers[n]);
	}
}

static struct slice id_list(const struct item *i)
{
	return slice_of((const char *)i->ids, i->id_count * sizeof(*i->ids));
}

static bool listed(struct slice list, int64_t id)
{
	for (size_t at = 0; at + sizeof(id) <= list.len; at += sizeof(id))
		if (memcmp(list.at + at, &id, sizeof(id)) == 0)
			return true;
	return false;
}

static bool holds(struct check *ck, const struct item *i, int64_t id)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_IMAGE_BLOB);
	bind_int(q, 1, id);
	bind_int(q, 2, i->row.repository_id);
	bind_int(q, 3, i->row.id);
	bool held = db_step(ck->tx.db, q) == SQLITE_ROW;
	db_done(q);
	return held;
}

/* Of the ids in a list, each has its row. */
static bool all_held(struct check *ck, const struct item *i, struct slice list)
{
	for (size_t at = 0; at + sizeof(int64_t) <= list.len; at += sizeof(int64_t)) {
		int64_t id;
		memcpy(&id, list.at + at, sizeof(id));
		if (!holds(ck, i, id))
			return false;
	}
	return true;
}

static bool exec_ids(
    struct check *ck, enum db_query query, int64_t id, int64_t repository, int64_t image)
{
	sqlite3_stmt *q = db_query(ck->tx.db, query);
	bind_int(q, 1, id);
	bind_int(q, 2, repository);
	if (image)
		bind_int(q, 3, image);
	return db_exec(ck->tx.db, q);
}

/* What follows from the manifest, made anew. A blob that came back is to be seen here again. */
static bool hold_blobs(struct check *ck, struct item *i, struct slice list)
{
	int64_t repository = i->row.repository_id, id;
	sqlite3_stmt *q = db_query(ck->tx.db, Q_MANIFEST_SET_BLOBS);
	bind_int(q, 1, i->row.id);
	bind_blob(q, 2, list.at, list.len);
	if (!db_exec(ck->tx.db, q))
		return false;
	for (size_t at = 0; at + sizeof(id) <= list.len; at += sizeof(id)) {
		memcpy(&id, list.at + at, sizeof(id));
		if (!exec_ids(ck, Q_IMAGE_BLOB_ADD, id, repository, i->row.id) ||
		    !exec_ids(ck, Q_STRAY_DROP, id, repository, 0))
			return false;
		if (!listed(i->blobs, id) && !exec_ids(ck, Q_BLOB_LINK, id, repository, 0))
			return false;
	}
	return true;
}

/* An index lists what blobs it named when it was pushed; that is not to be told from its manifest. */
static bool check_image_blobs(struct check *ck, struct item *i)
{
	bool index = i->manifest.kind == MANIFEST_INDEX;
	if (!index)
		find_blobs(ck, i);
	struct slice list = index ? i->blobs : id_list(i);
	bool right = slice_eq(list, i->blobs) && all_held(ck, i, list);
	if (i->missing_count > 0)
		check_find(ck, CHECK_IMAGE_INCOMPLETE, &i->names, false,
		    "image %.*s lacks %llu of its blobs: %.*s%s; push it again, or delete it",
		    SLICE_ARG(i->called), (unsigned long long)i->missing_count,
		    SLICE_ARG(i->missing), i->missing_count > NAMED_MAX ? ", ..." : "");
	else if (!right)
		check_find(ck, CHECK_REFERENCE_WRONG, &i->names, true,
		    "image %.*s: what it refers to is not what its manifest names%s",
		    SLICE_ARG(i->called), ck->options->repair ? "; made anew from it" : "");
	return right || !ck->options->repair || hold_blobs(ck, i, list);
}

/* ---- its children ---- */

static bool has_child(struct check *ck, const struct item *i, const struct digest *child)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_CHILD);
	bind_int(q, 1, i->row.repository_id);
	bind_digest(q, 2, child);
	bind_digest(q, 3, &i->row.digest);
	bool has = db_step(ck->tx.db, q) == SQLITE_ROW;
	db_done(q);
	return has;
}

static size_t child_rows(struct check *ck, const struct item *i)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_CHILD_COUNT);
	bind_int(q, 1, i->row.repository_id);
	bind_digest(q, 2, &i->row.digest);
	size_t count = db_step(ck->tx.db, q) == SQLITE_ROW ? (size_t)sqlite3_column_int64(q, 0) : 0;
	db_done(q);
	return count;
}

static int by_digest(const void *a, const void *b)
{
	uint8_t one[DIGEST_KEY_MAX] = {0}, other[DIGEST_KEY_MAX] = {0};
	digest_to_key(a, one);
	digest_to_key(b, other);
	return memcmp(one, other, sizeof(one));
}

/* How many different children a manifest names. */
static size_t children_named(const struct manifest *m)
{
	struct digest *all = calloc(m->child_count + 1, sizeof(*all));
	size_t count = 0;
	if (!all)
		abort();
	for (size_t n = 0; n < m->child_count; n++)
		all[n] = m->children[n].digest;
	qsort(all, m->child_count, sizeof(*all), by_digest);
	for (size_t n = 0; n < m->child_count; n++)
		count += n == 0 || !digest_eq(&all[n - 1], &all[n]);
	free(all);
	return count;
}

static bool children_right(struct check *ck, const struct item *i)
{
	for (size_t n = 0; n < i->manifest.child_count; n++) {
		if (!has_child(ck, i, &i->manifest.children[n].digest))
			return false;
	}
	return children_named(&i->manifest) == child_rows(ck, i);
}

static bool write_children(struct check *ck, const struct item *i)
{
	if (!exec_for(ck, i, Q_CHILD_DROP))
		return false;
	for (size_t n = 0; n < i->manifest.child_count; n++) {
		sqlite3_stmt *q = db_query(ck->tx.db, Q_CHILD_ADD);
		bind_int(q, 1, i->row.repository_id);
		bind_digest(q, 2, &i->manifest.children[n].digest);
		bind_digest(q, 3, &i->row.digest);
		if (!db_exec(ck->tx.db, q))
			return false;
	}
	return true;
}

static bool check_children(struct check *ck, struct item *i)
{
	if (children_right(ck, i) ||
	    !check_find(ck, CHECK_REFERENCE_WRONG, &i->names, true,
		"image %.*s: the images noted as its own are not those of its manifest%s",
		SLICE_ARG(i->called), ck->options->repair ? "; made anew from it" : ""))
		return true;
	return write_children(ck, i);
}

/* ---- its row ---- */

static bool same_text(struct slice a, struct slice b)
{
	return (a.at == NULL) == (b.at == NULL) && slice_eq(a, b);
}

static bool facts_right(const struct item *i)
{
	const struct manifest *m = &i->manifest;
	bool sized = m->kind == MANIFEST_INDEX || i->size_bytes == m->layers_bytes;
	return sized && i->manifest_size == i->bytes.len && i->status == i->place / 2 &&
	    same_text(i->row.media_type, m->media_type) &&
	    same_text(i->row.artifact_type, m->artifact_type) &&
	    (i->row.subject.algorithm == DIGEST_NONE
		    ? m->subject.digest.algorithm == DIGEST_NONE
		    : digest_eq(&i->row.subject, &m->subject.digest));
}

static bool write_facts(struct check *ck, const struct item *i)
{
	const struct manifest *m = &i->manifest;
	bool index = m->kind == MANIFEST_INDEX;
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_IMAGE_SET);
	bind_int(q, 1, i->row.repository_id);
	bind_int(q, 2, i->place);
	bind_digest(q, 3, &i->row.digest);
	bind_text(q, 4, m->media_type);
	bind_text(q, 5, m->artifact_type);
	bind_int(q, 6, (int64_t)i->bytes.len);
	bind_int(q, 7, (int64_t)(index ? i->size_bytes : m->layers_bytes));
	bind_digest(q, 8, &m->subject.digest);
	bind_int(q, 9, i->place / 2);
	return db_exec(ck->tx.db, q);
}

static bool check_facts(struct check *ck, struct item *i)
{
	if (facts_right(i) ||
	    !check_find(ck, CHECK_IMAGE_WRONG, &i->names, true,
		"image %.*s: its size, type or subject is not what its manifest says%s",
		SLICE_ARG(i->called), ck->options->repair ? "; made anew from it" : ""))
		return true;
	return write_facts(ck, i);
}

static bool check_archived(struct check *ck, struct item *i)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_ARCHIVED);
	bind_int(q, 1, i->row.id);
	bool there = db_step(ck->tx.db, q) == SQLITE_ROW;
	db_done(q);
	if (there == (i->row.status != IMAGE_ACTIVE) ||
	    !check_find(ck, CHECK_IMAGE_WRONG, &i->names, true, "image %.*s: it is %s archived%s",
		SLICE_ARG(i->called), there ? "not" : "not noted as",
		ck->options->repair ? "; noted so" : ""))
		return true;
	if (there)
		return exec_ids(ck, Q_ARCHIVE_DROP, i->row.id, 0, 0);
	q = db_query(ck->tx.db, Q_ARCHIVE_PUT);
	bind_int(q, 1, i->row.id);
	bind_int(q, 2, i->row.repository_id);
	bind_digest(q, 3, &i->row.digest);
	bind_int(q, 4, i->row.status == IMAGE_ACTIVATING); /* long since due */
	return db_exec(ck->tx.db, q);
}

/* ---- its tags ---- */

/* The names that tag has for the image, as its row should list them. */
static struct slice named_tags(struct check *ck, const struct item *i, size_t *count)
{
	struct slice all = slice_of("", 0);
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_TAGS_OF);
	bind_int(q, 1, i->row.repository_id);
	bind_digest(q, 2, &i->row.digest);
	for (*count = 0; db_step(ck->tx.db, q) == SQLITE_ROW; ++*count)
		all = tags_with(all, column_slice(q, 0), &ck->arena);
	db_done(q);
	return all;
}

/* A name that only the row has is not lost, unless it is another image's by now. */
static bool write_tag_rows(struct check *ck, const struct item *i)
{
	struct slice rest = i->row.tags, tag;
	while (tags_next(&rest, &tag)) {
		sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_TAG_ADD);
		bind_int(q, 1, i->row.repository_id);
		bind_text(q, 2, tag);
		bind_digest(q, 3, &i->row.digest);
		if (!db_exec(ck->tx.db, q))
			return false;
	}
	return true;
}

static bool mend_tags(struct check *ck, const struct item *i)
{
	size_t count;
	if (!write_tag_rows(ck, i))
		return false;
	struct slice names = named_tags(ck, i, &count);
	sqlite3_stmt *q = db_query(ck->tx.db, Q_IMAGE_TAGS);
	bind_int(q, 1, i->row.repository_id);
	bind_int(q, 2, i->place);
	bind_digest(q, 3, &i->row.digest);
	bind_int(q, 4, i->place / 2 * 2 + (count > 0));
	bind_int(q, 5, (int64_t)count);
	bind_blob(q, 6, names.at, names.len);
	return db_exec(ck->tx.db, q);
}

/* ---- tags the other way round ---- */

static const char unlisted[] =
    "SELECT DISTINCT t.repository_id, t.digest FROM tag t WHERE NOT EXISTS (SELECT 1 FROM image i "
    "WHERE i.repository_id = t.repository_id AND i." SQL_ALL_PLACES " AND i.digest = t.digest AND "
    "instr(CAST(x'00' || i.tags AS BLOB), CAST(x'00' || t.name || x'00' AS BLOB)) > 0) ORDER BY 1, 2";

static void note_doubt(struct check *ck, sqlite3_stmt *q)
{
	if (ck->doubt_count == ck->doubt_cap) {
		ck->doubt_cap = ck->doubt_cap ? ck->doubt_cap * 2 : 64;
		ck->doubts = realloc(ck->doubts, ck->doubt_cap * sizeof(*ck->doubts));
		if (!ck->doubts)
			abort();
	}
	struct check_doubt *doubt = &ck->doubts[ck->doubt_count];
	doubt->repository_id = sqlite3_column_int64(q, 0);
	ck->doubt_count += column_digest(q, 1, &doubt->digest);
}

static bool find_doubts(struct check *ck)
{
	sqlite3_stmt *q = NULL;
	int step = SQLITE_ERROR;
	if (sqlite3_prepare_v2(ck->tx.db->handle, unlisted, -1, &q, NULL) == SQLITE_OK)
		while ((step = sqlite3_step(q)) == SQLITE_ROW)
			note_doubt(ck, q);
	sqlite3_finalize(q);
	return step == SQLITE_DONE;
}

static int compare_doubts(const void *a, const void *b)
{
	const struct check_doubt *one = a, *other = b;
	if (one->repository_id != other->repository_id)
		return one->repository_id < other->repository_id ? -1 : 1;
	return memcmp(&one->digest, &other->digest,
	    1 + digest_raw_len((enum digest_algorithm)one->digest.algorithm));
}

static bool doubtful(const struct check *ck, const struct item *i)
{
	struct check_doubt key = {i->row.repository_id, i->row.digest};
	return ck->doubt_count > 0 &&
	    bsearch(&key, ck->doubts, ck->doubt_count, sizeof(key), compare_doubts);
}

/* ---- and together ---- */

/* Each name in the row is the image's by tag, too. */
static bool tags_right(struct check *ck, const struct item *i)
{
	struct slice rest = i->row.tags, tag, last = slice_of("", 0);
	size_t count = 0;
	for (; tags_next(&rest, &tag); last = tag, count++) {
		struct digest bound;
		if (slice_cmp(last, tag) >= 0 ||
		    tag_row_find(&ck->tx, &ck->job, i->row.repository_id, tag, &bound) !=
			ERR_NONE ||
		    !digest_eq(&bound, &i->row.digest))
			return false;
	}
	return rest.len == 0 && count == i->row.tag_count && i->row.tagged == (count > 0);
}

static bool check_tags(struct check *ck, struct item *i)
{
	if ((tags_right(ck, i) && !doubtful(ck, i)) ||
	    !check_find(ck, CHECK_TAG_WRONG, &i->names, true,
		"image %.*s: its own list of tags and the repository's are not the same%s",
		SLICE_ARG(i->called), ck->options->repair ? "; made the same" : ""))
		return ck->job.error.code == ERR_NONE;
	return mend_tags(ck, i);
}

static bool check_item(struct check *ck, struct item *i)
{
	bool good = true;
	if (!check_manifest(ck, i, &good))
		return good;
	return check_image_blobs(ck, i) && check_children(ck, i) && check_facts(ck, i) &&
	    check_archived(ck, i) && check_tags(ck, i);
}

bool check_images(struct check *ck)
{
	struct place last = {.repository_id = INT64_MIN};
	struct item i;
	bool failed = !find_doubts(ck);
	while (!failed && next_item(ck, &last, &i, &failed)) {
		last = (struct place){i.row.repository_id, i.place, i.row.digest};
		if (i.names.account.len > 0) { /* else it is being deleted with its repository */
			ck->result->images++;
			if (!check_item(ck, &i) || !check_reads_well(ck))
				return false;
		}
		arena_reset(&ck->arena);
	}
	return !failed;
}

/* ---- the other way round: nothing is held by an image that does not name it ---- */

bool check_references(struct check *ck)
{
	int64_t at[3] = {INT64_MIN, 0, 0};
	for (;;) {
		sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_IMAGE_BLOB_NEXT);
		for (int n = 0; n < 3; n++)
			bind_int(q, n + 1, at[n]);
		int step = db_step(ck->tx.db, q);
		bool right = true;
		if (step == SQLITE_ROW) {
			for (int n = 0; n < 3; n++)
				at[n] = sqlite3_column_int64(q, n);
			right = listed(column_slice(q, 3), at[0]);
		}
		db_done(q);
		if (step != SQLITE_ROW)
			return step == SQLITE_DONE;
		if (!right &&
		    check_find(ck, CHECK_REFERENCE_WRONG, NULL, true,
			"a blob is held by an image that does not name it%s",
			ck->options->repair ? "; it is let go" : "") &&
		    (!exec_ids(ck, Q_IMAGE_BLOB_DROP, at[0], at[1], at[2]) ||
			!stray_note(&ck->tx, &ck->job, at[0], at[1])))
			return false;
		arena_reset(&ck->arena);
	}
}
