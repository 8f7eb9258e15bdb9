#include "support.h"

#include "protocol/buf.h"
#include "protocol/manifest_convert.h"

#define D1 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define DOCKER_LAYER "application/vnd.docker.image.rootfs."
#define OCI_LAYER "application/vnd.oci.image.layer."

static struct slice convert(struct arena *a, const char *text, const char *type)
{
	return manifest_convert(exact(a, text), slice_str(type), a);
}

/* A manifest of one layer; more: members of the layer, and after them of the manifest. */
static const char *image(
    struct arena *a, const char *config, const char *layer, const char *of_layer, const char *more)
{
	return arena_printf(a,
	    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"%s\",\"size\":1,\"digest\":\"" D1
	    "\"},\"layers\":[{\"mediaType\":\"%s\",\"size\":2,\"digest\":\"" D1 "\"%s}]%s}",
	    config, layer, of_layer, more);
}

static void docker_to_oci(void **state)
{
	struct slice text = testdata(*state, "manifests/docker-image.json");
	struct slice made = manifest_convert(text, slice_str(MEDIA_DOCKER_MANIFEST), *state);

	assert_slice(made,
	    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\","
	    "\"config\":{\"mediaType\":\"" OCI_CONFIG "\",\"size\":1469,\"digest\":"
	    "\"sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6\"},"
	    "\"layers\":[{\"mediaType\":\"" OCI_LAYER "v1.tar+gzip\",\"size\":2811969,\"digest\":"
	    "\"sha256:2804bad6fe94a55f18b2b37e300919a5fd517b95aa81e95db574c0ba069a3740\"},"
	    "{\"mediaType\":\"" OCI_LAYER "nondistributable.v1.tar+gzip\",\"size\":1000,\"digest\":"
	    "\"sha256:8a1cee436cbac1489a1883c9d886fcfc46f302c55ed4106ae31729e4f4eb9041\","
	    "\"urls\":[\"https://example.com/layer\"]}]}");
}

static void oci_to_docker(void **state)
{
	struct slice text = testdata(*state, "manifests/oci-image-no-media-type.json");
	struct slice made = manifest_convert(text, slice_str(MEDIA_OCI_MANIFEST), *state);

	assert_slice(made,
	    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\","
	    "\"config\":{\"mediaType\":\"" DOCKER_CONFIG "\",\"size\":7023,\"digest\":"
	    "\"sha256:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6\"},"
	    "\"layers\":[{\"mediaType\":\"" DOCKER_LAYER
	    "diff.tar.gzip\",\"size\":32654,\"digest\":"
	    "\"sha256:2804bad6fe94a55f18b2b37e300919a5fd517b95aa81e95db574c0ba069a3740\"}]}");
}

/* Every layer type, both ways; what one way makes, the other takes back to the same bytes. */
static void layer_types(void **state)
{
	static const char *const pairs[][2] = {
	    {DOCKER_LAYER "diff.tar.gzip", OCI_LAYER "v1.tar+gzip"},
	    {DOCKER_LAYER "diff.tar", OCI_LAYER "v1.tar"},
	    {DOCKER_LAYER "foreign.diff.tar.gzip", OCI_LAYER "nondistributable.v1.tar+gzip"},
	    {DOCKER_LAYER "foreign.diff.tar", OCI_LAYER "nondistributable.v1.tar"},
	};

	for (size_t i = 0; i < COUNT(pairs); i++) {
		const char *docker = image(*state, DOCKER_CONFIG, pairs[i][0], "", "");
		struct slice oci = convert(*state, docker, MEDIA_DOCKER_MANIFEST);
		struct manifest m;
		assert_int_equal(
		    manifest_parse(oci, slice_str(NULL), *state, &m, NULL), MANIFEST_OK);
		assert_slice(m.media_type, MEDIA_OCI_MANIFEST);
		assert_slice(m.layers[0].media_type, pairs[i][1]);
		struct slice back = manifest_convert(oci, slice_str(MEDIA_OCI_MANIFEST), *state);
		struct slice again =
		    manifest_convert(back, slice_str(MEDIA_DOCKER_MANIFEST), *state);
		assert_true(oci.len > 0 && slice_eq(oci, again));
	}
}

/* What only one of the formats knows is left out, and does not keep an image from being converted. */
static void leaves_out(void **state)
{
	const char *plain = image(*state, OCI_CONFIG, OCI_LAYER "v1.tar", "", "");
	const char *rich = image(*state, OCI_CONFIG, OCI_LAYER "v1.tar",
	    ",\"annotations\":{\"a\":\"b\"},\"data\":\"aGk=\",\"urls\":[]",
	    ",\"annotations\":{\"c\":\"d\"},\"subject\":null,\"artifactType\":\"\",\"more\":1");
	struct slice made = convert(*state, plain, MEDIA_OCI_MANIFEST);

	assert_true(made.len > 0);
	assert_true(slice_eq(made, convert(*state, rich, MEDIA_OCI_MANIFEST)));
}

