#include "support.h"

#include "protocol/buf.h"
#include "protocol/manifest.h"

#define D1 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define D2 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define CONFIG "\"config\":{\"mediaType\":\"c/c\",\"size\":1,\"digest\":\"" D1 "\"}"
#define LAYER "{\"mediaType\":\"l/l\",\"size\":2,\"digest\":\"" D2 "\"}"
#define IMAGE_BODY "\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER "]"
#define CHILD "{\"mediaType\":\"m/m\",\"size\":3,\"digest\":\"" D1 "\"}"
#define INDEX_BODY "\"schemaVersion\":2,\"manifests\":[" CHILD "]"
#define TYPE(t) "\"mediaType\":\"" t "\","

static enum manifest_fault parse(
    struct arena *a, const char *text, const char *type, struct manifest *m, struct slice *why)
{
	return manifest_parse(exact(a, text), slice_str(type), a, m, why);
}

static void assert_digest(const struct digest *d, const char *expected)
{
	char text[DIGEST_TEXT_MAX];

	assert_slice(digest_format(d, text), expected);
}

static struct manifest golden(struct arena *a, const char *name, const char *type)
{
	struct manifest m;
	struct slice why = slice_str("");
	struct slice text = testdata(a, arena_printf(a, "manifests/%s", name));

	if (manifest_parse(text, slice_str(type), a, &m, &why) != MANIFEST_OK)
		fail_msg("%s: %.*s", name, SLICE_ARG(why));
	return m;
}

static void docker_image(void **state)
{
	struct manifest m = golden(*state, "docker-image.json", MEDIA_DOCKER_MANIFEST);

	assert_int_equal(m.kind, MANIFEST_IMAGE);
	assert_slice(m.media_type, MEDIA_DOCKER_MANIFEST);
	assert_slice(m.artifact_type, "application/vnd.docker.container.image.v1+json");
	assert_int_equal(m.config.size, 1469);
	assert_int_equal(m.layer_count, 2);
	assert_false(m.layers[0].foreign);
	assert_true(m.layers[1].foreign);
	assert_int_equal(m.layers_bytes, 2812969);
	assert_int_equal(m.subject.digest.algorithm, DIGEST_NONE);
	assert_int_equal(m.child_count, 0);
	assert_null(m.annotations.at);
}

static void docker_list(void **state)
{
	struct manifest m = golden(*state, "docker-list.json", NULL);

	assert_int_equal(m.kind, MANIFEST_INDEX);
	assert_slice(m.media_type, MEDIA_DOCKER_LIST);
	assert_null(m.artifact_type.at);
	assert_int_equal(m.child_count, 2);
	assert_int_equal(m.children[1].size, 529);
	assert_slice(m.children[1].media_type, MEDIA_DOCKER_MANIFEST);
	assert_int_equal(m.config.digest.algorithm, DIGEST_NONE);
	assert_int_equal(m.layers_bytes, 0);
}

static void oci_image(void **state)
{
	struct manifest m = golden(*state, "oci-image.json", "application/json; charset=utf-8");

	assert_slice(m.media_type, MEDIA_OCI_MANIFEST);
	assert_int_equal(m.layers[1].digest.algorithm, DIGEST_SHA512);
	assert_slice(m.annotations,
	    "{\"org.opencontainers.image.created\":\"2026-01-01T00:00:00Z\","
	    "\"com.example.\\\"key\\\"\":\"v\xc3\xa4lue\\n\"}");
	m = golden(*state, "oci-image-no-media-type.json", NULL);
	assert_slice(m.media_type, MEDIA_OCI_MANIFEST);
	m = golden(*state, "oci-image-no-media-type.json", MEDIA_OCI_MANIFEST "; charset=utf-8");
	assert_slice(m.media_type, MEDIA_OCI_MANIFEST);
}

static void oci_index(void **state)
{
	struct manifest m = golden(*state, "oci-index.json", MEDIA_OCI_INDEX);

	assert_int_equal(m.kind, MANIFEST_INDEX);
	assert_int_equal(m.child_count, 3);
	assert_slice(m.children[1].artifact_type, "application/vnd.example.attestation");
	assert_slice(m.annotations, "{}");
}

static void oci_artifact(void **state)
{
	struct manifest m = golden(*state, "oci-artifact.json", MEDIA_OCI_MANIFEST);

	assert_slice(m.artifact_type, "application/vnd.example.sbom.v1");
	assert_int_equal(m.subject.digest.algorithm, DIGEST_SHA256);
	assert_int_equal(m.subject.size, 1234);
	assert_slice(m.annotations, "{\"org.example\":\"x\"}");
}

