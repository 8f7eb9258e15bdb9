/* The load generator's pushes: one large layer, many small images, a plain PUT. */
#include "load_scenarios.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_data.h"
#include "load_http.h"

#define OCTETS "Content-Type: application/octet-stream\r\n"
#define MANIFEST_HEADER "Content-Type: " MANIFEST_TYPE "\r\n"
#define PATH_MAX_LEN 3072

static void request_manifest(
    struct conn *c, const char *method, const char *tag, const char *manifest, size_t len)
{
	char path[PATH_MAX_LEN];

	snprintf(path, sizeof(path), "/v2/%s/manifests/%s", c->run->repo, tag);
	conn_request(c, method, path, manifest ? MANIFEST_HEADER : "Accept: " MANIFEST_TYPE "\r\n",
	    manifest, len);
}

static void request_upload(struct conn *c)
{
	char path[PATH_MAX_LEN];

	snprintf(path, sizeof(path), "/v2/%s/blobs/uploads/", c->run->repo);
	conn_request(c, "POST", path, "", NULL, 0);
}

/* PUT to the Location of the last answer, which closes the upload; with a body it is the whole
 * blob. */
static void request_close(struct conn *c, const char *digest, const char *body, size_t body_len)
{
	char path[PATH_MAX_LEN];

	snprintf(path, sizeof(path), "%s%cdigest=%s", c->res.location,
	    strchr(c->res.location, '?') ? '&' : '?', digest);
	conn_request(c, "PUT", path, body ? OCTETS : "", body, body_len);
}

/* ---- push-large ---- */

enum large_phase {
	LARGE_CONFIG_POST,
	LARGE_CONFIG_PUT,
	LARGE_POST,
	LARGE_PATCH,
	LARGE_PUT,
	LARGE_MANIFEST,
	LARGE_END
};

struct large {
	struct pattern *pattern;
	struct image_blob blobs[2]; /* config and the layer (which has no data of its own) */
	char config[128];
	char manifest[IMAGE_MANIFEST_MAX];
	size_t manifest_len;
	char tag[64];
	uint64_t sent;
	enum large_phase phase;
};

static int large_init(struct run *run)
{
	run->count =
	    run->connections; /* one layer each, its digest known before the clock starts */
	return 0;
}

static int large_conn_init(struct conn *c)
{
	struct large *l = calloc(1, sizeof(*l));
	uint64_t seed = c->run->seed + c->id;

	if (!l)
		abort();
	c->state = l;
	l->pattern = pattern_new(seed);
	pattern_digest(l->pattern, c->run->size_bytes, l->blobs[1].digest);
	l->blobs[1].len = c->run->size_bytes;
	snprintf(l->config, sizeof(l->config),
	    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"load\":\"%" PRIu64 "\"}", seed);
	l->blobs[0].data = l->config;
	l->blobs[0].len = strlen(l->config);
	data_digest(l->config, l->blobs[0].len, l->blobs[0].digest);
	l->manifest_len = manifest_print(l->manifest, sizeof(l->manifest), l->blobs, 2);
	snprintf(l->tag, sizeof(l->tag), "%s-%" PRIu64, c->run->tag, seed);
	memcpy(c->run->digest_out, l->blobs[1].digest, DIGEST_LEN + 1);
	return 0;
}

static void large_conn_release(struct conn *c)
{
	struct large *l = c->state;

	if (l)
		pattern_free(l->pattern);
	free(l);
}

/* One streaming PATCH, or with --chunk several of them with Content-Range. */
static void large_request_patch(struct conn *c, struct large *l)
{
	uint64_t left = c->run->size_bytes - l->sent;
	uint64_t n = c->run->chunk_bytes && c->run->chunk_bytes < left ? c->run->chunk_bytes : left;
	char extra[160] = OCTETS;

	if (c->run->chunk_bytes)
		snprintf(extra, sizeof(extra), OCTETS "Content-Range: %" PRIu64 "-%" PRIu64 "\r\n",
		    l->sent, l->sent + n - 1);
	conn_request_pattern(c, "PATCH", c->res.location, extra, l->pattern, l->sent, n);
	l->sent += n;
}

static bool large_accept(struct conn *c, struct large *l)
{
	int status = c->res.status;
	bool located = c->res.location[0] != '\0';

	switch (l->phase) {
	case LARGE_CONFIG_POST:
	case LARGE_POST:
		return status == 202 && located;
	case LARGE_PATCH:
		return (status == 202 || status == 201) && located;
	default:
		return status == 201;
	}
}

static enum step large_step(struct conn *c)
{
	struct large *l = c->state;

	if (c->step == 0) {
		l->phase = LARGE_CONFIG_POST;
		l->sent = 0;
	} else if (!large_accept(c, l)) {
		return conn_complain(c, "push-large");
	} else if (l->phase != LARGE_PATCH || l->sent == c->run->size_bytes) {
		l->phase++;
	}
	switch (l->phase) {
	case LARGE_CONFIG_POST:
	case LARGE_POST:
		request_upload(c);
		break;
	case LARGE_CONFIG_PUT:
		request_close(c, l->blobs[0].digest, l->config, l->blobs[0].len);
		break;
	case LARGE_PATCH:
		large_request_patch(c, l);
		break;
	case LARGE_PUT:
		request_close(c, l->blobs[1].digest, NULL, 0);
		break;
	case LARGE_MANIFEST:
		request_manifest(c, "PUT", l->tag, l->manifest, l->manifest_len);
		break;
	case LARGE_END:
		return STEP_DONE;
	}
	return STEP_MORE;
}

