/*
 * Previews of lifecycle policies: what a run of a policy would do at that moment, as rows that can be paged
 * through (ecr-behaviour 2.6).
 *
 * A repository has one, which the next one replaces. It is made in the background, on a thread of its own.
 * Its results age out after PREVIEW_LIFETIME_MS of the store's clock.
 */
#ifndef DRYDOCK_STORAGE_PREVIEW_H
#define DRYDOCK_STORAGE_PREVIEW_H

#include "protocol/lifecycle_policy.h"
#include "storage/images/image.h"

/* How long results are to be had; ECR's own time is not documented. */
#define PREVIEW_LIFETIME_MS (24 * 3600 * 1000LL)

/* Written to disk: a number is never given a new meaning. */
enum preview_status {
	PREVIEW_IN_PROGRESS = 0,
	PREVIEW_COMPLETE = 1,
	PREVIEW_FAILED = 2, /* also: the process ended before it was complete */
	PREVIEW_EXPIRED = 3,
};

struct preview {
	int64_t set_id; /* distinct for each preview there ever was */
	enum preview_status status;
	struct slice policy; /* in the arena */
	uint64_t expiring, transitioning;
};

/* The policy is a valid one. ERR_REPOSITORY_NOT_FOUND, ERR_PREVIEW_IN_PROGRESS. */
struct preview_start {
	struct store_job job; /* its arena must be set */
	struct repository_key key;
	struct slice policy;
	int64_t repository_id, set_id; /* storage's */
};
void preview_start_submit(struct store *store, struct preview_start *start);

/* ERR_PREVIEW_NOT_FOUND. */
enum error_code preview_find(struct store_reader *reader, int64_t repository_id, struct arena *a,
    struct preview *out) __attribute__((warn_unused_result));

struct preview_item {
	int64_t at; /* its place in the order of carrying out, from 1 */
	struct digest digest;
	struct slice *tags;
	size_t tag_count;
	int64_t pushed_ms;
	bool archived; /* the class it was in */
	enum lifecycle_action action;
	int64_t priority; /* of the rule */
};

/* A page of a COMPLETE preview's results, in that order, those after `after` (0: from the first). */
struct preview_page {
	struct preview_item *items;
	size_t count;
	bool more;
};
enum error_code preview_list(struct store_reader *reader, int64_t set_id, enum tag_status tags,
    int64_t after, size_t limit, struct arena *a, struct preview_page *out)
    __attribute__((warn_unused_result));
/* The result for an image, ERR_IMAGE_NOT_FOUND when it has none. */
enum error_code preview_item_find(struct store_reader *reader, int64_t set_id,
    const struct digest *digest, struct arena *a, struct preview_item *out)
    __attribute__((warn_unused_result));

#endif
