/*
 * Blobs: content that a repository may see.
 *
 * Content is kept once for all registries; a repository sees a blob only through a row of its own
 * (made when it was pushed or mounted there). Small content is a row, large content a file.
 */
#ifndef DRYDOCK_STORAGE_BLOB_H
#define DRYDOCK_STORAGE_BLOB_H

#include "protocol/digest.h"
#include "storage/repository.h"

enum {
	BLOB_INLINE_MAX = 64 * 1024, /* content up to this many bytes is a row */
};

struct blob {
	int64_t id;
	uint64_t size;
	struct slice data; /* inline content in the arena, absent when in a file or not asked for */
	int fd;            /* open file of large content, the caller closes; -1 otherwise */
};

/* Size only. ERR_REPOSITORY_NOT_FOUND, ERR_BLOB_UNKNOWN. */
enum error_code blob_stat(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct blob *out);
/* With its content. ERR_REPOSITORY_NOT_FOUND, ERR_BLOB_UNKNOWN, ERR_STORAGE_FAILED. */
enum error_code blob_open(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct arena *a, struct blob *out);

/*
 * Lets a repository see a blob of another one of the same account and region (OCI distribution-spec
 * "Mounting a blob from another repository"). ERR_REPOSITORY_NOT_FOUND: the target is missing.
 * ERR_BLOB_UNKNOWN: the source is, or has no such blob, or (referenced_only, as ECR has it) no image
 * there refers to it.
 */
struct blob_mount {
	struct store_job job;
	struct repository_key key;
	struct slice from; /* name of the source */
	struct digest digest;
	bool referenced_only;
	uint64_t size; /* out */
};
void blob_mount_submit(struct store *store, struct blob_mount *mount);

#endif
