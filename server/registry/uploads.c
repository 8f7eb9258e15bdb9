/*
 * Blob uploads: POST, PATCH, PUT, GET, DELETE under /v2/{name}/blobs/uploads/. OCI
 * distribution-spec "Pushing blobs"; ecr-behaviour 6.4.
 *
 * A request with a body has a struct push as c->state, from its start to its end. In it is the upload session while
 * this request holds that; whoever takes it over (a job, abandon) clears the member, so that abort knows what is left to give
 * back.
 */
#include "server/registry/registry_internal.h"

#include "protocol/http_fields.h"
#include "protocol/names.h"
#include "storage/blobs/upload.h"

/* The largest layer ECR takes: 52,000 MiB (ecr-behaviour 9). */
#define LAYER_BYTES_MAX (52000ull * 1024 * 1024)

/* What a POST does next. */
enum post_step { POST_CREATE, POST_MOUNT, POST_SESSION };

struct push {
	struct upload *upload; /* held by this request; NULL: none */
	struct digest digest;  /* of ?digest= */

	/* POST alone */
	enum post_step step;
	bool mount;          /* asked for, and to be tried */
	bool creation_tried; /* of the repository */
};

static struct push *push_new(struct call *c)
{
	c->state = arena_zalloc(c->arena, sizeof(struct push));
	return c->state;
}

static struct push *push_of(const struct call *c)
{
	return c->state;
}

static void give_back(struct http_request *req)
{
	struct push *p = push_of(call_of(req));

	if (p->upload)
		upload_abandon(p->upload);
	p->upload = NULL;
}

/* Answers with the error, the session given back. */
static enum http_step refuse(struct call *c)
{
	give_back(c->req);
	return registry_error(c);
}

static void session_headers(struct call *c, struct slice id, uint64_t size)
{
	registry_location(
	    c, "%.*s/blobs/uploads/%.*s", SLICE_ARG(c->repository.name), SLICE_ARG(id));
	http_reply_headerf(
	    c->req, "Range", "0-%llu", (unsigned long long)(size > 0 ? size - 1 : 0));
	http_reply_header(c->req, "Docker-Upload-UUID", id);
}

/* 416 says where the upload stands, so that the client can go on from there. */
static enum http_step refuse_chunk(struct call *c, uint64_t size)
{
	call_fail(c, ERR_UPLOAD_RANGE);
	refuse(c);
	session_headers(c, c->reference, size);
	return HTTP_DONE;
}

static bool parse_id(struct call *c, uint8_t id[16])
{
	if (uuid_parse(c->reference, id))
		return true;
	call_fail(c, ERR_UPLOAD_UNKNOWN)->upload = c->reference;
	return false;
}

static bool read_digest(struct call *c, struct digest *digest)
{
	return registry_digest(c, registry_query(c, "digest"), digest);
}

/* Makes this request the holder of the session; false with c->error set. */
static bool acquire(struct call *c, const uint8_t id[16])
{
	enum error_code code =
	    upload_acquire(c->app->store, c->reader, &c->repository, id, &push_of(c)->upload);

	if (code != ERR_NONE)
		call_fail(c, code)->upload = c->reference;
	return code == ERR_NONE;
}

/* HTTP_GO when a Content-Range, where there is one, continues the upload; else the refusal. */
static enum http_step check_chunk(struct call *c)
{
	struct slice header = http_header_get(c->req, "content-range");
	uint64_t first, last, size = upload_size(push_of(c)->upload);

	if (!header.at)
		return HTTP_GO;
	if (!http_content_range(header, &first, &last) || first != size)
		return refuse_chunk(c, size);
	if (c->req->content_length >= 0 && (uint64_t)c->req->content_length != last - first + 1)
		return refuse_chunk(c, size);
	return HTTP_GO;
}

/*
 * Where the upload ends by its Content-Range. With a Content-Length the two were compared at the start; a
 * body without one shows only as it comes whether it keeps to it: then UINT64_MAX promises nothing.
 */
static uint64_t promised_end(const struct call *c)
{
	uint64_t first, last;

	if (!c->req->chunked ||
	    !http_content_range(http_header_get(c->req, "content-range"), &first, &last))
		return UINT64_MAX;
	return last + 1;
}

