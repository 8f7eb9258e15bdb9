/*
 * A manifest in the other media type is written anew, member by member, from what was parsed: so nothing is
 * carried over that is not known to mean the same in both.
 *
 * `types` has each media type in both formats, a row each. Something without a counterpart ends the conversion,
 * and there is none.
 */
#include "protocol/manifest_convert.h"

#include "protocol/json.h"

enum format { FORMAT_DOCKER, FORMAT_OCI };

/*
 * Each type in Docker's words and in OCI's. OCI image-spec media-types.md "Compatibility Matrix"; Docker image
 * manifest V2 schema 2 "Media Types" and, for the layers that are not compressed, what its clients write.
 */
static const struct slice types[][2] = {
    {SLICE(MEDIA_DOCKER_MANIFEST), SLICE(MEDIA_OCI_MANIFEST)},
    {SLICE("application/vnd.docker.container.image.v1+json"),
	SLICE("application/vnd.oci.image.config.v1+json")},
    {SLICE("application/vnd.docker.image.rootfs.diff.tar.gzip"),
	SLICE("application/vnd.oci.image.layer.v1.tar+gzip")},
    {SLICE("application/vnd.docker.image.rootfs.diff.tar"),
	SLICE("application/vnd.oci.image.layer.v1.tar")},
    {SLICE("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
	SLICE("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")},
    {SLICE("application/vnd.docker.image.rootfs.foreign.diff.tar"),
	SLICE("application/vnd.oci.image.layer.nondistributable.v1.tar")},
};

enum { ROW_MANIFEST, ROW_CONFIG, ROW_LAYERS, ROW_COUNT = sizeof(types) / sizeof(types[0]) };

static const struct slice absent;

/* The counterpart of a type among the rows first..end; absent when it has none. */
static struct slice counterpart(struct slice type, enum format from, size_t first, size_t end)
{
	for (size_t row = first; row < end; row++) {
		if (slice_eq(types[row][from], type))
			return types[row][1 - from];
	}
	return absent;
}

static enum format format_of(struct slice media_type)
{
	return slice_eq(media_type, types[ROW_MANIFEST][FORMAT_OCI]) ? FORMAT_OCI : FORMAT_DOCKER;
}

struct slice manifest_convert_target(struct slice media_type)
{
	return counterpart(media_type, format_of(media_type), ROW_MANIFEST, ROW_CONFIG);
}

static void put_descriptor(struct json_writer *w, const struct descriptor *d, struct slice type)
{
	char text[DIGEST_TEXT_MAX];

	json_put_str(w, "mediaType", type);
	json_put_num(w, "size", (int64_t)d->size);
	json_put_str(w, "digest", digest_format(&d->digest, text));
}

/* Where else a layer may be had; false when that is not a list of texts. */
static bool put_urls(struct json_writer *w, const cJSON *layer)
{
	const cJSON *urls = json_member(layer, "urls"), *url;

	if (!urls || (cJSON_IsArray(urls) && !urls->child))
		return true;
	if (!cJSON_IsArray(urls))
		return false;
	json_put_array(w, "urls");
	cJSON_ArrayForEach(url, urls) {
		if (!cJSON_IsString(url))
			return false;
		json_str(w, slice_str(url->valuestring));
	}
	json_array_end(w);
	return true;
}

static bool put_layers(
    struct json_writer *w, const struct manifest *m, const cJSON *root, enum format from)
{
	const cJSON *layers = json_member(root, "layers");
	const cJSON *layer = layers ? layers->child : NULL;

	json_put_array(w, "layers");
	for (size_t i = 0; i < m->layer_count; i++, layer = layer->next) {
		struct slice type =
		    counterpart(m->layers[i].media_type, from, ROW_LAYERS, ROW_COUNT);
		if (!type.at)
			return false;
		json_object(w);
		put_descriptor(w, &m->layers[i], type);
		if (!put_urls(w, layer))
			return false;
		json_object_end(w);
	}
	json_array_end(w);
	return true;
}

static bool put_manifest(
    struct json_writer *w, const struct manifest *m, const cJSON *root, enum format from)
{
	struct slice config = counterpart(m->config.media_type, from, ROW_CONFIG, ROW_LAYERS);

	if (!config.at || m->subject.digest.algorithm != DIGEST_NONE ||
	    json_string(root, "artifactType").len)
		return false;
	json_object(w);
	json_put_num(w, "schemaVersion", 2);
	json_put_str(w, "mediaType", manifest_convert_target(m->media_type));
	json_put_object(w, "config");
	put_descriptor(w, &m->config, config);
	json_object_end(w);
	if (!put_layers(w, m, root, from))
		return false;
	json_object_end(w);
	return true;
}

struct slice manifest_convert(struct slice bytes, struct slice media_type, struct arena *a)
{
	struct manifest m;
	struct json_writer w;
	struct buf out;

	if (!manifest_convert_target(media_type).at ||
	    manifest_parse(bytes, media_type, a, &m, NULL) != MANIFEST_OK)
		return absent;
	buf_init(&out, a, MANIFEST_BYTES_MAX, bytes.len + 512);
	json_begin(&w, &out);
	cJSON *root = json_parse(bytes);
	bool converted = put_manifest(&w, &m, root, format_of(media_type)) && !out.overflow;
	cJSON_Delete(root);
	return converted ? buf_slice(&out) : absent;
}
