/* manifest_convert: the first byte picks the stored media type, the rest is the manifest. */
#include "fuzz.h"

#include "protocol/manifest_convert.h"

static const char *const media_types[] = {
    MEDIA_DOCKER_MANIFEST, MEDIA_OCI_MANIFEST, MEDIA_DOCKER_LIST, MEDIA_OCI_INDEX, "image/png"};

static void check_blob(const struct descriptor *was, const struct descriptor *is)
{
	CHECK(digest_eq(&was->digest, &is->digest));
	CHECK(was->size == is->size);
	CHECK(was->foreign == is->foreign);
}

/* It is a manifest of the other type, names the same blobs, and can be said in the first type again. */
static void check_converted(
    struct slice bytes, struct slice type, struct slice made, struct arena *a)
{
	struct slice other = manifest_convert_target(type);
	struct manifest was, is;

	CHECK(manifest_parse(bytes, type, a, &was, NULL) == MANIFEST_OK);
	CHECK(manifest_parse(made, slice_str(NULL), a, &is, NULL) == MANIFEST_OK);
	CHECK(slice_eq(is.media_type, other));
	CHECK(slice_eq(manifest_convert_target(other), type));
	CHECK(is.kind == was.kind && is.layer_count == was.layer_count);
	CHECK(is.layers_bytes == was.layers_bytes);
	check_blob(&was.config, &is.config);
	for (size_t i = 0; i < was.layer_count; i++)
		check_blob(&was.layers[i], &is.layers[i]);
	struct slice back = manifest_convert(made, other, a);
	CHECK(back.at && slice_eq(manifest_convert(back, type, a), made));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice bytes = slice_of((const char *)at, len), type, made;
	uint8_t pick = take_byte(&bytes);
	struct arena a;

	arena_init(&a);
	type = slice_str(media_types[pick % (sizeof(media_types) / sizeof(*media_types))]);
	made = manifest_convert(bytes, type, &a);
	if (made.at)
		check_converted(bytes, type, made, &a);
	arena_release(&a);
	return 0;
}
