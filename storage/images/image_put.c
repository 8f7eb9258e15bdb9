/*
 * The one write path of an image (ecr-behaviour 2.3 PutImage).
 *
 * Each step below looks at one rule and answers whether to go on; the order of the steps is the order in
 * which ECR's refusals win. Nothing is written before the last refusal.
 */
#include "storage/images/image.h"

#include "protocol/buf.h"
#include "protocol/json.h"
#include "protocol/wildcard.h"
#include "storage/blobs/stray.h"
#include "storage/images/push_effects.h"
#include "storage/repositories/rows.h"

enum {
	MISSING_NAMED_BYTES =
	    16 * 1024, /* of missing digests an error names; each is compared with them all */
};

/* What the steps find out about one put. */
struct put_state {
	struct store_tx *tx;
	struct image_put *put;
	int64_t repository_id;
	uint64_t image_count;
	enum mutability mutability;
	bool scan_on_push;
	struct slice filters;
	int64_t *blobs; /* ids of config and layers */
	size_t blob_count;
	uint64_t size_bytes;
	bool exists;
	struct image_row row;
	size_t new_tags; /* of put->tags, not yet on the image */
};

static struct arena *arena_of(struct put_state *s)
{
	return s->put->job.arena;
}

static void refuse(struct put_state *s, enum error_code code)
{
	char text[DIGEST_TEXT_MAX];
	struct error *error = &s->put->job.error;
	job_refuse(&s->put->job, code, &s->put->key);
	error->digest = arena_dup(arena_of(s), digest_format(&s->put->digest, text));
	if (s->put->tag_count > 0)
		error->tag = s->put->tags[0];
}

/* The repository that the put may make. */
static bool make_repository(struct put_state *s)
{
	struct repository *r = s->put->create;
	if (!repository_add(s->tx, &s->put->job, r))
		return false;
	s->repository_id = r->id;
	s->mutability = r->mutability;
	s->filters = r->mutability_filters;
	return true;
}

static bool find_repository(struct put_state *s)
{
	sqlite3_stmt *q = db_query(s->tx->db, Q_REPOSITORY_FIND);
	bind_key(q, &s->put->key);
	int step = db_step(s->tx->db, q);
	if (step == SQLITE_ROW) {
		s->repository_id = sqlite3_column_int64(q, 0);
		s->mutability = (enum mutability)sqlite3_column_int(q, 5);
		s->scan_on_push = sqlite3_column_int(q, 7) != 0;
		s->filters = column_dup(q, 6, arena_of(s));
		s->image_count = (uint64_t)sqlite3_column_int64(q, 10);
	}
	db_done(q);
	if (step == SQLITE_DONE && s->put->create)
		return make_repository(s);
	if (step == SQLITE_DONE)
		refuse(s, ERR_REPOSITORY_NOT_FOUND);
	else if (step != SQLITE_ROW)
		tx_fail(s->tx, &s->put->job);
	return step == SQLITE_ROW;
}

/* Collects the digests that are missing, "d1, d2", each once. */
static void name_missing(struct buf *missing, const struct digest *digest)
{
	char text[DIGEST_TEXT_MAX];
	struct slice named = digest_format(digest, text);
	if (missing->len > MISSING_NAMED_BYTES)
		return;
	if (missing->len > 0 && memmem(missing->at, missing->len, named.at, named.len))
		return;
	if (missing->len > 0)
		buf_puts(missing, ", ");
	buf_put_slice(missing, named);
}

