/*
 * Copying an image to where the rules of its registry say: see replication.h.
 *
 * Each destination is a savepoint of its own within the push's transaction: first its registry is asked
 * (replication_access.h), then its repository is found or made, then the image is put there as a push would be,
 * after its children. What fails goes back to the savepoint, so that a copy is whole or nothing, and counts of
 * what is not there do not stay behind; the outcome is noted beside the image that was pushed.
 */
#include "storage/images/replication.h"

#include "storage/blobs/stray.h"
#include "storage/images/replication_access.h"
#include "storage/repositories/rows.h"
#include "storage/repositories/settings.h"
#include "storage/repositories/template.h"

#include <assert.h>

enum { DEPTH_MAX = 4 }; /* an index in an index in ... */

/* One copy being made. */
struct copy {
	struct store_tx *tx;
	struct store_job
	    job; /* its own error: the push goes on; its arena holds one image at a time */
	int64_t source_id;
	struct slice source_account;
	struct repository_key to;
	int64_t to_id; /* 0: the repository is not there yet */
};

/* Frees an image's memory; what outlives it, a failure or the layer to wait for, moves to the arena outside. */
static void leave_arena(struct copy *copy, struct arena *own, struct arena *outside)
{
	struct error *error = &copy->job.error;
	*error = (struct error){.code = error->code, .detail = arena_dup(outside, error->detail)};
	if (copy->tx->waits_for) {
		struct digest *digest = arena_alloc(outside, sizeof(*digest));
		*digest = *copy->tx->waits_for;
		copy->tx->waits_for = digest;
	}
	copy->job.arena = outside;
	arena_release(own);
}

/* Does the destination's registry let the source's account do this? */
static bool allowed(struct copy *copy, const char *action)
{
	struct replication_access access = {copy->source_account, action, &copy->to, copy->to_id};
	return replication_allowed(copy->tx, &copy->job, &access);
}

/* The destination repository, made when it is not there. */
static bool find_destination(struct copy *copy)
{
	bool enforced = copy->tx->store->enforce_policies;
	struct repository r;
	enum error_code code = row_repository_id(copy->tx->db, &copy->to, &copy->to_id);
	if (code != ERR_NONE && code != ERR_REPOSITORY_NOT_FOUND) {
		copy->job.error.code = code;
		return false;
	}
	if (enforced && !allowed(copy, "ecr:ReplicateImage"))
		return false;
	if (code == ERR_NONE)
		return true;
	if (enforced && !allowed(copy, "ecr:CreateRepository"))
		return false;
	code =
	    template_repository_tx(copy->tx, &copy->to, TEMPLATE_REPLICATION, copy->job.arena, &r);
	if (code == ERR_TEMPLATE_NOT_FOUND)
		r = (struct repository){.account = copy->to.account,
		    .region = copy->to.region,
		    .name = copy->to.name,
		    .encryption_type = slice_str("AES256")};
	else if (code != ERR_NONE) {
		copy->job.error.code = code;
		return false;
	}
	if (!repository_add(copy->tx, &copy->job, &r))
		return false;
	copy->to_id = r.id;
	return true;
}

static bool link_blobs(struct copy *copy, struct slice ids)
{
	for (size_t at = 0; at + sizeof(int64_t) <= ids.len; at += sizeof(int64_t)) {
		int64_t blob_id;
		memcpy(&blob_id, ids.at + at, sizeof(blob_id));
		sqlite3_stmt *q = db_query(copy->tx->db, Q_BLOB_LINK);
		bind_int(q, 1, blob_id);
		bind_int(q, 2, copy->to_id);
		if (!tx_exec(copy->tx, &copy->job, q) ||
		    !stray_note(copy->tx, &copy->job, blob_id, copy->to_id))
			return false;
	}
	return true;
}

