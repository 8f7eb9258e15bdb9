/* StartLifecyclePolicyPreview, GetLifecyclePolicyPreview (ecr-behaviour 2.6). Positions of pages are numbers. */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/names.h"
#include "storage/lifecycle/preview.h"

static const char *const statuses[] = {"IN_PROGRESS", "COMPLETE", "FAILED", "EXPIRED"};

static struct json_writer *begin(struct call *c, struct slice policy, enum preview_status status)
{
	struct json_writer *w = ecr_begin(c);

	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_put_str(w, "lifecyclePolicyText", policy);
	json_put_cstr(w, "status", statuses[status]);
	return w;
}

/* ---- StartLifecyclePolicyPreview ---- */

static enum http_step started(struct call *c)
{
	const struct preview_start *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	begin(c, job->policy, PREVIEW_IN_PROGRESS);
	return ecr_reply(c);
}

/* The policy given, else the repository's own; false with c->error set. */
static bool read_policy(struct call *c, struct slice *out)
{
	struct document stored;

	*out = json_string(ecr_input(c), "lifecyclePolicyText");
	if (out->at)
		return ecr_check_lifecycle(c, *out, "LifecyclePolicyText");
	if (!ecr_get_document(c, DOCUMENT_LIFECYCLE_POLICY, c->repository.name, &stored))
		return false;
	*out = stored.text;
	return true;
}

enum http_step op_start_lifecycle_policy_preview(struct call *c)
{
	struct preview_start *job = arena_zalloc(c->arena, sizeof(*job));
	struct repository r;

	if (!ecr_find_repository(c, &r) || !read_policy(c, &job->policy))
		return ecr_error(c);
	job->key = c->repository;
	call_await(c, &job->job, job, started);
	preview_start_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- GetLifecyclePolicyPreview ---- */

struct question {
	int64_t repository_id;
	struct preview preview;
	enum tag_status tags;
	struct slice context;
	struct ecr_page page;
};

static enum tag_status read_filter(struct call *c)
{
	struct slice tags = json_string(json_member(ecr_input(c), "filter"), "tagStatus");

	if (slice_is(tags, "TAGGED"))
		return TAG_STATUS_TAGGED;
	return slice_is(tags, "UNTAGGED") ? TAG_STATUS_UNTAGGED : TAG_STATUS_ANY;
}

static void write_result(struct json_writer *w, const struct preview_item *item)
{
	bool transition = item->action == LIFECYCLE_TRANSITION;
	char digest[DIGEST_TEXT_MAX];

	json_object(w);
	if (item->tag_count) {
		json_put_array(w, "imageTags");
		for (size_t i = 0; i < item->tag_count; i++)
			json_str(w, item->tags[i]);
		json_array_end(w);
	}
	json_put_str(w, "imageDigest", digest_format(&item->digest, digest));
	json_put_time(w, "imagePushedAt", item->pushed_ms);
	json_put_object(w, "action");
	json_put_cstr(w, "type", transition ? "TRANSITION" : "EXPIRE");
	if (transition)
		json_put_cstr(w, "targetStorageClass", "ARCHIVE");
	json_object_end(w);
	json_put_num(w, "appliedRulePriority", item->priority);
	json_put_cstr(w, "storageClass", item->archived ? "ARCHIVE" : "STANDARD");
	json_object_end(w);
}

static void write_summary(struct json_writer *w, const struct preview *preview)
{
	json_put_object(w, "summary");
	json_put_num(w, "expiringImageTotalCount", (int64_t)preview->expiring);
	json_put_array(w, "transitioningImageTotalCounts");
	if (preview->transitioning) {
		json_object(w);
		json_put_cstr(w, "targetStorageClass", "ARCHIVE");
		json_put_num(w, "imageTotalCount", (int64_t)preview->transitioning);
		json_object_end(w);
	}
	json_array_end(w);
	json_object_end(w);
}

/*
 * The result for an image asked for, when it has one and the filter lets it through. False, and c->error set when that
 * cannot be told.
 */
static bool find_result(struct call *c, const struct question *q, const struct ecr_image_id *asked,
    struct preview_item *out)
{
	enum error_code code = ERR_NONE;
	struct digest digest = asked->id.digest;
	struct image image;
	bool tagged;

