/* GET, HEAD and DELETE of /v2/{name}/blobs/{digest}. OCI distribution-spec "Pulling blobs". */
#include "server/registry/registry_internal.h"

#include "protocol/http_fields.h"
#include "storage/blobs/blob_link.h"

#include <unistd.h>

/* Answers with an error, which names the blob. */
static enum http_step fail(struct call *c, enum error_code code)
{
	call_fail(c, code)->digest = c->reference;
	return registry_error(c);
}

static void describe(struct call *c, const struct digest *digest)
{
	http_reply_header(c->req, "Content-Type", slice_str("application/octet-stream"));
	http_reply_header(c->req, "Accept-Ranges", slice_str("bytes"));
	registry_digest_header(c, digest);
}

/* The content's bytes first to first + len - 1; takes the blob's file. */
static void send_content(struct call *c, const struct blob *blob, uint64_t first, uint64_t len)
{
	if (blob->fd >= 0)
		http_reply_file(c->req, blob->fd, (int64_t)first, len);
	else
		http_reply_body(c->req, slice_of(blob->data.at + first, (size_t)len));
}

static enum http_step refuse_range(struct call *c, struct blob *blob)
{
	if (blob->fd >= 0)
		close(blob->fd);
	registry_fail(c, ERR_RANGE_NOT_SATISFIABLE);
	http_reply_headerf(c->req, "Content-Range", "bytes */%llu", (unsigned long long)blob->size);
	return HTTP_DONE;
}

static enum http_step send_blob(struct call *c, const struct digest *digest)
{
	uint64_t first = 0, last = 0;
	enum range_kind range;
	struct blob blob;
	enum error_code code = blob_open(c->reader, &c->repository, digest, c->arena, &blob);

	if (code != ERR_NONE)
		return fail(c, code);
	range = http_range(http_header_get(c->req, "range"), blob.size, &first, &last);
	if (range == RANGE_UNSATISFIABLE)
		return refuse_range(c, &blob);
	registry_reply(c, range == RANGE_PART ? 206 : 200);
	describe(c, digest);
	if (range == RANGE_PART) {
		http_reply_headerf(c->req, "Content-Range", "bytes %llu-%llu/%llu",
		    (unsigned long long)first, (unsigned long long)last,
		    (unsigned long long)blob.size);
		send_content(c, &blob, first, last - first + 1);
	} else {
		send_content(c, &blob, 0, blob.size);
	}
	return HTTP_DONE;
}

static enum http_step renewed(struct call *c);

/* Who hears that a blob is there will not upload it: it must stay for a while. */
static enum http_step renew(struct call *c, const struct digest *digest)
{
	struct blob_renew *job = arena_zalloc(c->arena, sizeof(*job));
	struct digest *kept = arena_alloc(c->arena, sizeof(*kept));

	*kept = *digest;
	job->key = c->repository;
	job->digests = kept;
	job->count = 1;
	call_await(c, &job->job, job, renewed);
	blob_renew_submit(c->app->store, job);
	return HTTP_WAIT;
}

static enum http_step stat_blob(struct call *c, const struct digest *digest, bool may_renew)
{
	struct blob blob;
	enum error_code code = blob_stat(c->reader, &c->repository, digest, &blob);

	if (code != ERR_NONE)
		return fail(c, code);
	if (blob.fading && may_renew)
		return renew(c, digest);
	registry_reply(c, 200);
	describe(c, digest);
	http_reply_length(c->req, blob.size);
	return HTTP_DONE;
}

static enum http_step renewed(struct call *c)
{
	const struct blob_renew *job = c->job_data;

	return c->error.code != ERR_NONE ? fail(c, c->error.code)
					 : stat_blob(c, &job->digests[0], false);
}

static enum http_step get_blob(struct http_request *req)
{
	struct call *c = call_of(req);
	struct digest digest;

	if (!registry_digest(c, c->reference, &digest))
		return registry_error(c);
	return req->method == METHOD_HEAD ? stat_blob(c, &digest, true) : send_blob(c, &digest);
}

const struct http_handler registry_blob_get = {.end = get_blob};

static enum http_step deleted(struct call *c)
{
	if (c->error.code != ERR_NONE)
		return fail(c, c->error.code);
	registry_reply(c, 202);
	return HTTP_DONE;
}

/* ECR offers no way to delete a layer: it goes by itself once no image refers to it. */
static enum http_step delete_blob(struct http_request *req)
{
	struct call *c = call_of(req);
	struct blob_unlink *job = arena_zalloc(c->arena, sizeof(*job));

	if (registry_quirk(c, QUIRK_BLOB_DELETE_REFUSED))
		return registry_fail(c, ERR_METHOD_NOT_ALLOWED);
	if (!registry_digest(c, c->reference, &job->digest))
		return registry_error(c);
	job->key = c->repository;
	call_await(c, &job->job, job, deleted);
	blob_unlink_submit(c->app->store, job);
	return HTTP_WAIT;
}

const struct http_handler registry_blob_delete = {.end = delete_blob};
