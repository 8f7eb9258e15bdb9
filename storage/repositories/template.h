/*
 * Which repository creation template speaks of a repository that is to be made, and what it makes
 * of it (ecr-behaviour 8.3). On the calling thread.
 */
#ifndef DRYDOCK_STORAGE_TEMPLATE_H
#define DRYDOCK_STORAGE_TEMPLATE_H

#include "protocol/creation_template.h"
#include "storage/repositories/repository.h"

/*
 * The template with the longest prefix of the name that is applied for the scenario, else ROOT's;
 * ERR_TEMPLATE_NOT_FOUND when there is none. A prefix ends where a slash of the name stands.
 */
enum error_code template_for(struct store_reader *reader, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct creation_template *out)
    __attribute__((warn_unused_result));

/*
 * The repository that it makes, for repository_create.repository or image_put.create: tags and
 * policies are its extras. ERR_TEMPLATE_NOT_FOUND when there is no template, or one that ECR could
 * not carry out: resource tags and KMS keys need a role.
 */
enum error_code template_repository(struct store_reader *reader, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct repository *out)
    __attribute__((warn_unused_result));
/* The same within a job's run function. */
enum error_code template_repository_tx(struct store_tx *tx, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct repository *out)
    __attribute__((warn_unused_result));

#endif
