/*
 * The table of quirks. To add one: an enumerator in quirks.h, an entry here, the place that asks
 * quirk_on(), a row in README, a case in tests/functional/test_quirks.py.
 */
#include "server/quirks.h"

#include "protocol/slice.h"

/* clang-format off */
static const struct quirk_entry entries[QUIRK_COUNT] = {
    [QUIRK_REPOSITORY_MUST_EXIST] = {"repository-must-exist", "6.3, 8.3",
	"a push to a repository that does not exist is refused; off: it makes the repository", true, false},
    [QUIRK_MOUNT_NEEDS_IMAGE] = {"mount-needs-image", "6.5",
	"a mount is answered 202 unless BLOB_MOUNTING is enabled and an image of `from` holds the blob; off: a "
	"mount of whatever the registry has succeeds, without `from` too", true, false},
    [QUIRK_INVALID_PARAMETER_405] = {"invalid-parameter-405", "6.2",
	"invalid parameters and manifests are answered 405 UNSUPPORTED; off: 400 with the specification's code",
	true, false},
    [QUIRK_OPAQUE_PAGING] = {"opaque-paging", "6.3",
	"tags come as text/plain, 100 a page, and the `last` of a list is a token; off: JSON, `last` is a name, "
	"`n=0` is an empty list", true, false},
    [QUIRK_BLOB_DELETE_REFUSED] = {"blob-delete-refused", "6.3",
	"blobs cannot be deleted (405); off: they can, and it takes effect at once", true, false},
    [QUIRK_CHILDREN_FIRST] = {"children-first", "6.6",
	"an index is refused while an image that it names is not in its repository", true, false},
    [QUIRK_CHILDREN_KEPT] = {"children-kept", "2.3, 6.2",
	"an image that an index names cannot be deleted (405)", true, false},
    [QUIRK_TAG_DELETE_TAKES_IMAGE] = {"tag-delete-takes-image", "2.3",
	"deleting an image's last tag deletes the image; off: it stays, untagged", true, false},
    [QUIRK_ORPHANED_REFERRERS_GO] = {"orphaned-referrers-go", "2.3, 4.4",
	"a referrer is removed by the next lifecycle run after its subject was deleted; off: it stays",
	true, false},
    [QUIRK_CHUNK_MINIMUM] = {"chunk-minimum", "6.4",
	"the chunks of an upload but for the last must have 5 MiB", true, false},
    [QUIRK_CACHE_INDEX_REFUSED] = {"cache-index-refused", "2.3",
	"an index that names layers, as BuildKit writes its cache without image-manifest=true, is refused",
	true, false},
    [QUIRK_ACCEPT_CONVERSION] = {"accept-conversion", "6.6",
	"a manifest asked for by tag is converted between Docker schema 2 and OCI when `Accept` names only the "
	"other, and is 404 when it cannot be; off: it is given as it was pushed", true, false},
    [QUIRK_PATCH_201] = {"patch-201", "6.4",
	"a chunk is answered 201 instead of 202", false, false},
    [QUIRK_ABSOLUTE_LOCATION] = {"absolute-location", "6.3, 6.4",
	"`Location` is an absolute URL instead of a path", false, false},
};
/* clang-format on */

bool quirk_on(const struct quirks *quirks, enum quirk quirk)
{
	uint32_t bit = UINT32_C(1) << quirk;

	if (quirks->switched & bit)
		return quirks->value & bit;
	return quirks->profile == PROFILE_ECR ? entries[quirk].in_ecr : entries[quirk].in_oci;
}

const struct quirk_entry *quirk_entry_at(size_t index)
{
	return index < QUIRK_COUNT ? &entries[index] : NULL;
}

/* "NAME=on" */
static bool switch_one(struct quirks *quirks, struct slice word)
{
	const char *equals = word.len ? memchr(word.at, '=', word.len) : NULL;
	size_t name_len = equals ? (size_t)(equals - word.at) : word.len;
	struct slice value = slice_skip(word, equals ? name_len + 1 : name_len);
	bool on = slice_is(value, "on");

	if (!on && !slice_is(value, "off"))
		return false;
	for (size_t i = 0; i < QUIRK_COUNT; i++) {
		uint32_t bit = UINT32_C(1) << i;
		if (!slice_eq(slice_of(word.at, name_len), slice_str(entries[i].name)))
			continue;
		quirks->switched |= bit;
		quirks->value = on ? quirks->value | bit : quirks->value & ~bit;
		return true;
	}
	return false;
}

bool quirks_switch(struct quirks *quirks, const char *list)
{
	struct slice rest = slice_str(list);

	for (;;) {
		const char *comma = rest.len ? memchr(rest.at, ',', rest.len) : NULL;
		size_t len = comma ? (size_t)(comma - rest.at) : rest.len;
		if (!switch_one(quirks, slice_of(rest.at, len)))
			return false;
		if (!comma)
			return true;
		rest = slice_skip(rest, len + 1);
	}
}
