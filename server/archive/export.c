/*
 * drydock export: an image into an OCI layout in a tar, with docker's manifest.json beside it.
 *
 * The file is written under another name beside FILE and takes its name when it is whole.
 */
#include "protocol/json.h"
#include "protocol/tar.h"
#include "server/archive/archive.h"
#include "server/archive/digest_set.h"
#include "server/archive/registry_client.h"
#include "server/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum { NESTING_MAX = 4, PIECE = 128 * 1024, MEMBER_NAME_MAX = 200, BLOBS_MAX = 100000 };

struct export
{
	struct archive_options *options;
	struct registry_client registry;
	struct progress progress;
	struct arena arena;
	struct err *err;
	FILE *file;
	struct digest_set written; /* what the tar has already */
	struct slice docker;       /* manifest.json's one entry; absent until an image was met */
	uint64_t bytes;
};

static const char *blob_name(const struct digest *d, char name[MEMBER_NAME_MAX])
{
	char text[DIGEST_TEXT_MAX];

	digest_format(d, text);
	*strchr(text, ':') = '/';
	snprintf(name, MEMBER_NAME_MAX, "blobs/%s", text);
	return name;
}

static bool put(struct export *ex, const void *at, size_t len)
{
	return fwrite(at, 1, len, ex->file) == len ||
	    archive_fail(ex->err, "%.300s: %s", ex->options->words[1], strerror(errno));
}

static bool put_header(struct export *ex, const char *name, uint64_t size)
{
	uint8_t header[TAR_HEADER_MAX];

	return put(ex, header, tar_header_write(header, name, size));
}

static bool put_padding(struct export *ex, uint64_t size)
{
	static const uint8_t zeros[TAR_BLOCK];

	return put(ex, zeros, tar_padding(size));
}

static bool put_file(struct export *ex, const char *name, struct slice bytes)
{
	return put_header(ex, name, bytes.len) && put(ex, bytes.at, bytes.len) &&
	    put_padding(ex, bytes.len);
}

/* The answer's body into the tar, held against its digest. */
static bool copy_blob(struct export *ex, const struct digest *digest)
{
	struct hasher *hasher = hasher_new((enum digest_algorithm)digest->algorithm);
	char *piece = malloc(PIECE);
	struct digest found;
	ssize_t n;

	if (!piece)
		abort();
	while ((n = client_read(&ex->registry.http, piece, PIECE, ex->err)) > 0) {
		hasher_update(hasher, piece, (size_t)n);
		if (!put(ex, piece, (size_t)n)) {
			n = -1;
			break;
		}
		progress_add(&ex->progress, (uint64_t)n);
	}
	hasher_peek(hasher, &found);
	hasher_free(hasher);
	free(piece);
	if (n == 0 && !digest_eq(&found, digest))
		return archive_fail(
		    ex->err, "the server has sent a blob that is not what was asked for");
	return n == 0;
}

static bool put_blob(struct export *ex, const struct descriptor *d)
{
	char name[MEMBER_NAME_MAX];
	uint64_t size;
	int there;

	if (!digest_set_add(&ex->written, &d->digest))
		return true;
	there = registry_client_get_blob(&ex->registry, &d->digest, ex->err);
	if (there < 0)
		return false;
	if (there == 0)
		return d->foreign ||
		    archive_fail(
			ex->err, "the server has not the blob %s", blob_name(&d->digest, name));
	size = ex->registry.http.left;
	ex->bytes += size;
	return put_header(ex, blob_name(&d->digest, name), size) && copy_blob(ex, &d->digest) &&
	    put_padding(ex, size);
}

/* docker load takes one image of one platform: the first that was met, which is made of layers. */
static void describe_for_docker(struct export *ex, const struct manifest *m)
{
	const struct archive_options *o = ex->options;
	bool tagged = o->reference && !strchr(o->reference, ':');
	char name[MEMBER_NAME_MAX];
	struct json_writer w;
	struct buf b;

	if (ex->docker.at || !m->layer_count || m->config.digest.algorithm == DIGEST_NONE)
		return;
	buf_init(&b, &ex->arena, MANIFEST_BYTES_MAX, 0);
	json_begin(&w, &b);
	json_array(&w);
	json_object(&w);
	json_put_cstr(&w, "Config", blob_name(&m->config.digest, name));
	json_put_array(&w, "RepoTags");
	if (tagged)
		json_str(&w, arena_slicef(&ex->arena, "%s:%s", o->repository, o->reference));
	json_array_end(&w);
	json_put_array(&w, "Layers");
	for (size_t i = 0; i < m->layer_count; i++)
		json_str(&w, slice_str(blob_name(&m->layers[i].digest, name)));
	json_array_end(&w);
	json_object_end(&w);
	json_array_end(&w);
	ex->docker = buf_slice(&b);
}

