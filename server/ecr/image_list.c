/* ListImages, DescribeImages (ecr-behaviour 2.3). */
#include "server/ecr/ecr_internal.h"

static enum tag_status read_tag_status(struct call *c)
{
	struct slice status =
	    json_string(json_member(ecr_input(c), "filter"), "tagStatus");

	if (slice_is(status, "TAGGED"))
		return TAG_STATUS_TAGGED;
	return slice_is(status, "UNTAGGED") ? TAG_STATUS_UNTAGGED : TAG_STATUS_ANY;
}

/*
 * imageStatus: every image is ACTIVE as long as there is no archive, so that a filter for another status
 * matches none.
 */
static bool wants_active(struct call *c)
{
	struct slice status =
	    json_string(json_member(ecr_input(c), "filter"), "imageStatus");

	return !status.at || slice_is(status, "ACTIVE") || slice_is(status, "ANY");
}

/* A token is good for one list: this operation, repository and filter. */
static struct slice token_context(struct call *c, int64_t repository_id, enum tag_status status)
{
	return arena_slicef(
	    c->arena, "%s %lld %d", c->operation, (long long)repository_id, (int)status);
}

/* ---- ListImages: positions are "digest tag" ---- */

static struct slice id_position(struct call *c, const struct image_id *id)
{
	char digest[DIGEST_TEXT_MAX];
	struct slice text = digest_format(&id->digest, digest);

	return arena_slicef(c->arena, "%.*s %.*s", SLICE_ARG(text), SLICE_ARG(id->tag));
}

static bool read_id_position(struct slice position, struct image_id *out)
{
	const char *blank = position.at ? memchr(position.at, ' ', position.len) : NULL;
	size_t len = blank ? (size_t)(blank - position.at) : 0;

	*out = (struct image_id){0};
	if (!blank || digest_parse(slice_of(position.at, len), &out->digest) != DIGEST_OK)
		return false;
	if (position.len > len + 1)
		out->tag = slice_skip(position, len + 1);
	return true;
}

enum http_step op_list_images(struct call *c)
{
	enum tag_status status = read_tag_status(c);
	struct image_id_page found = {0};
	struct image_id after;
	struct repository r;
	struct json_writer *w;
	struct ecr_page page;
	struct slice context;
	enum error_code code = ERR_NONE;
	bool started;

	if (!ecr_find_repository(c, &r))
		return ecr_error(c);
	context = token_context(c, r.id, status);
	if (!ecr_read_page(c, NULL, context, &page))
		return ecr_error(c);
	started = read_id_position(page.after, &after);
	if (wants_active(c))
		code = image_id_list(c->reader, r.id, status, started ? &after : NULL, page.limit,
		    c->arena, &found);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	w = ecr_begin(c);
	json_put_array(w, "imageIds");
	for (size_t i = 0; i < found.count; i++)
		ecr_write_image_id(w, &found.at[i]);
	json_array_end(w);
	if (found.more)
		ecr_write_next(c, w, context, id_position(c, &found.at[found.count - 1]));
	return ecr_reply(c);
}

/* ---- DescribeImages: positions are digests ---- */

static void write_detail(struct call *c, struct json_writer *w, const struct image *image)
{
	char digest[DIGEST_TEXT_MAX];

	json_object(w);
	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_put_str(w, "imageDigest", digest_format(&image->digest, digest));
	if (image->tag_count) {
		json_put_array(w, "imageTags");
		for (size_t i = 0; i < image->tag_count; i++)
			json_str(w, image->tags[i]);
		json_array_end(w);
	}
	json_put_num(w, "imageSizeInBytes", (int64_t)image->size_bytes);
	json_put_time(w, "imagePushedAt", image->pushed_ms);
	json_put_str(w, "imageManifestMediaType", image->media_type);
	json_put_str(w, "artifactMediaType", image->artifact_type);
	if (image->pulled_ms)
		json_put_time(w, "lastRecordedPullTime", image->pulled_ms);
	if (image->subject.algorithm != DIGEST_NONE)
		json_put_str(w, "subjectManifestDigest", digest_format(&image->subject, digest));
	json_put_cstr(w, "imageStatus", "ACTIVE");
	json_object_end(w);
}

static bool seen_before(const struct image *images, size_t count, const struct image *image)
{
	for (size_t i = 0; i < count; i++)
		if (images[i].id == image->id)
			return true;
	return false;
}

/* One id of imageIds; false with c->error (S4) set when there is no such image. */
static bool find_asked(
    struct call *c, const struct repository *r, const struct ecr_image_id *asked, struct image *out)
{
	if (!asked->failure_code &&
	    image_find(c->reader, r->id, &asked->id, c->arena, out) == ERR_NONE)
		return true;
	call_fail(c, ERR_IMAGE_NOT_FOUND);
	c->error.digest = asked->digest_text;
	c->error.tag = asked->tag;
	return false;
}

/* All of them or none; one detail for each digest. */
static enum http_step describe_asked(struct call *c, const struct repository *r)
{
	size_t count, found = 0;
	struct ecr_image_id *ids = ecr_read_image_ids(c, &count);
	struct image *images = arena_array(c->arena, count + 1, sizeof(*images));
	struct json_writer *w;

	for (size_t i = 0; i < count; i++) {
		if (!find_asked(c, r, &ids[i], &images[found]))
			return ecr_error(c);
		if (!seen_before(images, found, &images[found]))
			found++;
	}
	w = ecr_begin(c);
	json_put_array(w, "imageDetails");
	for (size_t i = 0; i < found; i++)
		write_detail(c, w, &images[i]);
	json_array_end(w);
	return ecr_reply(c);
}

static enum http_step describe_page(struct call *c, const struct repository *r)
{
	enum tag_status status = read_tag_status(c);
	struct slice context = token_context(c, r->id, status);
	struct image_page found = {0};
	char text[DIGEST_TEXT_MAX];
	struct digest after;
	struct json_writer *w;
	struct ecr_page page;
	enum error_code code = ERR_NONE;
	bool started;

	if (!ecr_read_page(c, "imageIds", context, &page))
		return ecr_error(c);
	started = page.after.at && digest_parse(page.after, &after) == DIGEST_OK;
	if (wants_active(c))
		code = image_list(c->reader, r->id, status, started ? &after : NULL, page.limit,
		    c->arena, &found);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	w = ecr_begin(c);
	json_put_array(w, "imageDetails");
	for (size_t i = 0; i < found.count; i++)
		write_detail(c, w, &found.at[i]);
	json_array_end(w);
	if (found.more)
		ecr_write_next(
		    c, w, context, digest_format(&found.at[found.count - 1].digest, text));
	return ecr_reply(c);
}

enum http_step op_describe_images(struct call *c)
{
	const cJSON *in = ecr_input(c);
	struct repository r;

	if (!ecr_find_repository(c, &r))
		return ecr_error(c);
	if (json_member(in, "imageIds") && !json_member(in, "nextToken") &&
	    !json_member(in, "maxResults"))
		return describe_asked(c, &r);
	return describe_page(c, &r);
}
