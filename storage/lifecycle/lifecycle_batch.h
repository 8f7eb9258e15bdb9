/*
 * Carrying out decisions: one transaction's worth of them. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_LIFECYCLE_BATCH_H
#define DRYDOCK_STORAGE_LIFECYCLE_BATCH_H

#include "storage/images/image_rows.h"
#include "storage/lifecycle/lifecycle_run.h"

/* As many as a push would like to wait for. */
enum { LIFECYCLE_BATCH_MAX = 16 };

struct lifecycle_item {
	struct lifecycle_deed deed; /* digest, cause and action in; result, tags and parents out */
	bool held;        /* the engine knows of an index that keeps it: only said, not done */
	int64_t image_id; /* unless LIFECYCLE_SUBJECT_DELETED */
	uint64_t mark;    /* lifecycle_mark of LIFECYCLE_BY_RULE */
};

/*
 * All that a rule may have looked at in an image, as one number. What has the same id and mark is the image
 * that was decided.
 */
uint64_t lifecycle_mark(const struct lifecycle_image *image);
uint64_t lifecycle_row_mark(const struct image_row *row);

struct lifecycle_batch {
	struct store_job job; /* its arena must be set: tags and parents are in it */
	struct repository_key key;
	int64_t repository_id;
	struct slice policy; /* the text that decided; absent: none did */
	int64_t decided_ms;
	struct lifecycle_item *items;
	size_t count;
	bool evaluated; /* notes that the policy was evaluated at decided_ms */
	bool
	    stopped; /* out: the policy, the repository or the clock is another: nothing was done */
};
void lifecycle_batch_init(struct lifecycle_batch *batch, struct arena *a);
/* Has it carried out, beside the jobs of others (await.h: job_await_kindly). */
enum error_code lifecycle_batch_await(struct store *store, struct lifecycle_batch *batch);

#endif
