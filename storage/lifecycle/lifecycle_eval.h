/*
 * A policy applied to a repository as it is at one moment. Storage-internal; the caller's thread, its reader.
 */
#ifndef DRYDOCK_STORAGE_LIFECYCLE_EVAL_H
#define DRYDOCK_STORAGE_LIFECYCLE_EVAL_H

#include "storage/lifecycle/lifecycle.h"

/* What is kept of each image that was shown, by the outcome's id. */
struct lifecycle_seen {
	int64_t image_id;
	uint64_t mark; /* lifecycle_mark */
};

struct lifecycle_eval {
	struct lifecycle_policy policy; /* in the arena given */
	struct lifecycle *engine;       /* decided */
	struct lifecycle_seen *seen;
	size_t seen_count, seen_cap;
};

enum lifecycle_eval_result {
	LIFECYCLE_EVALUATED,
	LIFECYCLE_NO_POLICY,   /* the text is none that this version knows */
	LIFECYCLE_EVAL_FAILED, /* the database: reader's db_failure */
};

/* Release it whatever the result. Tens of bytes an image are kept in memory. */
enum lifecycle_eval_result lifecycle_evaluate(struct store_reader *reader, int64_t repository_id,
    struct slice policy, int64_t now_ms, struct arena *a, struct lifecycle_eval *out)
    __attribute__((warn_unused_result));
void lifecycle_eval_release(struct lifecycle_eval *eval);

#endif