/* The manifest's bytes and the ids of its blobs. */
static bool read_source(
    struct copy *copy, const struct image_row *row, struct slice *blobs, struct slice *bytes)
{
	sqlite3_stmt *q = db_query(copy->tx->db, Q_MANIFEST_WHOLE);
	bind_int(q, 1, row->id);
	int step = db_step(copy->tx->db, q);
	if (step == SQLITE_ROW) {
		*blobs = column_dup(q, 0, copy->job.arena);
		*bytes = column_dup(q, 1, copy->job.arena);
	}
	db_done(q);
	if (step != SQLITE_ROW)
		tx_fail(copy->tx, &copy->job);
	return step == SQLITE_ROW;
}

/* Whether the destination has the image, to be pulled: then it has what that names, too. */
static bool is_there(struct copy *copy, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(copy->tx->db, Q_IMAGE_PULLABLE);
	bind_int(q, 1, copy->to_id);
	bind_digest(q, 2, digest);
	int step = db_step(copy->tx->db, q);
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(copy->tx, &copy->job);
	return step == SQLITE_ROW;
}

static bool copy_image(struct copy *copy, const struct image_row *row, const struct slice *tags,
    size_t tag_count, int depth);

/* A child that the source has, in memory of its own: of a whole tree only one branch is held at once. */
static bool copy_child(struct copy *copy, const struct digest *digest, int depth)
{
	struct arena own, *outside = copy->job.arena;
	struct image_row child;
	arena_init(&own);
	copy->job.arena = &own;
	enum error_code code =
	    image_row_find(copy->tx, &copy->job, copy->source_id, digest, &child);
	bool good = code == ERR_IMAGE_NOT_FOUND ||
	    (code == ERR_NONE && copy_image(copy, &child, NULL, 0, depth));
	leave_arena(copy, &own, outside);
	return good;
}

/*
 * An index comes with its images: those that are not there yet, so that each is copied once, however often
 * indexes name it, and a push costs no more than the images that the destination lacks.
 */
static bool copy_children(struct copy *copy, const struct manifest *parsed, int depth)
{
	for (size_t i = 0; i < parsed->child_count && depth < DEPTH_MAX; i++) {
		const struct digest *digest = &parsed->children[i].digest;
		if (i > 0 && digest_eq(digest, &parsed->children[i - 1].digest))
			continue;
		if (is_there(copy, digest))
			continue;
		if (copy->job.error.code != ERR_NONE || !copy_child(copy, digest, depth + 1) ||
		    copy->tx->waits_for)
			return false;
	}
	return true;
}

/*
 * A tag that may not move at the destination stays where it is: the image arrives without it. To take a tag of
 * another account's away the copy needs that registry's leave, also where policies are not enforced otherwise.
 */
static bool put(struct copy *copy, struct image_put *put)
{
	put->job.arena = copy->job.arena;
	put->tags_stay =
	    !copy->tx->store->enforce_policies && !slice_eq(copy->source_account, copy->to.account);
	image_put_in(copy->tx, put);
	if (put->job.error.code == ERR_ACCESS_DENIED && allowed(copy, "ecr:ReplicateImage")) {
		put->job.error = (struct error){0};
		put->tags_stay = false;
		image_put_in(copy->tx, put);
	}
	if (put->job.error.code == ERR_IMAGE_TAG_EXISTS) {
		put->job.error = (struct error){0};
		put->tag_count = 0;
		image_put_in(copy->tx, put);
	}
	copy->job.error = put->job.error;
	return copy->job.error.code == ERR_NONE;
}

static bool copy_image(struct copy *copy, const struct image_row *row, const struct slice *tags,
    size_t tag_count, int depth)
{
	struct manifest parsed;
	struct slice blobs, bytes;
	assert(depth <= DEPTH_MAX);
	if (!read_source(copy, row, &blobs, &bytes))
		return false;
	if (manifest_parse(bytes, row->media_type, copy->job.arena, &parsed, NULL) != MANIFEST_OK) {
		copy->job.error.code = ERR_MANIFEST_INVALID;
		return false;
	}
	struct image_put image = {.key = copy->to,
	    .manifest = bytes,
	    .parsed = &parsed,
	    .digest = row->digest,
	    .tags = tags,
	    .tag_count = tag_count,
	    .sparse = true,
	    .replica = true};
	return copy_children(copy, &parsed, depth) && link_blobs(copy, blobs) && put(copy, &image);
}

