/*
 * PUT, GET, HEAD and DELETE of /v2/{name}/manifests/{reference}. OCI distribution-spec "Pushing
 * manifests", "Pulling manifests"; ecr-behaviour 6.6.
 */
#include "server/registry/registry_internal.h"

#include "protocol/http_fields.h"
#include "protocol/manifest_convert.h"
#include "protocol/names.h"
#include "server/access.h"

/* A reference is a digest when it holds a colon, else a tag; false with c->error set. */
static bool read_reference(struct call *c, struct image_id *id)
{
	*id = (struct image_id){0};
	if (memchr(c->reference.at, ':', c->reference.len))
		return registry_digest(c, c->reference, &id->digest);
	id->tag = c->reference;
	if (tag_valid(id->tag))
		return true;
	call_fail(c, ERR_REFERENCE_INVALID)->tag = id->tag;
	return false;
}

/* ---- PUT ---- */

/* The answer to ?tag= names the tags that were set. */
static void say_tags(struct call *c, const struct image_put *job)
{
	for (size_t i = 0; i < job->tag_count; i++)
		http_reply_header(c->req, "OCI-Tag", job->tags[i]);
}

static enum http_step put_done(struct call *c);

/* Once more, now making the repository that was not there. */
static enum http_step put_and_create(struct call *c, struct image_put *job)
{
	c->error = job->job.error = (struct error){0};
	call_await(c, &job->job, job, put_done);
	image_put_submit(c->app->store, job);
	return HTTP_WAIT;
}

static enum http_step put_done(struct call *c)
{
	struct image_put *job = c->job_data;
	char *text = arena_alloc(c->arena, DIGEST_TEXT_MAX);
	char *subject = arena_alloc(c->arena, DIGEST_TEXT_MAX);

	if (c->error.code == ERR_REPOSITORY_NOT_FOUND && !job->create) {
		job->create = registry_creation(c);
		if (job->create)
			return put_and_create(c, job);
	}
	if (c->error.code != ERR_NONE)
		return registry_error(c);
	registry_reply(c, 201);
	registry_location(c, "%.*s/manifests/%.*s", SLICE_ARG(c->repository.name),
	    SLICE_ARG(digest_format(&job->digest, text)));
	registry_digest_header(c, &job->digest);
	if (job->parsed->subject.digest.algorithm != DIGEST_NONE)
		http_reply_header(
		    c->req, "OCI-Subject", digest_format(&job->parsed->subject.digest, subject));
	if (registry_query(c, "tag").at)
		say_tags(c, job);
	return HTTP_DONE;
}

/* The digest of the body; false with c->error set when the reference is another one. */
static bool compute_digest(struct call *c, const struct image_id *id, struct digest *digest)
{
	enum digest_algorithm algorithm =
	    id->tag.at ? DIGEST_SHA256 : (enum digest_algorithm)id->digest.algorithm;

	digest_compute(algorithm, c->req->body, digest);
	if (id->tag.at || digest_eq(digest, &id->digest))
		return true;
	call_fail(c, ERR_MANIFEST_DIGEST_MISMATCH)->digest = c->reference;
	return false;
}

static bool parse_manifest(struct call *c, struct manifest *out)
{
	struct slice why = {0};

	if (manifest_parse(c->req->body, http_header_get(c->req, "content-type"), c->arena, out,
		&why) == MANIFEST_OK)
		return true;
	call_fail(c, ERR_MANIFEST_INVALID)->detail = why;
	return false;
}

/* An index of layers instead of images: BuildKit's cache, unless told image-manifest=true. */
static bool is_layer_index(const struct manifest *m)
{
	static const struct slice of_layers[] = {SLICE("application/vnd.oci.image.layer."),
	    SLICE("application/vnd.docker.image.rootfs."),
	    SLICE("application/vnd.buildkit.cacheconfig.")};

	for (size_t i = 0; i < m->child_count; i++)
		for (size_t j = 0; j < sizeof(of_layers) / sizeof(of_layers[0]); j++)
			if (slice_starts(m->children[i].media_type, of_layers[j]))
				return true;
	return false;
}

static bool check_index(struct call *c, const struct manifest *m)
{
	if (!is_layer_index(m) || !registry_quirk(c, QUIRK_CACHE_INDEX_REFUSED))
		return true;
	call_fail(c, ERR_MANIFEST_INVALID);
	return false;
}

/* The tag of the path and those of ?tag=a&tag=b; false with c->error set when one is none. */
static bool read_tags(struct call *c, const struct image_id *id, struct image_put *job)
{
	struct slice rest = c->req->query, tag;
	struct slice *tags =
	    arena_array(c->arena, 1 + rest.len / sizeof("tag=") + 1, sizeof(*tags));

	if (id->tag.at)
		tags[job->tag_count++] = id->tag;
	while ((tag = query_next(&rest, "tag", c->arena)).at) {
		if (!tag_valid(tag)) {
			call_fail(c, ERR_REFERENCE_INVALID)->tag = tag;
			return false;
		}
		tags[job->tag_count++] = tag;
	}
	job->tags = tags;
	return true;
}

struct manifest_put {
	struct image_id id;
	struct manifest parsed;
	struct image_put job;
};

static void read_manifest(struct call *c)
{
	struct manifest_put *put = c->job_data;

	if (parse_manifest(c, &put->parsed) && check_index(c, &put->parsed))
		compute_digest(c, &put->id, &put->job.digest);
}

static enum http_step submit_manifest(struct call *c)
{
	struct manifest_put *put = c->job_data;
	struct image_put *job = &put->job;

