/*
 * Bringing large blobs to disk in the background, so that image_put rarely waits.
 *
 * A blob's row says synced = 0 from its commit until its file and the folders above are on disk. An
 * image is not committed before (tx->waits_for). When the disk refuses, the row goes and who waited
 * fails.
 */
#ifndef DRYDOCK_STORAGE_BLOB_FLUSH_H
#define DRYDOCK_STORAGE_BLOB_FLUSH_H

#include "storage/db.h"
#include "storage/store.h"

/* Starts flushing one blob's file. Any thread. */
void blob_flush_submit(struct store *store, const struct digest *digest);

/* In a run function: removes a blob's rows (but not what refers to it). False on a database error.
 */
bool blob_drop_rows(struct db *db, const struct digest *digest);

#endif
