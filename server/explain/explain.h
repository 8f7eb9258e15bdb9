/*
 * drydock lifecycle explain: what a policy would do to a repository's images, and why.
 *
 * explain.c has the verb: it finds policies and images, in a data folder or a file, and lets the engine
 * (protocol/lifecycle.h) decide. words.c puts a decision into words; table.c prints for people, json.c for
 * programs. One thread; nothing is changed anywhere.
 */
#ifndef DRYDOCK_SERVER_EXPLAIN_EXPLAIN_H
#define DRYDOCK_SERVER_EXPLAIN_EXPLAIN_H

#include "protocol/arena.h"
#include "protocol/lifecycle_images.h"

/* One repository under one policy, decided. */
struct explain {
	struct slice account, region, repository; /* repository absent: the images are a file's */
	int64_t now_ms;
	const struct lifecycle_policy *policy;
	struct lifecycle_images images; /* an outcome's id is the place here */
	const struct lifecycle_listed **by_digest;
	struct lifecycle *engine;
	struct arena *scratch; /* reset before each image is printed */
};

/* How many images each came to. */
struct explain_summary {
	size_t images, expire, transition, protected, kept;
};
void explain_summarize(const struct explain *e, struct explain_summary *out);

/* Once the images are there: makes by_digest, to be freed. */
void explain_sort(struct explain *e);

/* ---- words.c; all in scratch ---- */

/* "untagged images pushed more than 14 days ago: expire" */
struct slice explain_rule(const struct explain *e, size_t rule);
/* Why a rule that selects the image marks it or not: "pushed 31 days ago, more than 30". */
struct slice explain_condition(
    const struct explain *e, size_t rule, const struct lifecycle_outcome *o);
/* What was decided, whole: "expires by rule 1: pushed 31 days ago, more than 30". */
struct slice explain_decision(const struct explain *e, const struct lifecycle_outcome *o);
/* What a rule that had no say would have done: "rule 3 would expire it: ..., but rule 1 claims it". */
struct slice explain_other(const struct explain *e, size_t rule, const struct lifecycle_outcome *o);
/* An image's name in the file, else the beginning of its digest. */
struct slice explain_label(const struct explain *e, const struct digest *digest);
/* Since it was pushed or restored: "31 days", "5 hours". */
struct slice explain_age(const struct explain *e, const struct lifecycle_image *image);

/* ---- table.c, json.c: to standard output ---- */

void explain_print_table(const struct explain *e);

/* The repositories stand between json_begin and _end; first: of them. */
void explain_print_json_begin(int64_t now_ms);
void explain_print_json(const struct explain *e, bool first);
void explain_print_json_end(void);

#endif
