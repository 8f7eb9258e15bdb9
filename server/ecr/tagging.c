/* TagResource, UntagResource, ListTagsForResource (ecr-behaviour 2.2): repositories alone have
 * tags. */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

static enum http_step done(struct call *c)
{
	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	ecr_begin(c);
	return ecr_reply(c);
}

static enum http_step submit(struct call *c, struct repository_tag *job)
{
	job->key = c->repository;
	call_await(c, &job->job, job, done);
	repository_tag_submit(c->app->store, job);
	return HTTP_WAIT;
}

enum http_step op_tag_resource(struct call *c)
{
	struct repository_tag *job = arena_zalloc(c->arena, sizeof(*job));

	if (!ecr_read_tags(c, json_member(ecr_input(c), "tags"), &job->put, &job->put_count))
		return ecr_error(c);
	return submit(c, job);
}

enum http_step op_untag_resource(struct call *c)
{
	const cJSON *keys = json_member(ecr_input(c), "tagKeys"), *key;
	struct repository_tag *job = arena_zalloc(c->arena, sizeof(*job));
	size_t count = (size_t)cJSON_GetArraySize(keys);
	struct slice *drop = arena_array(c->arena, count + 1, sizeof(*drop));

	if (count > RESOURCE_TAGS_MAX) {
		call_fail(c, ERR_TOO_MANY_TAGS)->detail =
		    arena_slicef(c->arena, "%d", RESOURCE_TAGS_MAX);
		return ecr_error(c);
	}
	cJSON_ArrayForEach(key, keys) {
		struct resource_tag tag = {slice_str(key->valuestring), slice_str("")};

		if (!ecr_check_tag(c, &tag))
			return ecr_error(c);
		drop[job->drop_count++] = tag.key;
	}
	job->drop = drop;
	return submit(c, job);
}

enum http_step op_list_tags_for_resource(struct call *c)
{
	struct resource_tag tags[RESOURCE_TAGS_MAX];
	struct repository found;
	struct json_writer *w;
	enum error_code code;
	size_t count;

	if (!ecr_find_repository(c, &found))
		return ecr_error(c);
	code = repository_tags(c->reader, found.id, c->arena, tags, &count);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	w = ecr_begin(c);
	json_put_array(w, "tags");
	for (size_t i = 0; i < count; i++) {
		json_object(w);
		json_put_str(w, "Key", tags[i].key);
		json_put_str(w, "Value", tags[i].value);
		json_object_end(w);
	}
	json_array_end(w);
	return ecr_reply(c);
}
