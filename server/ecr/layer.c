/*
 * Layers through the API (ecr-behaviour 2.4): InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload,
 * BatchCheckLayerAvailability.
 *
 * An upload is the same session that the registry's door has: what one began the other may end.
 */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "storage/blobs/layer.h"
#include "storage/blobs/upload_part.h"

enum { PART_BYTES_MAX = 20 * 1024 * 1024 };

static void write_repository(struct call *c, struct json_writer *w)
{
	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
}

/* ---- InitiateLayerUpload ---- */

enum http_step op_initiate_layer_upload(struct call *c)
{
	uint8_t id[16];
	char text[UUID_TEXT_LEN + 1];
	struct json_writer *w;
	enum error_code code =
	    upload_begin(c->app->store, c->reader, &c->repository, DIGEST_NONE, id);

	if (code != ERR_NONE)
		return ecr_fail(c, code);
	uuid_format(id, text);
	w = ecr_begin(c);
	json_put_str(w, "uploadId", slice_of(text, UUID_TEXT_LEN));
	json_put_num(w, "partSize", PART_BYTES_MAX);
	return ecr_reply(c);
}

/* ---- UploadLayerPart ---- */

/* Makes this call the holder of the upload it names; NULL with c->error set. */
static struct upload *acquire(struct call *c)
{
	struct slice text = json_string(ecr_input(c), "uploadId");
	enum error_code code = ERR_UPLOAD_UNKNOWN;
	struct upload *upload = NULL;
	uint8_t id[16];

	c->reference = text;
	if (uuid_parse(text, id))
		code = upload_acquire(c->app->store, c->reader, &c->repository, id, &upload);
	if (code == ERR_NONE)
		return upload;
	call_fail(c, code)->upload = text;
	return NULL;
}

/* Answers with an error that is about the upload, which is given back as it was. */
static enum http_step refuse(struct call *c, struct upload *upload, enum error_code code)
{
	struct error *e = call_fail(c, code);

	e->upload = c->reference;
	e->last_valid_byte = (int64_t)upload_size(upload) - 1;
	upload_release(upload);
	return ecr_error(c);
}

static enum http_step part_kept(struct call *c)
{
	struct upload_part *job = c->job_data;
	struct json_writer *w;

	if (c->error.code != ERR_NONE) {
		c->error.upload = c->reference;
		return ecr_error(c);
	}
	w = ecr_begin(c);
	write_repository(c, w);
	json_put_str(w, "uploadId", c->reference);
	json_put_num(w, "lastByteReceived", (int64_t)job->size - 1);
	return ecr_reply(c);
}

/* Bytes that a well-formed base64 text stands for: the model has looked at each of its characters. */
static size_t decoded_len(struct slice base64)
{
	size_t len = base64.len / 4 * 3;

	for (size_t i = base64.len; i > 0 && base64.at[i - 1] == '='; i--)
		len--;
	return len;
}

/* Whether first and last are the bytes that come next, and as many as were sent. */
static bool part_fits(struct call *c, const struct upload *upload, struct slice base64)
{
	int64_t first = json_int(ecr_input(c), "partFirstByte", -1);
	int64_t last = json_int(ecr_input(c), "partLastByte", -1);

	return first >= 0 && last >= first && (uint64_t)first == upload_size(upload) &&
	    (uint64_t)(last - first) + 1 == decoded_len(base64);
}

enum http_step op_upload_layer_part(struct call *c)
{
	const struct quotas *quotas = store_quotas(c->app->store);
	struct upload_part *job = arena_zalloc(c->arena, sizeof(*job));
	struct upload *upload = acquire(c);

	if (!upload)
		return ecr_error(c);
	job->base64 = json_string(ecr_input(c), "layerPartBlob");
	if (!part_fits(c, upload, job->base64))
		return refuse(c, upload, ERR_LAYER_PART_INVALID);
	if (upload_part_count(upload) >= quota_of(quotas, QUOTA_LAYER_PARTS)) {
		call_fail(c, ERR_LIMIT_EXCEEDED)->detail =
		    quota_message(quotas, QUOTA_LAYER_PARTS, c->arena);
		return refuse(c, upload, ERR_LIMIT_EXCEEDED);
	}
	job->upload = upload;
	call_await(c, &job->job, job, part_kept);
	upload_part_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- CompleteLayerUpload ---- */

static enum http_step completed(struct call *c)
{
	struct upload_finish *job = c->job_data;
	char text[DIGEST_TEXT_MAX];
	struct slice digest = digest_format(&job->digest, text);
	struct json_writer *w;

