/* What many operations read and write: repositories, image ids, pages. */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"

#include "protocol/names.h"
#include "protocol/page_token.h"

bool ecr_find_repository(struct call *c, struct repository *out)
{
	enum error_code code = repository_find(c->reader, &c->repository, c->arena, out);

	if (code != ERR_NONE)
		call_fail(c, code);
	return code == ERR_NONE;
}

struct slice ecr_repository_arn(struct call *c, struct slice name)
{
	return arena_slicef(c->arena, "arn:%s:ecr:%.*s:%.*s:repository/%.*s",
	    partition_of_region(c->region), SLICE_ARG(c->region), SLICE_ARG(c->account),
	    SLICE_ARG(name));
}

bool ecr_digest_shaped(struct slice text)
{
	static const char algorithm[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+.";
	static const char hex[] = "abcdefABCDEF0123456789";
	size_t i = 0, colon;

	while (i < text.len && memchr(algorithm, text.at[i], sizeof(algorithm) - 1))
		i++;
	colon = i;
	if (colon == 0 || colon == text.len || text.at[i++] != ':')
		return false;
	while (i < text.len && memchr(hex, text.at[i], sizeof(hex) - 1))
		i++;
	return i == text.len && i > colon + 1;
}

/* Per-item failures: ecr-behaviour 2, "Per-item failure texts". */
static void judge_image_id(struct ecr_image_id *id)
{
	if (!id->digest_text.at && !id->tag.at) {
		id->failure_code = "MissingDigestAndTag";
		id->failure_reason =
		    "Invalid request parameters: both tag and digest cannot be null";
	} else if (id->digest_text.at && !ecr_digest_shaped(id->digest_text)) {
		id->failure_code = "InvalidImageDigest";
		id->failure_reason = "Invalid request parameters: image digest should satisfy the "
				     "regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
	} else if (id->tag.at && !tag_valid(id->tag)) {
		id->failure_code = "InvalidImageTag";
		id->failure_reason =
		    "Invalid request parameters: image tag should satisfy the regex "
		    "'[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'";
	} else if (id->digest_text.at &&
	    digest_parse(id->digest_text, &id->id.digest) != DIGEST_OK) {
		/* A digest by its shape, but of no algorithm or length that an image here can have. */
		id->failure_code = ECR_IMAGE_NOT_FOUND_CODE;
		id->failure_reason = ECR_IMAGE_NOT_FOUND_REASON;
	}
}

static void read_image_id(const cJSON *object, struct ecr_image_id *out)
{
	*out = (struct ecr_image_id){0};
	out->digest_text = json_string(object, "imageDigest");
	out->tag = json_string(object, "imageTag");
	out->id.tag = out->tag;
	judge_image_id(out);
}

struct ecr_image_id *ecr_read_image_ids(struct call *c, size_t *count)
{
	const cJSON *list = json_member(ecr_input(c), "imageIds"), *item;
	size_t n = (size_t)cJSON_GetArraySize(list), i = 0;
	struct ecr_image_id *ids = arena_array(c->arena, n + 1, sizeof(*ids));

	*count = n;
	cJSON_ArrayForEach(item, list)
		read_image_id(item, &ids[i++]);
	return ids;
}

bool ecr_read_image_id(struct call *c, struct ecr_image_id *out)
{
	read_image_id(json_member(ecr_input(c), "imageId"), out);
	if (!out->failure_code)
		return true;
	if (strcmp(out->failure_code, ECR_IMAGE_NOT_FOUND_CODE) == 0) {
		call_fail(c, ERR_IMAGE_NOT_FOUND)->digest = out->digest_text;
		c->error.tag = out->tag;
	} else {
		call_fail_parameter(c, "imageId", out->failure_reason);
	}
	return false;
}

bool ecr_find_image(
    struct call *c, const struct repository *r, struct ecr_image_id *asked, struct image *out)
{
	enum error_code code;

	if (!ecr_read_image_id(c, asked))
		return false;
	code = image_find(c->reader, r->id, &asked->id, c->arena, out);
	if (code == ERR_NONE)
		return true;
	call_fail(c, code)->digest = asked->digest_text;
	c->error.tag = asked->tag;
	return false;
}

void ecr_write_image_id(struct json_writer *w, const struct image_id *id)
{
	char digest[DIGEST_TEXT_MAX];

	json_object(w);
	if (id->digest.algorithm != DIGEST_NONE)
		json_put_str(w, "imageDigest", digest_format(&id->digest, digest));
	json_put_str(w, "imageTag", id->tag);
	json_object_end(w);
}

void ecr_write_failure(
    struct json_writer *w, const struct ecr_image_id *id, const char *code, struct slice reason)
{
	json_object(w);
	json_put_object(w, "imageId");
	json_put_str(w, "imageDigest", id->digest_text);
	json_put_str(w, "imageTag", id->tag);
	json_object_end(w);
	json_put_cstr(w, "failureCode", code);
	json_put_str(w, "failureReason", reason);
	json_object_end(w);
}

struct slice ecr_list_context(struct call *c, const char *list)
{
	return arena_slicef(
	    c->arena, "%s %.*s %.*s", list, SLICE_ARG(c->account), SLICE_ARG(c->region));
}

enum { PAGE_DEFAULT = 100 };

bool ecr_read_page(
    struct call *c, const char *exclusive, struct slice context, struct ecr_page *out)
{
	const cJSON *in = ecr_input(c);
	struct slice token = json_string(in, "nextToken");
	bool paging = token.at || json_member(in, "maxResults");

	*out = (struct ecr_page){.limit = (size_t)json_int(in, "maxResults", PAGE_DEFAULT)};
	if (paging && exclusive && json_member(in, exclusive)) {
		call_fail(c, ERR_INVALID_PARAMETER)->member =
		    slice_str(token.at ? "nextToken" : "maxResults");
		c->error.detail =
		    arena_slicef(c->arena, "Member must not be given together with %s", exclusive);
		return false;
	}
	if (!token.at)
		return true;
	out->after = page_token_open(token, context, call_seal_key(c), c->arena);
	if (out->after.at)
		return true;
	call_fail_parameter(c, "NextToken", "Invalid next token provided");
	return false;
}

void ecr_write_next(
    struct call *c, struct json_writer *w, struct slice context, struct slice position)
{
	json_put_str(
	    w, "nextToken", page_token_seal(context, position, call_seal_key(c), c->arena));
}
