/*
 * From a POST to an operation: X-Amz-Target names it, the model checks its body, its function answers.
 * The table holds what this version does; the rest of the model answers, in words, that it does not.
 */
#include "server/ecr/ecr_internal.h"

#include "protocol/http_fields.h"
#include "server/identity.h"

struct operation {
	const char *name;
	call_step *run;
};

/* Sorted by name. */
static const struct operation operations[] = {
    {"BatchCheckLayerAvailability", op_batch_check_layer_availability},
    {"BatchDeleteImage", op_batch_delete_image},
    {"BatchGetImage", op_batch_get_image},
    {"BatchGetRepositoryScanningConfiguration", op_batch_get_repository_scanning_configuration},
    {"CompleteLayerUpload", op_complete_layer_upload},
    {"CreatePullThroughCacheRule", op_create_pull_through_cache_rule},
    {"CreateRepository", op_create_repository},
    {"CreateRepositoryCreationTemplate", op_create_repository_creation_template},
    {"DeleteLifecyclePolicy", op_delete_lifecycle_policy},
    {"DeletePullThroughCacheRule", op_delete_pull_through_cache_rule},
    {"DeleteRegistryPolicy", op_delete_registry_policy},
    {"DeleteRepository", op_delete_repository},
    {"DeleteRepositoryCreationTemplate", op_delete_repository_creation_template},
    {"DeleteRepositoryPolicy", op_delete_repository_policy},
    {"DeleteSigningConfiguration", op_delete_signing_configuration},
    {"DeregisterPullTimeUpdateExclusion", op_deregister_pull_time_update_exclusion},
    {"DescribeImageReplicationStatus", op_describe_image_replication_status},
    {"DescribeImageScanFindings", op_describe_image_scan_findings},
    {"DescribeImageSigningStatus", op_describe_image_signing_status},
    {"DescribeImages", op_describe_images},
    {"DescribePullThroughCacheRules", op_describe_pull_through_cache_rules},
    {"DescribeRegistry", op_describe_registry},
    {"DescribeRepositories", op_describe_repositories},
    {"DescribeRepositoryCreationTemplates", op_describe_repository_creation_templates},
    {"GetAccountSetting", op_get_account_setting},
    {"GetAuthorizationToken", op_get_authorization_token},
    {"GetDownloadUrlForLayer", op_get_download_url_for_layer},
    {"GetLifecyclePolicy", op_get_lifecycle_policy},
    {"GetLifecyclePolicyPreview", op_get_lifecycle_policy_preview},
    {"GetRegistryPolicy", op_get_registry_policy},
    {"GetRegistryScanningConfiguration", op_get_registry_scanning_configuration},
    {"GetRepositoryPolicy", op_get_repository_policy},
    {"GetSigningConfiguration", op_get_signing_configuration},
    {"InitiateLayerUpload", op_initiate_layer_upload},
    {"ListImageReferrers", op_list_image_referrers},
    {"ListImages", op_list_images},
    {"ListPullTimeUpdateExclusions", op_list_pull_time_update_exclusions},
    {"ListTagsForResource", op_list_tags_for_resource},
    {"PutAccountSetting", op_put_account_setting},
    {"PutImage", op_put_image},
    {"PutImageScanningConfiguration", op_put_image_scanning_configuration},
    {"PutImageTagMutability", op_put_image_tag_mutability},
    {"PutLifecyclePolicy", op_put_lifecycle_policy},
    {"PutRegistryPolicy", op_put_registry_policy},
    {"PutRegistryScanningConfiguration", op_put_registry_scanning_configuration},
    {"PutReplicationConfiguration", op_put_replication_configuration},
    {"PutSigningConfiguration", op_put_signing_configuration},
    {"RegisterPullTimeUpdateExclusion", op_register_pull_time_update_exclusion},
    {"SetRepositoryPolicy", op_set_repository_policy},
    {"StartImageScan", op_start_image_scan},
    {"StartLifecyclePolicyPreview", op_start_lifecycle_policy_preview},
    {"TagResource", op_tag_resource},
    {"UntagResource", op_untag_resource},
    {"UpdateImageStorageClass", op_update_image_storage_class},
    {"UpdatePullThroughCacheRule", op_update_pull_through_cache_rule},
    {"UpdateRepositoryCreationTemplate", op_update_repository_creation_template},
    {"UploadLayerPart", op_upload_layer_part},
    {"ValidatePullThroughCacheRule", op_validate_pull_through_cache_rule},
};