static bool put_tree(struct export *ex, const char *reference, struct descriptor *root, int depth);

static bool put_parts(struct export *ex, const struct manifest *m, int depth)
{
	char text[DIGEST_TEXT_MAX];
	struct descriptor child;

	if (m->config.digest.algorithm != DIGEST_NONE && !put_blob(ex, &m->config))
		return false;
	for (size_t i = 0; i < m->layer_count; i++)
		if (!put_blob(ex, &m->layers[i]))
			return false;
	for (size_t i = 0; i < m->child_count; i++) {
		if (digest_set_has(&ex->written, &m->children[i].digest))
			continue;
		digest_format(&m->children[i].digest, text);
		if (!put_tree(ex, text, &child, depth + 1))
			return false;
	}
	return true;
}

/* The manifest that a tag or digest names; a digest that is asked for is checked. */
static bool get_manifest(struct export *ex, const char *reference, struct arena *a,
    struct descriptor *root, struct slice *bytes, struct manifest *m)
{
	struct slice type, why = {NULL, 0};
	struct digest asked;

	*bytes = registry_client_manifest(&ex->registry, reference, &type, a, ex->err);
	if (!bytes->at)
		return false;
	if (manifest_parse(*bytes, type, a, m, &why) != MANIFEST_OK)
		return archive_fail(
		    ex->err, "the server has sent no manifest: %.*s", SLICE_ARG(why));
	*root = (struct descriptor){
	    .size = bytes->len, .media_type = arena_dup(&ex->arena, m->media_type)};
	if (digest_parse(slice_str(reference), &asked) != DIGEST_OK)
		asked.algorithm = DIGEST_SHA256;
	digest_compute((enum digest_algorithm)asked.algorithm, *bytes, &root->digest);
	return !strchr(reference, ':') || digest_eq(&asked, &root->digest) ||
	    archive_fail(ex->err, "the server has sent another manifest than was asked for");
}

/* A manifest and all it names, from the leaves up, in memory of its own; *root is told what it is. */
static bool put_tree(struct export *ex, const char *reference, struct descriptor *root, int depth)
{
	char name[MEMBER_NAME_MAX];
	struct slice bytes;
	struct manifest m;
	struct arena a;
	bool good;

	if (depth > NESTING_MAX || ex->written.count > BLOBS_MAX)
		return archive_fail(ex->err, "the image is nested too deep, or too large");
	arena_init(&a);
	good = get_manifest(ex, reference, &a, root, &bytes, &m);
	if (good && digest_set_add(&ex->written, &root->digest)) {
		ex->progress.total += m.config.size + m.layers_bytes;
		describe_for_docker(ex, &m);
		good =
		    put_parts(ex, &m, depth) && put_file(ex, blob_name(&root->digest, name), bytes);
	}
	arena_release(&a);
	return good;
}

static struct slice index_of(struct export *ex, const struct descriptor *root)
{
	const struct archive_options *o = ex->options;
	bool tagged = !strchr(o->reference, ':');
	char text[DIGEST_TEXT_MAX];
	struct json_writer w;
	struct buf b;

	buf_init(&b, &ex->arena, 8192, 0);
	json_begin(&w, &b);
	json_object(&w);
	json_put_num(&w, "schemaVersion", 2);
	json_put_cstr(&w, "mediaType", MEDIA_OCI_INDEX);
	json_put_array(&w, "manifests");
	json_object(&w);
	json_put_str(&w, "mediaType", root->media_type);
	json_put_num(&w, "size", (int64_t)root->size);
	json_put_str(&w, "digest", digest_format(&root->digest, text));
	if (tagged) {
		json_put_object(&w, "annotations");
		json_put_str(&w, "io.containerd.image.name",
		    arena_slicef(&ex->arena, "%s:%s", o->repository, o->reference));
		json_put_cstr(&w, "org.opencontainers.image.ref.name", o->reference);
		json_object_end(&w);
	}
	json_object_end(&w);
	json_array_end(&w);
	json_object_end(&w);
	return buf_slice(&b);
}

