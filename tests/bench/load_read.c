/* The load generator's reads and API calls: blobs, manifests, plain paths, X-Amz-Target operations.
 */
#include "load_scenarios.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_data.h"
#include "load_http.h"

#define REDIRECTS_MAX 5

static bool is_redirect(const struct response *r)
{
	return r->location[0] &&
	    (r->status == 301 || r->status == 302 || r->status == 303 || r->status == 307 ||
		r->status == 308);
}

/* ---- pull-large ---- */

static int pull_conn_init(struct conn *c)
{
	if (c->run->verify && !(c->hash = EVP_MD_CTX_new()))
		abort();
	return 0;
}

static void pull_request(struct conn *c, const char *path)
{
	if (c->hash)
		EVP_DigestInit_ex(c->hash, EVP_sha256(), NULL);
	conn_request(c, "GET", path, "", NULL, 0);
}

static bool pull_verified(struct conn *c)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char hex[DIGEST_LEN + 1] = "sha256:";

	if (!c->hash)
		return true;
	EVP_DigestFinal_ex(c->hash, md, NULL);
	for (int i = 0; i < 32; i++)
		snprintf(hex + 7 + 2 * i, 3, "%02x", md[i]);
	return c->run->digest && strcmp(hex, c->run->digest) == 0;
}

static enum step pull_step(struct conn *c)
{
	const struct run *run = c->run;
	char path[3072];

	if (c->step == 0) {
		if (run->path)
			snprintf(path, sizeof(path), "%s", run->path);
		else
			snprintf(path, sizeof(path), "/v2/%s/blobs/%s", run->repo, run->digest);
		pull_request(c, path);
		return STEP_MORE;
	}
	if (is_redirect(&c->res) && c->step <= REDIRECTS_MAX) {
		snprintf(path, sizeof(path), "%s", c->res.location);
		pull_request(c, path);
		return STEP_MORE;
	}
	if (c->res.status != 200)
		return conn_complain(c, "pull-large");
	if (c->res.body_len != run->size_bytes)
		return conn_complain(c, "pull-large: the length is not --size");
	if (!pull_verified(c))
		return conn_complain(c, "pull-large: the digest is wrong");
	return STEP_DONE;
}

/* ---- get and manifest: one path, GET only or GET and HEAD in turn ---- */

struct get {
	char path[3072];
	char accept[512];
};

static int get_init(struct run *run)
{
	struct get *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	if (run->path) {
		snprintf(g->path, sizeof(g->path), "%s", run->path);
	} else {
		snprintf(g->path, sizeof(g->path), "/v2/%s/manifests/%s", run->repo, run->tag);
		run->alternate_head = true;
	}
	if (run->accept)
		snprintf(g->accept, sizeof(g->accept), "Accept: %s\r\n", run->accept);
	else if (!run->path)
		snprintf(g->accept, sizeof(g->accept), "Accept: %s\r\n", MANIFEST_TYPE);
	run->state = g;
	return 0;
}

/* The first whole body is compared with the digest that came with it. */
static bool get_body_right(struct conn *c)
{
	char digest[DIGEST_LEN + 1];

	if (c->state || c->req.is_head || !c->res.digest[0] || c->res.body_len > KEEP_MAX)
		return true;
	c->state = c; /* checked */
	data_digest(c->res.kept, c->res.kept_len, digest);
	return strcmp(digest, c->res.digest) == 0;
}

static enum step get_step(struct conn *c)
{
	const struct get *g = c->run->state;

	if (c->step == 0) {
		bool head = c->run->alternate_head && (c->seq & 1);

		conn_request(c, head ? "HEAD" : "GET", g->path, g->accept, NULL, 0);
		return STEP_MORE;
	}
	if (c->res.status != 200)
		return conn_complain(c, "get");
	if (c->run->size_bytes && !c->req.is_head && c->res.body_len != c->run->size_bytes)
		return conn_complain(c, "get: the length is not --size");
	if (!get_body_right(c))
		return conn_complain(c, "get: the body is not what its digest says");
	return STEP_DONE;
}