enum { OPERATION_COUNT = sizeof(operations) / sizeof(operations[0]) };

/*
 * A body becomes a tree in memory, so each operation gets what it can need and no more. The longest texts of the
 * model are policies of some tens of KiB; a manifest has 4 MiB, every byte of which may come escaped as
 * \u00xx; a part of a layer 20 MiB in base64, some of its slashes escaped.
 */
enum {
	BODY_MAX = 1024 * 1024,
	MANIFEST_BODY_MAX = 26 * 1024 * 1024,
	PART_BODY_MAX = 29 * 1024 * 1024,
};

/* A call's own part of the API. */
struct ecr_call {
	const struct model_operation *model;
	const struct operation *operation;
	cJSON *input;
	size_t input_bytes; /* counted for it */
	struct buf out;
	struct json_writer writer;
};

static struct ecr_call *ecr_call_of(const struct call *c)
{
	return c->state;
}

const struct model_operation *ecr_operation(const struct call *c)
{
	return ecr_call_of(c)->model;
}

const cJSON *ecr_input(const struct call *c)
{
	return ecr_call_of(c)->input;
}

static void release(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);

	cJSON_Delete(e->input);
	e->input = NULL;
	memory_give(c->arena->memory, e->input_bytes);
	e->input_bytes = 0;
}

struct json_writer *ecr_begin(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);

	buf_init(&e->out, c->arena, ECR_ANSWER_MAX, 1024);
	json_begin(&e->writer, &e->out);
	json_object(&e->writer);
	return &e->writer;
}

/* Why storage failed. */
static struct slice log_cause(struct call *c)
{
	bool storage = c->error.code == ERR_STORAGE_FAILED || c->error.code == ERR_STORAGE_FULL;

	return storage ? arena_dup(c->arena, c->error.detail) : (struct slice){0};
}

/*
 * The answer has its own bytes. A client that is slow to take it does not keep us the tree of what it
 * asked, which may be large; only what the log will name.
 */
static void forget_input(struct call *c)
{
	if (!ecr_call_of(c) || !ecr_input(c))
		return; /* not our door's, or never read */
	c->repository.name = arena_dup(c->arena, c->repository.name);
	c->reference = arena_dup(c->arena, c->reference);
	c->error = (struct error){.code = c->error.code, .detail = log_cause(c)};
	release(c);
}

static void send(struct call *c, int status, struct slice body)
{
	http_reply(c->req, status);
	http_reply_header(c->req, "Content-Type", slice_str("application/x-amz-json-1.1"));
	http_reply_header(c->req, "x-amzn-RequestId", slice_of(c->request_id, UUID_TEXT_LEN));
	http_reply_body(c->req, body);
	forget_input(c);
}

bool ecr_answer_full(const struct call *c)
{
	return ecr_call_of(c)->out.overflow;
}

enum http_step ecr_reply(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);

	json_object_end(&e->writer);
	if (e->out.starved)
		return ecr_fail(c, ERR_MEMORY_SHORT);
	if (e->out.overflow) {
		call_fail(c, ERR_LIMIT_EXCEEDED)->detail = slice_str(ECR_ANSWER_TOO_LARGE);
		return ecr_error(c);
	}
	send(c, 200, buf_slice(&e->out));
	return HTTP_DONE;
}

/* What InvalidLayerPartException says besides: where the upload stands. */
static void put_upload(struct json_writer *w, const struct error *e)
{
	json_put_str(w, "registryId", e->registry);
	json_put_str(w, "repositoryName", e->repository);
	json_put_str(w, "uploadId", e->upload);
	if (e->last_valid_byte >= 0)
		json_put_num(w, "lastValidByteReceived", e->last_valid_byte);
}

enum http_step ecr_error(struct call *c)
{
	const struct error_entry *entry = error_entry(c->error.code);
	struct slice message = error_message(&c->error, c->arena);
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, ECR_ANSWER_MAX, 256);
	json_begin(&w, &out);
	json_object(&w);
	json_put_cstr(&w, "__type", entry->exception);
	if (message.len)
		json_put_str(&w, "message", message);
	if (c->error.code == ERR_LAYER_PART_INVALID)
		put_upload(&w, &c->error);
	json_object_end(&w);
	send(c, entry->api_status, buf_slice(&out));
	return HTTP_DONE;
}

