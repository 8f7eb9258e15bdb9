/*
 * Replication configurations as they are kept: JSON of ECR's ReplicationConfiguration
 * (ecr-behaviour 2.8, 8.2), and whether a rule speaks of a repository. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_REPLICATION_H
#define DRYDOCK_PROTOCOL_REPLICATION_H

#include "protocol/arena.h"

struct replication_destination {
	struct slice account, region;
};

struct replication_rule {
	const struct replication_destination *destinations;
	size_t destination_count;
	const struct slice *prefixes; /* of repository names; none: every repository */
	size_t prefix_count;
};

struct replication_rules {
	const struct replication_rule *at;
	size_t count;
};

/* Everything in *out is in the arena. False when text is no such object. */
bool replication_parse(struct slice text, struct arena *a, struct replication_rules *out);
bool replication_rule_matches(const struct replication_rule *rule, struct slice repository);

#endif
