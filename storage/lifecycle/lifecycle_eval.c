/*
 * A policy and a repository's images, brought together in the engine.
 *
 * Images are numbered as they are read. By that number an outcome of the engine leads back to the image's row id
 * and to the hash by which the writer recognises it: sixteen bytes an image beside what the engine keeps.
 */
#include "storage/lifecycle/lifecycle_eval.h"

#include "storage/lifecycle/lifecycle_batch.h"

#include <stdlib.h>

static void add_image(void *user, const struct lifecycle_image *image)
{
	struct lifecycle_eval *eval = user;
	struct lifecycle_image numbered = *image;
	if (eval->seen_count == eval->seen_cap) {
		eval->seen_cap = eval->seen_cap * 2 + 256;
		eval->seen = realloc(eval->seen, eval->seen_cap * sizeof(*eval->seen));
		if (!eval->seen)
			abort();
	}
	numbered.id = (int64_t)eval->seen_count;
	eval->seen[eval->seen_count++] =
	    (struct lifecycle_seen){.image_id = image->id, .mark = lifecycle_mark(image)};
	lifecycle_add(eval->engine, &numbered);
}

static void add_child(void *user, const struct digest *index, const struct digest *child)
{
	struct lifecycle_eval *eval = user;
	lifecycle_add_child(eval->engine, index, child);
}

enum lifecycle_eval_result lifecycle_evaluate(struct store_reader *reader, int64_t repository_id,
    struct slice policy, int64_t now_ms, struct arena *a, struct lifecycle_eval *out)
{
	struct lifecycle_visit visit = {add_image, add_child, out};
	struct slice why;
	*out = (struct lifecycle_eval){.engine = NULL};
	if (!lifecycle_policy_parse(policy, LIFECYCLE_RULES_MAX, a, &out->policy, &why))
		return LIFECYCLE_NO_POLICY;
	out->engine = lifecycle_new(&out->policy, now_ms);
	if (lifecycle_read(reader, repository_id, &visit) != ERR_NONE)
		return LIFECYCLE_EVAL_FAILED;
	lifecycle_decide(out->engine);
	return LIFECYCLE_EVALUATED;
}

void lifecycle_eval_release(struct lifecycle_eval *eval)
{
	lifecycle_free(eval->engine);
	free(eval->seen);
	*eval = (struct lifecycle_eval){.engine = NULL};
}