enum http_step ecr_fail(struct call *c, enum error_code code)
{
	call_fail(c, code);
	return ecr_error(c);
}

static const struct operation *find_operation(struct slice name)
{
	size_t low = 0, high = OPERATION_COUNT;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = slice_cmp(name, slice_str(operations[middle].name));

		if (order == 0)
			return &operations[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The operation's name behind "PREFIX.", absent when the target has another prefix. */
static struct slice target_of(struct slice target, const struct model *model)
{
	struct slice prefix = slice_str(model->target_prefix);

	if (!slice_starts(target, prefix) || target.len <= prefix.len ||
	    target.at[prefix.len] != '.')
		return (struct slice){0};
	return slice_skip(target, prefix.len + 1);
}

/* Finds what X-Amz-Target asks for; false with c->error set. */
static bool find_target(struct call *c, struct ecr_call *e)
{
	struct slice target = http_header_get(c->req, "x-amz-target");
	struct slice name = target_of(target, &model_ecr);

	e->model = name.at ? model_find(&model_ecr, name) : NULL;
	if (e->model) {
		c->operation = e->model->name;
		e->operation = find_operation(name);
		if (!e->operation)
			call_fail(c, ERR_OPERATION_NOT_OFFERED)->detail = name;
		return e->operation != NULL;
	}
	name = target_of(target, &model_ecr_public);
	if (name.at && model_find(&model_ecr_public, name))
		call_fail(c, ERR_OPERATION_NOT_OFFERED)->detail = target;
	else
		call_fail(c, ERR_UNKNOWN_OPERATION);
	return false;
}

/* An empty body stands for {}. A failure is left in c->error. */
static void read_input(struct call *c, struct ecr_call *e)
{
	struct slice body = c->req->body;
	size_t bytes = json_cost(body);

	if (!memory_take(c->arena->memory, bytes)) {
		call_fail(c, ERR_MEMORY_SHORT);
		return;
	}
	e->input_bytes = bytes;
	e->input = json_parse(body.len ? body : slice_str("{}"));
	if (!cJSON_IsObject(e->input))
		call_fail(c, ERR_SERIALIZATION);
	else if (e->model->input && !model_check(e->model->input, e->input, c->arena, &c->error))
		call_fail(c, c->error.code);
	else
		model_prune(e->model->input, e->input);
}

/* IAM's name for it (ecr-behaviour 7): the operation's own, but for one. */
static const char *action_of(const struct operation *operation)
{
	return operation->run == op_list_image_referrers ? "BatchGetImage" : operation->name;
}

/* Everything that looks at the whole body. */
static void read_body(struct call *c)
{
	if (identify_body(c))
		read_input(c, ecr_call_of(c));
}

static enum http_step run_operation(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	ecr_read_repository(c);
	if (!ecr_permit(c, action_of(e->operation)))
		return ecr_error(c);
	return e->operation->run(c);
}

static enum http_step run(struct http_request *req)
{
	return call_work(call_of(req), NULL, req->body.len, read_body, run_operation);
}

static enum http_step refuse(struct http_request *req)
{
	return ecr_error(call_of(req));
}

static const struct http_handler operation_handler = {.body_max = BODY_MAX, .end = run};
static const struct http_handler manifest_handler = {.body_max = MANIFEST_BODY_MAX, .end = run};
static const struct http_handler part_handler = {.body_max = PART_BODY_MAX, .end = run};
static const struct http_handler refusal = {.body_max = UINT64_MAX, .start = refuse};

static const struct http_handler *handler_of(const struct operation *operation)
{
	if (operation->run == op_upload_layer_part)
		return &part_handler;
	return operation->run == op_put_image ? &manifest_handler : &operation_handler;
}

const struct http_handler *ecr_route(struct call *c)
{
	struct ecr_call *e;

	if (identify_sts(c))
		return ecr_sts_route(c);
	e = arena_zalloc(c->arena, sizeof(*e));
	c->state = e;
	c->release = release;
	if (!identify_api(c, "ecr") || !find_target(c, e))
		return &refusal;
	return handler_of(e->operation);
}

bool ecr_takes_get(struct call *c)
{
	return c->req->method == METHOD_GET && form_get(c->req->query, "Action", c->arena).at;
}
