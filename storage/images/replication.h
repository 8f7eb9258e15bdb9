/*
 * Replication: what is pushed to a registry appears in the registries that its rules name (ecr-behaviour 8.2).
 *
 * Blobs are shared beneath all registries, so that a copy is a few rows, made in the push's own transaction.
 * A copy that cannot be made does not refuse the push: it leaves nothing behind, and its destination is noted as
 * FAILED.
 */
#ifndef DRYDOCK_STORAGE_REPLICATION_H
#define DRYDOCK_STORAGE_REPLICATION_H

#include "storage/images/image_rows.h"

/* In a run function whose job has an arena: copies an image, with these of its tags. False: it has failed. */
bool replicate(struct store_tx *tx, struct store_job *job, const struct repository_key *source,
    const struct image_row *row, const struct slice *tags, size_t tag_count);

/* One destination of an image. */
struct replica {
	struct slice region, account;
	struct slice failure; /* an exception's name; absent: it is there */
};
/* Those that an image was to be copied to, by region and account. Any thread with a reader. */
enum error_code replica_list(struct store_reader *reader, int64_t image_id, struct arena *a,
    struct replica **out, size_t *count) __attribute__((warn_unused_result));

#endif
