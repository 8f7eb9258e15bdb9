/*
 * The end of activations. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_ARCHIVE_DUE_H
#define DRYDOCK_STORAGE_ARCHIVE_DUE_H

#include "storage/core.h"

/* In a run function: ends what is due at now_ms. False when the job has failed. */
bool archive_end_due(struct store_tx *tx, struct store_job *job, int64_t now_ms);
/* From the writer when it is idle: submits a job for it when there is anything due. */
void archive_tend(struct store *store);

#endif
