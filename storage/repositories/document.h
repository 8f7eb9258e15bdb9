/*
 * Documents: JSON texts that an API call puts, and others get as they were put.
 *
 * Policies, templates, rules, configurations and settings of a registry (an account in a region)
 * are all kept in one table, by kind and name. Two kinds belong to a repository, whose name is
 * theirs: they need it to exist, and go with it in the same transaction. What a text means is the
 * business of protocol/.
 */
#ifndef DRYDOCK_STORAGE_DOCUMENT_H
#define DRYDOCK_STORAGE_DOCUMENT_H

#include "storage/repositories/repository.h"

/* Written to disk: a number is never given a new meaning. */
enum document_kind {
	DOCUMENT_REPOSITORY_POLICY = 1, /* of the repository of its name, as the next one */
	DOCUMENT_LIFECYCLE_POLICY = 2,
	DOCUMENT_REGISTRY_POLICY = 3, /* there is one; its name is empty, as the next three's */
	DOCUMENT_REPLICATION = 4,
	DOCUMENT_SCANNING = 5,
	DOCUMENT_SIGNING = 6,
	DOCUMENT_ACCOUNT_SETTING = 7, /* by the setting's name; the text is its bare value */
	DOCUMENT_TEMPLATE = 8,        /* by prefix, without a slash at its end, as the next one */
	DOCUMENT_PULL_THROUGH_RULE = 9,
	DOCUMENT_EXCLUSION = 10, /* by the principal's ARN; the text is empty */
	DOCUMENT_KIND_COUNT
};

struct document_key {
	struct slice account, region;
	enum document_kind kind;
	struct slice name; /* not absent: empty where there is one of a kind */
};

struct document {
	struct slice name, text;
	int64_t created_ms, updated_ms;
	int64_t
	    evaluated_ms; /* lifecycle policies: when it was last run; 0: not since it was put */
};

/*
 * Slices of *out are in the arena. When it is not there: the kind's own error (ERR_..._NOT_FOUND),
 * or ERR_REPOSITORY_NOT_FOUND for a document of a repository that is not there.
 */
enum error_code document_get(struct store_reader *reader, const struct document_key *key,
    struct arena *a, struct document *out) __attribute__((warn_unused_result));

struct document_page {
	struct document *at;
	size_t count;
	bool more; /* the next page starts after the last name here */
};
/* A kind's documents of a registry by name, bytewise, those after `after` (absent: from the first).
 */
enum error_code document_list(struct store_reader *reader, const struct document_key *kind,
    struct slice after, size_t limit, struct arena *a, struct document_page *out)
    __attribute__((warn_unused_result));

enum document_rule {
	DOCUMENT_PUT,     /* made, or replaced */
	DOCUMENT_MAKE,    /* the kind's ERR_..._EXISTS when it is there */
	DOCUMENT_REPLACE, /* only while its text is still `expected`: otherwise `stale` */
};

/* ERR_REPOSITORY_NOT_FOUND, the kind's own errors, ERR_LIMIT_EXCEEDED with its message. */
struct document_put {
	struct store_job job;
	struct document_key key;
	enum document_rule rule;
	struct slice text;
	struct slice expected;
	bool stale; /* out: nothing was changed, because somebody else did: read it again */
	struct document put; /* out: name and text are the caller's own */
};
void document_put_submit(struct store *store, struct document_put *put);

/* The kind's own error when it is not there. */
struct document_delete {
	struct store_job job; /* its arena must be set */
	struct document_key key;
	struct document deleted; /* out */
};
void document_delete_submit(struct store *store, struct document_delete *del);

#endif