static void members_are_read(void **state)
{
	struct manifest m;

	assert_int_equal(parse(*state, "{" IMAGE_BODY "}", NULL, &m, NULL), MANIFEST_OK);
	assert_digest(&m.config.digest, D1);
	assert_digest(&m.layers[0].digest, D2);
	assert_int_equal(m.layers[0].size, 2);
	assert_slice(m.layers[0].media_type, "l/l");
	assert_slice(m.artifact_type, "c/c");
	assert_int_equal(parse(*state, "{" INDEX_BODY ",\"artifactType\":\"a/t\"}", NULL, &m, NULL),
	    MANIFEST_OK);
	assert_slice(m.media_type, MEDIA_OCI_INDEX);
	assert_slice(m.artifact_type, "a/t");
}

static void which_media_type(void **state)
{
	static const struct {
		const char *text, *type;
		enum manifest_fault fault;
		const char *media_type;
	} cases[] = {
	    {"{" IMAGE_BODY "}", MEDIA_OCI_MANIFEST, MANIFEST_OK, MEDIA_OCI_MANIFEST},
	    {"{" IMAGE_BODY "}", MEDIA_DOCKER_MANIFEST, MANIFEST_OK, MEDIA_DOCKER_MANIFEST},
	    {"{" TYPE(MEDIA_DOCKER_MANIFEST) IMAGE_BODY "}", NULL, MANIFEST_OK,
		MEDIA_DOCKER_MANIFEST},
	    {"{" TYPE(MEDIA_DOCKER_MANIFEST) IMAGE_BODY "}", "application/octet-stream",
		MANIFEST_OK, MEDIA_DOCKER_MANIFEST},
	    {"{" TYPE(MEDIA_DOCKER_MANIFEST) IMAGE_BODY "}", MEDIA_OCI_MANIFEST,
		MANIFEST_TYPE_MISMATCH, NULL},
	    {"{" TYPE(MEDIA_OCI_INDEX) INDEX_BODY "}", MEDIA_OCI_MANIFEST, MANIFEST_TYPE_MISMATCH,
		NULL},
	    {"{\"mediaType\":null," INDEX_BODY "}", NULL, MANIFEST_OK, MEDIA_OCI_INDEX},
	    {"{\"mediaType\":\"\"," INDEX_BODY "}", NULL, MANIFEST_OK, MEDIA_OCI_INDEX},
	    {"{\"mediaType\":7," INDEX_BODY "}", NULL, MANIFEST_NOT_ACCEPTED, NULL},
	    {"{" INDEX_BODY "}", MEDIA_OCI_MANIFEST, MANIFEST_NOT_ACCEPTED, NULL},
	    {"{" IMAGE_BODY "}", MEDIA_OCI_INDEX, MANIFEST_NOT_ACCEPTED, NULL},
	    {"{" IMAGE_BODY "}", "application/vnd.oci.artifact.manifest.v1+json",
		MANIFEST_NOT_ACCEPTED, NULL},
	    {"{" TYPE("application/vnd.oci.artifact.manifest.v1+json") IMAGE_BODY "}", NULL,
		MANIFEST_NOT_ACCEPTED, NULL},
	    {"{" IMAGE_BODY "}", "image/png", MANIFEST_NOT_ACCEPTED, NULL},
	    {"{\"schemaVersion\":2}", NULL, MANIFEST_NOT_ACCEPTED, NULL},
	    {"{\"schemaVersion\":2,\"layers\":[]}", NULL, MANIFEST_NOT_ACCEPTED, NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct manifest m;
		struct slice why = {NULL, 0};
		if (parse(*state, cases[i].text, cases[i].type, &m, &why) != cases[i].fault)
			fail_msg("case %zu: %.*s", i, SLICE_ARG(why));
		if (cases[i].fault == MANIFEST_OK)
			assert_slice(m.media_type, cases[i].media_type);
		else
			assert_int_not_equal(why.len, 0);
	}
}

#define IMAGE(config, layers) "{\"schemaVersion\":2,\"config\":" config ",\"layers\":" layers "}"
#define GOOD_CONFIG "{\"mediaType\":\"c/c\",\"size\":1,\"digest\":\"" D1 "\"}"

static void refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"{" CONFIG ",\"layers\":[]}", "schemaVersion is not 2"},
	    {"{\"schemaVersion\":\"2\"," CONFIG ",\"layers\":[]}", "schemaVersion is not 2"},
	    {"{\"schemaVersion\":3," CONFIG ",\"layers\":[]}", "schemaVersion is not 2"},
	    {IMAGE("null", "[]"), "config is missing"},
	    {IMAGE("[]", "[]"), "config is not an object"},
	    {IMAGE("{}", "[]"), "config.mediaType is missing"},
	    {IMAGE("{\"mediaType\":1}", "[]"), "config.mediaType is not a string"},
	    {IMAGE("{\"mediaType\":\"c\"}", "[]"), "config.size is not a whole number of bytes"},
	    {IMAGE(GOOD_CONFIG, "{}"), "layers is not an array"},
	    {IMAGE(GOOD_CONFIG, "[1]"), "layers[0] is not an object"},
	    {IMAGE(GOOD_CONFIG, "[" LAYER ",null]"), "layers[1] is not an object"},
	    {IMAGE(GOOD_CONFIG, "[{\"mediaType\":\"l\",\"size\":-1,\"digest\":\"" D1 "\"}]"),
		"layers[0].size is not a whole number of bytes"},
	    {IMAGE(GOOD_CONFIG, "[{\"mediaType\":\"l\",\"size\":1.5,\"digest\":\"" D1 "\"}]"),
		"layers[0].size is not a whole number of bytes"},
	    {IMAGE(GOOD_CONFIG, "[{\"mediaType\":\"l\",\"size\":1e30,\"digest\":\"" D1 "\"}]"),
		"layers[0].size is not a whole number of bytes"},
	    {IMAGE(GOOD_CONFIG, "[{\"mediaType\":\"l\",\"size\":\"1\",\"digest\":\"" D1 "\"}]"),
		"layers[0].size is not a whole number of bytes"},
	    {IMAGE(GOOD_CONFIG, "[{\"mediaType\":\"l\",\"size\":1}]"),
		"layers[0].digest is not a digest"},
	    {IMAGE(GOOD_CONFIG, "[{\"mediaType\":\"l\",\"size\":1,\"digest\":\"sha256:abc\"}]"),
		"layers[0].digest is not a digest"},
	    {IMAGE(GOOD_CONFIG, "[{\"mediaType\":\"l\",\"size\":1,\"digest\":\"md5:abc\"}]"),
		"layers[0].digest is of an algorithm that is not supported"},
	    {"{" IMAGE_BODY ",\"manifests\":[]}", "an index has no 'config'"},
	    {"{" TYPE(MEDIA_OCI_MANIFEST) IMAGE_BODY ",\"manifests\":[]}",
		"an image has no 'manifests'"},
	    {"{" TYPE(MEDIA_OCI_MANIFEST) "\"schemaVersion\":2," CONFIG "}", "layers is missing"},
	    {"{" TYPE(MEDIA_OCI_INDEX) "\"schemaVersion\":2}", "manifests is missing"},
	    {"{" INDEX_BODY ",\"layers\":[]}", "an index has no 'layers'"},
	    {"{" INDEX_BODY ",\"fsLayers\":[]}", "an index has no 'fsLayers'"},
	    {"{" INDEX_BODY ",\"artifactType\":1}", "artifactType is not a string"},
	    {"{" INDEX_BODY ",\"subject\":\"" D1 "\"}", "subject is not an object"},
	    {"{" INDEX_BODY ",\"subject\":{\"mediaType\":\"m\",\"size\":1,\"digest\":\"x\"}}",
		"subject.digest is not a digest"},
	    {"{" INDEX_BODY ",\"annotations\":[]}", "annotations is not an object"},
	    {"{" INDEX_BODY ",\"annotations\":{\"a\":1}}", "an annotation is not a string"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct manifest m;
		struct slice why = {NULL, 0};
		assert_int_equal(
		    parse(*state, cases[i].text, NULL, &m, &why), MANIFEST_NOT_ACCEPTED);
		assert_slice(why, cases[i].why);
	}
}

