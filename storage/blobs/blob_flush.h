/*
 * Bringing large blobs to disk in the background, so that image_put rarely waits.
 *
 * A blob's row says synced = 0 from its commit until its file and the folders above are on disk. An
 * image is not committed before (tx->waits_for). When the disk refuses, the row goes and who waited
 * fails. Who waits always waits for a flush that is under way: when the first one could not be noted
 * down, the next image that needs the blob begins another.
 */
#ifndef DRYDOCK_STORAGE_BLOB_FLUSH_H
#define DRYDOCK_STORAGE_BLOB_FLUSH_H

#include "storage/db/db.h"
#include "storage/jobs/job.h"

/* Starts flushing one blob's file. On the writer's thread, or before there is one; so is the next. */
void blob_flush_submit(struct store *store, const struct digest *digest);
/* The same, unless that is under way already. */
void blob_flush_want(struct store *store, const struct digest *digest);

/* On the writer's thread: the blob's name gets another file, of which flushes under way say nothing. */
void blob_flush_outdate(struct store *store, const struct digest *digest);
/* Whether an image holds the blob. */
enum found blob_held(struct db *db, const struct digest *digest)
    __attribute__((warn_unused_result));

/* In a run function: removes a blob's rows (but not what refers to it). False on a database error.
 */
bool blob_drop_rows(struct db *db, const struct digest *digest);

#endif