	if (c->error.code == ERR_NONE && job->was_there)
		call_fail(c, ERR_LAYER_EXISTS);
	if (c->error.code != ERR_NONE) {
		c->error.upload = c->reference;
		c->error.digest = digest;
		return ecr_error(c);
	}
	w = ecr_begin(c);
	write_repository(c, w);
	json_put_str(w, "uploadId", c->reference);
	json_put_str(w, "layerDigest", digest);
	return ecr_reply(c);
}

/*
 * layerDigests are those of one layer: of what they say in one algorithm there can be only one; false with
 * c->error set.
 */
static bool read_digests(struct call *c, struct digest *out)
{
	const cJSON *list = json_member(ecr_input(c), "layerDigests"), *item;
	bool first = true;

	cJSON_ArrayForEach(item, list) {
		struct slice text = slice_str(item->valuestring);
		struct digest digest;

		if (digest_parse(text, &digest) != DIGEST_OK) {
			call_fail_parameter(c, "layerDigests",
			    "must be 'sha256:' and 64, or 'sha512:' and 128 lower-case hexadecimal "
			    "digits");
			return false;
		}
		if (!first && !digest_eq(&digest, out)) {
			call_fail_parameter(c, "layerDigests", "must be digests of one layer");
			return false;
		}
		*out = digest;
		first = false;
	}
	return true;
}

enum http_step op_complete_layer_upload(struct call *c)
{
	struct upload_finish *job = arena_zalloc(c->arena, sizeof(*job));
	struct upload *upload;

	if (!read_digests(c, &job->digest))
		return ecr_error(c);
	upload = acquire(c);
	if (!upload)
		return ecr_error(c);
	if (upload_size(upload) == 0)
		return refuse(c, upload, ERR_UPLOAD_EMPTY);
	if (upload_part_too_small(upload))
		return refuse(c, upload, ERR_LAYER_PART_TOO_SMALL);
	job->upload = upload;
	call_await(c, &job->job, job, completed);
	upload_finish_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- BatchCheckLayerAvailability ---- */

/* One layer that may be there; false with c->error set. */
static bool write_layer(
    struct call *c, struct json_writer *w, const struct repository *r, struct slice text)
{
	enum error_code code = ERR_BLOB_UNKNOWN;
	enum layer_use use = LAYER_UNUSED;
	struct digest digest;
	struct blob blob;
	bool there;

	if (digest_parse(text, &digest) == DIGEST_OK)
		code = blob_stat(c->reader, &c->repository, &digest, &blob);
	there = code == ERR_NONE;
	if (there)
		code = layer_use(c->reader, r->id, blob.id, &use);
	if (code != ERR_NONE && code != ERR_BLOB_UNKNOWN) {
		call_fail(c, code);
		return false;
	}
	json_object(w);
	json_put_str(w, "layerDigest", text);
	json_put_cstr(w, "layerAvailability",
	    !there                      ? "UNAVAILABLE"
		: use == LAYER_ARCHIVED ? "ARCHIVED"
					: "AVAILABLE");
	if (there)
		json_put_num(w, "layerSize", (int64_t)blob.size);
	json_object_end(w);
	return true;
}

static void write_layer_failure(struct json_writer *w, struct slice text)
{
	bool missing = text.len == 0;

	json_object(w);
	json_put_str(w, "layerDigest", text);
	json_put_cstr(w, "failureCode", missing ? "MissingLayerDigest" : "InvalidLayerDigest");
	json_put_cstr(w, "failureReason",
	    missing ? "Invalid request parameters: layer digest cannot be empty"
		    : "Invalid request parameters: layer digest should satisfy the regex "
		      "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'");
	json_object_end(w);
}

/*
 * The layers that are there, but must be renewed before a client is told so: it will not upload them. Their digests
 * are in the arena. False with c->error set.
 */
static bool find_fading(struct call *c, const cJSON *list, struct digest **out, size_t *out_count)
{
	size_t count = 0;
	struct blob blob;
	enum error_code code;
	const cJSON *item;

	*out = arena_array(c->arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof(**out));
	cJSON_ArrayForEach(item, list) {
		struct digest *digest = &(*out)[count];

		if (digest_parse(slice_str(item->valuestring), digest) != DIGEST_OK)
			continue;
		code = blob_stat(c->reader, &c->repository, digest, &blob);
		if (code == ERR_NONE) {
			count += blob.fading;
		} else if (code != ERR_BLOB_UNKNOWN) {
			call_fail(c, code);
			return false;
		}
	}
	*out_count = count;
	return true;
}

static enum http_step write_availability(struct call *c)
{
	const cJSON *list = json_member(ecr_input(c), "layerDigests"), *item;
	struct repository r;
	struct json_writer *w;

	if (c->error.code != ERR_NONE || !ecr_find_repository(c, &r))
		return ecr_error(c);
	w = ecr_begin(c);
	json_put_array(w, "layers");
	cJSON_ArrayForEach(item, list) {
		struct slice text = slice_str(item->valuestring);

		if (ecr_digest_shaped(text) && !write_layer(c, w, &r, text))
			return ecr_error(c);
	}
	json_array_end(w);
	json_put_array(w, "failures");
	cJSON_ArrayForEach(item, list)
		if (!ecr_digest_shaped(slice_str(item->valuestring)))
			write_layer_failure(w, slice_str(item->valuestring));
	json_array_end(w);
	return ecr_reply(c);
}

enum http_step op_batch_check_layer_availability(struct call *c)
{
	struct blob_renew *job = arena_zalloc(c->arena, sizeof(*job));
	struct digest *fading;

	if (!find_fading(c, json_member(ecr_input(c), "layerDigests"), &fading, &job->count))
		return ecr_error(c);
	if (job->count == 0)
		return write_availability(c);
	job->key = c->repository;
	job->digests = fading;
	call_await(c, &job->job, job, write_availability);
	blob_renew_submit(c->app->store, job);
	return HTTP_WAIT;
}