/* One config or layer: its id is noted, or it is named as missing, or the put waits for its flush. */
static bool find_blob(struct put_state *s, const struct descriptor *d, struct buf *missing)
{
	sqlite3_stmt *q = db_query(s->tx->db, Q_BLOB_LINKED);
	bind_digest(q, 1, &d->digest);
	bind_int(q, 2, s->repository_id);
	int step = db_step(s->tx->db, q);
	int64_t id = step == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	bool unsynced = step == SQLITE_ROW && sqlite3_column_int(q, 1) == 0;
	uint64_t size = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 2) : 0;
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE) {
		tx_fail(s->tx, &s->put->job);
		return false;
	}
	enum error_code found = step == SQLITE_ROW
	    ? blob_look(s->tx->db, &s->tx->store->files, id, &d->digest, size)
	    : ERR_BLOB_UNKNOWN;
	if (found == ERR_BLOB_UNKNOWN)
		name_missing(missing, &d->digest);
	else if (found != ERR_NONE)
		job_fail(&s->put->job, found, "a layer's file cannot be looked at");
	else
		s->blobs[s->blob_count++] = id;
	if (found == ERR_NONE && unsynced)
		s->tx->waits_for = &d->digest;
	return s->put->job.error.code == ERR_NONE;
}

/* Whether everything that was looked for was found: what was not refuses the put, unless it may lack. */
static bool all_found(
    struct put_state *s, const struct buf *missing, bool may_lack, enum error_code code)
{
	if (missing->len > 0 && !may_lack && s->put->job.error.code == ERR_NONE) {
		s->tx->waits_for = NULL;
		refuse(s, code);
		s->put->job.error.digests = buf_slice(missing);
	}
	return s->put->job.error.code == ERR_NONE && !s->tx->waits_for;
}

/* One child: an image, or, where an index may lack its images, a blob (BuildKit's cache names layers). */
static void find_child(struct put_state *s, const struct descriptor *child, struct buf *missing)
{
	sqlite3_stmt *q = db_query(s->tx->db, Q_IMAGE_SIZE);
	bind_int(q, 1, s->repository_id);
	bind_digest(q, 2, &child->digest);
	int step = db_step(s->tx->db, q);
	uint64_t size = step == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0;
	db_done(q);
	if (size > s->size_bytes)
		s->size_bytes = size;
	if (step == SQLITE_DONE && s->put->sparse)
		find_blob(s, child, missing);
	else if (step == SQLITE_DONE)
		name_missing(missing, &child->digest);
	else if (step != SQLITE_ROW)
		tx_fail(s->tx, &s->put->job);
}

/* An index's children must be here, unless it may be sparse; its size is the largest one's. */
static bool find_children(struct put_state *s)
{
	const struct manifest *m = s->put->parsed;
	struct buf missing;
	buf_init(&missing, arena_of(s), MANIFEST_BYTES_MAX, 0);
	s->blobs = arena_array(arena_of(s), m->child_count + 1, sizeof(*s->blobs));
	for (size_t i = 0; i < m->child_count; i++)
		find_child(s, &m->children[i], &missing);
	return all_found(s, &missing, s->put->sparse, ERR_REFERENCED_IMAGES_NOT_FOUND);
}

static bool find_blobs(struct put_state *s)
{
	const struct manifest *m = s->put->parsed;
	struct buf missing;
	buf_init(&missing, arena_of(s), MANIFEST_BYTES_MAX, 0);
	s->blobs = arena_array(arena_of(s), m->layer_count + 1, sizeof(*s->blobs));
	s->size_bytes = m->layers_bytes;
	if (m->config.digest.algorithm != DIGEST_NONE && !find_blob(s, &m->config, &missing))
		return false;
	for (size_t i = 0; i < m->layer_count; i++) {
		if (!m->layers[i].foreign && !find_blob(s, &m->layers[i], &missing))
			return false;
	}
	return all_found(s, &missing, false, ERR_LAYERS_NOT_FOUND);
}

static bool find_references(struct put_state *s)
{
	return s->put->parsed->kind == MANIFEST_INDEX ? find_children(s) : find_blobs(s);
}

