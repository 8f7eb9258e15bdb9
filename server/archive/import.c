/*
 * drydock import: an archive into a repository.
 *
 * An OCI layout is pushed as it is, from its manifest down: blobs, then children, then the image. Of a classic docker
 * save archive, whose layers are plain tars, a manifest is made as docker push makes it: each layer
 * compressed, and held against the diff_id that the config names.
 */
#include "protocol/json.h"
#include "server/archive/archive.h"
#include "server/archive/digest_set.h"
#include "server/archive/registry_client.h"
#include "server/archive/source.h"
#include "server/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum {
	JSON_FILE_MAX = MANIFEST_BYTES_MAX,
	NESTING_MAX = 4,
	MANIFESTS_MAX = 10000,
	PIECE = 128 * 1024,
	MEMBER_NAME_MAX = 200
};

#define DOCKER_CONFIG_TYPE "application/vnd.docker.container.image.v1+json"
#define DOCKER_LAYER_TYPE "application/vnd.docker.image.rootfs.diff.tar.gzip"

struct import {
	struct archive_options *options;
	struct source *source;
	struct registry_client registry;
	struct progress progress;
	struct arena arena;
	struct err *err;
	char digest[DIGEST_TEXT_MAX]; /* of the image */
	bool created;
	struct digest_set manifests; /* of the layout, pushed so far */
	uint64_t blobs, bytes;       /* sent */
};

static const char *blob_name(const struct digest *d, char name[MEMBER_NAME_MAX])
{
	char text[DIGEST_TEXT_MAX], *colon;

	digest_format(d, text);
	colon = strchr(text, ':');
	*colon = '/';
	snprintf(name, MEMBER_NAME_MAX, "blobs/%s", text);
	return name;
}

/* A member as it is, as the blob of that digest; the server refuses it when it is another. */
static bool push_file(struct import *im, const char *name, const struct digest *digest)
{
	int there = registry_client_has_blob(&im->registry, digest, im->err);
	char *piece;
	uint64_t size;
	ssize_t n;

	if (there < 0 || !source_begin(im->source, name, &size, im->err))
		return false;
	if (there) {
		progress_add(&im->progress, size);
		return true;
	}
	if (!registry_client_upload_begin(&im->registry, im->err))
		return false;
	piece = malloc(PIECE);
	if (!piece)
		abort();
	while ((n = source_read(im->source, piece, PIECE, im->err)) > 0) {
		if (!registry_client_upload_write(&im->registry, piece, (size_t)n, im->err))
			break;
		progress_add(&im->progress, (uint64_t)n);
	}
	free(piece);
	im->blobs++;
	im->bytes += size;
	return n == 0 && registry_client_upload_finish(&im->registry, digest, im->err);
}

static bool push_blob(struct import *im, const struct descriptor *d)
{
	char name[MEMBER_NAME_MAX];

	if (d->foreign && !source_has(im->source, blob_name(&d->digest, name)))
		return true;
	return push_file(im, blob_name(&d->digest, name), &d->digest);
}

static bool push_tree(
    struct import *im, const struct digest *digest, const char *reference, int depth);

static bool push_parts(struct import *im, const struct manifest *m, int depth)
{
	char text[DIGEST_TEXT_MAX];

	if (m->config.digest.algorithm != DIGEST_NONE && !push_blob(im, &m->config))
		return false;
	for (size_t i = 0; i < m->layer_count; i++)
		if (!push_blob(im, &m->layers[i]))
			return false;
	for (size_t i = 0; i < m->child_count; i++) {
		if (digest_set_has(&im->manifests, &m->children[i].digest))
			continue;
		digest_format(&m->children[i].digest, text);
		if (!push_tree(im, &m->children[i].digest, text, depth + 1))
			return false;
	}
	return true;
}

static bool read_manifest(struct import *im, const struct digest *digest, struct arena *a,
    struct slice *bytes, struct manifest *m)
{
	char name[MEMBER_NAME_MAX];
	struct slice why = {NULL, 0};
	struct digest found;

	*bytes = source_text(im->source, blob_name(digest, name), MANIFEST_BYTES_MAX, a, im->err);
	if (!bytes->at)
		return false;
	digest_compute((enum digest_algorithm)digest->algorithm, *bytes, &found);
	if (!digest_eq(&found, digest))
		return archive_fail(
		    im->err, "\"%s\" in it has another digest than its name says", name);
	return manifest_parse(*bytes, slice_of(NULL, 0), a, m, &why) == MANIFEST_OK ||
	    archive_fail(im->err, "\"%s\" in it is no manifest: %.*s", name, SLICE_ARG(why));
}

