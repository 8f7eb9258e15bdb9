/* Repositories and what is set on them (ecr-behaviour 2.2). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/names.h"

enum { TAG_KEY_MAX = 128, TAG_VALUE_MAX = 256 };

static const char *const mutability_names[] = {
    [TAGS_MUTABLE] = "MUTABLE",
    [TAGS_IMMUTABLE] = "IMMUTABLE",
    [TAGS_IMMUTABLE_WITH_EXCLUSION] = "IMMUTABLE_WITH_EXCLUSION",
    [TAGS_MUTABLE_WITH_EXCLUSION] = "MUTABLE_WITH_EXCLUSION",
};

/* ---- writing ---- */

static struct slice repository_uri(struct call *c, struct slice name)
{
	struct slice host = call_registry_host(c);

	return arena_slicef(c->arena, "%.*s/%.*s", SLICE_ARG(host), SLICE_ARG(name));
}

static void write_encryption(struct json_writer *w, const struct repository *r)
{
	json_put_object(w, "encryptionConfiguration");
	json_put_str(w, "encryptionType", r->encryption_type);
	json_put_str(w, "kmsKey", r->kms_key);
	json_object_end(w);
}

void ecr_write_repository(
    struct call *c, struct json_writer *w, const char *name, const struct repository *r)
{
	if (name)
		json_put_object(w, name);
	else
		json_object(w);
	json_put_str(w, "repositoryArn", ecr_repository_arn(c, r->name));
	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", r->name);
	json_put_str(w, "repositoryUri", repository_uri(c, r->name));
	json_put_time(w, "createdAt", r->created_ms);
	json_put_cstr(w, "imageTagMutability", mutability_names[r->mutability]);
	if (r->mutability_filters.at) {
		json_key(w, "imageTagMutabilityExclusionFilters");
		json_raw(w, r->mutability_filters);
	}
	json_put_object(w, "imageScanningConfiguration");
	json_put_bool(w, "scanOnPush", r->scan_on_push);
	json_object_end(w);
	write_encryption(w, r);
	json_object_end(w);
}

/* ---- CreateRepository ---- */

static enum mutability mutability_named(struct slice name)
{
	for (int i = TAGS_IMMUTABLE; i <= TAGS_MUTABLE_WITH_EXCLUSION; i++)
		if (slice_is(name, mutability_names[i]))
			return (enum mutability)i;
	return TAGS_MUTABLE;
}

static struct slice filters_text(struct call *c, const cJSON *filters)
{
	const cJSON *filter;
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 64 * 1024, 256);
	json_begin(&w, &out);
	json_array(&w);
	cJSON_ArrayForEach(filter, filters) {
		json_object(&w);
		json_put_str(&w, "filterType", json_string(filter, "filterType"));
		json_put_str(&w, "filter", json_string(filter, "filter"));
		json_object_end(&w);
	}
	json_array_end(&w);
	return buf_slice(&out);
}

static size_t count_wildcards(struct slice filter)
{
	size_t n = 0;

	for (size_t i = 0; i < filter.len; i++)
		n += filter.at[i] == '*';
	return n;
}

/* The exclusion filters belong to the two modes that have exclusions (ecr-behaviour 5). */
bool ecr_read_mutability(
    struct call *c, struct slice mode, const cJSON *filters, struct repository *r)
{
	const cJSON *filter;
	bool excludes;

	r->mutability = mutability_named(mode);
	excludes = r->mutability == TAGS_IMMUTABLE_WITH_EXCLUSION ||
	    r->mutability == TAGS_MUTABLE_WITH_EXCLUSION;
	if (excludes != (filters != NULL)) {
		call_fail_parameter(c, "imageTagMutabilityExclusionFilters", NULL)
		    ->detail = arena_slicef(c->arena,
		    "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is "
		    "set as %s",
		    mutability_names[r->mutability]);
		return false;
	}
	cJSON_ArrayForEach(filter, filters) {
		if (count_wildcards(json_string(filter, "filter")) > 2) {
			call_fail_parameter(c, "imageTagMutabilityExclusionFilters",
			    "Member must have at most 2 wildcards (*)");
			return false;
		}
	}
	if (filters)
		r->mutability_filters = filters_text(c, filters);
	return true;
}