	if (c->error.code != ERR_NONE)
		return registry_error(c);
	job->key = c->repository;
	job->manifest = c->req->body;
	job->parsed = &put->parsed;
	job->sparse = !registry_quirk(c, QUIRK_CHILDREN_FIRST);
	call_await(c, &job->job, job, put_done);
	image_put_submit(c->app->store, job);
	return HTTP_WAIT;
}

static enum http_step put_manifest(struct http_request *req)
{
	struct call *c = call_of(req);
	struct manifest_put *put = arena_zalloc(c->arena, sizeof(*put));

	if (!read_reference(c, &put->id) || !read_tags(c, &put->id, &put->job))
		return registry_error(c);
	return call_work(c, put, req->body.len, read_manifest, submit_manifest);
}

const struct http_handler registry_manifest_put = {
    .body_max = MANIFEST_BYTES_MAX,
    .end = put_manifest,
};

/* ---- GET, HEAD ---- */

static enum http_step give_manifest(
    struct call *c, const struct stored_manifest *stored, const struct stored_manifest *given)
{
	bool counts = false;

	if (c->req->method == METHOD_GET && !access_pull_counts(c, &counts))
		return registry_error(c);
	registry_reply(c, 200);
	http_reply_header(c->req, "Content-Type", given->media_type);
	registry_digest_header(c, &given->digest);
	if (c->req->method != METHOD_GET) {
		http_reply_length(c->req, given->size);
		return HTTP_DONE;
	}
	http_reply_body(c->req, given->bytes);
	if (counts)
		image_note_pull(c->app->store, stored);
	return HTTP_DONE;
}

struct conversion {
	struct stored_manifest stored, given;
};

static void do_convert(struct call *c)
{
	struct conversion *made = c->job_data;
	struct stored_manifest *given = &made->given;

	given->bytes = manifest_convert(made->stored.bytes, made->stored.media_type, c->arena);
	given->media_type = manifest_convert_target(made->stored.media_type);
	given->size = given->bytes.len;
	if (given->bytes.at)
		digest_compute(DIGEST_SHA256, given->bytes, &given->digest);
}

static enum http_step give_converted(struct call *c)
{
	const struct conversion *made = c->job_data;

	if (!made->given.bytes.at)
		return registry_fail(c, ERR_MANIFEST_UNKNOWN);
	return give_manifest(c, &made->stored, &made->given);
}

/* Gives the manifest in the other media type. HEAD has not read its bytes yet. */
static enum http_step convert(struct call *c, const struct stored_manifest *stored)
{
	struct conversion *made = arena_zalloc(c->arena, sizeof(*made));
	struct image_id id = {.digest = stored->digest};
	enum error_code code = ERR_NONE;

	made->stored = *stored;
	if (!stored->bytes.at)
		code = manifest_read(c->reader, &c->repository, &id, true, c->arena, &made->stored);
	if (code != ERR_NONE)
		return registry_fail(c, code);
	return call_work(c, made, made->stored.size, do_convert, give_converted);
}

/* By tag a client gets a media type that it accepts; a digest names the bytes that are stored. */
static enum http_step negotiate(
    struct call *c, const struct image_id *id, const struct stored_manifest *stored)
{
	struct slice accept, target;

	if (!id->tag.at || !registry_quirk(c, QUIRK_ACCEPT_CONVERSION))
		return give_manifest(c, stored, stored);
	accept = http_header_list(c->req, "accept");
	if (http_accepts(accept, stored->media_type))
		return give_manifest(c, stored, stored);
	target = manifest_convert_target(stored->media_type);
	if (!target.at || !http_accepts(accept, target))
		return registry_fail(c, ERR_MANIFEST_UNKNOWN);
	return convert(c, stored);
}

static enum http_step get_manifest(struct http_request *req)
{
	struct call *c = call_of(req);
	struct stored_manifest stored;
	enum error_code code;
	struct image_id id;

	if (!read_reference(c, &id))
		return registry_error(c);
	code = manifest_read(
	    c->reader, &c->repository, &id, req->method == METHOD_GET, c->arena, &stored);
	if (code != ERR_NONE)
		return registry_fail(c, code);
	return negotiate(c, &id, &stored);
}

const struct http_handler registry_manifest_get = {.end = get_manifest};

/* ---- DELETE ---- */

static enum http_step delete_done(struct call *c)
{
	struct image_delete *job = c->job_data;
	const struct image_delete_item *item = &job->items[0];

	if (c->error.code != ERR_NONE)
		return registry_error(c);
	switch (item->result) {
	case IMAGE_DELETED:
		registry_reply(c, 202);
		return HTTP_DONE;
	case IMAGE_REFERENCED:
		call_fail(c, ERR_IMAGE_REFERENCED)->digests = item->parents;
		return registry_error(c);
	default:
		return registry_fail(c, ERR_MANIFEST_UNKNOWN);
	}
}

/* By tag the tag goes (and the image with its last, as BatchDeleteImage does it); by digest the
 * image. */
static enum http_step delete_manifest(struct http_request *req)
{
	struct call *c = call_of(req);
	struct image_delete *job = arena_zalloc(c->arena, sizeof(*job));

	job->items = arena_zalloc(c->arena, sizeof(*job->items));
	job->count = 1;
	if (!read_reference(c, &job->items[0].id))
		return registry_error(c);
	job->key = c->repository;
	job->tag_only = !registry_quirk(c, QUIRK_TAG_DELETE_TAKES_IMAGE);
	job->even_referenced = !registry_quirk(c, QUIRK_CHILDREN_KEPT);
	call_await(c, &job->job, job, delete_done);
	image_delete_submit(c->app->store, job);
	return HTTP_WAIT;
}

const struct http_handler registry_manifest_delete = {.end = delete_manifest};