static void schema_1(void **state)
{
	struct arena *a = *state;
	struct slice text = testdata(a, "manifests/docker-schema1.json"), why;
	struct manifest m;

	assert_int_equal(manifest_parse(text, slice_str(NULL), a, &m, &why), MANIFEST_NOT_ACCEPTED);
	assert_slice(why,
	    "Docker image manifests of schema 1 are not accepted: push the image as "
	    "schema 2 or OCI");
	assert_int_equal(parse(a, "{" IMAGE_BODY "}",
			     "application/vnd.docker.distribution.manifest.v1+prettyjws", &m, &why),
	    MANIFEST_NOT_ACCEPTED);
	assert_true(slice_starts(why, slice_str("Docker image manifests of schema 1")));
}

static void not_json(void **state)
{
	static const char *const texts[] = {"", "[]", "\"x\"", "null", "{", "{} {}",
	    "{\"a\":\"\xff\"}", "{\"a\":\"\\u0000\"}", "\x89PNG"};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct manifest m;
		struct slice why;
		assert_int_equal(parse(*state, texts[i], NULL, &m, &why), MANIFEST_NOT_JSON);
		assert_slice(why, "it is not one JSON object in UTF-8");
	}
}

static void tolerates(void **state)
{
	static const char *const texts[] = {
	    IMAGE(GOOD_CONFIG, "[]"),
	    IMAGE(GOOD_CONFIG, "null"), /* Go's nil slice */
	    "{" IMAGE_BODY ",\"subject\":null,\"annotations\":null,\"artifactType\":null}",
	    "{" IMAGE_BODY ",\"unknown\":{\"x\":[1]}}",
	    "{\"schemaVersion\":2,\"manifests\":[]}",
	    "{\"schemaVersion\":2,\"manifests\":null}",
	    IMAGE("{\"mediaType\":\"c\",\"size\":0,\"digest\":\"" D1 "\",\"data\":\"e30=\"}", "[]"),
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct manifest m;
		struct slice why = {NULL, 0};
		if (parse(*state, texts[i], NULL, &m, &why) != MANIFEST_OK)
			fail_msg("%s: %.*s", texts[i], SLICE_ARG(why));
	}
}

