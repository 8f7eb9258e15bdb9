/*
 * Repository creation templates as they are kept: JSON of ECR's RepositoryCreationTemplate, and
 * what it says of a repository that is to be made (ecr-behaviour 8.3). Pure.
 */
#ifndef DRYDOCK_PROTOCOL_CREATION_TEMPLATE_H
#define DRYDOCK_PROTOCOL_CREATION_TEMPLATE_H

#include "protocol/arena.h"

enum template_scenario {
	TEMPLATE_CREATE_ON_PUSH,
	TEMPLATE_PULL_THROUGH_CACHE,
	TEMPLATE_REPLICATION
};

struct template_tag {
	struct slice key, value;
};

struct creation_template {
	struct slice mutability;        /* "MUTABLE", ... */
	struct slice exclusion_filters; /* JSON array; absent: none */
	struct slice encryption_type;
	struct slice kms_key;                             /* absent: none named */
	struct slice repository_policy, lifecycle_policy; /* absent: none */
	const struct template_tag *tags;
	size_t tag_count;
	struct slice role;                      /* customRoleArn; absent: none */
	bool applied[TEMPLATE_REPLICATION + 1]; /* by scenario */
};

/* Everything in *out is in the arena. False when text is no such object. */
bool creation_template_parse(struct slice text, struct arena *a, struct creation_template *out);

#endif
