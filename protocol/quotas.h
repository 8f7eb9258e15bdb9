/*
 * ECR's quotas, as one table: name, default, what its refusal calls it (ecr-behaviour 9).
 *
 * `drydock serve --quota NAME=N` sets one, so that a program's way of meeting
 * LimitExceededException can be tried without making a hundred thousand of anything. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_QUOTAS_H
#define DRYDOCK_PROTOCOL_QUOTAS_H

#include "protocol/arena.h"

#include <stdint.h>

enum quota {
	QUOTA_REPOSITORIES, /* of an account in a region */
	QUOTA_IMAGES,       /* of a repository */
	QUOTA_TAGS_PER_IMAGE,
	QUOTA_RESOURCE_TAGS,      /* of a repository; at most RESOURCE_TAGS_MAX */
	QUOTA_LAYER_PARTS,        /* of an upload through the API */
	QUOTA_LIFECYCLE_RULES,    /* of a policy; at most LIFECYCLE_RULES_MAX */
	QUOTA_PULL_THROUGH_RULES, /* of a registry, as those below */
	QUOTA_CREATION_TEMPLATES,
	QUOTA_REPLICATION_DESTINATIONS,
	QUOTA_PULL_TIME_EXCLUSIONS,
	QUOTA_COUNT
};

struct quotas {
	uint64_t at[QUOTA_COUNT]; /* 0: ECR's own */
};

uint64_t quota_of(const struct quotas *quotas, enum quota which);
/* "lifecycle-rules=3,repositories=2"; false when a name is none, or N is 0 or above what the table
 * allows. */
bool quotas_read(struct quotas *quotas, struct slice text);
/* The name of an option; NULL past the last. */
const char *quota_name(size_t index);
/* LimitExceededException's message, in the arena. */
struct slice quota_message(const struct quotas *quotas, enum quota which, struct arena *a);

#endif
