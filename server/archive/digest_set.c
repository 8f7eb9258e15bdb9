/* A set of digests, kept by tsearch(3). See digest_set.h. */
#include "server/archive/digest_set.h"

#include <search.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct digest *one = a, *other = b;
	int order = (int)one->algorithm - (int)other->algorithm;

	return order
	    ? order
	    : memcmp(one->raw, other->raw, digest_raw_len((enum digest_algorithm)one->algorithm));
}

bool digest_set_has(const struct digest_set *set, const struct digest *digest)
{
	return tfind(digest, &set->root, compare) != NULL;
}

bool digest_set_add(struct digest_set *set, const struct digest *digest)
{
	struct digest *copy;

	if (digest_set_has(set, digest))
		return false;
	copy = malloc(sizeof(*copy));
	if (!copy)
		abort();
	*copy = *digest;
	if (!tsearch(copy, &set->root, compare))
		abort();
	set->count++;
	return true;
}

void digest_set_release(struct digest_set *set)
{
	tdestroy(set->root, free);
	*set = (struct digest_set){.root = NULL};
}