/*
 * A manifest of the layout with all it names, from the leaves up, each once however often indexes name it: their
 * number is bounded, and so is what is in memory of them.
 */
static bool push_tree(
    struct import *im, const struct digest *digest, const char *reference, int depth)
{
	struct slice bytes;
	struct manifest m;
	struct arena a;
	bool good;

	if (depth > NESTING_MAX || im->manifests.count >= MANIFESTS_MAX)
		return archive_fail(im->err, "its indexes are nested too deep, or name too many");
	arena_init(&a);
	good = read_manifest(im, digest, &a, &bytes, &m) && push_parts(im, &m, depth) &&
	    registry_client_put_manifest(&im->registry, reference, m.media_type, bytes, im->err);
	arena_release(&a);
	digest_set_add(&im->manifests, digest);
	return good;
}

static bool same_name(struct slice name, const char *wanted)
{
	return name.at && wanted && slice_is(name, wanted);
}

/* An index.json entry has the name that --image gave: its digest, or an annotation. */
static bool entry_named(const cJSON *entry, const char *wanted)
{
	const cJSON *notes = json_member(entry, "annotations");

	return same_name(json_string(entry, "digest"), wanted) ||
	    same_name(json_string(notes, "org.opencontainers.image.ref.name"), wanted) ||
	    same_name(json_string(notes, "io.containerd.image.name"), wanted);
}

static bool saved_named(const cJSON *entry, const char *wanted)
{
	const cJSON *tag;

	cJSON_ArrayForEach(tag, json_member(entry, "RepoTags"))
		if (cJSON_IsString(tag) && same_name(slice_str(tag->valuestring), wanted))
			return true;
	return false;
}

/* The entry that is meant: the only one, or the one that --image names. */
static const cJSON *choose(
    struct import *im, const cJSON *list, bool (*named)(const cJSON *, const char *))
{
	const char *wanted = im->options->image;
	const cJSON *entry;
	int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;

	if (!wanted && count == 1)
		return cJSON_GetArrayItem(list, 0);
	if (!wanted) {
		archive_fail(im->err, "it holds %d images: say which with --image NAME", count);
		return NULL;
	}
	cJSON_ArrayForEach(entry, list)
		if (named(entry, wanted))
			return entry;
	archive_fail(im->err, "it has no image \"%.200s\"", wanted);
	return NULL;
}

static bool import_layout(struct import *im, const cJSON *index)
{
	const cJSON *entry = choose(im, json_member(index, "manifests"), entry_named);
	struct digest digest;

	if (!entry)
		return false;
	if (digest_parse(json_string(entry, "digest"), &digest) != DIGEST_OK)
		return archive_fail(im->err, "its index.json names no digest");
	digest_format(&digest, im->digest);
	return push_tree(
	    im, &digest, im->options->reference ? im->options->reference : im->digest, 0);
}

/* A layer on its way through zlib: what went in is held against its diff_id, what comes out is sent. */
struct squeeze {
	z_stream z;
	struct hasher *plain, *packed;
	uint64_t size;
	uint8_t out[PIECE];
};

static bool squeeze_some(struct import *im, struct squeeze *s, void *at, size_t len, int flush)
{
	s->z.next_in = at;
	s->z.avail_in = (unsigned)len;
	hasher_update(s->plain, at, len);
	do {
		size_t made;

		s->z.next_out = s->out;
		s->z.avail_out = PIECE;
		deflate(&s->z, flush);
		made = PIECE - s->z.avail_out;
		hasher_update(s->packed, s->out, made);
		s->size += made;
		if (!registry_client_upload_write(&im->registry, s->out, made, im->err))
			return false;
	} while (s->z.avail_out == 0);
	return true;
}

static bool squeeze_file(struct import *im, struct squeeze *s)
{
	char *piece = malloc(PIECE);
	ssize_t n;

	if (!piece)
		abort();
	while ((n = source_read(im->source, piece, PIECE, im->err)) > 0) {
		if (!squeeze_some(im, s, piece, (size_t)n, Z_NO_FLUSH))
			break;
		progress_add(&im->progress, (uint64_t)n);
	}
	if (n == 0 && !squeeze_some(im, s, piece, 0, Z_FINISH))
		n = -1;
	free(piece);
	return n == 0;
}

