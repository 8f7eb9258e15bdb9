/*
 * Images described in JSON, so that a lifecycle policy can be tried on images that are nowhere:
 *
 *	{"images": [{"name": "A", "tags": ["v1"], "pushed_days_ago": 31}, ...]}
 *
 * testdata/lifecycle/README.md has the members. What `aws ecr describe-images` prints is read too
 * ({"imageDetails": [...]}, by ECR's names of the members; it does not tell an index's children).
 * Pure; n log n.
 */
#ifndef DRYDOCK_PROTOCOL_LIFECYCLE_IMAGES_H
#define DRYDOCK_PROTOCOL_LIFECYCLE_IMAGES_H

#include "protocol/lifecycle.h"

/* JSON values that a text may hold: those of some 200,000 images as ECR describes them. */
enum { LIFECYCLE_IMAGES_VALUES_MAX = 4 * 1024 * 1024 };

struct lifecycle_listed {
	struct slice name;            /* absent: none */
	struct lifecycle_image image; /* its id is its place in the list, from 0 */
	struct digest *children;
	size_t child_count;
};

struct lifecycle_images {
	struct lifecycle_listed *at;
	size_t count;
};

/*
 * Ages are before now_ms. False: *why says what is wrong and of which image, in the arena, as is all
 * of *out. Each digest is there once; a name that is referred to is there, a digest need not be.
 */
bool lifecycle_images_parse(struct slice text, int64_t now_ms, struct arena *a,
    struct lifecycle_images *out, struct slice *why);

/* Adds them all to the engine, children too. */
void lifecycle_images_add(struct lifecycle *l, const struct lifecycle_images *images);

#endif
