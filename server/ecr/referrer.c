/* ListImageReferrers (ecr-behaviour 2.3). Positions of its pages are digests. */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "storage/images/referrer.h"

enum { REFERRERS_DEFAULT = 20 };

static void read_types(struct call *c, struct referrer_query *query)
{
	const cJSON *filter = json_member(ecr_input(c), "filter");
	const cJSON *list = json_member(filter, "artifactTypes"), *item;
	struct slice *types =
	    arena_array(c->arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof(*types));

	cJSON_ArrayForEach(item, list)
		types[query->type_count++] = slice_str(item->valuestring);
	query->types = types;
	query->status = ecr_read_image_status(filter, "artifactStatus");
}

/* A token is good for one subject and filter. */
static struct slice token_context(struct call *c, const struct referrer_query *query)
{
	char text[DIGEST_TEXT_MAX];
	struct slice subject = digest_format(&query->subject, text);
	struct buf out;

	buf_init(&out, c->arena, 64 * 1024, 256);
	buf_printf(&out, "%s %.*s %.*s %.*s %.*s %d", c->operation, SLICE_ARG(c->account),
	    SLICE_ARG(c->region), SLICE_ARG(c->repository.name), SLICE_ARG(subject),
	    (int)query->status);
	for (size_t i = 0; i < query->type_count; i++)
		buf_printf(&out, " %zu:%.*s", query->types[i].len, SLICE_ARG(query->types[i]));
	return buf_slice(&out);
}

static void write_referrer(struct call *c, struct json_writer *w, const struct referrer *referrer)
{
	struct slice annotations = referrer_annotations(referrer, c->arena);
	char digest[DIGEST_TEXT_MAX];

	json_object(w);
	json_put_str(w, "digest", digest_format(&referrer->digest, digest));
	json_put_str(w, "mediaType", referrer->media_type);
	json_put_str(w, "artifactType", referrer->artifact_type);
	json_put_num(w, "size", (int64_t)referrer->size);
	if (annotations.at) {
		json_key(w, "annotations");
		json_raw(w, annotations);
	}
	json_put_cstr(w, "artifactStatus", ecr_image_status_name(referrer->status));
	json_object_end(w);
}

struct listing {
	struct slice context;
	struct referrer_page found;
};

static void compose(struct call *c)
{
	const struct listing *list = c->job_data;
	const struct referrer_page *found = &list->found;
	struct json_writer *w = ecr_begin(c);
	char text[DIGEST_TEXT_MAX];

	json_put_array(w, "referrers");
	for (size_t i = 0; i < found->count; i++)
		write_referrer(c, w, &found->at[i]);
	json_array_end(w);
	if (found->more)
		ecr_write_next(
		    c, w, list->context, digest_format(&found->at[found->count - 1].digest, text));
}

/* A subject whose digest is of no kind that is here has no referrers. */
static bool read_subject(struct call *c, struct digest *out)
{
	struct slice text = json_string(json_member(ecr_input(c), "subjectId"), "imageDigest");

	if (digest_parse(text, out) == DIGEST_OK)
		return true;
	*out = (struct digest){0};
	if (ecr_digest_shaped(text))
		return true;
	call_fail_parameter(
	    c, "imageDigest", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'");
	return false;
}

enum http_step op_list_image_referrers(struct call *c)
{
	struct referrer_query query = {.key = c->repository};
	struct listing *list = arena_zalloc(c->arena, sizeof(*list));
	struct repository r;
	struct ecr_page page;
	enum error_code code;

	if (!ecr_find_repository(c, &r) || !read_subject(c, &query.subject))
		return ecr_error(c);
	read_types(c, &query);
	list->context = token_context(c, &query);
	if (!ecr_read_page(c, NULL, list->context, &page))
		return ecr_error(c);
	query.limit = json_member(ecr_input(c), "maxResults") ? page.limit : REFERRERS_DEFAULT;
	if (page.after.at && digest_parse(page.after, &query.after) != DIGEST_OK)
		query.after = (struct digest){0};
	code = referrer_list(c->reader, &query, c->arena, &list->found);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	return call_work(c, list, referrer_page_bytes(&list->found), compose, ecr_reply);
}