/* The image as it is, and how many of the tags are new to it. */
static bool find_image(struct put_state *s)
{
	struct image_put *put = s->put;
	enum error_code found =
	    image_row_find(s->tx, &put->job, s->repository_id, &put->digest, &s->row);
	s->exists = found == ERR_NONE;
	if (!s->exists && found != ERR_IMAGE_NOT_FOUND)
		return false;
	for (size_t i = 0; i < put->tag_count; i++)
		s->new_tags += !s->exists || !tags_have(s->row.tags, put->tags[i]);
	if (s->exists && s->new_tags == 0 && put->refuse_same && s->row.status == IMAGE_ACTIVE) {
		refuse(s, ERR_IMAGE_EXISTS);
		return false;
	}
	return true;
}

/* Does a filter of the repository match the tag? (ecr-behaviour 5: whole-tag match) */
static bool excluded(struct slice filters, struct slice tag)
{
	bool matches = false;
	cJSON *all = json_parse(filters);
	const cJSON *one;
	cJSON_ArrayForEach(one, all) {
		struct slice filter = json_string(one, "filter");
		matches = matches || (filter.at && wildcard_match(filter, tag));
	}
	cJSON_Delete(all);
	return matches;
}

static bool may_move(const struct put_state *s, struct slice tag)
{
	switch (s->mutability) {
	case TAGS_MUTABLE:
		return true;
	case TAGS_IMMUTABLE:
		return false;
	case TAGS_IMMUTABLE_WITH_EXCLUSION:
		return excluded(s->filters, tag);
	case TAGS_MUTABLE_WITH_EXCLUSION:
		return !excluded(s->filters, tag);
	}
	return false;
}

/* A tag that names another image already, and may not move (or is not this put's to move), is in the way. */
static bool check_tags(struct put_state *s)
{
	struct image_put *put = s->put;
	bool any_moves = s->mutability == TAGS_MUTABLE && !put->tags_stay;
	for (size_t i = 0; i < put->tag_count && !any_moves; i++) {
		struct digest bound;
		enum error_code found =
		    tag_row_find(s->tx, &put->job, s->repository_id, put->tags[i], &bound);
		if (found == ERR_IMAGE_NOT_FOUND)
			continue;
		if (found != ERR_NONE)
			return false;
		bool moves = may_move(s, put->tags[i]);
		if (digest_eq(&bound, &put->digest) || (moves && !put->tags_stay))
			continue;
		refuse(s, moves ? ERR_ACCESS_DENIED : ERR_IMAGE_TAG_EXISTS);
		put->job.error.tag = put->tags[i];
		return false;
	}
	return true;
}

static bool check_limits(struct put_state *s)
{
	const struct quotas *quotas = &s->tx->store->quotas;
	uint64_t tags = (s->exists ? s->row.tag_count : 0) + s->new_tags;
	enum quota full = QUOTA_COUNT;
	if (!s->exists && s->image_count >= quota_of(quotas, QUOTA_IMAGES))
		full = QUOTA_IMAGES;
	else if (tags > quota_of(quotas, QUOTA_TAGS_PER_IMAGE))
		full = QUOTA_TAGS_PER_IMAGE;
	if (full == QUOTA_COUNT)
		return true;
	refuse(s, ERR_LIMIT_EXCEEDED);
	s->put->job.error.detail = arena_slicef(arena_of(s),
	    "%s in the repository with name '%.*s' in the registry with id '%.*s'",
	    quota_message(quotas, full, arena_of(s)).at, SLICE_ARG(s->put->key.name),
	    SLICE_ARG(s->put->key.account));
	return false;
}

/* From here on things are written. */

static bool add_manifest(struct put_state *s)
{
	sqlite3_stmt *q = db_query(s->tx->db, Q_MANIFEST_ADD);
	bind_blob(q, 1, s->blobs, s->blob_count * sizeof(*s->blobs));
	bind_blob(q, 2, s->put->manifest.at, s->put->manifest.len);
	if (!tx_exec(s->tx, &s->put->job, q))
		return false;
	s->tx->bytes += s->put->manifest.len;
	s->row.id = sqlite3_last_insert_rowid(s->tx->db->handle);
	return true;
}

