/*
 * What the API's files share. To add an operation: a function `enum http_step op_name(struct call *c)`
 * in the file of its noun, declared here, and a line in the table of dispatch.c. By the time it runs, the
 * request has been held against the model; it reads members with json_...(ecr_input(c), ...), and ends
 * with ecr_reply() or ecr_error().
 */
#ifndef DRYDOCK_SERVER_ECR_INTERNAL_H
#define DRYDOCK_SERVER_ECR_INTERNAL_H

#include "protocol/json.h"
#include "protocol/model.h"
#include "server/ecr/ecr.h"
#include "storage/document.h"

/* The operation that was asked for. */
const struct model_operation *ecr_operation(const struct call *c);
/* The validated request: it has no members but those that the operation takes, and each once. */
const cJSON *ecr_input(const struct call *c);

/*
 * An answer: ecr_begin opens the result object, the handler writes members, ecr_reply closes and sends it.
 * ERR_LIMIT_EXCEEDED is answered instead when it outgrew ECR_ANSWER_MAX.
 */
enum { ECR_ANSWER_MAX = 16 * 1024 * 1024 };
#define ECR_ANSWER_TOO_LARGE                                                                       \
	"The answer would be larger than 16 MiB. Ask for fewer items at a time."
struct json_writer *ecr_begin(struct call *c);
/* True once it has outgrown that: whatever is still to be read for it would be in vain. */
bool ecr_answer_full(const struct call *c);
enum http_step ecr_reply(struct call *c);
/* ecr_error() after call_fail(). */
enum http_step ecr_fail(struct call *c, enum error_code code);

/*
 * Reads registryId and repositoryName into c->repository (and c->account: a registry named by registryId is
 * the one that is meant).
 */
void ecr_read_repository(struct call *c);
/* Finds the repository that ecr_read_repository named; false with c->error set. */
bool ecr_find_repository(struct call *c, struct repository *out);

/* "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+": ECR's idea of a digest. */
bool ecr_digest_shaped(struct slice text);

/* One image id of a request: {imageDigest?, imageTag?}, as sent and as understood. */
struct ecr_image_id {
	struct slice digest_text, tag; /* as sent; absent when not */
	struct image_id id;
	const char *failure_code; /* NULL: well-formed */
	const char *failure_reason;
};
/* Said of an image that is not there. */
#define ECR_IMAGE_NOT_FOUND_CODE "ImageNotFound"
#define ECR_IMAGE_NOT_FOUND_REASON "Requested image not found"
/* An element of failures[]; the id echoes exactly what was sent. */
void ecr_write_failure(
    struct json_writer *w, const struct ecr_image_id *id, const char *code, struct slice reason);
/* imageIds; count is 0 when the member is absent. */
struct ecr_image_id *ecr_read_image_ids(struct call *c, size_t *count);
/* {imageDigest?, imageTag?}, of what is not absent. */
void ecr_write_image_id(struct json_writer *w, const struct image_id *id);

/* "ACTIVE", ...; and the one that a member of a filter names, IMAGE_ACTIVE where it is absent. */
const char *ecr_image_status_name(enum image_status status);
enum image_status ecr_read_image_status(const cJSON *filter, const char *member);
/*
 * The member imageId; false with c->error set when it cannot be one of an image: InvalidParameterException, or
 * ImageNotFoundException (ecr-behaviour 2, S4) for a digest of an algorithm that no image has here.
 */
bool ecr_read_image_id(struct call *c, struct ecr_image_id *out);

/* The image that imageId names; asked gets what was sent. False with c->error set: as above, or there is none. */
bool ecr_find_image(
    struct call *c, const struct repository *r, struct ecr_image_id *asked, struct image *out);
/* imageScanStatus, of an image that was scanned. */
void ecr_write_scan_status(struct json_writer *w);

/* nextToken and maxResults. */
struct ecr_page {
	struct slice after; /* the position the token holds; absent: the first page */
	size_t limit;
};
/*
 * exclusive names the member that may not come together with paging. False with c->error set: a token that is
 * not one of this list, or both.
 */
bool ecr_read_page(
    struct call *c, const char *exclusive, struct slice context, struct ecr_page *out);
/* The context of a whole registry's list: its name, the account, the region. */
struct slice ecr_list_context(struct call *c, const char *list);
/* Writes nextToken for a list that goes on after position. */
void ecr_write_next(
    struct call *c, struct json_writer *w, struct slice context, struct slice position);

/* "arn:aws:ecr:us-east-1:000000000000:repository/team/app" */
struct slice ecr_repository_arn(struct call *c, struct slice name);
/* Writes a repository object under name (NULL: as an array's element). */
void ecr_write_repository(
    struct call *c, struct json_writer *w, const char *name, const struct repository *r);

/* Mode and filters into *r; false with c->error set when they do not go together. */
bool ecr_read_mutability(
    struct call *c, struct slice mode, const cJSON *filters, struct repository *r);
