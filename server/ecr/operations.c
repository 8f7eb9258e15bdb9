/*
 * The operations, sorted by name. What is special of one stands in its row, so that dispatch.c and permit.c treat all
 * alike. The columns:
 *
 * name      as X-Amz-Target has it, the model and the log
 * function  answers a request that has passed the model and the policies
 * body      how long its body may be
 * action    what IAM calls it; NULL: the same as its name
 * resource  the member of its input that names the repositories it is about; NULL: it is about the registry
 * flags     how that member names them, and whether the request has tags
 */
#include "server/ecr/operations.h"

/* clang-format off */
static const struct ecr_operation operations[] = {
    {"BatchCheckLayerAvailability", op_batch_check_layer_availability, BODY_PLAIN, NULL, "repositoryName", 0},
    {"BatchDeleteImage", op_batch_delete_image, BODY_PLAIN, NULL, "repositoryName", 0},
    {"BatchGetImage", op_batch_get_image, BODY_PLAIN, NULL, "repositoryName", 0},
    {"BatchGetRepositoryScanningConfiguration", op_batch_get_repository_scanning_configuration, BODY_PLAIN, NULL, "repositoryNames", RESOURCE_LIST},
    {"CompleteLayerUpload", op_complete_layer_upload, BODY_PLAIN, NULL, "repositoryName", 0},
    {"CreatePullThroughCacheRule", op_create_pull_through_cache_rule, BODY_PLAIN, NULL, NULL, 0},
    {"CreateRepository", op_create_repository, BODY_PLAIN, NULL, "repositoryName", REQUEST_TAGS},
    {"CreateRepositoryCreationTemplate", op_create_repository_creation_template, BODY_PLAIN, NULL, NULL, 0},
    {"DeleteLifecyclePolicy", op_delete_lifecycle_policy, BODY_PLAIN, NULL, "repositoryName", 0},
    {"DeletePullThroughCacheRule", op_delete_pull_through_cache_rule, BODY_PLAIN, NULL, NULL, 0},
    {"DeleteRegistryPolicy", op_delete_registry_policy, BODY_PLAIN, NULL, NULL, 0},
    {"DeleteRepository", op_delete_repository, BODY_PLAIN, NULL, "repositoryName", 0},
    {"DeleteRepositoryCreationTemplate", op_delete_repository_creation_template, BODY_PLAIN, NULL, NULL, 0},
    {"DeleteRepositoryPolicy", op_delete_repository_policy, BODY_PLAIN, NULL, "repositoryName", 0},
    {"DeleteSigningConfiguration", op_delete_signing_configuration, BODY_PLAIN, NULL, NULL, 0},
    {"DeregisterPullTimeUpdateExclusion", op_deregister_pull_time_update_exclusion, BODY_PLAIN, NULL, NULL, 0},
    {"DescribeImageReplicationStatus", op_describe_image_replication_status, BODY_PLAIN, NULL, "repositoryName", 0},
    {"DescribeImageScanFindings", op_describe_image_scan_findings, BODY_PLAIN, NULL, "repositoryName", 0},
    {"DescribeImageSigningStatus", op_describe_image_signing_status, BODY_PLAIN, NULL, "repositoryName", 0},
    {"DescribeImages", op_describe_images, BODY_PLAIN, NULL, "repositoryName", 0},
    {"DescribePullThroughCacheRules", op_describe_pull_through_cache_rules, BODY_PLAIN, NULL, NULL, 0},
    {"DescribeRegistry", op_describe_registry, BODY_PLAIN, NULL, NULL, 0},
    {"DescribeRepositories", op_describe_repositories, BODY_PLAIN, NULL, "repositoryNames", RESOURCE_LIST},
    {"DescribeRepositoryCreationTemplates", op_describe_repository_creation_templates, BODY_PLAIN, NULL, NULL, 0},
    {"GetAccountSetting", op_get_account_setting, BODY_PLAIN, NULL, NULL, 0},
    {"GetAuthorizationToken", op_get_authorization_token, BODY_PLAIN, NULL, NULL, 0},
    {"GetDownloadUrlForLayer", op_get_download_url_for_layer, BODY_PLAIN, NULL, "repositoryName", 0},
    {"GetLifecyclePolicy", op_get_lifecycle_policy, BODY_PLAIN, NULL, "repositoryName", 0},
    {"GetLifecyclePolicyPreview", op_get_lifecycle_policy_preview, BODY_PLAIN, NULL, "repositoryName", 0},
    {"GetRegistryPolicy", op_get_registry_policy, BODY_PLAIN, NULL, NULL, 0},
    {"GetRegistryScanningConfiguration", op_get_registry_scanning_configuration, BODY_PLAIN, NULL, NULL, 0},
    {"GetRepositoryPolicy", op_get_repository_policy, BODY_PLAIN, NULL, "repositoryName", 0},
    {"GetSigningConfiguration", op_get_signing_configuration, BODY_PLAIN, NULL, NULL, 0},
    {"InitiateLayerUpload", op_initiate_layer_upload, BODY_PLAIN, NULL, "repositoryName", 0},
    {"ListImageReferrers", op_list_image_referrers, BODY_PLAIN, "BatchGetImage", "repositoryName", 0},
    {"ListImages", op_list_images, BODY_PLAIN, NULL, "repositoryName", 0},
    {"ListPullTimeUpdateExclusions", op_list_pull_time_update_exclusions, BODY_PLAIN, NULL, NULL, 0},
    {"ListTagsForResource", op_list_tags_for_resource, BODY_PLAIN, NULL, "resourceArn", RESOURCE_ARN},
    {"PutAccountSetting", op_put_account_setting, BODY_PLAIN, NULL, NULL, 0},
    {"PutImage", op_put_image, BODY_MANIFEST, NULL, "repositoryName", 0},
    {"PutImageScanningConfiguration", op_put_image_scanning_configuration, BODY_PLAIN, NULL, "repositoryName", 0},
    {"PutImageTagMutability", op_put_image_tag_mutability, BODY_PLAIN, NULL, "repositoryName", 0},
    {"PutLifecyclePolicy", op_put_lifecycle_policy, BODY_PLAIN, NULL, "repositoryName", 0},
    {"PutRegistryPolicy", op_put_registry_policy, BODY_PLAIN, NULL, NULL, 0},
    {"PutRegistryScanningConfiguration", op_put_registry_scanning_configuration, BODY_PLAIN, NULL, NULL, 0},
    {"PutReplicationConfiguration", op_put_replication_configuration, BODY_PLAIN, NULL, NULL, 0},
    {"PutSigningConfiguration", op_put_signing_configuration, BODY_PLAIN, NULL, NULL, 0},
    {"RegisterPullTimeUpdateExclusion", op_register_pull_time_update_exclusion, BODY_PLAIN, NULL, NULL, 0},
    {"SetRepositoryPolicy", op_set_repository_policy, BODY_PLAIN, NULL, "repositoryName", 0},
    {"StartImageScan", op_start_image_scan, BODY_PLAIN, NULL, "repositoryName", 0},
    {"StartLifecyclePolicyPreview", op_start_lifecycle_policy_preview, BODY_PLAIN, NULL, "repositoryName", 0},
    {"TagResource", op_tag_resource, BODY_PLAIN, NULL, "resourceArn", RESOURCE_ARN | REQUEST_TAGS},
    {"UntagResource", op_untag_resource, BODY_PLAIN, NULL, "resourceArn", RESOURCE_ARN | REQUEST_TAGS},
    {"UpdateImageStorageClass", op_update_image_storage_class, BODY_PLAIN, NULL, "repositoryName", 0},
    {"UpdatePullThroughCacheRule", op_update_pull_through_cache_rule, BODY_PLAIN, NULL, NULL, 0},
    {"UpdateRepositoryCreationTemplate", op_update_repository_creation_template, BODY_PLAIN, NULL, NULL, 0},
    {"UploadLayerPart", op_upload_layer_part, BODY_PART, NULL, "repositoryName", 0},
    {"ValidatePullThroughCacheRule", op_validate_pull_through_cache_rule, BODY_PLAIN, NULL, NULL, 0},
};
/* clang-format on */

enum { OPERATION_COUNT = sizeof(operations) / sizeof(operations[0]) };

const struct ecr_operation *ecr_operation_at(size_t index)
{
	return index < OPERATION_COUNT ? &operations[index] : NULL;
}

const struct ecr_operation *ecr_operation_find(struct slice name)
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