/* All tags of a new image at once, in order and each once. */
static void gather_tags(struct put_state *s)
{
	for (size_t i = 0; i < s->put->tag_count; i++) {
		if (tags_have(s->row.tags, s->put->tags[i]))
			continue;
		s->row.tags = tags_with(s->row.tags, s->put->tags[i], arena_of(s));
		s->row.tag_count++;
	}
	s->row.tagged = s->row.tag_count > 0;
}

static bool add_image(struct put_state *s)
{
	const struct manifest *m = s->put->parsed;
	s->put->pushed_ms = clock_now_ms(&s->tx->store->clock);
	sqlite3_stmt *q = db_query(s->tx->db, Q_IMAGE_ADD);
	bind_int(q, 1, s->repository_id);
	bind_int(q, 2, s->row.tagged);
	bind_digest(q, 3, &s->put->digest);
	bind_int(q, 4, s->row.id);
	bind_text(q, 5, m->media_type);
	bind_text(q, 6, m->artifact_type);
	bind_int(q, 7, (int64_t)s->put->manifest.len);
	bind_int(q, 8, (int64_t)s->size_bytes);
	bind_int(q, 9, s->put->pushed_ms);
	bind_digest(q, 10, &m->subject.digest);
	bind_int(q, 11, (int64_t)s->row.tag_count);
	bind_blob(q, 12, s->row.tags.at, s->row.tags.len);
	return tx_exec(s->tx, &s->put->job, q) &&
	    image_count_add(s->tx, &s->put->job, s->repository_id, 1);
}

/* Config and layers; from now on they are held. */
static bool add_blobs(struct put_state *s)
{
	for (size_t i = 0; i < s->blob_count; i++) {
		sqlite3_stmt *q = db_query(s->tx->db, Q_IMAGE_BLOB_ADD);
		bind_int(q, 1, s->blobs[i]);
		bind_int(q, 2, s->repository_id);
		bind_int(q, 3, s->row.id);
		if (!tx_exec(s->tx, &s->put->job, q) ||
		    !stray_clear(s->tx, &s->put->job, s->blobs[i], s->repository_id))
			return false;
	}
	return true;
}

static bool add_references(struct put_state *s)
{
	const struct manifest *m = s->put->parsed;
	if (!add_blobs(s))
		return false;
	for (size_t i = 0; i < m->child_count; i++) {
		sqlite3_stmt *q = db_query(s->tx->db, Q_CHILD_ADD);
		bind_int(q, 1, s->repository_id);
		bind_digest(q, 2, &m->children[i].digest);
		bind_digest(q, 3, &s->put->digest);
		if (!tx_exec(s->tx, &s->put->job, q))
			return false;
	}
	return true;
}

/* Takes a tag off the image it names now, unless that is this one. */
static bool free_tag(struct put_state *s, struct slice tag)
{
	struct store_job *job = &s->put->job;
	struct digest bound;
	struct image_row row;
	enum error_code found = tag_row_find(s->tx, job, s->repository_id, tag, &bound);
	if (found == ERR_IMAGE_NOT_FOUND)
		return true;
	if (found != ERR_NONE)
		return false;
	found = image_row_find(s->tx, job, s->repository_id, &bound, &row);
	if (found == ERR_NONE)
		return image_row_remove_tag(s->tx, job, &row, tag);
	return found == ERR_IMAGE_NOT_FOUND;
}

static bool put_tag_row(struct put_state *s, struct slice tag)
{
	sqlite3_stmt *q = db_query(s->tx->db, Q_TAG_PUT);
	bind_int(q, 1, s->repository_id);
	bind_text(q, 2, tag);
	bind_digest(q, 3, &s->put->digest);
	return tx_exec(s->tx, &s->put->job, q);
}

