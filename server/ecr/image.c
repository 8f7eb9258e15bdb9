/* PutImage, BatchGetImage, BatchDeleteImage (ecr-behaviour 2.3). */
#include "server/ecr/ecr_internal.h"

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

static enum http_step put_done(struct call *c)
{
	struct image_put *job = c->job_data;
	struct stored_manifest stored = {
	    .bytes = job->manifest, .media_type = job->parsed->media_type};
	struct image_id id = {.digest = job->digest};
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	if (job->tag_count)
		id.tag = job->tags[0];
	w = ecr_begin(c);
	json_put_object(w, "image");
	write_image(c, w, &id, &stored);
	json_object_end(w);
	return ecr_reply(c);
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

static bool read_manifest(struct call *c, struct image_put *job)
{
	const cJSON *in = ecr_input(c);
	struct manifest *parsed = arena_zalloc(c->arena, sizeof(*parsed));
	struct slice why = {0};

	job->manifest = json_string(in, "imageManifest");
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

enum http_step op_put_image(struct call *c)
{
	struct image_put *job = arena_zalloc(c->arena, sizeof(*job));

	if (!read_tag(c, job) || !read_manifest(c, job) || !compute_digest(c, &job->digest))
		return ecr_error(c);
	job->key = c->repository;
	job->refuse_same = true;
	call_await(c, &job->job, job, put_done);
	image_put_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- BatchGetImage ---- */

/* The entries of one requested id: one for the tag asked for, or by digest one for each of its tags. */
static void write_found(struct call *c, struct json_writer *w, const struct ecr_image_id *asked,
    const struct image *image, const struct stored_manifest *manifest)
{
	struct image_id id = {.digest = manifest->digest, .tag = asked->tag};
	size_t entries = asked->tag.at || image->tag_count == 0 ? 1 : image->tag_count;

	for (size_t i = 0; i < entries; i++) {
		if (!asked->tag.at && image->tag_count)
			id.tag = image->tags[i];
		json_object(w);
		write_image(c, w, &id, manifest);
		json_object_end(w);
	}
}

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

struct batch_get {
	struct call *c;
	struct json_writer *w;
	struct repository repository;
	uint64_t converted_bytes;
};

/* Says a manifest in the other media type; what that takes is given back at once: ids may be many. */
static bool read_converted(
    struct batch_get *b, const struct image_id *id, struct stored_manifest *out)
{
	struct call *c = b->c;
	struct slice made = {NULL, 0};
	struct arena scratch;

	arena_init(&scratch);
	if (manifest_read(c->reader, &c->repository, id, true, &scratch, out) == ERR_NONE) {
		b->converted_bytes += out->size;
		made = manifest_convert(out->bytes, out->media_type, &scratch);
	}
	out->bytes = arena_dup(c->arena, made);
	arena_release(&scratch);
	if (!out->bytes.at)
		return false;
	digest_compute(DIGEST_SHA256, out->bytes, &out->digest);
	return true;
}

/* The manifest of an image in a media type that is accepted; false when there is none. */
static bool read_accepted(struct batch_get *b, const struct ecr_image_id *asked,
    const struct image *image, struct stored_manifest *out)
{
	struct call *c = b->c;
	struct image_id id = {.digest = image->digest};
	struct slice target = manifest_convert_target(image->media_type);

	if (accepted(c, asked, image->media_type))
		return manifest_read(c->reader, &c->repository, &id, true, c->arena, out) ==
		    ERR_NONE;
	if (!target.at || !accepted(c, asked, target) || !read_converted(b, &id, out))
		return false;
	out->media_type = target;
	return true;
}

/* NULL when the id was answered with an image, else its failure's code. */
static const char *get_one(struct batch_get *b, struct ecr_image_id *asked)
{
	struct call *c = b->c;
	struct image_id by_tag = {.tag = asked->id.tag};
	struct stored_manifest manifest;
	struct image image;

	if (asked->failure_code)
		return asked->failure_code;
	if (image_find(c->reader, b->repository.id, asked->tag.at ? &by_tag : &asked->id, c->arena,
		&image) != ERR_NONE)
		return ECR_IMAGE_NOT_FOUND_CODE;
	if (asked->digest_text.at && !digest_eq(&image.digest, &asked->id.digest)) {
		asked->failure_reason =
		    "Invalid request parameters: given tag does not map to the given digest";
		return "ImageTagDoesNotMatchDigest";
	}
	if (!read_accepted(b, asked, &image, &manifest))
		return ECR_IMAGE_NOT_FOUND_CODE;
	write_found(c, b->w, asked, &image, &manifest);
	manifest.digest = image.digest; /* what was pulled, in whatever words */
	if (access_pull_counts(c))
		image_note_pull(c->app->store, &manifest);
	return NULL;
}

static void write_get_failures(struct json_writer *w, const struct ecr_image_id *ids, size_t count)
{
	json_put_array(w, "failures");
	for (size_t i = 0; i < count; i++) {
		const char *reason = ids[i].failure_reason;

		if (ids[i].failure_code)
			ecr_write_failure(w, &ids[i], ids[i].failure_code,
			    slice_str(reason ? reason : ECR_IMAGE_NOT_FOUND_REASON));
	}
	json_array_end(w);
}

enum http_step op_batch_get_image(struct call *c)
{
	struct batch_get b = {.c = c};
	size_t count;
	struct ecr_image_id *ids = ecr_read_image_ids(c, &count);

	if (!ecr_find_repository(c, &b.repository))
		return ecr_error(c);
	b.w = ecr_begin(c);
	json_put_array(b.w, "images");
	for (size_t i = 0; i < count && !ecr_answer_full(c); i++) {
		ids[i].failure_code = get_one(&b, &ids[i]);
		if (b.converted_bytes > CONVERTED_BYTES_MAX) {
			call_fail(c, ERR_LIMIT_EXCEEDED)->detail =
			    slice_str("The manifests to be converted are larger than 16 MiB. Ask "
				      "for fewer items at a time.");
			return ecr_error(c);
		}
	}
	json_array_end(b.w);
	write_get_failures(b.w, ids, count);
	return ecr_reply(c);
}

/* ---- BatchDeleteImage ---- */

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
		for (size_t j = 0; j < batch->job.items[i].gone_count; j++)
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

static enum http_step deleted(struct call *c)
{
	struct batch_delete *batch = c->job_data;
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	write_gone(w, batch);
	json_put_array(w, "failures");
	for (size_t i = 0; i < batch->count; i++)
		write_delete_failure(c, w, &batch->asked[i], batch->item_of[i]);
	json_array_end(w);
	return ecr_reply(c);
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