static bool came_short(const struct call *c)
{
	uint64_t end = promised_end(c);

	return end != UINT64_MAX && upload_size(push_of(c)->upload) != end;
}

static enum http_step append(struct http_request *req, struct slice piece)
{
	struct call *c = call_of(req);
	uint64_t size = upload_size(push_of(c)->upload);
	enum error_code code;

	if (piece.len > promised_end(c) - size)
		return refuse_chunk(c, size);
	code = upload_append(push_of(c)->upload, piece);
	if (code == ERR_NONE)
		return HTTP_GO;
	call_fail(c, code);
	return refuse(c);
}

/* ---- the end of every form: the blob is verified and committed ---- */

static enum http_step finished(struct call *c)
{
	struct upload_finish *job = c->job_data;
	char *text = arena_alloc(c->arena, DIGEST_TEXT_MAX);

	if (c->error.code != ERR_NONE) {
		c->error.digest = registry_query(c, "digest");
		return registry_error(c);
	}
	registry_reply(c, 201);
	registry_location(c, "%.*s/blobs/%.*s", SLICE_ARG(c->repository.name),
	    SLICE_ARG(digest_format(&job->digest, text)));
	registry_digest_header(c, &job->digest);
	return HTTP_DONE;
}

static enum http_step finish(struct http_request *req)
{
	struct call *c = call_of(req);
	struct push *p = push_of(c);
	struct upload_finish *job = arena_zalloc(c->arena, sizeof(*job));

	if (came_short(c))
		return refuse_chunk(c, upload_size(p->upload));
	if (registry_quirk(c, QUIRK_CHUNK_MINIMUM) && upload_part_too_small(p->upload)) {
		call_fail(c, ERR_LAYER_PART_TOO_SMALL);
		return refuse(c);
	}
	job->digest = p->digest;
	job->upload = p->upload;
	p->upload = NULL;
	call_await(c, &job->job, job, finished);
	upload_finish_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- POST: a mount, a new session, or a whole blob at once with ?digest= ---- */

/* False with c->error set. The algorithm of ?digest-algorithm= is that of the digest to come. */
static bool read_algorithm(struct call *c, enum digest_algorithm *algorithm)
{
	struct slice name = registry_query(c, "digest-algorithm");

	*algorithm = name.at ? digest_algorithm_named(name) : DIGEST_NONE;
	if (!name.at || *algorithm != DIGEST_NONE)
		return true;
	call_fail(c, ERR_DIGEST_INVALID_TEXT)->digest = name;
	return false;
}

/*
 * Read it from top to bottom: where a step waits for storage, `step` is what comes after it, and the call comes back here.
 * Most POSTs begin with their session, because that costs no look for the repository before: it says itself that there
 * is none, and then the call begins anew, once, with the first step.
 */
static enum http_step post(struct call *c)
{
	struct push *p = push_of(c);
	enum digest_algorithm algorithm;
	struct repository *settings;
	enum error_code code;
	uint8_t id[16];
	char *text;

	/* nothing can be mounted, or begun, in a repository that is not there */
	if (p->step == POST_CREATE) {
		p->step = POST_MOUNT;
		p->creation_tried = true;
		settings = registry_creation(c);
		if (settings)
			return registry_create(c, settings, post);
		if (c->error.code != ERR_NONE)
			return registry_error(c);
		/* a push makes none here: what is next answers that there is none */
	}

	/* 201; or it comes back, when there is nothing to mount */
	if (p->step == POST_MOUNT) {
		p->step = POST_SESSION;
		if (p->mount)
			return registry_mount(c, post);
	}

	if (!read_algorithm(c, &algorithm))
		return registry_error(c);
	code = upload_begin(c->app->store, c->reader, &c->repository, algorithm, id);
	if (code == ERR_REPOSITORY_NOT_FOUND && !p->creation_tried) {
		p->step = POST_CREATE;
		return post(c);
	}
	if (code != ERR_NONE)
		return registry_fail(c, code);
	text = arena_alloc(c->arena, UUID_TEXT_LEN + 1);
	uuid_format(id, text);
	c->reference = slice_of(text, UUID_TEXT_LEN);
	if (p->digest.algorithm == DIGEST_NONE) {
		registry_reply(c, 202);
		session_headers(c, c->reference, 0);
		return HTTP_DONE;
	}

