/* PutImage, BatchGetImage, BatchDeleteImage (ecr-behaviour 2.3). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/manifest_convert.h"
#include "protocol/names.h"
#include "server/access.h"

static void write_image(struct call *c, struct json_writer *w, const struct image_id *id,
    const struct stored_manifest *manifest)
{
	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_key(w, "imageId");
	ecr_write_image_id(w, id);
	json_put_str(w, "imageManifest", manifest->bytes);
	json_put_str(w, "imageManifestMediaType", manifest->media_type);
}

/* ---- PutImage ---- */

static void compose_put(struct call *c)
{
	const struct image_put *job = c->job_data;
	struct stored_manifest stored = {
	    .bytes = job->manifest, .media_type = job->parsed->media_type};
	struct image_id id = {.digest = job->digest};
	struct json_writer *w = ecr_begin(c);

	if (job->tag_count)
		id.tag = job->tags[0];
	json_put_object(w, "image");
	write_image(c, w, &id, &stored);
	json_object_end(w);
}

static enum http_step put_done(struct call *c)
{
	struct image_put *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	return call_work(c, job, job->manifest.len, compose_put, ecr_reply);
}

/* imageDigest, where it is given, must be what the manifest's bytes give. */
static bool compute_digest(struct call *c, struct digest *digest)
{
	struct slice text = json_string(ecr_input(c), "imageDigest");
	struct slice manifest = json_string(ecr_input(c), "imageManifest");
	struct digest given = {.algorithm = DIGEST_SHA256};

	if (text.at && digest_parse(text, &given) != DIGEST_OK)
		given.algorithm = DIGEST_NONE;
	if (given.algorithm != DIGEST_NONE) {
		digest_compute((enum digest_algorithm)given.algorithm, manifest, digest);
		if (!text.at || digest_eq(&given, digest))
			return true;
	}
	call_fail(c, ERR_MANIFEST_DIGEST_MISMATCH)->digest = text;
	return false;
}

static bool parse_manifest(struct call *c, struct image_put *job)
{
	const cJSON *in = ecr_input(c);
	struct manifest *parsed = arena_zalloc(c->arena, sizeof(*parsed));
	struct slice why = {0};

	job->parsed = parsed;
	if (manifest_parse(job->manifest, json_string(in, "imageManifestMediaType"), c->arena,
		parsed, &why) == MANIFEST_OK)
		return true;
	call_fail(c, ERR_MANIFEST_INVALID)->detail = why;
	return false;
}

static bool read_tag(struct call *c, struct image_put *job)
{
	struct slice *tag = arena_zalloc(c->arena, sizeof(*tag));

	*tag = json_string(ecr_input(c), "imageTag");
	job->tags = tag;
	job->tag_count = tag->at ? 1 : 0;
	if (!tag->at || tag_valid(*tag))
		return true;
	call_fail_parameter(
	    c, "imageTag", "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'");
	return false;
}

static void read_manifest(struct call *c)
{
	struct image_put *job = c->job_data;

	if (parse_manifest(c, job))
		compute_digest(c, &job->digest);
}

static enum http_step put_manifest(struct call *c)
{
	struct image_put *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	job->key = c->repository;
	job->refuse_same = true;
	call_await(c, &job->job, job, put_done);
	image_put_submit(c->app->store, job);
	return HTTP_WAIT;
}

enum http_step op_put_image(struct call *c)
{
	struct image_put *job = arena_zalloc(c->arena, sizeof(*job));

	job->manifest = json_string(ecr_input(c), "imageManifest");
	if (!read_tag(c, job))
		return ecr_error(c);
	return call_work(c, job, job->manifest.len, read_manifest, put_manifest);
}

/* ---- BatchGetImage ---- */

/* acceptedMediaTypes are about images asked for by tag: the bytes of a digest are what they are. */
static bool accepted(struct call *c, const struct ecr_image_id *asked, struct slice media_type)
{
	const cJSON *types = json_member(ecr_input(c), "acceptedMediaTypes"), *type;

	if (!types || asked->digest_text.at)
		return true;
	cJSON_ArrayForEach(type, types)
		if (slice_is(media_type, type->valuestring))
			return true;
	return false;
}

/*
 * What one request may have converted, whether that leads to an answer or not: each manifest costs some ten
 * times its bytes, and the answer's own bound does not count those that come to nothing.
 */
enum { CONVERTED_BYTES_MAX = 16 * 1024 * 1024 };

/* What an entry of the answer has beside its manifest, at least. */
enum { ENTRY_BYTES = 200 };