static bool write_new_image(struct put_state *s)
{
	s->row = (struct image_row){.repository_id = s->repository_id, .digest = s->put->digest};
	gather_tags(s);
	for (size_t i = 0; i < s->put->tag_count; i++) {
		if (!free_tag(s, s->put->tags[i]) || !put_tag_row(s, s->put->tags[i]))
			return false;
	}
	s->put->created = true;
	return add_manifest(s) && add_image(s) && add_references(s);
}

static bool tag_old_image(struct put_state *s)
{
	struct image_put *put = s->put;
	for (size_t i = 0; i < put->tag_count; i++) {
		if (tags_have(s->row.tags, put->tags[i]))
			continue;
		if (!free_tag(s, put->tags[i]) ||
		    !image_row_add_tag(s->tx, &put->job, &s->row, put->tags[i]))
			return false;
	}
	return true;
}

/* An archived image that is pushed again is back at once. */
static bool restore_image(struct put_state *s)
{
	return s->row.status == IMAGE_ACTIVE ||
	    image_row_move(
		s->tx, &s->put->job, &s->row, IMAGE_ACTIVE, clock_now_ms(&s->tx->store->clock));
}

/* Whether the blobs that the image's row lists are those found now. */
static bool same_blobs(struct put_state *s)
{
	sqlite3_stmt *q = db_query(s->tx->db, Q_MANIFEST_BLOBS);
	bind_int(q, 1, s->row.id);
	int step = db_step(s->tx->db, q);
	bool same = step == SQLITE_ROW &&
	    slice_eq(column_slice(q, 0),
		slice_of((const char *)s->blobs, s->blob_count * sizeof(*s->blobs)));
	db_done(q);
	if (step != SQLITE_ROW)
		tx_fail(s->tx, &s->put->job);
	return same;
}

/* An image that had lost a blob (`drydock check --repair` drops broken ones) is pushed again, and whole. */
static bool mend_image(struct put_state *s)
{
	if (s->put->parsed->kind == MANIFEST_INDEX || same_blobs(s))
		return true;
	if (s->put->job.error.code != ERR_NONE)
		return false;
	sqlite3_stmt *q = db_query(s->tx->db, Q_MANIFEST_SET_BLOBS);
	bind_int(q, 1, s->row.id);
	bind_blob(q, 2, s->blobs, s->blob_count * sizeof(*s->blobs));
	return tx_exec(s->tx, &s->put->job, q) && add_blobs(s);
}

static bool write_image(struct put_state *s)
{
	if (!s->exists)
		return write_new_image(s);
	return mend_image(s) && restore_image(s) && tag_old_image(s);
}

static void follow(struct put_state *s, bool fresh)
{
	struct push push = {
	    .key = &s->put->key,
	    .scan_on_push = s->scan_on_push,
	    .fresh = fresh,
	    .replica = s->put->replica,
	    .row = &s->row,
	    .tags = s->put->tags,
	    .tag_count = s->put->tag_count,
	};
	s->row.media_type = s->put->parsed->media_type;
	s->row.artifact_type = s->put->parsed->artifact_type;
	push_effects(s->tx, &s->put->job, &push);
}

void image_put_in(struct store_tx *tx, struct image_put *put)
{
	struct put_state s = {.tx = tx, .put = put, .row.tags = {"", 0}};
	put->created = false;
	if (!find_repository(&s) || !find_references(&s) || !find_image(&s) || !check_tags(&s) ||
	    !check_limits(&s))
		return;
	bool fresh = !s.exists || s.row.status != IMAGE_ACTIVE;
	if (write_image(&s) && (fresh || s.new_tags > 0))
		follow(&s, fresh);
}

static void put_run(struct store_tx *tx, struct store_job *job)
{
	image_put_in(tx, (struct image_put *)job);
}

static const struct job_ops put_ops = {.run = put_run, .flush = STORE_FLUSH_NOW};

void image_put_submit(struct store *store, struct image_put *put)
{
	store_submit(store, &put->job, &put_ops);
}