/* Compresses and pushes a member; diff_id: what its plain bytes must be. */
static bool push_squeezed(struct import *im, const char *name, const struct digest *diff_id,
    struct digest *digest, uint64_t *size)
{
	struct squeeze *s = calloc(1, sizeof(*s));
	struct digest plain;
	uint64_t plain_size;
	bool good;

	if (!s || deflateInit2(&s->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, 0) != Z_OK)
		abort();
	s->plain = hasher_new((enum digest_algorithm)diff_id->algorithm);
	s->packed = hasher_new(DIGEST_SHA256);
	good = source_begin(im->source, name, &plain_size, im->err) &&
	    registry_client_upload_begin(&im->registry, im->err) && squeeze_file(im, s);
	hasher_peek(s->plain, &plain);
	hasher_peek(s->packed, digest);
	*size = s->size;
	if (good && !digest_eq(&plain, diff_id))
		good = archive_fail(
		    im->err, "\"%.200s\" in it is not the layer that its config names", name);
	good = good && registry_client_upload_finish(&im->registry, digest, im->err);
	deflateEnd(&s->z);
	hasher_free(s->plain);
	hasher_free(s->packed);
	free(s);
	im->blobs++;
	im->bytes += *size;
	return good;
}

static void put_descriptor(
    struct json_writer *w, const char *type, uint64_t size, const struct digest *d)
{
	char text[DIGEST_TEXT_MAX];

	json_object(w);
	json_put_cstr(w, "mediaType", type);
	json_put_num(w, "size", (int64_t)size);
	json_put_str(w, "digest", digest_format(d, text));
	json_object_end(w);
}

/* The layers of a saved image, pushed and written into the manifest. */
static bool push_saved_layers(
    struct import *im, struct json_writer *w, const cJSON *layers, const cJSON *diff_ids)
{
	const cJSON *layer, *diff = diff_ids ? diff_ids->child : NULL;

	if (!cJSON_IsArray(layers) ||
	    cJSON_GetArraySize(layers) != (diff_ids ? cJSON_GetArraySize(diff_ids) : 0))
		return archive_fail(
		    im->err, "its manifest.json and its config name different layers");
	json_put_array(w, "layers");
	cJSON_ArrayForEach(layer, layers) {
		struct digest diff_id, digest;
		uint64_t size;

		if (!cJSON_IsString(layer) || !cJSON_IsString(diff) ||
		    digest_parse(slice_str(diff->valuestring), &diff_id) != DIGEST_OK)
			return archive_fail(
			    im->err, "its manifest.json or its config is malformed");
		if (!push_squeezed(im, layer->valuestring, &diff_id, &digest, &size))
			return false;
		put_descriptor(w, DOCKER_LAYER_TYPE, size, &digest);
		diff = diff->next;
	}
	json_array_end(w);
	return true;
}

static bool push_saved(struct import *im, const cJSON *entry, const char *config_name,
    struct slice config_text, const cJSON *config)
{
	const cJSON *diff_ids = json_member(json_member(config, "rootfs"), "diff_ids");
	struct json_writer w;
	struct digest digest;
	struct buf b;

	buf_init(&b, &im->arena, MANIFEST_BYTES_MAX, 0);
	json_begin(&w, &b);
	json_object(&w);
	json_put_num(&w, "schemaVersion", 2);
	json_put_cstr(&w, "mediaType", MEDIA_DOCKER_MANIFEST);
	digest_compute(DIGEST_SHA256, config_text, &digest);
	json_key(&w, "config");
	put_descriptor(&w, DOCKER_CONFIG_TYPE, config_text.len, &digest);
	if (!push_file(im, config_name, &digest) ||
	    !push_saved_layers(im, &w, json_member(entry, "Layers"), diff_ids))
		return false;
	json_object_end(&w);
	if (b.overflow)
		return archive_fail(im->err, "it has too many layers");
	digest_compute(DIGEST_SHA256, buf_slice(&b), &digest);
	digest_format(&digest, im->digest);
	return registry_client_put_manifest(&im->registry,
	    im->options->reference ? im->options->reference : im->digest,
	    slice_str(MEDIA_DOCKER_MANIFEST), buf_slice(&b), im->err);
}

