/* manifest_parse: the first byte picks the Content-Type, the rest is the manifest. */
#include "fuzz.h"

#include "protocol/json.h"
#include "protocol/manifest.h"

static const char *const content_types[] = {NULL, MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_LIST,
    MEDIA_OCI_MANIFEST, MEDIA_OCI_INDEX, "application/json; charset=utf-8", "image/png"};

static void check_descriptor(const struct descriptor *d)
{
	char text[DIGEST_TEXT_MAX];
	struct digest again;

	CHECK(d->media_type.len > 0);
	CHECK(digest_parse(digest_format(&d->digest, text), &again) == DIGEST_OK);
	CHECK(digest_eq(&d->digest, &again));
}

static void check_image(const struct manifest *m)
{
	uint64_t sum = 0;

	CHECK(slice_is(m->media_type, MEDIA_DOCKER_MANIFEST) ||
	    slice_is(m->media_type, MEDIA_OCI_MANIFEST));
	CHECK(m->child_count == 0);
	check_descriptor(&m->config);
	CHECK(m->artifact_type.len > 0);
	for (size_t i = 0; i < m->layer_count; i++) {
		check_descriptor(&m->layers[i]);
		sum = sum > UINT64_MAX - m->layers[i].size ? UINT64_MAX : sum + m->layers[i].size;
	}
	CHECK(sum == m->layers_bytes);
}

static void check_index(const struct manifest *m)
{
	CHECK(
	    slice_is(m->media_type, MEDIA_DOCKER_LIST) || slice_is(m->media_type, MEDIA_OCI_INDEX));
	CHECK(m->layer_count == 0 && m->layers_bytes == 0);
	CHECK(m->config.digest.algorithm == DIGEST_NONE);
	for (size_t i = 0; i < m->child_count; i++)
		check_descriptor(&m->children[i]);
}

static void check_manifest(struct slice bytes, const struct manifest *m, struct arena *a)
{
	struct manifest again;

	if (m->kind == MANIFEST_IMAGE)
		check_image(m);
	else
		check_index(m);
	if (m->subject.digest.algorithm != DIGEST_NONE)
		check_descriptor(&m->subject);
	if (m->annotations.at) {
		cJSON *annotations = json_parse(m->annotations);
		CHECK(cJSON_IsObject(annotations));
		cJSON_Delete(annotations);
	}
	/* what it was found to be is what it may be said to be */
	CHECK(manifest_parse(bytes, m->media_type, a, &again, NULL) == MANIFEST_OK);
	CHECK(again.kind == m->kind && again.layer_count == m->layer_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice bytes = slice_of((const char *)at, len), why = {NULL, 0};
	uint8_t pick = take_byte(&bytes);
	struct manifest m;
	struct arena a;

	arena_init(&a);
	const char *type = content_types[pick % (sizeof(content_types) / sizeof(*content_types))];
	if (manifest_parse(bytes, slice_str(type), &a, &m, &why) == MANIFEST_OK)
		check_manifest(bytes, &m, &a);
	else
		CHECK(why.len > 0);
	arena_release(&a);
	return 0;
}
