/*
 * Looking up a condition key: one after another, by name in any case. There are some dozen at most; sorting them
 * for each request would cost more. A key without values is not there.
 */
#include "protocol/policy_context.h"

static const struct policy_key *find(const struct policy_key *keys, size_t count, struct slice name)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(keys[i].name, name))
			return &keys[i];
	return NULL;
}

const struct policy_key *policy_context_find(
    const struct policy_context *context, struct slice name)
{
	const struct policy_key *key = find(context->keys, context->count, name);

	if (!key)
		key = find(context->more, context->more_count, name);
	return key && key->count ? key : NULL;
}