static bool note(struct copy *copy, struct store_job *job, const struct image_row *row)
{
	const struct error_entry *entry = error_entry(copy->job.error.code);
	sqlite3_stmt *q = db_query(copy->tx->db, Q_REPLICATION_PUT);
	bind_int(q, 1, row->id);
	bind_text(q, 2, copy->to.region);
	bind_text(q, 3, copy->to.account);
	bind_text(q, 4, slice_str(entry ? entry->exception : NULL));
	return tx_exec(copy->tx, job, q);
}

/* To one destination, whole or not at all. False when the job itself has failed. */
static bool replicate_to(struct store_tx *tx, struct store_job *job, struct slice source_account,
    const struct repository_key *to, const struct image_row *row, const struct slice *tags,
    size_t tag_count)
{
	struct arena own;
	struct copy copy = {.tx = tx,
	    .job.arena = &own,
	    .source_id = row->repository_id,
	    .source_account = source_account,
	    .to = *to};
	if (!db_run(tx->db, Q_COPY_SAVEPOINT)) {
		tx_fail(tx, job);
		return false;
	}
	arena_init(&own);
	bool copied = find_destination(&copy) && copy_image(&copy, row, tags, tag_count, 0);
	leave_arena(&copy, &own, job->arena);
	if ((!copied && !db_run(tx->db, Q_COPY_BACK)) || !db_run(tx->db, Q_COPY_RELEASE))
		tx_fail(tx, &copy.job);
	if (copy.job.error.code >= ERR_STORAGE_FULL) {
		job->error = copy.job.error;
		return false;
	}
	return !tx->waits_for && note(&copy, job, row);
}

/* Has an earlier rule, or an earlier place of this one, named the destination? */
static bool named_before(
    const struct replication_rules *rules, struct slice repository, size_t rule, size_t destination)
{
	const struct replication_destination *it = &rules->at[rule].destinations[destination];
	for (size_t i = 0; i <= rule; i++) {
		size_t end = i < rule ? rules->at[i].destination_count : destination;
		if (!replication_rule_matches(&rules->at[i], repository))
			continue;
		for (size_t j = 0; j < end; j++) {
			const struct replication_destination *other = &rules->at[i].destinations[j];
			if (slice_eq(it->account, other->account) &&
			    slice_eq(it->region, other->region))
				return true;
		}
	}
	return false;
}

bool replicate(struct store_tx *tx, struct store_job *job, const struct repository_key *source,
    const struct image_row *row, const struct slice *tags, size_t tag_count)
{
	struct replication_rules rules;
	if (replication_rules_tx(tx, source->account, source->region, job->arena, &rules) !=
	    ERR_NONE) {
		tx_fail(tx, job);
		return false;
	}
	for (size_t i = 0; i < rules.count; i++) {
		if (!replication_rule_matches(&rules.at[i], source->name))
			continue;
		for (size_t j = 0; j < rules.at[i].destination_count; j++) {
			struct repository_key to = {rules.at[i].destinations[j].account,
			    rules.at[i].destinations[j].region, source->name};
			if (!named_before(&rules, source->name, i, j) &&
			    !replicate_to(tx, job, source->account, &to, row, tags, tag_count))
				return false;
		}
	}
	return true;
}

enum error_code replica_list(struct store_reader *reader, int64_t image_id, struct arena *a,
    struct replica **out, size_t *count)
{
	size_t cap = 0;
	int step;
	sqlite3_stmt *q = db_query(&reader->db, Q_REPLICATION_LIST);
	bind_int(q, 1, image_id);
	*out = NULL;
	*count = 0;
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW) {
		if (*count == cap) {
			struct replica *more = arena_array(a, cap * 2 + 8, sizeof(*more));
			if (cap > 0)
				memcpy(more, *out, cap * sizeof(*more));
			*out = more;
			cap = cap * 2 + 8;
		}
		(*out)[(*count)++] =
		    (struct replica){column_dup(q, 0, a), column_dup(q, 1, a), column_dup(q, 2, a)};
	}
	db_done(q);
	return step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}