static bool put_all(struct export *ex, struct descriptor *root)
{
	static const uint8_t end[2 * TAR_BLOCK];

	return put_file(ex, "oci-layout", slice_str("{\"imageLayoutVersion\":\"1.0.0\"}")) &&
	    put_tree(ex, ex->options->reference, root, 0) &&
	    put_file(ex, "index.json", index_of(ex, root)) &&
	    (!ex->docker.at || put_file(ex, "manifest.json", ex->docker)) &&
	    put(ex, end, sizeof(end));
}

/* A file beside the one that is to be, with the rights that any new file gets. NULL: *err says why. */
static FILE *open_beside(struct export *ex, const char *part)
{
	int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");

	if (file)
		return file;
	archive_fail(ex->err, "%.300s: %s", ex->options->words[1], strerror(errno));
	if (fd >= 0) {
		close(fd);
		unlink(part);
	}
	return NULL;
}

/* Through a file beside it, which is removed when anything fails. */
static bool write_file(struct export *ex, struct descriptor *root)
{
	const char *path = ex->options->words[1];
	uint32_t chance = 0;
	char *part;
	bool good;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return archive_fail(ex->err, "%.300s: %s", path, strerror(errno));
	part = arena_printf(&ex->arena, "%s.%08x", path, chance);
	ex->file = open_beside(ex, part);
	if (!ex->file)
		return false;
	good = put_all(ex, root);
	if (fclose(ex->file) != 0 && good)
		good = archive_fail(ex->err, "%.300s: %s", path, strerror(errno));
	if (good && rename(part, path) != 0)
		good = archive_fail(ex->err, "%.300s: %s", path, strerror(errno));
	if (!good)
		unlink(part);
	return good;
}

static void say_done(struct export *ex, const struct descriptor *root)
{
	const struct archive_options *o = ex->options;
	char text[DIGEST_TEXT_MAX];
	struct json_writer w;
	struct buf b;

	digest_format(&root->digest, text);
	if (!o->json) {
		printf("exported %s %s to %s\n", o->repository, text, o->words[1]);
		return;
	}
	buf_init(&b, &ex->arena, 8192, 0);
	json_begin(&w, &b);
	json_object(&w);
	json_put_cstr(&w, "repository", o->repository);
	json_put_cstr(&w, "digest", text);
	json_put_num(&w, "blobs", (int64_t)ex->written.count);
	json_put_num(&w, "bytes", (int64_t)ex->bytes);
	json_object_end(&w);
	printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
}

static bool export_now(struct export *ex)
{
	struct descriptor root = {.size = 0};
	bool good;

	progress_init(&ex->progress, ex->options, 0);
	good = registry_client_open(&ex->registry, ex->options, ex->err) && write_file(ex, &root);
	registry_client_close(&ex->registry);
	progress_end(&ex->progress);
	if (good)
		say_done(ex, &root);
	digest_set_release(&ex->written);
	return good;
}

static void usage(void)
{
	puts("usage: drydock export REPOSITORY:TAG|REPOSITORY@DIGEST FILE [OPTION]...\n\n"
	     "FILE becomes an OCI layout in a tar, which skopeo (oci-archive:) and docker load "
	     "read.\n\n"
	     "  --data DIR     from a data folder that no server runs on (default: serve's own)\n"
	     "  --from URL     from a running server, such as http://127.0.0.1:5001\n"
	     "  --account ID, --region NAME   whose registry (as for serve)\n"
	     "  --json         say what was done as JSON");
}

int verb_export(int argc, char **argv)
{
	struct archive_options options;
	struct err err = {""};
	struct export ex = {.options = &options, .err = &err, .registry = {.http = {.fd = -1}}};
	int code = 0;

	if (archive_wants_help(argc, argv)) {
		usage();
		return 0;
	}
	arena_init(&ex.arena);
	if (!archive_options_read(&options, argc, argv, "--from", 0, &ex.arena, &err)) {
		code = archive_say_failure(&options, "export", &err) + 1;
	} else {
		if (!options.reference)
			options.reference = arena_strdup(&ex.arena, slice_str("latest"));
		if (!export_now(&ex))
			code = archive_say_failure(&options, "export", &err);
	}
	arena_release(&ex.arena);
	return code;
}
