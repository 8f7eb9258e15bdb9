/*
 * Repositories, as other jobs read and write them within their own transactions. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_REPOSITORY_ROWS_H
#define DRYDOCK_STORAGE_REPOSITORY_ROWS_H

#include "storage/core.h"
#include "storage/repositories/repository.h"

/* The columns of SQL_OF_REPOSITORY; slices are in the arena. */
void repository_row_read(sqlite3_stmt *q, struct arena *a, struct repository *out);
/* One more, or one fewer, in the registry; how many there are now, or -1 when the job has failed. */
int64_t repository_count(
    struct store_tx *tx, struct store_job *job, const struct repository *r, int change);

#endif