/* ---- api ---- */

#define COUNTER "{{n}}"
#define COUNTER_DIGITS 12
#define COUNTERS_MAX 16

/* A request body with places for a counter, which is printed with twelve digits so that the length
 * never changes. */
struct api {
	char *body;
	size_t len;
	size_t at[COUNTERS_MAX];
	unsigned at_len;
	char extra[256];
};

static char *file_read(const char *path)
{
	FILE *f = fopen(path, "r");
	char *data = NULL;
	size_t len = 0;

	if (!f || getdelim(&data, &len, '\0', f) < 0) {
		fprintf(stderr, "load: cannot read %s\n", path);
		free(data);
		data = NULL;
	}
	if (f)
		fclose(f);
	return data;
}

static int api_init(struct run *run)
{
	struct api *a = calloc(1, sizeof(*a));
	char *text = run->body_file ? file_read(run->body_file) : strdup("{}");
	char *p, *mark;

	if (!a || !text || !run->target) {
		if (!run->target)
			fprintf(stderr, "load: api wants --target OPERATION\n");
		free(a);
		free(text);
		return -1;
	}
	a->body = calloc(1, strlen(text) + COUNTERS_MAX * COUNTER_DIGITS + 1);
	for (p = text; (mark = strstr(p, COUNTER)) && a->at_len < COUNTERS_MAX;
	     p = mark + strlen(COUNTER)) {
		memcpy(a->body + a->len, p, (size_t)(mark - p));
		a->len += (size_t)(mark - p);
		a->at[a->at_len++] = a->len;
		a->len += COUNTER_DIGITS;
	}
	memcpy(a->body + a->len, p, strlen(p));
	a->len += strlen(p);
	free(text);
	snprintf(a->extra, sizeof(a->extra),
	    "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: %s%s\r\n",
	    strchr(run->target, '.') ? "" : "AmazonEC2ContainerRegistry_V20150921.", run->target);
	run->state = a;
	return 0;
}

static int api_conn_init(struct conn *c)
{
	const struct api *a = c->run->state;

	c->state = malloc(a->len + 1);
	if (!c->state)
		abort();
	memcpy(c->state, a->body, a->len + 1);
	return 0;
}

static void api_conn_release(struct conn *c)
{
	free(c->state);
}

static enum step api_step(struct conn *c)
{
	const struct api *a = c->run->state;
	char number[COUNTER_DIGITS + 1];

	if (c->step > 0)
		return c->res.status == 200 ? STEP_DONE : conn_complain(c, "api");
	snprintf(number, sizeof(number), "%012" PRIu64, (c->run->first + c->seq) % 1000000000000u);
	for (unsigned i = 0; i < a->at_len; i++)
		memcpy((char *)c->state + a->at[i], number, COUNTER_DIGITS);
	conn_request(c, "POST", "/", a->extra, c->state, a->len);
	return STEP_MORE;
}

const struct scenario scenario_pull_large = {
    .name = "pull-large",
    .help = "GET the blob --digest (or --path), following redirects; its length must be --size "
	    "MiB, with --verify its digest too",
    .conn_init = pull_conn_init,
    .step = pull_step,
};

const struct scenario scenario_manifest = {
    .name = "manifest",
    .help = "GET and HEAD of --repo's manifest --tag in turn",
    .init = get_init,
    .step = get_step,
};

const struct scenario scenario_get = {
    .name = "get",
    .help = "GET --path (with --head: GET and HEAD in turn)",
    .init = get_init,
    .step = get_step,
};

const struct scenario scenario_api = {
    .name = "api",
    .help = "POST / for the X-Amz-Target --target with the body of --body, in which {{n}} becomes "
	    "a number, new each time",
    .init = api_init,
    .conn_init = api_conn_init,
    .step = api_step,
    .conn_release = api_conn_release,
};
