/*
 * What a policy may ask about a request: its condition context keys ("aws:SourceIp"), with their values.
 *
 * The names compare in any case (IAM User Guide, "Condition"). Everything is borrowed. Pure; the cost of
 * a look-up is the number of keys.
 */
#ifndef DRYDOCK_PROTOCOL_POLICY_CONTEXT_H
#define DRYDOCK_PROTOCOL_POLICY_CONTEXT_H

#include "protocol/slice.h"

struct policy_key {
	struct slice name;
	const struct slice *values;
	size_t count; /* 0 is absent; one unless the key can have several values (aws:TagKeys) */
};

struct policy_context {
	const struct policy_key *keys; /* the request's */
	size_t count;
	const struct policy_key *more; /* looked at where keys has none of the name; NULL: none */
	size_t more_count;
};

/* NULL when the request has no such key, or one without values. */
const struct policy_key *policy_context_find(
    const struct policy_context *context, struct slice name);

#endif
