/*
 * Small look-ups that several of storage's modules share. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_ROWS_H
#define DRYDOCK_STORAGE_ROWS_H

#include "storage/core.h"

/* Binds account, region and name as ?1, ?2, ?3. */
void bind_key(sqlite3_stmt *q, const struct repository_key *key);
/* Of the repository, or ERR_REPOSITORY_NOT_FOUND or a storage failure. */
enum error_code row_repository_id(struct db *db, const struct repository_key *key, int64_t *id)
    __attribute__((warn_unused_result));
/* What a read answers when it found nothing: the repository is missing, or the thing in it is. */
enum error_code row_missing(struct db *db, const struct repository_key *key,
    enum error_code otherwise) __attribute__((warn_unused_result));

/* The job fails with a code and the facts of its repository. */
void job_refuse(struct store_job *job, enum error_code code, const struct repository_key *key);
/* The repository's id, for a job; false when the job has failed. */
bool job_repository_id(struct store_tx *tx, struct store_job *job, const struct repository_key *key,
    int64_t *id) __attribute__((warn_unused_result));

/* Adds a content row; false when the job has failed. bytes absent: content that is in a file. */
bool content_add(struct store_tx *tx, struct store_job *job, const struct digest *digest,
    struct slice bytes, int64_t *id);

#endif
