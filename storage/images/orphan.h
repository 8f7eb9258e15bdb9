/*
 * Orphans: referrers whose subject was deleted. ECR removes them within a day (ecr-behaviour 4.4); the
 * lifecycle run does it here. Noted when the subject goes, so that a referrer whose subject never was in the
 * repository, or was pushed after it went, is none. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_ORPHAN_H
#define DRYDOCK_STORAGE_ORPHAN_H

#include "storage/images/image_rows.h"

/* In a run function, when an image goes: what refers to it is an orphan now. False: the job has failed. */
bool orphans_note(struct store_tx *tx, struct store_job *job, const struct image_row *subject);
/* It went, or its subject is back. False: the job has failed. */
bool orphan_forget(
    struct store_tx *tx, struct store_job *job, int64_t repository_id, const struct digest *digest);
/* Whether an image is one. False also when the job has failed. */
bool orphan_noted(
    struct store_tx *tx, struct store_job *job, int64_t repository_id, const struct digest *digest);

/* The next repository after `after` that has orphans. */
enum found orphan_repository(struct db *db, int64_t after, int64_t *out)
    __attribute__((warn_unused_result));
/*
 * Some of a repository's orphans by digest key, those after `after` (DIGEST_NONE: from the first): FOUND with how many;
 * ABSENT once there is no more.
 */
enum found orphan_list(struct db *db, int64_t repository_id, const struct digest *after,
    struct digest *out, size_t limit, size_t *count) __attribute__((warn_unused_result));

#endif
