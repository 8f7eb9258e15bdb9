/*
 * Which repository sees which blob, changed without any bytes moving: mounts and deletions.
 */
#ifndef DRYDOCK_STORAGE_BLOB_LINK_H
#define DRYDOCK_STORAGE_BLOB_LINK_H

#include "storage/blobs/blob.h"

/*
 * Lets a repository see a blob that another one of the same registry has (OCI distribution-spec "Mounting a
 * blob from another repository"; ecr-behaviour 6.5). Not being able to is no error: then mounted is
 * false. ERR_REPOSITORY_NOT_FOUND: of key.
 */
struct blob_mount {
	struct store_job job;
	struct repository_key key;
	struct slice from; /* the other repository's name; absent: any that has it */
	struct digest digest;
	bool needs_image; /* only when an image of `from` holds it, and both are encrypted alike */
	bool mounted;     /* out */
};
void blob_mount_submit(struct store *store, struct blob_mount *mount);

/* The account setting BLOB_MOUNTING of a registry; ECR's default is DISABLED. Another code than ERR_NONE: ERR_STORAGE_*. */
enum error_code blob_mounting_enabled(struct store_reader *reader, const struct repository_key *key,
    bool *enabled) __attribute__((warn_unused_result));

/*
 * A repository no longer sees a blob. Images that hold it stay as they are, and cannot be pulled whole.
 * ERR_REPOSITORY_NOT_FOUND, ERR_BLOB_UNKNOWN.
 */
struct blob_unlink {
	struct store_job job;
	struct repository_key key;
	struct digest digest;
};
void blob_unlink_submit(struct store *store, struct blob_unlink *unlink);

#endif