/* ---- put: the same bytes as a plain PUT ---- */

static enum step put_step(struct conn *c)
{
	struct large *l = c->state;

	if (c->step == 0) {
		conn_request_pattern(
		    c, "PUT", c->run->path, OCTETS, l->pattern, 0, c->run->size_bytes);
		return STEP_MORE;
	}
	if (c->res.status != 200 && c->res.status != 201 && c->res.status != 204)
		return conn_complain(c, "put");
	return STEP_DONE;
}

/* ---- push-small ---- */

/*
 * 31 requests an image, as clients make them: GET /v2/, then HEAD, POST, PATCH, PUT for each of
 * seven blobs, then HEAD and PUT of the manifest.  A blob whose HEAD says that it exists is not
 * sent.
 */
enum small_phase {
	SMALL_PING,
	SMALL_HEAD,
	SMALL_POST,
	SMALL_PATCH,
	SMALL_PUT,
	SMALL_MANIFEST_HEAD,
	SMALL_MANIFEST_PUT
};

struct small {
	struct image *image;
	unsigned blob;
	enum small_phase phase;
	char tag[64];
};

static int small_init(struct run *run)
{
	run->state = image_mold_new(run->seed);
	return 0;
}

static int small_conn_init(struct conn *c)
{
	struct small *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->image = image_new(c->run->state);
	c->state = s;
	return 0;
}

static void small_conn_release(struct conn *c)
{
	struct small *s = c->state;

	if (s)
		image_free(s->image);
	free(s);
}

static void small_begin(struct conn *c, struct small *s)
{
	image_make(s->image, c->run->state, c->run->first + c->seq, c->run->shared);
	snprintf(s->tag, sizeof(s->tag), "%s%" PRIu64 "-%" PRIu64, c->run->tag, c->run->seed,
	    c->run->first + c->seq);
	s->blob = 0;
	s->phase = SMALL_PING;
}

static enum small_phase small_next_blob(struct small *s)
{
	return ++s->blob < IMAGE_BLOBS ? SMALL_HEAD : SMALL_MANIFEST_HEAD;
}

/* Whether the answer to the phase's request is right; if so, on to the next phase. */
static bool small_accept(struct conn *c, struct small *s)
{
	int status = c->res.status;
	bool located = c->res.location[0] != '\0';

	switch (s->phase) {
	case SMALL_PING:
		s->phase = SMALL_HEAD;
		return status == 200;
	case SMALL_HEAD:
		s->phase = status == 200 ? small_next_blob(s) : SMALL_POST;
		return status == 200 || status == 404;
	case SMALL_POST:
		s->phase = SMALL_PATCH;
		return status == 202 && located;
	case SMALL_PATCH:
		s->phase = SMALL_PUT;
		return (status == 202 || status == 201) && located;
	case SMALL_PUT:
		s->phase = small_next_blob(s);
		return status == 201;
	case SMALL_MANIFEST_HEAD:
		s->phase = SMALL_MANIFEST_PUT;
		return status == 404;
	case SMALL_MANIFEST_PUT:
		return status == 201;
	}
	return false;
}

static void small_request(struct conn *c, struct small *s)
{
	struct image_blob *b = &s->image->blobs[s->blob];
	char path[PATH_MAX_LEN];

	switch (s->phase) {
	case SMALL_PING:
		conn_request(c, "GET", "/v2/", "", NULL, 0);
		break;
	case SMALL_HEAD:
		snprintf(path, sizeof(path), "/v2/%s/blobs/%s", c->run->repo, b->digest);
		conn_request(c, "HEAD", path, "", NULL, 0);
		break;
	case SMALL_POST:
		request_upload(c);
		break;
	case SMALL_PATCH:
		conn_request(c, "PATCH", c->res.location, OCTETS, b->data, b->len);
		break;
	case SMALL_PUT:
		request_close(c, b->digest, NULL, 0);
		break;
	case SMALL_MANIFEST_HEAD:
		request_manifest(c, "HEAD", s->tag, NULL, 0);
		break;
	case SMALL_MANIFEST_PUT:
		request_manifest(c, "PUT", s->tag, s->image->manifest, s->image->manifest_len);
		break;
	}
}

static enum step small_step(struct conn *c)
{
	struct small *s = c->state;
	bool last = s->phase == SMALL_MANIFEST_PUT;

	if (c->step == 0)
		small_begin(c, s);
	else if (!small_accept(c, s))
		return conn_complain(c, "push-small");
	else if (last)
		return STEP_DONE;
	small_request(c, s);
	return STEP_MORE;
}

const struct scenario scenario_push_large = {
    .name = "push-large",
    .help = "each connection pushes one layer of --size MiB (one PATCH, or PATCHes of --chunk "
	    "MiB), then its manifest",
    .init = large_init,
    .conn_init = large_conn_init,
    .step = large_step,
    .conn_release = large_conn_release,
};

const struct scenario scenario_put = {
    .name = "put",
    .help = "each connection PUTs --size MiB to --path",
    .init = large_init,
    .conn_init = large_conn_init,
    .step = put_step,
    .conn_release = large_conn_release,
};

const struct scenario scenario_push_small = {
    .name = "push-small",
    .help = "images of a config and six layers of 4 to 20 KiB, 31 requests each, all different; "
	    "--shared N layers alike",
    .init = small_init,
    .conn_init = small_conn_init,
    .step = small_step,
    .conn_release = small_conn_release,
};
