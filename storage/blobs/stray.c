/*
 * Unreferenced blobs: a row for each, with the time since when.
 *
 * The collector goes by that time alone. It is renewed at most eight times in a grace time, so that clients that
 * ask for the same layer all the time do not cost a write each time.
 */
#include "storage/blobs/stray.h"

/* A stray is renewed at most so often within the grace time, however often clients ask for it. */
enum { RENEWALS = 8 };

bool stray_note(struct store_tx *tx, struct store_job *job, int64_t blob_id, int64_t repository_id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_STRAY_NOTE);
	bind_int(q, 1, blob_id);
	bind_int(q, 2, repository_id);
	bind_int(q, 3, clock_now_ms(&tx->store->clock));
	return tx_exec(tx, job, q);
}

bool stray_clear(struct store_tx *tx, struct store_job *job, int64_t blob_id, int64_t repository_id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_STRAY_DROP);
	bind_int(q, 1, blob_id);
	bind_int(q, 2, repository_id);
	return tx_exec(tx, job, q);
}

bool stray_fades(const struct store *store, int64_t touched_ms)
{
	return clock_now_ms(&store->clock) - touched_ms >= store->gc.grace_ms / RENEWALS;
}