/* A manifest that is asked for: read once, and converted once, however often it is named. */
struct batch_manifest {
	struct stored_manifest stored;
	bool convert;
	struct stored_manifest
	    given; /* what is answered; its bytes are absent when it cannot be converted */
};

struct batch_entry {
	struct ecr_image_id *asked;
	struct image image;
	struct batch_manifest *manifest; /* NULL: asked->failure_code says why */
};

struct batch_get {
	struct repository repository;
	struct batch_entry *entries;
	size_t count;
	struct batch_manifest *manifests;
	size_t manifest_count;
	uint64_t answer_bytes, converted_bytes;
};

static bool limit_exceeded(struct call *c, const char *why)
{
	call_fail(c, ERR_LIMIT_EXCEEDED)->detail = slice_str(why);
	return false;
}

static bool check_sizes(struct call *c, const struct batch_get *b)
{
	if (b->converted_bytes > CONVERTED_BYTES_MAX)
		return limit_exceeded(c,
		    "The manifests to be converted are larger than 16 MiB. Ask for fewer items at "
		    "a time.");
	if (b->answer_bytes > ECR_ANSWER_MAX)
		return limit_exceeded(c, ECR_ANSWER_TOO_LARGE);
	return true;
}

/* The manifest, read now if no other id has named it; NULL when it is not there, or with c->error set. */
static struct batch_manifest *find_manifest(
    struct call *c, struct batch_get *b, const struct image *image, bool convert)
{
	struct image_id id = {.digest = image->digest};
	struct batch_manifest *m;
	enum error_code code;

	for (size_t i = 0; i < b->manifest_count; i++) {
		m = &b->manifests[i];
		if (m->convert == convert && digest_eq(&m->stored.digest, &image->digest))
			return m;
	}
	m = &b->manifests[b->manifest_count];
	*m = (struct batch_manifest){.convert = convert};
	code = manifest_read(c->reader, &c->repository, &id, true, c->arena, &m->stored);
	if (code != ERR_NONE) {
		if (code != ERR_MANIFEST_UNKNOWN && code != ERR_REPOSITORY_NOT_FOUND)
			call_fail(c, code);
		return NULL;
	}
	m->given = m->stored;
	if (convert)
		b->converted_bytes += m->stored.size;
	b->manifest_count++;
	return m;
}

/* One for the tag asked for, or by digest one for each of the image's tags. */
static size_t entry_count(const struct batch_entry *entry)
{
	return entry->asked->tag.at || entry->image.tag_count == 0 ? 1 : entry->image.tag_count;
}

static uint64_t entry_bytes(const struct batch_entry *entry)
{
	return entry_count(entry) * (ENTRY_BYTES + entry->manifest->given.bytes.len);
}

/*
 * Looks one id up; its failure's code, NULL when its image is there in a media type that is accepted. Whether it is there
 * cannot be told when c->error is set.
 */
static const char *find_asked(struct call *c, struct batch_get *b, struct batch_entry *entry)
{
	struct ecr_image_id *asked = entry->asked;
	struct image_id by_tag = {.tag = asked->id.tag};
	struct image *image = &entry->image;
	struct slice target;
	enum error_code code;
	bool convert;

	if (asked->failure_code)
		return asked->failure_code;
	code = image_find(
	    c->reader, b->repository.id, asked->tag.at ? &by_tag : &asked->id, c->arena, image);
	if (code != ERR_NONE) {
		if (code != ERR_IMAGE_NOT_FOUND)
			call_fail(c, code);
		return ECR_IMAGE_NOT_FOUND_CODE;
	}
	if (asked->digest_text.at && !digest_eq(&image->digest, &asked->id.digest)) {
		asked->failure_reason =
		    "Invalid request parameters: given tag does not map to the given digest";
		return "ImageTagDoesNotMatchDigest";
	}
	target = manifest_convert_target(image->media_type);
	convert = !accepted(c, asked, image->media_type);
	if (convert && (!target.at || !accepted(c, asked, target)))
		return ECR_IMAGE_NOT_FOUND_CODE;
	entry->manifest = find_manifest(c, b, image, convert);
	return entry->manifest ? NULL : ECR_IMAGE_NOT_FOUND_CODE;
}

