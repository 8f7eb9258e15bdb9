/*
 * The lifecycle engine: which images of a repository a policy expires or archives now, and why
 * (ecr-behaviour 4.3, 4.4). Pure: the caller brings the images and the time, and carries it out.
 *
 *	struct lifecycle *l = lifecycle_new(&policy, now_ms);
 *	for each image of the repository:            lifecycle_add(l, &image);
 *	for each child that an index there names:    lifecycle_add_child(l, &index, &child);
 *	lifecycle_decide(l);
 *	for (i = 0; i < lifecycle_count(l); i++)     an image, in the order of carrying out
 *		lifecycle_outcome(l, i, &outcome);
 *	lifecycle_free(l);
 *
 * Images may come in any order and once each. What one keeps per image is fixed and small (about a
 * hundred bytes): neither tags nor texts are kept, as rules are matched when an image is added. Time is
 * n log n in the images and children, whatever the digests are. The same input gives the same outcome,
 * whatever its order: of images of the same age the one with the lower digest counts as the older.
 *
 * Beyond the rules:
 * - an image that an index names goes only when every index that names it, and is in the repository,
 *   lets it go: otherwise it is LIFECYCLE_PROTECTED. To be expired, an image needs them all to be
 *   expired in this run; to be archived, it needs each to be archived already, or to go in this run;
 * - an image with a subject that is in the repository is not selected by any rule: it goes when its
 *   subject goes, with the same action (LIFECYCLE_FOLLOWS), unless it is archived already and that
 *   is the action. Its place in rankings is not counted (ecr-behaviour 4.4: ours);
 * - images that name each other in a circle, which no digest can make but by a broken hash, stay.
 */
#ifndef DRYDOCK_PROTOCOL_LIFECYCLE_H
#define DRYDOCK_PROTOCOL_LIFECYCLE_H

#include "protocol/digest.h"
#include "protocol/lifecycle_policy.h"

struct lifecycle;

enum lifecycle_status { LIFECYCLE_ACTIVE, LIFECYCLE_ARCHIVED, LIFECYCLE_ACTIVATING };

/* One image. All of it is borrowed during lifecycle_add only. Times are ms since 1970; 0: never. */
struct lifecycle_image {
	int64_t id; /* the caller's own, given back in the outcome */
	struct digest digest;
	struct slice tags; /* each followed by a NUL; empty or absent: untagged */
	enum lifecycle_status status;
	int64_t pushed_ms;
	int64_t pulled_ms;     /* lastRecordedPullTime */
	int64_t archived_ms;   /* lastArchivedAt */
	int64_t activated_ms;  /* lastActivatedAt */
	struct digest subject; /* DIGEST_NONE: none */
};

/* The policy is borrowed until lifecycle_free; at most LIFECYCLE_RULES_MOST rules. */
struct lifecycle *lifecycle_new(const struct lifecycle_policy *policy, int64_t now_ms);
void lifecycle_add(struct lifecycle *l, const struct lifecycle_image *image);
/* Either may be unknown at that time, or stay so (then it has no effect). */
void lifecycle_add_child(
    struct lifecycle *l, const struct digest *index, const struct digest *child);
/* Once, after everything was added; nothing is added afterwards. */
void lifecycle_decide(struct lifecycle *l);
void lifecycle_free(struct lifecycle *l); /* NULL allowed */

enum lifecycle_decision {
	LIFECYCLE_KEPT,      /* no rule marked it, or another rule had claimed it */
	LIFECYCLE_ACTED,     /* a rule's action applies to it */
	LIFECYCLE_FOLLOWS,   /* its subject goes, so it goes with it: rule is its subject's */
	LIFECYCLE_PROTECTED, /* it would go (as either above), but for an index that stays */
};

/* What was decided of one image, and all that an explanation needs. Bit n is policy->rules[n]. */
struct lifecycle_outcome {
	int64_t id;
	struct digest digest;
	enum lifecycle_decision decision;
	enum lifecycle_action action; /* unless KEPT */
	unsigned rule;                /* index into policy->rules; unless KEPT */
	uint64_t selected;            /* rules whose selection it is in */
	uint64_t marked;              /* rules whose count or age condition it meets */
	int claimed_by;               /* index of the first rule that selected it; -1: none */
	struct digest subject;        /* when that is in the repository; DIGEST_NONE otherwise */
	struct digest index;          /* PROTECTED: an index that keeps it; DIGEST_NONE otherwise */
};

/*
 * All images that were added, after lifecycle_decide. First those to be carried out, in that order:
 * oldest first, but an index before what it names and a subject before what refers to it; then the
 * PROTECTED ones, then the KEPT ones, both oldest first.
 */
size_t lifecycle_count(const struct lifecycle *l);
/* How many of them are ACTED or FOLLOWS: outcomes 0 .. n-1. */
size_t lifecycle_action_count(const struct lifecycle *l);
void lifecycle_outcome(const struct lifecycle *l, size_t at, struct lifecycle_outcome *out);

#endif
