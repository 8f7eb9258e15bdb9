/*
 * Reading happens in three steps: JSON, then which of the four media types it is (the Content-Type,
 * the manifest's own mediaType and its members must not contradict each other: a document that is
 * an index to one reader and an image to another is refused, CVE-2021-41190), then the descriptors.
 */
#include "protocol/manifest.h"

#include "protocol/http_fields.h"
#include "protocol/json.h"

#include <stdio.h>

#define SCHEMA_1                                                                                   \
	"Docker image manifests of schema 1 are not accepted: push the image as schema 2 or OCI"

struct reader {
	struct arena *arena;
	const cJSON *root;
	struct slice *why;
};

/* Says why, once, and answers false, so that a check can end with it. */
static bool fault(const struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fault(const struct reader *r, const char *format, ...)
{
	va_list args;

	if (r->why) {
		va_start(args, format);
		*r->why = slice_str(arena_vprintf(r->arena, format, args));
		va_end(args);
	}
	return false;
}

static const struct {
	struct slice name;
	enum manifest_kind kind;
} media_types[] = {
    {SLICE(MEDIA_DOCKER_MANIFEST), MANIFEST_IMAGE},
    {SLICE(MEDIA_DOCKER_LIST), MANIFEST_INDEX},
    {SLICE(MEDIA_OCI_MANIFEST), MANIFEST_IMAGE},
    {SLICE(MEDIA_OCI_INDEX), MANIFEST_INDEX},
};

/* Index into media_types, or -1. */
static int media_type_find(struct slice name)
{
	for (int i = 0; i < 4; i++) {
		if (slice_eq(name, media_types[i].name))
			return i;
	}
	return -1;
}

/* What clients send when they do not say: a Content-Type that names no kind of document. */
static bool is_generic(struct slice content_type)
{
	static const struct slice generic[] = {SLICE("application/json"),
	    SLICE("application/octet-stream"), SLICE("text/plain"),
	    SLICE("application/x-www-form-urlencoded"), SLICE("binary/octet-stream")};

	for (size_t i = 0; i < sizeof(generic) / sizeof(generic[0]); i++) {
		if (slice_eq_nocase(content_type, generic[i]))
			return true;
	}
	return content_type.len == 0;
}

/* A string member in the arena; absent when there is none, and false when it is something else. */
static bool read_string(const struct reader *r, const cJSON *object, const char *where,
    const char *name, struct slice *out)
{
	const cJSON *member = json_member(object, name);

	*out = (struct slice){NULL, 0};
	if (!member)
		return true;
	if (!cJSON_IsString(member))
		return fault(r, "%s%s is not a string", where, name);
	*out = arena_dup(r->arena, slice_str(member->valuestring));
	return true;
}

/* The media type by the document's members, when nothing names it; -1 when they do not tell. */
static int media_type_by_members(const struct reader *r)
{
	if (json_has(r->root, "manifests"))
		return media_type_find(slice_str(MEDIA_OCI_INDEX));
	if (json_has(r->root, "config") && json_has(r->root, "layers"))
		return media_type_find(slice_str(MEDIA_OCI_MANIFEST));
	return -1;
}

static bool say_unaccepted(const struct reader *r, struct slice type)
{
	if (slice_starts(type, slice_str("application/vnd.docker.distribution.manifest.v1+")))
		return fault(r, SCHEMA_1);
	return fault(r, "'%.*s' is not a media type of a manifest that is accepted",
	    (int)(type.len < 255 ? type.len : 255), type.at);
}

static enum manifest_fault find_media_type(
    const struct reader *r, struct slice content_type, struct manifest *out)
{
	struct slice said;

	content_type = http_media_type(content_type);
	if (!read_string(r, r->root, "", "mediaType", &said))
		return MANIFEST_NOT_ACCEPTED;
	int type = media_type_find(content_type);
	if (type < 0 && !is_generic(content_type)) {
		say_unaccepted(r, content_type);
		return MANIFEST_NOT_ACCEPTED;
	}
	if (said.len && media_type_find(said) < 0) {
		say_unaccepted(r, said);
		return MANIFEST_NOT_ACCEPTED;
	}
	if (type >= 0 && said.len && !slice_eq(said, media_types[type].name)) {
		fault(r, "mediaType is '%.*s', but the manifest was sent as '%.*s'",
		    SLICE_ARG(said), SLICE_ARG(media_types[type].name));
		return MANIFEST_TYPE_MISMATCH;
	}
	if (type < 0)
		type = said.len ? media_type_find(said) : media_type_by_members(r);
	if (type < 0) {
		fault(r, "it has no mediaType, and neither 'config' and 'layers' nor 'manifests'");
		return MANIFEST_NOT_ACCEPTED;
	}
	out->kind = media_types[type].kind;
	out->media_type = media_types[type].name;
	return MANIFEST_OK;
}

static bool read_version(const struct reader *r)
{
	int64_t version = json_int(r->root, "schemaVersion", 0);

	if (version == 1)
		return fault(r, SCHEMA_1);
	return version == 2 || fault(r, "schemaVersion is not 2");
}

/* where: the descriptor's place, as in "layers[3]" */
static bool read_descriptor(
    const struct reader *r, const cJSON *value, const char *where, struct descriptor *out)
{
	const char *dot = arena_printf(r->arena, "%s.", where);
	int64_t size;

	if (!cJSON_IsObject(value))
		return fault(r, "%s is not an object", where);
	if (!read_string(r, value, dot, "mediaType", &out->media_type) ||
	    !read_string(r, value, dot, "artifactType", &out->artifact_type))
		return false;
	if (out->media_type.len == 0)
		return fault(r, "%s.mediaType is missing", where);
	if (!json_integer(json_member(value, "size"), &size) || size < 0)
		return fault(r, "%s.size is not a whole number of bytes", where);
	out->size = (uint64_t)size;
	switch (digest_parse(json_string(value, "digest"), &out->digest)) {
	case DIGEST_OK:
		return true;
	case DIGEST_UNSUPPORTED:
		return fault(r, "%s.digest is of an algorithm that is not supported", where);
	default:
		return fault(r, "%s.digest is not a digest", where);
	}
}

/* Layers that their makers keep elsewhere: OCI's nondistributable and Docker's foreign ones. */
static bool is_foreign(const cJSON *layer, struct slice media_type)
{
	return cJSON_GetArraySize(json_member(layer, "urls")) > 0 ||
	    slice_starts(
		media_type, slice_str("application/vnd.oci.image.layer.nondistributable.")) ||
	    slice_starts(media_type, slice_str("application/vnd.docker.image.rootfs.foreign."));
}

/* An array of descriptors. null is an empty one: that is how Go writes a list it never filled. */
static bool read_descriptors(
    const struct reader *r, const char *name, struct descriptor **out, size_t *count)
{
	const cJSON *list = json_member(r->root, name), *item;

	if (!list)
		return json_has(r->root, name) || fault(r, "%s is missing", name);
	if (!cJSON_IsArray(list))
		return fault(r, "%s is not an array", name);
	*out = arena_array(r->arena, (size_t)cJSON_GetArraySize(list), sizeof(**out));
	cJSON_ArrayForEach(item, list) {
		char where[64];
		snprintf(where, sizeof(where), "%s[%zu]", name, *count);
		if (!read_descriptor(r, item, where, &(*out)[*count]))
			return false;
		++*count;
	}
	return true;
}

static bool read_subject(const struct reader *r, struct manifest *out)
{
	const cJSON *subject = json_member(r->root, "subject");

	return !subject || read_descriptor(r, subject, "subject", &out->subject);
}

/* The annotations, written anew: bounded by the manifest's own size, and without its blanks. */
static bool read_annotations(const struct reader *r, size_t max, struct manifest *out)
{
	const cJSON *annotations = json_member(r->root, "annotations"), *item;
	struct json_writer w;
	struct buf text;

	if (!annotations)
		return true;
	if (!cJSON_IsObject(annotations))
		return fault(r, "annotations is not an object");
	buf_init(&text, r->arena, max, 0);
	json_begin(&w, &text);
	json_object(&w);
	cJSON_ArrayForEach(item, annotations) {
		if (!cJSON_IsString(item))
			return fault(r, "an annotation is not a string");
		json_put_cstr(&w, item->string, item->valuestring);
	}
	json_object_end(&w);
	out->annotations = buf_slice(&text);
	return true;
}

static bool read_image(const struct reader *r, struct manifest *out)
{
	const cJSON *config = json_member(r->root, "config"), *item;

	if (json_member(r->root, "manifests"))
		return fault(r, "an image has no 'manifests'");
	if (!config)
		return fault(r, "config is missing");
	if (!read_descriptor(r, config, "config", &out->config) ||
	    !read_descriptors(r, "layers", &out->layers, &out->layer_count))
		return false;
	size_t i = 0;
	cJSON_ArrayForEach(item, json_member(r->root, "layers")) {
		struct descriptor *layer = &out->layers[i++];
		layer->foreign = is_foreign(item, layer->media_type);
		if (__builtin_add_overflow(out->layers_bytes, layer->size, &out->layers_bytes))
			out->layers_bytes = UINT64_MAX;
	}
	if (out->artifact_type.len == 0)
		out->artifact_type = out->config.media_type;
	return true;
}

static bool read_index(const struct reader *r, struct manifest *out)
{
	static const char *const of_images[] = {"config", "layers", "fsLayers", "history"};

	for (size_t i = 0; i < sizeof(of_images) / sizeof(of_images[0]); i++) {
		if (json_member(r->root, of_images[i]))
			return fault(r, "an index has no '%s'", of_images[i]);
	}
	return read_descriptors(r, "manifests", &out->children, &out->child_count);
}

static bool read_members(const struct reader *r, size_t max, struct manifest *out)
{
	if (!read_string(r, r->root, "", "artifactType", &out->artifact_type))
		return false;
	if (out->artifact_type.len == 0)
		out->artifact_type = (struct slice){NULL, 0};
	if (!read_subject(r, out) || !read_annotations(r, max, out))
		return false;
	return out->kind == MANIFEST_INDEX ? read_index(r, out) : read_image(r, out);
}

enum manifest_fault manifest_parse(struct slice bytes, struct slice content_type, struct arena *a,
    struct manifest *out, struct slice *why)
{
	struct reader r = {.arena = a, .why = why};

	*out = (struct manifest){0};
	if (bytes.len > MANIFEST_BYTES_MAX) {
		fault(&r, "it is larger than 4 MiB");
		return MANIFEST_TOO_LARGE;
	}
	cJSON *root = json_parse(bytes);
	r.root = root;
	enum manifest_fault result = MANIFEST_NOT_JSON;
	if (!cJSON_IsObject(root)) {
		fault(&r, "it is not one JSON object in UTF-8");
	} else {
		result = read_version(&r) ? find_media_type(&r, content_type, out)
					  : MANIFEST_NOT_ACCEPTED;
		if (result == MANIFEST_OK && !read_members(&r, bytes.len, out))
			result = MANIFEST_NOT_ACCEPTED;
	}
	cJSON_Delete(root);
	return result;
}