#define FOREIGN(type, more)                                                                        \
	IMAGE(GOOD_CONFIG,                                                                         \
	    "[{\"mediaType\":\"" type "\",\"size\":1,\"digest\":\"" D1 "\"" more "}]")

static void foreign_layers(void **state)
{
	static const struct {
		const char *text;
		bool foreign;
	} cases[] = {
	    {FOREIGN("application/vnd.oci.image.layer.v1.tar", ""), false},
	    {FOREIGN("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", ""), true},
	    {FOREIGN("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", ""), true},
	    {FOREIGN("l/l", ",\"urls\":[\"https://example.com/\"]"), true},
	    {FOREIGN("l/l", ",\"urls\":[]"), false},
	    {FOREIGN("l/l", ",\"urls\":null"), false},
	    {FOREIGN("l/l", ",\"urls\":\"https://example.com/\""), false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct manifest m;
		assert_int_equal(parse(*state, cases[i].text, NULL, &m, NULL), MANIFEST_OK);
		assert_int_equal(m.layers[0].foreign, cases[i].foreign);
	}
}

static void sizes_saturate(void **state)
{
	struct arena *a = *state;
	struct manifest m;
	struct buf text;

	buf_init(&text, a, SIZE_MAX, 0);
	buf_puts(&text, "{\"schemaVersion\":2," CONFIG ",\"layers\":[");
	for (int i = 0; i < 2100; i++)
		buf_printf(&text, "%s{\"mediaType\":\"l\",\"size\":%llu,\"digest\":\"" D1 "\"}",
		    i ? "," : "", 1ull << 53);
	buf_puts(&text, "]}");
	struct slice bytes = buf_slice(&text);
	assert_int_equal(manifest_parse(bytes, slice_str(NULL), a, &m, NULL), MANIFEST_OK);
	assert_int_equal(m.layer_count, 2100);
	assert_true(m.layers_bytes == UINT64_MAX);
}

static void too_large(void **state)
{
	struct arena *a = *state;
	char *text = arena_alloc(a, MANIFEST_BYTES_MAX + 1);
	struct manifest m;
	struct slice why;

	memset(text, ' ', MANIFEST_BYTES_MAX + 1);
	memcpy(text, "{" IMAGE_BODY "}", sizeof("{" IMAGE_BODY "}") - 1);
	struct slice bytes = slice_of(text, MANIFEST_BYTES_MAX + 1);
	assert_int_equal(manifest_parse(bytes, slice_str(NULL), a, &m, &why), MANIFEST_TOO_LARGE);
	bytes.len--;
	assert_int_equal(manifest_parse(bytes, slice_str(NULL), a, &m, &why), MANIFEST_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(docker_image),
	    arena_test(docker_list),
	    arena_test(oci_image),
	    arena_test(oci_index),
	    arena_test(oci_artifact),
	    arena_test(members_are_read),
	    arena_test(which_media_type),
	    arena_test(refuses),
	    arena_test(schema_1),
	    arena_test(not_json),
	    arena_test(tolerates),
	    arena_test(foreign_layers),
	    arena_test(sizes_saturate),
	    arena_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