/* An id that was asked for before has the same answer again. */
static const struct batch_entry *asked_before(
    const struct batch_get *b, const struct ecr_image_id *asked)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct ecr_image_id *other = b->entries[i].asked;

		if (!other->digest_text.at == !asked->digest_text.at &&
		    !other->tag.at == !asked->tag.at &&
		    slice_eq(other->digest_text, asked->digest_text) &&
		    slice_eq(other->tag, asked->tag))
			return &b->entries[i];
	}
	return NULL;
}

/* Reads all that is asked for; false with c->error set when it cannot be read, or is more than one answer may have. */
static bool find_all(struct call *c, struct batch_get *b, struct ecr_image_id *ids, size_t count)
{
	b->entries = arena_array(c->arena, count + 1, sizeof(*b->entries));
	b->manifests = arena_array(c->arena, count + 1, sizeof(*b->manifests));
	for (size_t i = 0; i < count; i++) {
		const struct batch_entry *before = asked_before(b, &ids[i]);
		struct batch_entry *entry = &b->entries[b->count];

		*entry = before ? *before : (struct batch_entry){0};
		entry->asked = &ids[i];
		if (before) {
			ids[i].failure_code = before->asked->failure_code;
			ids[i].failure_reason = before->asked->failure_reason;
		} else {
			ids[i].failure_code = find_asked(c, b, entry);
			if (c->error.code != ERR_NONE)
				return false;
		}
		b->count++;
		/* what is to be converted is summed when its size is known */
		if (entry->manifest && !entry->manifest->convert)
			b->answer_bytes += entry_bytes(entry);
		if (!check_sizes(c, b))
			return false;
	}
	return true;
}

/* Says a manifest in the other media type; what that takes is given back at once: ids may be many. */
static void convert_manifest(struct call *c, struct batch_manifest *m)
{
	struct arena scratch;

	arena_init(&scratch);
	m->given.bytes =
	    arena_dup(c->arena, manifest_convert(m->stored.bytes, m->stored.media_type, &scratch));
	arena_release(&scratch);
	m->given.media_type = manifest_convert_target(m->stored.media_type);
	if (m->given.bytes.at)
		digest_compute(DIGEST_SHA256, m->given.bytes, &m->given.digest);
}

static void write_found(struct call *c, struct json_writer *w, const struct batch_entry *entry)
{
	const struct stored_manifest *given = &entry->manifest->given;
	struct image_id id = {.digest = given->digest, .tag = entry->asked->tag};
	size_t count = entry_count(entry);

	for (size_t i = 0; i < count && !json_full(w); i++) {
		if (!entry->asked->tag.at && entry->image.tag_count)
			id.tag = entry->image.tags[i];
		json_object(w);
		write_image(c, w, &id, given);
		json_object_end(w);
	}
}

static void write_get_failures(struct json_writer *w, const struct batch_get *b)
{
	json_put_array(w, "failures");
	for (size_t i = 0; i < b->count; i++) {
		const struct ecr_image_id *asked = b->entries[i].asked;
		const char *reason = asked->failure_reason;

		if (asked->failure_code)
			ecr_write_failure(w, asked, asked->failure_code,
			    slice_str(reason ? reason : ECR_IMAGE_NOT_FOUND_REASON));
	}
	json_array_end(w);
}

/* Whether no later entry says the manifest of this one: its bytes may go, so that the answer does not double them. */
static bool is_last_use(const struct batch_get *b, size_t index)
{
	for (size_t i = index + 1; i < b->count; i++)
		if (b->entries[i].manifest == b->entries[index].manifest)
			return false;
	return true;
}

/* Converts what is to be converted, and writes the answer, unless it would be too large: then c->error. */
static void compose_found(struct call *c)
{
	struct batch_get *b = c->job_data;
	struct json_writer *w;

	for (size_t i = 0; i < b->manifest_count; i++)
		if (b->manifests[i].convert)
			convert_manifest(c, &b->manifests[i]);
	for (size_t i = 0; i < b->count; i++) {
		struct batch_entry *entry = &b->entries[i];

		if (entry->manifest && !entry->manifest->given.bytes.at) {
			entry->manifest = NULL;
			entry->asked->failure_code = ECR_IMAGE_NOT_FOUND_CODE;
		}
		if (entry->manifest && entry->manifest->convert)
			b->answer_bytes += entry_bytes(entry);
	}
	if (!check_sizes(c, b))
		return;
	w = ecr_begin(c);
	json_put_array(w, "images");
	for (size_t i = 0; i < b->count; i++) {
		const struct batch_manifest *m = b->entries[i].manifest;

		if (m)
			write_found(c, w, &b->entries[i]);
		if (m && is_last_use(b, i)) {
			arena_give(c->arena, m->stored.bytes.at);
			arena_give(c->arena, m->given.bytes.at);
		}
	}
	json_array_end(w);
	write_get_failures(w, b);
}