static void no_layers(void **state)
{
	static const char *const empty[] = {"[]", "null"};

	for (size_t i = 0; i < COUNT(empty); i++) {
		const char *text = arena_printf(*state,
		    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_CONFIG
		    "\",\"size\":1,\"digest\":\"" D1 "\"},\"layers\":%s}",
		    empty[i]);
		struct slice made = convert(*state, text, MEDIA_OCI_MANIFEST);
		assert_true(slice_ends(made, slice_str(",\"layers\":[]}")));
	}
}

static void not_converted(void **state)
{
	static const struct {
		const char *config, *layer, *of_layer, *more;
	} cases[] = {
	    {OCI_CONFIG, OCI_LAYER "v1.tar+zstd", "", ""},
	    {OCI_CONFIG, OCI_LAYER "v1.tar+gzip+encrypted", "", ""},
	    {OCI_CONFIG, DOCKER_LAYER "diff.tar.gzip", "", ""},
	    {OCI_CONFIG, OCI_CONFIG, "", ""},
	    {OCI_LAYER "v1.tar", OCI_LAYER "v1.tar", "", ""},
	    {DOCKER_CONFIG, OCI_LAYER "v1.tar", "", ""},
	    {"application/vnd.cncf.helm.config.v1+json", OCI_LAYER "v1.tar", "", ""},
	    {"application/vnd.oci.empty.v1+json", OCI_LAYER "v1.tar", "", ""},
	    {OCI_CONFIG, OCI_LAYER "v1.tar", ",\"urls\":\"https://example.com\"", ""},
	    {OCI_CONFIG, OCI_LAYER "v1.tar", ",\"urls\":[1]", ""},
	    {OCI_CONFIG, OCI_LAYER "v1.tar", ",\"urls\":{\"a\":\"b\"}", ""},
	    {OCI_CONFIG, OCI_LAYER "v1.tar", "", ",\"artifactType\":\"" OCI_CONFIG "\""},
	    {OCI_CONFIG, OCI_LAYER "v1.tar", "",
		",\"subject\":{\"mediaType\":\"m/m\",\"size\":3,\"digest\":\"" D1 "\"}"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = image(
		    *state, cases[i].config, cases[i].layer, cases[i].of_layer, cases[i].more);
		struct manifest m;
		assert_int_equal(manifest_parse(slice_str(text), slice_str(MEDIA_OCI_MANIFEST),
				     *state, &m, NULL),
		    MANIFEST_OK);
		if (convert(*state, text, MEDIA_OCI_MANIFEST).at)
			fail_msg("%s was converted", text);
	}
}

static void indexes(void **state)
{
	static const struct {
		const char *file, *type;
	} cases[] = {{"manifests/docker-list.json", MEDIA_DOCKER_LIST},
	    {"manifests/oci-index.json", MEDIA_OCI_INDEX},
	    {"manifests/docker-schema1.json",
		"application/vnd.docker.distribution.manifest.v1+prettyjws"}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice text = testdata(*state, cases[i].file);
		assert_null(manifest_convert_target(slice_str(cases[i].type)).at);
		assert_null(manifest_convert(text, slice_str(cases[i].type), *state).at);
	}
	assert_slice(manifest_convert_target(slice_str(MEDIA_OCI_MANIFEST)), MEDIA_DOCKER_MANIFEST);
	assert_slice(manifest_convert_target(slice_str(MEDIA_DOCKER_MANIFEST)), MEDIA_OCI_MANIFEST);
	assert_null(manifest_convert_target(slice_str("")).at);
	assert_null(manifest_convert_target(slice_str(NULL)).at);
}

/* Docker's names of the types are longer: what would not fit any more is not converted. */
static void too_large(void **state)
{
	struct buf text;
	const struct slice type = SLICE(MEDIA_OCI_MANIFEST);

	for (int over = 0; over < 2; over++) {
		size_t layers = over ? 27500 : 20000;
		buf_init(&text, *state, SIZE_MAX, MANIFEST_BYTES_MAX);
		buf_puts(&text,
		    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" OCI_CONFIG
		    "\",\"size\":1,\"digest\":\"" D1 "\"},\"layers\":[");
		for (size_t i = 0; i < layers; i++)
			buf_printf(&text,
			    "%s{\"mediaType\":\"" OCI_LAYER "v1.tar\",\"size\":2,\"digest\":\"" D1
			    "\"}",
			    i ? "," : "");
		buf_puts(&text, "]}");
		assert_true(text.len <= MANIFEST_BYTES_MAX);
		struct slice made = manifest_convert(buf_slice(&text), type, *state);
		assert_int_equal(made.at == NULL, over);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(docker_to_oci),
	    arena_test(oci_to_docker),
	    arena_test(layer_types),
	    arena_test(leaves_out),
	    arena_test(no_layers),
	    arena_test(not_converted),
	    arena_test(indexes),
	    arena_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
