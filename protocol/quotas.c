/*
 * The table of quotas. `usual` is ECR's own, which a struct quotas of zeroes means; `most` is what --quota may set
 * at most.
 */
#include "protocol/quotas.h"

static const struct {
	const char *name;
	const char *counted; /* completes "The maximum number of ..." */
	uint64_t usual, most;
} table[QUOTA_COUNT] = {
    [QUOTA_REPOSITORIES] = {"repositories", "repositories per registry", 100000, UINT32_MAX},
    [QUOTA_IMAGES] = {"images-per-repository", "images per repository", 100000, UINT32_MAX},
    [QUOTA_TAGS_PER_IMAGE] = {"tags-per-image", "tags per image", 1000, 1000},
    [QUOTA_RESOURCE_TAGS] = {"resource-tags", "tags per repository", 50, 50},
    [QUOTA_LAYER_PARTS] = {"layer-parts", "parts per layer", 4200, 4200},
    [QUOTA_LIFECYCLE_RULES] = {"lifecycle-rules", "rules per lifecycle policy", 50, 50},
    [QUOTA_PULL_THROUGH_RULES] = {"pull-through-cache-rules",
	"pull through cache rules per registry", 50, 1000},
    /* no number of ECR's is known */
    [QUOTA_CREATION_TEMPLATES] = {"repository-creation-templates",
	"repository creation templates per registry", 1000, 1000000},
    [QUOTA_REPLICATION_DESTINATIONS] = {"replication-destinations",
	"unique destinations across all replication rules", 25, 1000},
    [QUOTA_PULL_TIME_EXCLUSIONS] = {"pull-time-update-exclusions",
	"pull time update exclusions per registry", 100, 100},
};

uint64_t quota_of(const struct quotas *quotas, enum quota which)
{
	return quotas->at[which] ? quotas->at[which] : table[which].usual;
}

static bool read_one(struct quotas *quotas, struct slice text)
{
	struct slice name = slice_cut(&text, '=');
	unsigned long long n;

	if (!slice_to_u64(text, &n))
		return false;
	for (size_t i = 0; i < QUOTA_COUNT; i++) {
		if (!slice_is(name, table[i].name))
			continue;
		if (n == 0 || n > table[i].most)
			return false;
		quotas->at[i] = n;
		return true;
	}
	return false;
}

bool quotas_read(struct quotas *quotas, struct slice text)
{
	bool good = text.len > 0;

	while (good && text.len)
		good = read_one(quotas, slice_cut(&text, ','));
	return good;
}

const char *quota_name(size_t index)
{
	return index < QUOTA_COUNT ? table[index].name : NULL;
}

struct slice quota_message(const struct quotas *quotas, enum quota which, struct arena *a)
{
	return arena_slicef(a, "The maximum number of %s (%llu) has been reached",
	    table[which].counted, (unsigned long long)quota_of(quotas, which));
}