/* What was given out was pulled, in whatever words. */
static enum http_step answer_found(struct call *c)
{
	struct batch_get *b = c->job_data;
	bool counts = false;

	if (c->error.code != ERR_NONE || (b->manifest_count && !access_pull_counts(c, &counts)))
		return ecr_error(c);
	for (size_t i = 0; i < b->manifest_count && counts; i++)
		if (b->manifests[i].given.bytes.at)
			image_note_pull(c->app->store, &b->manifests[i].stored);
	return ecr_reply(c);
}

enum http_step op_batch_get_image(struct call *c)
{
	struct batch_get *b = arena_zalloc(c->arena, sizeof(*b));
	size_t count;
	struct ecr_image_id *ids = ecr_read_image_ids(c, &count);

	if (!ecr_find_repository(c, &b->repository) || !find_all(c, b, ids, count))
		return ecr_error(c);
	return call_work(c, b, b->answer_bytes + b->converted_bytes, compose_found, answer_found);
}

/* ---- BatchDeleteImage ---- */

/* What the answer says of each tag that is gone, about. */
enum { GONE_BYTES = 128 };

struct batch_delete {
	struct ecr_image_id *asked;
	size_t count;
	struct image_delete job;
	struct image_delete_item *
	    *item_of; /* of each asked id; NULL: it never got as far as the store */
};

static void write_gone(struct json_writer *w, const struct batch_delete *batch)
{
	json_put_array(w, "imageIds");
	for (size_t i = 0; i < batch->job.count; i++)
		for (size_t j = 0; j < batch->job.items[i].gone_count && !json_full(w); j++)
			ecr_write_image_id(w, &batch->job.items[i].gone[j]);
	json_array_end(w);
}

static void write_delete_failure(struct call *c, struct json_writer *w,
    const struct ecr_image_id *asked, const struct image_delete_item *item)
{
	if (asked->failure_code)
		ecr_write_failure(w, asked, asked->failure_code, slice_str(asked->failure_reason));
	else if (item->result == IMAGE_NOT_THERE)
		ecr_write_failure(
		    w, asked, ECR_IMAGE_NOT_FOUND_CODE, slice_str(ECR_IMAGE_NOT_FOUND_REASON));
	else if (item->result == IMAGE_TAG_MISMATCH)
		ecr_write_failure(w, asked, "ImageTagDoesNotMatchDigest",
		    slice_str(
			"Invalid request parameters: given tag does not map to the given digest"));
	else if (item->result == IMAGE_REFERENCED)
		ecr_write_failure(w, asked, "ImageReferencedByManifestList",
		    arena_slicef(c->arena, "Requested image referenced by manifest list: [%.*s]",
			SLICE_ARG(item->parents)));
}

static void compose_deleted(struct call *c)
{
	const struct batch_delete *batch = c->job_data;
	struct json_writer *w = ecr_begin(c);

	write_gone(w, batch);
	json_put_array(w, "failures");
	for (size_t i = 0; i < batch->count; i++)
		write_delete_failure(c, w, &batch->asked[i], batch->item_of[i]);
	json_array_end(w);
}

static enum http_step deleted(struct call *c)
{
	struct batch_delete *batch = c->job_data;
	uint64_t gone = 0;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	for (size_t i = 0; i < batch->job.count; i++)
		gone += batch->job.items[i].gone_count;
	return call_work(c, batch, gone * GONE_BYTES, compose_deleted, ecr_reply);
}

enum http_step op_batch_delete_image(struct call *c)
{
	struct batch_delete *batch = arena_zalloc(c->arena, sizeof(*batch));

	batch->asked = ecr_read_image_ids(c, &batch->count);
	batch->item_of = arena_array(c->arena, batch->count + 1, sizeof(*batch->item_of));
	batch->job.items = arena_array(c->arena, batch->count + 1, sizeof(*batch->job.items));
	for (size_t i = 0; i < batch->count; i++) {
		if (batch->asked[i].failure_code)
			continue;
		batch->item_of[i] = &batch->job.items[batch->job.count++];
		batch->item_of[i]->id = batch->asked[i].id;
	}
	batch->job.key = c->repository;
	call_await(c, &batch->job.job, batch, deleted);
	image_delete_submit(c->app->store, &batch->job);
	return HTTP_WAIT;
}
