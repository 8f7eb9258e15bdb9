/*
 * Into the archive and out of it, as other jobs do it. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_ARCHIVE_DUE_H
#define DRYDOCK_STORAGE_ARCHIVE_DUE_H

#include "storage/images/image_rows.h"

/* In a run function: whether an index that is ACTIVE names the image, which then cannot be archived. */
bool archive_held(struct store_tx *tx, struct store_job *job, const struct image_row *row);
/* Archives an ACTIVE image, and with it what refers to it. False when the job has failed. */
bool archive_take(
    struct store_tx *tx, struct store_job *job, struct image_row *row, int64_t now_ms);

/* In a run function: ends what is due at now_ms. False when the job has failed. */
bool archive_end_due(struct store_tx *tx, struct store_job *job, int64_t now_ms);
/* From the writer when it is idle: submits a job for it when there is anything due. */
void archive_tend(struct store *store);

#endif
