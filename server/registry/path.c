/* Paths are matched from their tail, because repository names contain slashes. */
#include "server/registry/registry_internal.h"

static const struct slice prefix = SLICE("/v2/");

/* Splits s at its last '/': the part behind it is returned, *s keeps the part before. */
static struct slice take_last(struct slice *s)
{
	size_t i = s->len;
	struct slice last;

	while (i > 0 && s->at[i - 1] != '/')
		i--;
	last = slice_skip(*s, i);
	s->len = i > 0 ? i - 1 : 0;
	return last;
}

/* rest is "name/blobs/uploads", what stood before the last slash; last is behind it. */
static struct registry_path upload_path(struct slice rest, struct slice last)
{
	take_last(&rest);
	take_last(&rest);
	return (struct registry_path){last.len ? RESOURCE_UPLOAD : RESOURCE_UPLOADS, rest, last};
}

struct registry_path registry_path_parse(struct slice path)
{
	static const struct slice uploads = SLICE("/blobs/uploads"), bare_uploads = SLICE("/blobs");
	struct registry_path none = {0};
	struct slice rest, last, noun;

	if (slice_is(path, "/v2") || slice_is(path, "/v2/"))
		return (struct registry_path){.resource = RESOURCE_ROOT};
	if (slice_is(path, "/v2/_catalog"))
		return (struct registry_path){.resource = RESOURCE_CATALOG};
	if (!slice_starts(path, prefix))
		return none;
	rest = slice_skip(path, prefix.len);
	last = take_last(&rest);
	if (slice_ends(rest, uploads))
		return upload_path(rest, last);
	if (slice_is(last, "uploads") && slice_ends(rest, bare_uploads)) {
		take_last(&rest);
		return (struct registry_path){.resource = RESOURCE_UPLOADS, .name = rest};
	}
	noun = take_last(&rest);
	if (rest.len == 0 || last.len == 0)
		return none;
	if (slice_is(noun, "manifests"))
		return (struct registry_path){RESOURCE_MANIFEST, rest, last};
	if (slice_is(noun, "blobs"))
		return (struct registry_path){RESOURCE_BLOB, rest, last};
	if (slice_is(noun, "referrers"))
		return (struct registry_path){RESOURCE_REFERRERS, rest, last};
	if (slice_is(noun, "tags") && slice_is(last, "list"))
		return (struct registry_path){.resource = RESOURCE_TAGS, .name = rest};
	return none;
}
