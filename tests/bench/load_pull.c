/* The load generator's pulls of whole small images, those that push-small made with the same seed. */
#include "load_scenarios.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "load_data.h"
#include "load_http.h"

#define PATH_MAX_LEN 3072
#define ACCEPT "Accept: " MANIFEST_TYPE "\r\n"

/* Ten requests an image, as clients make them: GET /v2/, HEAD and GET of the manifest, GET of seven
 * blobs. */
enum pull_phase { PULL_PING, PULL_MANIFEST_HEAD, PULL_MANIFEST, PULL_BLOB };

struct pull {
	struct image *image;
	unsigned blob;
	enum pull_phase phase;
	char manifest_path[PATH_MAX_LEN];
};

static int pull_init(struct run *run)
{
	run->state = image_mold_new(run->seed);
	return 0;
}

static int pull_conn_init(struct conn *c)
{
	struct pull *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->image = image_new(c->run->state);
	c->state = p;
	return 0;
}

static void pull_conn_release(struct conn *c)
{
	struct pull *p = c->state;

	if (p)
		image_free(p->image);
	free(p);
}

static void pull_begin(struct conn *c, struct pull *p)
{
	const struct run *run = c->run;
	uint64_t number = run->first + c->seq % run->images;

	image_make(p->image, run->state, number, run->shared);
	snprintf(p->manifest_path, sizeof(p->manifest_path),
	    "/v2/%s/manifests/%s%" PRIu64 "-%" PRIu64, run->repo, run->tag, run->seed, number);
	p->blob = 0;
	p->phase = PULL_PING;
}

/* Whether the answer to the phase's request is right; if so, on to the next phase. */
static bool pull_accept(struct conn *c, struct pull *p)
{
	switch (p->phase) {
	case PULL_PING:
	case PULL_MANIFEST_HEAD:
		p->phase++;
		return c->res.status == 200;
	case PULL_MANIFEST:
		p->phase = PULL_BLOB;
		return c->res.status == 200 && c->res.body_len == p->image->manifest_len;
	case PULL_BLOB:
		return c->res.status == 200 && c->res.body_len == p->image->blobs[p->blob++].len;
	}
	return false;
}

static void pull_request(struct conn *c, struct pull *p)
{
	char path[PATH_MAX_LEN];

	switch (p->phase) {
	case PULL_PING:
		conn_request(c, "GET", "/v2/", "", NULL, 0);
		break;
	case PULL_MANIFEST_HEAD:
		conn_request(c, "HEAD", p->manifest_path, ACCEPT, NULL, 0);
		break;
	case PULL_MANIFEST:
		conn_request(c, "GET", p->manifest_path, ACCEPT, NULL, 0);
		break;
	case PULL_BLOB:
		snprintf(path, sizeof(path), "/v2/%s/blobs/%s", c->run->repo,
		    p->image->blobs[p->blob].digest);
		conn_request(c, "GET", path, "", NULL, 0);
		break;
	}
}

static enum step pull_step(struct conn *c)
{
	struct pull *p = c->state;

	if (c->step == 0)
		pull_begin(c, p);
	else if (!pull_accept(c, p))
		return conn_complain(c, "pull-small");
	if (p->blob == IMAGE_BLOBS)
		return STEP_DONE;
	pull_request(c, p);
	return STEP_MORE;
}

const struct scenario scenario_pull_small = {
    .name = "pull-small",
    .help = "whole images, ten requests each: the first --images that push-small made with the "
	    "same --seed and --shared",
    .init = pull_init,
    .conn_init = pull_conn_init,
    .step = pull_step,
    .conn_release = pull_conn_release,
};