	/* with a digest, the body is the whole blob */
	if (!acquire(c, id))
		return registry_error(c);
	upload_expect(p->upload, (enum digest_algorithm)p->digest.algorithm);
	return HTTP_GO;
}

static enum http_step start(struct http_request *req)
{
	struct call *c = call_of(req);
	struct push *p = push_new(c);
	struct repository there;
	enum error_code code = ERR_NONE;

	if (registry_query(c, "digest").at && !read_digest(c, &p->digest))
		return registry_error(c);
	if (!registry_mount_asked(c, &p->mount))
		return registry_error(c);
	if (p->mount)
		code = repository_find(c->reader, &c->repository, c->arena, &there);
	if (code == ERR_NONE)
		p->step = p->mount ? POST_MOUNT : POST_SESSION;
	else if (code == ERR_REPOSITORY_NOT_FOUND)
		p->step = POST_CREATE;
	else
		return registry_fail(c, code);
	return post(c);
}

const struct http_handler registry_upload_start = {
    .body_max = LAYER_BYTES_MAX,
    .start = start,
    .body = append,
    .end = finish,
    .abort = give_back,
};

/* ---- PATCH: a chunk, or docker's whole stream ---- */

static enum http_step hold(struct http_request *req)
{
	struct call *c = call_of(req);
	uint8_t id[16];

	push_new(c);
	if (!parse_id(c, id) || !acquire(c, id))
		return registry_error(c);
	return check_chunk(c);
}

static enum http_step keep(struct http_request *req)
{
	struct call *c = call_of(req);
	struct push *p = push_of(c);
	uint64_t size = 0;
	enum error_code code;

	if (came_short(c))
		return refuse_chunk(c, upload_size(p->upload));
	code = upload_keep(p->upload, &size);
	p->upload = NULL;
	if (code != ERR_NONE) {
		call_fail(c, code)->upload = c->reference;
		return registry_error(c);
	}
	registry_reply(c, registry_quirk(c, QUIRK_PATCH_201) ? 201 : 202);
	session_headers(c, c->reference, size);
	return HTTP_DONE;
}

const struct http_handler registry_upload_patch = {
    .body_max = LAYER_BYTES_MAX,
    .start = hold,
    .body = append,
    .end = keep,
    .abort = give_back,
};

/* ---- PUT: the last chunk (or the whole blob, or nothing), then the digest ---- */

static enum http_step hold_for_finish(struct http_request *req)
{
	struct call *c = call_of(req);
	struct push *p = push_new(c);
	uint8_t id[16];

	if (!parse_id(c, id) || !read_digest(c, &p->digest) || !acquire(c, id))
		return registry_error(c);
	upload_expect(p->upload, (enum digest_algorithm)p->digest.algorithm);
	return check_chunk(c);
}

const struct http_handler registry_upload_put = {
    .body_max = LAYER_BYTES_MAX,
    .start = hold_for_finish,
    .body = append,
    .end = finish,
    .abort = give_back,
};

/* ---- GET and DELETE ---- */

static enum http_step status(struct http_request *req)
{
	struct call *c = call_of(req);
	enum error_code code;
	uint64_t size = 0;
	uint8_t id[16];

	if (!parse_id(c, id))
		return registry_error(c);
	code = upload_stat(c->reader, &c->repository, id, &size);
	if (code != ERR_NONE) {
		call_fail(c, code)->upload = c->reference;
		return registry_error(c);
	}
	registry_reply(c, 204);
	session_headers(c, c->reference, size);
	return HTTP_DONE;
}

const struct http_handler registry_upload_status = {.end = status};

static enum http_step cancelled(struct call *c)
{
	if (c->error.code != ERR_NONE)
		return registry_error(c);
	registry_reply(c, 204);
	return HTTP_DONE;
}

static enum http_step cancel(struct http_request *req)
{
	struct call *c = call_of(req);
	struct upload_cancel *job = arena_zalloc(c->arena, sizeof(*job));

	if (!parse_id(c, job->id))
		return registry_error(c);
	job->key = c->repository;
	call_await(c, &job->job, job, cancelled);
	upload_cancel_submit(c->app->store, job);
	return HTTP_WAIT;
}

const struct http_handler registry_upload_cancel = {.end = cancel};