	if (asked->failure_code)
		return false;
	if (asked->tag.at) {
		code = image_find(c->reader, q->repository_id, &asked->id, c->arena, &image);
		if (code == ERR_NONE)
			digest = image.digest;
	}
	if (code == ERR_NONE)
		code = preview_item_find(c->reader, q->preview.set_id, &digest, c->arena, out);
	if (code != ERR_NONE) {
		if (code != ERR_IMAGE_NOT_FOUND)
			call_fail(c, code);
		return false;
	}
	tagged = out->tag_count > 0;
	return q->tags == TAG_STATUS_ANY || (q->tags == TAG_STATUS_TAGGED) == tagged;
}

static bool seen_before(const struct preview_item *items, size_t count, int64_t at)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].at == at)
			return true;
	return false;
}

/* False with c->error set. */
static bool write_asked(struct call *c, struct json_writer *w, const struct question *q)
{
	size_t count, found = 0;
	struct ecr_image_id *ids = ecr_read_image_ids(c, &count);
	struct preview_item *items = arena_array(c->arena, count + 1, sizeof(*items));

	for (size_t i = 0; i < count && !ecr_answer_full(c); i++) {
		bool there = find_result(c, q, &ids[i], &items[found]);

		if (c->error.code != ERR_NONE)
			return false;
		if (there && !seen_before(items, found, items[found].at))
			write_result(w, &items[found++]);
	}
	return true;
}

/* Sets *next to the position that the list goes on after, 0 at its end. */
static bool write_page(
    struct call *c, struct json_writer *w, const struct question *q, int64_t *next)
{
	unsigned long long after = 0;
	struct preview_page found;
	enum error_code code;

	*next = 0;
	if (q->page.after.at && !slice_to_u64(q->page.after, &after))
		after = 0;
	code = preview_list(
	    c->reader, q->preview.set_id, q->tags, (int64_t)after, q->page.limit, c->arena, &found);
	if (code != ERR_NONE) {
		call_fail(c, code);
		return false;
	}
	for (size_t i = 0; i < found.count; i++)
		write_result(w, &found.items[i]);
	if (found.more)
		*next = found.items[found.count - 1].at;
	return true;
}

/* Results are there once it is COMPLETE, and until it is EXPIRED. */
static enum http_step answer(struct call *c, const struct question *q)
{
	bool complete = q->preview.status == PREVIEW_COMPLETE, good = true;
	struct json_writer *w = begin(c, q->preview.policy, q->preview.status);
	int64_t next = 0;

	json_put_array(w, "previewResults");
	if (complete && json_member(ecr_input(c), "imageIds"))
		good = write_asked(c, w, q);
	else if (complete)
		good = write_page(c, w, q, &next);
	json_array_end(w);
	if (!good)
		return ecr_error(c);
	if (complete)
		write_summary(w, &q->preview);
	if (next)
		ecr_write_next(c, w, q->context, arena_slicef(c->arena, "%lld", (long long)next));
	return ecr_reply(c);
}

enum http_step op_get_lifecycle_policy_preview(struct call *c)
{
	struct question q = {.tags = read_filter(c)};
	struct repository r;
	enum error_code code;

	if (!ecr_find_repository(c, &r))
		return ecr_error(c);
	q.repository_id = r.id;
	code = preview_find(c->reader, r.id, c->arena, &q.preview);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	/* a token is good for one preview and filter */
	q.context = arena_slicef(
	    c->arena, "%s %lld %d", c->operation, (long long)q.preview.set_id, (int)q.tags);
	if (!ecr_read_page(c, "imageIds", q.context, &q.page))
		return ecr_error(c);
	return answer(c, &q);
}
