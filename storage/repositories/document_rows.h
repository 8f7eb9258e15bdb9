/*
 * Documents, as other jobs write them within their own transactions. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_DOCUMENT_ROWS_H
#define DRYDOCK_STORAGE_DOCUMENT_ROWS_H

#include "storage/core.h"
#include "storage/repositories/document.h"

/* ERR_NONE, ERR_SETTING_NOT_FOUND when there is no row of whatever kind, or a failure. */
enum error_code document_row_find(struct db *db, const struct document_key *key, struct arena *a,
    struct document *out) __attribute__((warn_unused_result));
/* Makes or replaces one; text and both times count. False when the job has failed. */
bool document_row_put(struct store_tx *tx, struct store_job *job, const struct document_key *key,
    const struct document *document);
/* Removes the documents of a repository that goes. False when the job has failed. */
bool document_rows_drop(
    struct store_tx *tx, struct store_job *job, const struct repository_key *repository);

#endif
