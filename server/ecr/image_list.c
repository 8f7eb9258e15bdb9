/* ListImages, DescribeImages (ecr-behaviour 2.3). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

/* By enum image_status. */
static const char *const status_names[IMAGE_STATUS_COUNT + 1] = {
    "ACTIVE", "ARCHIVED", "ACTIVATING", "ANY"};

const char *ecr_image_status_name(enum image_status status)
{
	return status_names[status];
}

enum image_status ecr_read_image_status(const cJSON *filter, const char *member)
{
	struct slice text = json_string(filter, member);

	for (int status = 0; text.at && status <= IMAGE_ANY_STATUS; status++)
		if (slice_is(text, status_names[status]))
			return (enum image_status)status;
	return IMAGE_ACTIVE;
}

static struct image_filter read_filter(struct call *c)
{
	const cJSON *filter = json_member(ecr_input(c), "filter");
	struct slice tags = json_string(filter, "tagStatus");
	struct image_filter out = {.status = ecr_read_image_status(filter, "imageStatus")};

	if (slice_is(tags, "TAGGED"))
		out.tags = TAG_STATUS_TAGGED;
	else if (slice_is(tags, "UNTAGGED"))
		out.tags = TAG_STATUS_UNTAGGED;
	return out;
}

/* A token is good for one list: this operation, repository and filter. */
static struct slice token_context(struct call *c, int64_t repository_id, struct image_filter filter)
{
	return arena_slicef(c->arena, "%s %lld %d %d", c->operation, (long long)repository_id,
	    (int)filter.tags, (int)filter.status);
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
	struct image_filter filter = read_filter(c);
	struct image_id_page found = {0};
	struct image_id after;
	struct repository r;
	struct json_writer *w;
	struct ecr_page page;
	struct slice context;
	enum error_code code;
	bool started;

	if (!ecr_find_repository(c, &r))
		return ecr_error(c);
	context = token_context(c, r.id, filter);
	if (!ecr_read_page(c, NULL, context, &page))
		return ecr_error(c);
	started = read_id_position(page.after, &after);
	code = image_id_list_filtered(
	    c->reader, r.id, filter, started ? &after : NULL, page.limit, c->arena, &found);
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
		for (size_t i = 0; i < image->tag_count && !json_full(w); i++)
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
	json_put_cstr(w, "imageStatus", ecr_image_status_name(image->status));
	if (image->scanned_ms)
		ecr_write_scan_status(w);
	if (image->archived_ms)
		json_put_time(w, "lastArchivedAt", image->archived_ms);
	if (image->activated_ms)
		json_put_time(w, "lastActivatedAt", image->activated_ms);
	json_object_end(w);
}

static bool seen_before(const struct image *images, size_t count, const struct image *image)
{
	for (size_t i = 0; i < count; i++)
		if (images[i].id == image->id)
			return true;
	return false;
}

/* One id of imageIds; false with c->error set: there is no such image (ecr-behaviour 2, S4), or it cannot be told. */
static bool find_asked(
    struct call *c, const struct repository *r, const struct ecr_image_id *asked, struct image *out)
{
	enum error_code code = ERR_IMAGE_NOT_FOUND;

	if (!asked->failure_code)
		code = image_find(c->reader, r->id, &asked->id, c->arena, out);
	if (code == ERR_NONE)
		return true;
	call_fail(c, code);
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
	struct image_filter filter = read_filter(c);
	struct slice context = token_context(c, r->id, filter);
	struct image_page found = {0};
	char text[DIGEST_TEXT_MAX];
	struct digest after;
	struct json_writer *w;
	struct ecr_page page;
	enum error_code code;
	bool started;

	if (!ecr_read_page(c, "imageIds", context, &page))
		return ecr_error(c);
	started = page.after.at && digest_parse(page.after, &after) == DIGEST_OK;
	code = image_list_filtered(
	    c->reader, r->id, filter, started ? &after : NULL, page.limit, c->arena, &found);
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