/* With KMS and no key named, the key is the account's own for ECR; its id is made up from nothing else. */
static void read_encryption(struct call *c, struct repository *r)
{
	const cJSON *encryption = json_member(ecr_input(c), "encryptionConfiguration");

	r->encryption_type = json_string(encryption, "encryptionType");
	if (!r->encryption_type.at)
		r->encryption_type = slice_str("AES256");
	if (slice_is(r->encryption_type, "AES256"))
		return;
	r->kms_key = json_string(encryption, "kmsKey");
	if (!r->kms_key.at)
		r->kms_key = arena_slicef(c->arena, "arn:%s:kms:%.*s:%.*s:alias/aws/ecr",
		    partition_of_region(c->region), SLICE_ARG(c->region), SLICE_ARG(c->account));
}

static bool read_mutability(struct call *c, struct repository *r)
{
	const cJSON *in = ecr_input(c);

	return ecr_read_mutability(c, json_string(in, "imageTagMutability"),
	    json_member(in, "imageTagMutabilityExclusionFilters"), r);
}

/* Operations that do not declare the exceptions of tags say it as a parameter's. */
static void fail_tags(struct call *c, enum error_code code, struct slice detail)
{
	if (model_declares(ecr_model(c), error_entry(code)->exception))
		call_fail(c, code)->detail = detail;
	else
		call_fail_parameter(c, "resourceTags", NULL)->detail = detail;
}

bool ecr_check_tag(struct call *c, const struct resource_tag *tag)
{
	const char *fault = NULL;

	if (tag->key.len < 1 || utf8_length(tag->key) > TAG_KEY_MAX)
		fault = "Tag keys must have 1 to 128 characters.";
	else if (utf8_length(tag->value) > TAG_VALUE_MAX)
		fault = "Tag values must have at most 256 characters.";
	else if (slice_starts(tag->key, slice_str("aws:")))
		fault = "Tag keys that start with aws: are reserved.";
	if (fault)
		fail_tags(c, ERR_INVALID_TAG_PARAMETER, slice_str(fault));
	return !fault;
}

bool ecr_read_tags(
    struct call *c, const cJSON *list, const struct resource_tag **out, size_t *out_count)
{
	size_t count = (size_t)cJSON_GetArraySize(list), i = 0;
	uint64_t most = quota_of(store_quotas(c->app->store), QUOTA_RESOURCE_TAGS);
	struct resource_tag *tags = arena_array(c->arena, count + 1, sizeof(*tags));
	const cJSON *item;

	if (count > most) {
		fail_tags(
		    c, ERR_TOO_MANY_TAGS, arena_slicef(c->arena, "%llu", (unsigned long long)most));
		return false;
	}
	cJSON_ArrayForEach(item, list) {
		tags[i] =
		    (struct resource_tag){json_string(item, "Key"), json_string(item, "Value")};
		if (!ecr_check_tag(c, &tags[i++]))
			return false;
	}
	*out = tags;
	*out_count = count;
	return true;
}

static enum http_step repository_done(struct call *c, const struct repository *r)
{
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	ecr_write_repository(c, w, "repository", r);
	return ecr_reply(c);
}

static enum http_step created(struct call *c)
{
	struct repository_create *job = c->job_data;

	return repository_done(c, &job->repository);
}

enum http_step op_create_repository(struct call *c)
{
	struct repository_create *job = arena_zalloc(c->arena, sizeof(*job));
	struct repository *r = &job->repository;
	const cJSON *scanning = json_member(ecr_input(c), "imageScanningConfiguration");

	r->account = c->account;
	r->region = c->region;
	r->name = c->repository.name;
	r->scan_on_push = json_bool(scanning, "scanOnPush", false);
	read_encryption(c, r);
	if (!read_mutability(c, r) ||
	    !ecr_read_tags(c, json_member(ecr_input(c), "tags"), &job->tags, &job->tag_count))
		return ecr_error(c);
	call_await(c, &job->job, job, created);
	repository_create_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- DeleteRepository ---- */

static enum http_step deleted(struct call *c)
{
	struct repository_delete *job = c->job_data;

