/*
 * Repository and registry policies, parsed: one cache per loop, because reading a long policy takes longer than the
 * request that it is about. An entry is found by the policy's whole text, so that it is never out of date.
 * Of the loop's thread; bounded: a few policies of some tens of KiB.
 */
#ifndef DRYDOCK_SERVER_POLICY_CACHE_H
#define DRYDOCK_SERVER_POLICY_CACHE_H

#include "protocol/policy_document.h"

struct policy_cache;

enum policy_place { POLICY_PLACE_REGISTRY, POLICY_PLACE_REPOSITORY };

struct policy_cache *policy_cache_new(void);
void policy_cache_free(struct policy_cache *cache); /* NULL allowed */

/*
 * Borrowed until the next call with the same place. NULL when the text is no policy of a repository or registry: *why
 * says so.
 */
const struct policy_document *policy_cache_get(
    struct policy_cache *cache, enum policy_place place, struct slice text, const char **why);

#endif
