#include "server/policy_cache.h"

#include <stdint.h>
#include <stdlib.h>

enum { REPOSITORIES = 31 };

struct entry {
	struct arena arena; /* of text and policy */
	struct slice text;  /* absent: the entry is empty */
	struct policy_document policy;
};

struct policy_cache {
	struct entry entries[1 + REPOSITORIES]; /* the first is the registry's */
};

struct policy_cache *policy_cache_new(void)
{
	struct policy_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		abort();
	for (size_t i = 0; i <= REPOSITORIES; i++)
		arena_init(&cache->entries[i].arena);
	return cache;
}

void policy_cache_free(struct policy_cache *cache)
{
	for (size_t i = 0; cache && i <= REPOSITORIES; i++)
		arena_release(&cache->entries[i].arena);
	free(cache);
}

/* FNV-1a: who chooses texts that collide makes his own policies slow. */
static size_t hash(struct slice text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (uint8_t)text.at[i]) * 0x100000001b3;
	return (size_t)(h >> 32);
}

const struct policy_document *policy_cache_get(
    struct policy_cache *cache, enum policy_place place, struct slice text, const char **why)
{
	size_t at = place == POLICY_PLACE_REGISTRY ? 0 : 1 + hash(text) % REPOSITORIES;
	struct entry *e = &cache->entries[at];

	if (e->text.at && slice_eq(e->text, text))
		return &e->policy;
	arena_release(
	    &e->arena); /* not reset: a long policy's memory is not kept for a short one */
	arena_init(&e->arena);
	e->text = (struct slice){0};
	if (!policy_document_parse(text, POLICY_OF_REPOSITORY, &e->arena, &e->policy, why))
		return NULL;
	e->text = arena_dup(&e->arena, text);
	return &e->policy;
}
