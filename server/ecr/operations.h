/*
 * The operations of the ECR API: one table, a row an operation. To add one: a function `enum http_step
 * op_name(struct call *c)` in the file of its noun, declared here, and its row in operations.c. When it runs, the request
 * has been held against the model and the caller may do it; ecr_call.h says what it reads and how it answers.
 */
#ifndef DRYDOCK_SERVER_ECR_OPERATIONS_H
#define DRYDOCK_SERVER_ECR_OPERATIONS_H

#include "server/call.h"

/* How long a body may be (dispatch.c has the bytes, and why). */
enum ecr_body {
	BODY_PLAIN,    /* names, settings, policies */
	BODY_MANIFEST, /* a manifest */
	BODY_PART,     /* a part of a layer */
	BODY_KINDS
};

/* What else is to be known of an operation. */
enum {
	RESOURCE_LIST = 1 << 0, /* `resource` is a list of names; without it, all are meant */
	RESOURCE_ARN = 1 << 1,  /* `resource` is a repository's ARN */
	REQUEST_TAGS = 1 << 2,  /* members tags or tagKeys: policies see them as aws:RequestTag */
};

/* One row; operations.c explains the columns. */
struct ecr_operation {
	const char *name;
	call_step *run;
	enum ecr_body body;
	const char *action;
	const char *resource;
	unsigned flags;
};

/* By exact name; NULL when there is none. */
const struct ecr_operation *ecr_operation_find(struct slice name);
/* Walks the table, for tests: NULL past the last. */
const struct ecr_operation *ecr_operation_at(size_t index);

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