static bool import_saved(struct import *im, const cJSON *list)
{
	const cJSON *entry = choose(im, list, saved_named);
	struct slice name = json_string(entry, "Config"), text;
	char *config_name;
	cJSON *config;
	bool good;

	if (!entry)
		return false;
	if (!name.at)
		return archive_fail(im->err, "its manifest.json names no config");
	config_name = arena_strdup(&im->arena, name);
	text = source_text(im->source, config_name, JSON_FILE_MAX, &im->arena, im->err);
	if (!text.at)
		return false;
	config = json_parse(text);
	good = config ? push_saved(im, entry, config_name, text, config)
		      : archive_fail(im->err, "its config is no JSON");
	cJSON_Delete(config);
	return good;
}

/* Both docker's newer form and OCI's have an index.json; docker's older one has a manifest.json only. */
static bool import_source(struct import *im)
{
	bool layout = source_has(im->source, "index.json") && source_has(im->source, "oci-layout");
	const char *name = layout ? "index.json" : "manifest.json";
	struct slice text;
	cJSON *json;
	bool good;

	if (!layout && !source_has(im->source, name))
		return archive_fail(
		    im->err, "it is neither an OCI layout nor a docker save archive");
	text = source_text(im->source, name, JSON_FILE_MAX, &im->arena, im->err);
	if (!text.at)
		return false;
	json = json_parse(text);
	if (!json)
		return archive_fail(im->err, "its %s is no JSON", name);
	good = registry_client_create(&im->registry, &im->created, im->err) &&
	    (layout ? import_layout(im, json) : import_saved(im, json));
	cJSON_Delete(json);
	return good;
}

static void say_done(struct import *im)
{
	const struct archive_options *o = im->options;
	struct json_writer w;
	struct buf b;

	if (!o->json) {
		if (im->created)
			printf("made the repository %s\n", o->repository);
		printf("imported %s%s%s: %s\n", o->repository, o->reference ? ":" : "",
		    o->reference ? o->reference : "", im->digest);
		return;
	}
	buf_init(&b, &im->arena, 8192, 0);
	json_begin(&w, &b);
	json_object(&w);
	json_put_cstr(&w, "repository", o->repository);
	if (o->reference)
		json_put_cstr(&w, "tag", o->reference);
	json_put_cstr(&w, "digest", im->digest);
	json_put_bool(&w, "created", im->created);
	json_put_num(&w, "blobs", (int64_t)im->blobs);
	json_put_num(&w, "bytes", (int64_t)im->bytes);
	json_object_end(&w);
	printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}

static bool import_now(struct import *im)
{
	struct err why = {""};
	bool good;

	im->source = source_open(im->options->words[0], &why);
	if (!im->source)
		return archive_fail(im->err, "%.150s: %.300s", im->options->words[0], why.text);
	progress_init(&im->progress, im->options, source_bytes(im->source));
	good = registry_client_open(&im->registry, im->options, im->err);
	if (good && !(good = import_source(im))) {
		why = *im->err;
		archive_fail(im->err, "%.150s: %.300s", im->options->words[0], why.text);
	}
	registry_client_close(&im->registry);
	progress_end(&im->progress);
	source_close(im->source);
	digest_set_release(&im->manifests);
	return good;
}

static void usage(void)
{
	puts("usage: drydock import ARCHIVE REPOSITORY[:TAG] [OPTION]...\n\n"
	     "ARCHIVE is what docker save wrote, or an OCI layout: a tar, compressed with gzip or "
	     "not, or a folder.\n\n"
	     "  --data DIR     into a data folder that no server runs on (default: serve's own)\n"
	     "  --to URL       into a running server, such as http://127.0.0.1:5001\n"
	     "  --image NAME   which image of an archive that holds several: its name or digest "
	     "there\n"
	     "  --account ID, --region NAME   whose registry (as for serve)\n"
	     "  --json         say what was done as JSON");
}

int verb_import(int argc, char **argv)
{
	struct archive_options options;
	struct err err = {""};
	struct import im = {.options = &options, .err = &err, .registry = {.http = {.fd = -1}}};
	int code = 0;

	if (archive_wants_help(argc, argv)) {
		usage();
		return 0;
	}
	arena_init(&im.arena);
	if (!archive_options_read(&options, argc, argv, "--to", 1, &im.arena, &err))
		code = archive_say_failure(&options, "import", &err) + 1;
	else if (options.reference && strchr(options.words[1], '@')) {
		archive_fail(&err, "an image is imported under a tag, not a digest");
		code = archive_say_failure(&options, "import", &err) + 1;
	} else if (!import_now(&im))
		code = archive_say_failure(&options, "import", &err);
	else
		say_done(&im);
	arena_release(&im.arena);
	return code;
}