	return repository_done(c, &job->deleted);
}

enum http_step op_delete_repository(struct call *c)
{
	struct repository_delete *job = arena_zalloc(c->arena, sizeof(*job));

	job->key = c->repository;
	job->force = json_bool(ecr_input(c), "force", false);
	call_await(c, &job->job, job, deleted);
	repository_delete_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- DescribeRepositories ---- */

/* All of them or none: the first name that is not there fails the call. */
static enum http_step describe_named(struct call *c, const cJSON *names)
{
	struct json_writer *w = ecr_begin(c);
	const cJSON *name;

	json_put_array(w, "repositories");
	cJSON_ArrayForEach(name, names) {
		struct repository r;

		c->repository.name = slice_str(name->valuestring);
		if (!ecr_find_repository(c, &r))
			return ecr_error(c);
		ecr_write_repository(c, w, NULL, &r);
	}
	json_array_end(w);
	return ecr_reply(c);
}

enum http_step op_describe_repositories(struct call *c)
{
	const cJSON *names = json_member(ecr_input(c), "repositoryNames");
	struct slice context = ecr_list_context(c, "repositories");
	struct repository_page found;
	struct json_writer *w;
	struct ecr_page page;
	enum error_code code;

	if (!ecr_read_page(c, "repositoryNames", context, &page))
		return ecr_error(c);
	if (names)
		return describe_named(c, names);
	code = repository_list(
	    c->reader, c->account, c->region, page.after, page.limit, c->arena, &found);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	w = ecr_begin(c);
	json_put_array(w, "repositories");
	for (size_t i = 0; i < found.count; i++)
		ecr_write_repository(c, w, NULL, &found.at[i]);
	json_array_end(w);
	if (found.more)
		ecr_write_next(c, w, context, found.at[found.count - 1].name);
	return ecr_reply(c);
}

/* ---- PutImageTagMutability, PutImageScanningConfiguration ---- */

static struct json_writer *begin_update(struct call *c)
{
	struct json_writer *w = ecr_begin(c);

	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	return w;
}

static enum http_step submit_update(struct call *c, struct repository_update *job, call_step *next)
{
	job->key = c->repository;
	call_await(c, &job->job, job, next);
	repository_update_submit(c->app->store, job);
	return HTTP_WAIT;
}

static enum http_step mutability_set(struct call *c)
{
	const struct repository_update *job = c->job_data;
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = begin_update(c);
	json_put_cstr(w, "imageTagMutability", mutability_names[job->mutability]);
	if (job->mutability_filters.at) {
		json_key(w, "imageTagMutabilityExclusionFilters");
		json_raw(w, job->mutability_filters);
	}
	return ecr_reply(c);
}

enum http_step op_put_image_tag_mutability(struct call *c)
{
	struct repository_update *job = arena_zalloc(c->arena, sizeof(*job));
	struct repository wanted = {0};

	if (!read_mutability(c, &wanted))
		return ecr_error(c);
	job->what = REPOSITORY_SET_MUTABILITY;
	job->mutability = wanted.mutability;
	job->mutability_filters = wanted.mutability_filters;
	return submit_update(c, job, mutability_set);
}

static enum http_step scanning_set(struct call *c)
{
	const struct repository_update *job = c->job_data;
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = begin_update(c);
	json_put_object(w, "imageScanningConfiguration");
	json_put_bool(w, "scanOnPush", job->scan_on_push);
	json_object_end(w);
	return ecr_reply(c);
}

enum http_step op_put_image_scanning_configuration(struct call *c)
{
	const cJSON *scanning = json_member(ecr_input(c), "imageScanningConfiguration");
	struct repository_update *job = arena_zalloc(c->arena, sizeof(*job));

	job->what = REPOSITORY_SET_SCANNING;
	job->scan_on_push = json_bool(scanning, "scanOnPush", false);
	return submit_update(c, job, scanning_set);
}
