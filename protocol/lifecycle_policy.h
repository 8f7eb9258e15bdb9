/*
 * Lifecycle policies: grammar and validation (ecr-behaviour 4.1, 4.2).
 *
 * The texts of structural faults are those of the schema validator that ECR uses, as far as they
 * were seen; see lifecycle_policy.c for which are ours. What a rule selects is decided elsewhere.
 * Pure; n log n.
 */
#ifndef DRYDOCK_PROTOCOL_LIFECYCLE_POLICY_H
#define DRYDOCK_PROTOCOL_LIFECYCLE_POLICY_H

#include "protocol/errors.h"

#include <stdint.h>

/* Rules: ECR's quota, and what the engine can tell apart, whatever the quota is raised to. */
enum {
	LIFECYCLE_RULES_MAX = 50,
	LIFECYCLE_RULES_MOST = 64,
	LIFECYCLE_WILDCARDS_MAX = 4,
	LIFECYCLE_ARCHIVE_DAYS_MIN = 90
};

enum lifecycle_tags { LIFECYCLE_ANY, LIFECYCLE_TAGGED, LIFECYCLE_UNTAGGED };
enum lifecycle_class { LIFECYCLE_ARCHIVE, LIFECYCLE_STANDARD };
enum lifecycle_count {
	LIFECYCLE_COUNT_MORE_THAN, /* images */
	LIFECYCLE_SINCE_PULLED,    /* days, as the next two */
	LIFECYCLE_SINCE_PUSHED,
	LIFECYCLE_SINCE_TRANSITIONED,
};
enum lifecycle_action { LIFECYCLE_EXPIRE, LIFECYCLE_TRANSITION }; /* to the archive class */

struct lifecycle_rule {
	int64_t priority;
	struct slice description; /* absent: none */
	enum lifecycle_tags tags;
	/* Each must be matched by a tag of the image: in order, each once; with LIFECYCLE_TAGGED
	 * alone. */
	const struct slice *matches;
	size_t match_count;
	bool prefixes; /* they begin the tag; otherwise they are patterns with '*' (wildcard_match)
			*/
	enum lifecycle_class storage_class;
	enum lifecycle_count count_type;
	int64_t count;
	enum lifecycle_action action;
};

struct lifecycle_policy {
	struct lifecycle_rule *rules; /* by priority, ascending */
	size_t count;
};

/*
 * False: *why is what follows "Lifecycle policy validation failure: " in ECR's answer, in the
 * arena. What *out holds is in the arena too and outlives text. rules_max: LIFECYCLE_RULES_MAX, or
 * what the quota says; above LIFECYCLE_RULES_MOST it is that.
 */
bool lifecycle_policy_parse(struct slice text, size_t rules_max, struct arena *a,
    struct lifecycle_policy *out, struct slice *why);

/*
 * The same for a text that comes not by the API: its length is looked at too, and *out is the whole of
 * what PutLifecyclePolicy would answer.
 */
bool lifecycle_policy_check(struct slice text, size_t rules_max, struct arena *a,
    struct lifecycle_policy *policy, struct error *out);

#endif
