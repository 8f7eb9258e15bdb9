/*
 * GetDownloadUrlForLayer, and the link it gives: GET /_drydock/layers/{token}.
 *
 * The token is what a presigned URL's query is: it names registry, repository, layer and the time until
 * which it is good, sealed with the store's key. Whoever has it needs no login.
 */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/http_fields.h"
#include "protocol/page_token.h"
#include "storage/blobs/layer.h"

#include <unistd.h>

#define LINK_LIFETIME_MS (3600 * 1000LL) /* X-Amz-Expires=3600 */

/* Lists' tokens are sealed for "OPERATION ID ...", so that none of them is a link. */
static const struct slice link_context = SLICE("layer link");

static struct slice make_link(struct call *c, struct slice digest)
{
	long long until = (long long)(call_now_ms(c) + LINK_LIFETIME_MS);
	struct slice url = call_registry_url(c), token;
	struct slice says =
	    arena_slicef(c->arena, "%lld %.*s %.*s %.*s %.*s", until, SLICE_ARG(c->account),
		SLICE_ARG(c->region), SLICE_ARG(digest), SLICE_ARG(c->repository.name));

	token = page_token_seal(link_context, says, call_seal_key(c), c->arena);
	return arena_slicef(
	    c->arena, "%.*s" ECR_LINK_PATH "%.*s", SLICE_ARG(url), SLICE_ARG(token));
}

/* ERR_NONE for a layer that may be downloaded: one that is there and in use. */
static enum error_code judge_layer(struct call *c, const struct repository *r, struct slice text)
{
	enum error_code code = ERR_BLOB_UNKNOWN;
	enum layer_use use = LAYER_UNUSED;
	struct digest digest;
	struct blob blob;

	if (digest_parse(text, &digest) == DIGEST_OK)
		code = blob_stat(c->reader, &c->repository, &digest, &blob);
	if (code == ERR_BLOB_UNKNOWN)
		return ERR_LAYER_NOT_FOUND;
	if (code == ERR_NONE)
		code = layer_use(c->reader, r->id, blob.id, &use);
	return code == ERR_NONE && use != LAYER_USED ? ERR_LAYER_INACCESSIBLE : code;
}

enum http_step op_get_download_url_for_layer(struct call *c)
{
	struct slice text = json_string(ecr_input(c), "layerDigest");
	struct json_writer *w;
	enum error_code code;
	struct repository r;

	if (!ecr_find_repository(c, &r))
		return ecr_error(c);
	code = judge_layer(c, &r, text);
	if (code != ERR_NONE) {
		call_fail(c, code)->digest = text;
		return ecr_error(c);
	}
	w = ecr_begin(c);
	json_put_str(w, "downloadUrl", make_link(c, text));
	json_put_str(w, "layerDigest", text);
	return ecr_reply(c);
}

/* ---- the link ---- */

/* What a link says; false when it is none of ours. Its words are separated by blanks. */
static bool read_link(struct call *c, struct slice token, int64_t *until_ms, struct digest *digest)
{
	struct slice says = page_token_open(token, link_context, call_seal_key(c), c->arena);
	unsigned long long until;

	if (!says.at || !slice_to_u64(slice_cut(&says, ' '), &until))
		return false;
	*until_ms = (int64_t)until;
	c->account = c->repository.account = slice_cut(&says, ' ');
	c->region = c->repository.region = slice_cut(&says, ' ');
	c->reference = slice_cut(&says, ' ');
	c->repository.name = says;
	return digest_parse(c->reference, digest) == DIGEST_OK;
}

static void send_range(struct call *c, const struct blob *blob, uint64_t first, uint64_t len)
{
	http_reply_header(c->req, "Content-Type", slice_str("application/octet-stream"));
	http_reply_header(c->req, "Accept-Ranges", slice_str("bytes"));
	if (blob->fd >= 0)
		http_reply_file(c->req, blob->fd, (int64_t)first, len);
	else
		http_reply_body(c->req, slice_of(blob->data.at + first, (size_t)len));
}

static enum http_step send_layer(struct call *c, const struct blob *blob)
{
	uint64_t first = 0, last = 0;
	unsigned long long size = blob->size;

	switch (http_range(http_header_get(c->req, "range"), blob->size, &first, &last)) {
	case RANGE_UNSATISFIABLE:
		if (blob->fd >= 0)
			close(blob->fd);
		http_reply_text(c->req, 416, "The range begins after the last byte.");
		http_reply_headerf(c->req, "Content-Range", "bytes */%llu", size);
		break;
	case RANGE_PART:
		http_reply(c->req, 206);
		http_reply_headerf(c->req, "Content-Range", "bytes %llu-%llu/%llu",
		    (unsigned long long)first, (unsigned long long)last, size);
		send_range(c, blob, first, last - first + 1);
		break;
	default:
		http_reply(c->req, 200);
		send_range(c, blob, 0, blob->size);
	}
	return HTTP_DONE;
}

static enum http_step follow_link(struct http_request *req)
{
	struct call *c = call_of(req);
	struct slice token = slice_skip(c->path, sizeof(ECR_LINK_PATH) - 1);
	struct digest digest;
	int64_t until_ms;
	struct blob blob;

	if (!read_link(c, token, &until_ms, &digest))
		return http_reply_text(req, 403, "This is not a link of GetDownloadUrlForLayer.");
	if (call_now_ms(c) >= until_ms)
		return http_reply_text(
		    req, 403, "Request has expired: ask GetDownloadUrlForLayer for a new link.");
	switch (blob_open(c->reader, &c->repository, &digest, c->arena, &blob)) {
	case ERR_NONE:
		return send_layer(c, &blob);
	case ERR_BLOB_UNKNOWN:
	case ERR_REPOSITORY_NOT_FOUND:
		return http_reply_text(req, 404, "The layer is not there any more.");
	default:
		return http_reply_text(req, 500, "The layer could not be read.");
	}
}

static enum http_step wrong_method(struct http_request *req)
{
	return http_reply_text(req, 405, "A link to a layer takes GET and HEAD.");
}

static const struct http_handler link_handler = {.end = follow_link};
static const struct http_handler wrong_method_handler = {
    .body_max = UINT64_MAX, .start = wrong_method};

const struct http_handler *ecr_link_route(struct call *c)
{
	bool read = c->req->method == METHOD_GET || c->req->method == METHOD_HEAD;

	c->operation = "DownloadLayer";
	return read ? &link_handler : &wrong_method_handler;
}
