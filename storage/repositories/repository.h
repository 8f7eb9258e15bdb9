/*
 * Repositories: the rows behind CreateRepository, DescribeRepositories, DeleteRepository.
 *
 * A repository belongs to an account and a region; its name is unique there. Deleting one drops its
 * images, tags, uploads and links to blobs; blobs themselves go by garbage collection.
 */
#ifndef DRYDOCK_STORAGE_REPOSITORY_H
#define DRYDOCK_STORAGE_REPOSITORY_H

#include "storage/jobs/job.h"

struct store_reader;

struct repository_key {
	struct slice account, region, name;
};

enum mutability {
	TAGS_MUTABLE,
	TAGS_IMMUTABLE,
	TAGS_IMMUTABLE_WITH_EXCLUSION,
	TAGS_MUTABLE_WITH_EXCLUSION,
};

struct repository {
	int64_t id;
	struct slice account, region, name;
	int64_t created_ms;
	enum mutability mutability;
	struct slice mutability_filters; /* JSON array of {filterType, filter}; absent when none */
	bool scan_on_push;
	struct slice encryption_type; /* "AES256", "KMS", "KMS_DSSE" */
	struct slice kms_key;         /* absent for AES256 */
	const struct repository_extras
	    *extras; /* for making one; NULL: none, and always when read */
};

struct resource_tag {
	struct slice key, value;
};

/* What else a repository is made with, when a template says so. */
struct repository_extras {
	const struct resource_tag *tags;
	size_t tag_count;
	struct slice repository_policy, lifecycle_policy; /* absent: none */
};

/* error: ERR_REPOSITORY_NOT_FOUND with its facts. Slices of *out are in the arena. */
enum error_code repository_find(struct store_reader *reader, const struct repository_key *key,
    struct arena *a, struct repository *out) __attribute__((warn_unused_result));

struct repository_page {
	struct repository *at;
	size_t count;
	bool more; /* the next page starts after the last name here */
};
/* Names in bytewise order, those after `after` (absent: from the first), limit of them at most. */
enum error_code repository_list(struct store_reader *reader, struct slice account,
    struct slice region, struct slice after, size_t limit, struct arena *a,
    struct repository_page *out) __attribute__((warn_unused_result));

enum { RESOURCE_TAGS_MAX = 50 };

/* The resource tags of a repository, by key. */
enum error_code repository_tags(struct store_reader *reader, int64_t repository_id, struct arena *a,
    struct resource_tag tags[RESOURCE_TAGS_MAX], size_t *count) __attribute__((warn_unused_result));

/* Fill repository (all but id and created_ms), tags. ERR_REPOSITORY_EXISTS, ERR_LIMIT_EXCEEDED. */
struct repository_create {
	struct store_job job;
	struct repository repository; /* in and out */
	const struct resource_tag *tags;
	size_t tag_count;
};
void repository_create_submit(struct store *store, struct repository_create *create);

/*
 * Of a job's run function: adds the row of a repository that is not there yet, and its extras; fills id and
 * created_ms. False when the job has failed (ERR_LIMIT_EXCEEDED); it needs an arena.
 */
bool repository_add(struct store_tx *tx, struct store_job *job, struct repository *r);

/* Settings that a repository may change. ERR_REPOSITORY_NOT_FOUND. */
struct repository_update {
	struct store_job job;
	struct repository_key key;
	enum { REPOSITORY_SET_MUTABILITY, REPOSITORY_SET_SCANNING } what;
	enum mutability mutability;
	struct slice mutability_filters; /* as in struct repository */
	bool scan_on_push;
};
void repository_update_submit(struct store *store, struct repository_update *update);

/*
 * Adds or changes the tags in put, then removes those whose keys are in drop (of tags that are not there
 * nothing is said). ERR_REPOSITORY_NOT_FOUND; ERR_TOO_MANY_TAGS with the quota as detail.
 */
struct repository_tag {
	struct store_job job;
	struct repository_key key;
	const struct resource_tag *put;
	size_t put_count;
	const struct slice *drop;
	size_t drop_count;
};
void repository_tag_submit(struct store *store, struct repository_tag *tag);

/* ERR_REPOSITORY_NOT_FOUND, ERR_REPOSITORY_NOT_EMPTY unless force. */
struct repository_delete {
	struct store_job job; /* its arena must be set */
	struct repository_key key;
	bool force;
	struct repository deleted; /* out */
};
void repository_delete_submit(struct store *store, struct repository_delete *del);

#endif
