/*
 * Strays: what a repository sees and none of its images holds. Storage-internal.
 *
 * A row in stray for each such pair of blob and repository, with the time at which somebody was last told
 * that it is there: its upload ended, it was mounted, its last image went, a client asked and heard
 * "exists". The collector (gc.h) takes the pair when that is longer ago than the grace time, and the
 * blob with its last pair. So a blob that an image holds costs neither a push nor the collector anything.
 *
 * The rows change in the writer's transactions only, together with repository_blob and image_blob.
 */
#ifndef DRYDOCK_STORAGE_STRAY_H
#define DRYDOCK_STORAGE_STRAY_H

#include "storage/core.h"

/*
 * From now on the repository may rely on the blob for the grace time. No row is made when an image of the
 * repository holds it. False when the job has failed.
 */
bool stray_note(struct store_tx *tx, struct store_job *job, int64_t blob_id, int64_t repository_id);
/* An image of the repository holds it now. False when the job has failed. */
bool stray_clear(
    struct store_tx *tx, struct store_job *job, int64_t blob_id, int64_t repository_id);

/*
 * Whether so much of the grace time is over that a client must not be told "exists" before it has been
 * renewed. Any thread.
 */
bool stray_fades(const struct store *store, int64_t touched_ms);

#endif