/* Whether it may be set or removed; false with c->error set. */
bool ecr_check_tag(struct call *c, const struct resource_tag *tag);
/* A list of {Key, Value}; false with c->error set. */
bool ecr_read_tags(
    struct call *c, const cJSON *list, const struct resource_tag **out, size_t *out_count);

/*
 * document.c: documents (storage/document.h) of the call's registry. The put and delete functions answer
 * what a handler returns; next then finds the job in c->job_data, and c->error.
 */
/* Of one text: more than any that the model lets through. */
enum { ECR_DOCUMENT_MAX = 8 * 1024 * 1024 };
struct document_key ecr_document_key(
    const struct call *c, enum document_kind kind, struct slice name);
/* False with c->error set. */
bool ecr_get_document(
    struct call *c, enum document_kind kind, struct slice name, struct document *out);
/* The text of one that has a default; the absent slice with c->error set on a failure. */
struct slice ecr_get_setting(
    struct call *c, enum document_kind kind, struct slice name, const char *fallback);
enum http_step ecr_put_document(struct call *c, enum document_kind kind, struct slice name,
    enum document_rule rule, struct slice text, call_step *next); /* struct document_put */
/* When the job is stale, next begins again with the document as it is then. */
enum http_step ecr_replace_document(struct call *c, enum document_kind kind,
    const struct document *old, struct slice text, call_step *next); /* struct document_put */
enum http_step ecr_delete_document(struct call *c, enum document_kind kind, struct slice name,
    call_step *next); /* struct document_delete */

/* JSON by its shape: members that the model does not know, and nulls, are left out. */
void ecr_write_value(struct json_writer *w, const struct model_shape *shape, const cJSON *value);
/* The same of a structure, without its braces. */
void ecr_write_members(struct json_writer *w, const struct model_shape *shape, const cJSON *object);
/* The same of a document's text. */
void ecr_write_text(struct json_writer *w, const struct model_shape *shape, struct slice text);
struct slice ecr_value_text(struct call *c, const struct model_shape *shape, const cJSON *value);
/* A member that the structure is known to have; of the operation's input. */
const struct model_shape *ecr_shape_member(const struct model_shape *shape, const char *name);
const struct model_shape *ecr_input_member(const struct call *c, const char *name);
/* What a prefix is kept by: "team/" and "team" mean the same repositories, those of "team/...". */
struct slice ecr_prefix_name(struct slice prefix);

struct policy_document;
/* policy.c, lifecycle_policy.c: false with c->error set, at that member. */
bool ecr_check_policy(struct call *c, struct slice text, struct policy_document *out,
    const char *member, const char *constraint);
bool ecr_check_lifecycle(struct call *c, struct slice text, const char *member);

/*
 * permit.c: may the caller do this (server/access.h)? Of the repository or repositories that the request names, else of
 * the registry; with its tags. An operation whose request names an ARN asks ecr_permit_arn itself, when it
 * has read that. False with c->error set.
 */
bool ecr_permit(struct call *c, const char *action);
bool ecr_permit_arn(struct call *c);

/* sts.c: the handler of a request to STS. */
const struct http_handler *ecr_sts_route(struct call *c);

call_step op_get_authorization_token;
call_step op_create_repository, op_describe_repositories, op_delete_repository;
call_step op_put_image_tag_mutability, op_put_image_scanning_configuration;
call_step op_tag_resource, op_untag_resource, op_list_tags_for_resource;
call_step op_set_repository_policy, op_get_repository_policy, op_delete_repository_policy;
call_step op_put_registry_policy, op_get_registry_policy, op_delete_registry_policy;
call_step op_put_lifecycle_policy, op_get_lifecycle_policy, op_delete_lifecycle_policy;
call_step op_start_lifecycle_policy_preview, op_get_lifecycle_policy_preview;
call_step op_create_repository_creation_template, op_update_repository_creation_template;
call_step op_delete_repository_creation_template, op_describe_repository_creation_templates;
call_step op_put_registry_scanning_configuration, op_get_registry_scanning_configuration;
call_step op_batch_get_repository_scanning_configuration;
call_step op_put_replication_configuration, op_describe_registry;
call_step op_put_signing_configuration, op_get_signing_configuration;
call_step op_delete_signing_configuration;
call_step op_put_account_setting, op_get_account_setting;
call_step op_register_pull_time_update_exclusion, op_deregister_pull_time_update_exclusion;
call_step op_list_pull_time_update_exclusions;
call_step op_create_pull_through_cache_rule, op_update_pull_through_cache_rule;
call_step op_delete_pull_through_cache_rule, op_describe_pull_through_cache_rules;
call_step op_validate_pull_through_cache_rule;
call_step op_put_image, op_batch_get_image, op_batch_delete_image, op_list_images,
    op_describe_images;
call_step op_update_image_storage_class, op_list_image_referrers;
call_step op_start_image_scan, op_describe_image_scan_findings;
call_step op_describe_image_replication_status, op_describe_image_signing_status;
call_step op_initiate_layer_upload, op_upload_layer_part, op_complete_layer_upload;
call_step op_batch_check_layer_availability, op_get_download_url_for_layer;

#endif
