/*
 * Referrers whose subject was deleted, as rows of repository and digest: a run goes through them in that order, a
 * page at a time.
 *
 * A row may be out of date, when its image went or its subject came back. So the run looks again before it acts on
 * one, and forgets what is none any more (lifecycle_batch.c).
 */
#include "storage/images/orphan.h"

static sqlite3_stmt *query_of(
    struct db *db, enum db_query query, int64_t repository_id, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(db, query);
	bind_int(q, 1, repository_id);
	bind_digest(q, 2, digest);
	return q;
}

bool orphans_note(struct store_tx *tx, struct store_job *job, const struct image_row *subject)
{
	return tx_exec(
	    tx, job, query_of(tx->db, Q_ORPHAN_NOTE, subject->repository_id, &subject->digest));
}

bool orphan_forget(
    struct store_tx *tx, struct store_job *job, int64_t repository_id, const struct digest *digest)
{
	return tx_exec(tx, job, query_of(tx->db, Q_ORPHAN_DROP, repository_id, digest));
}

bool orphan_noted(
    struct store_tx *tx, struct store_job *job, int64_t repository_id, const struct digest *digest)
{
	sqlite3_stmt *q = query_of(tx->db, Q_ORPHAN_FIND, repository_id, digest);
	int step = db_step(tx->db, q);
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(tx, job);
	return step == SQLITE_ROW;
}

enum found orphan_repository(struct db *db, int64_t after, int64_t *out)
{
	sqlite3_stmt *q = db_query(db, Q_ORPHAN_REPOSITORY);
	bind_int(q, 1, after);
	enum found found = db_found(db_step(db, q));
	*out = found == FOUND ? sqlite3_column_int64(q, 0) : 0;
	db_done(q);
	return found;
}

enum found orphan_list(struct db *db, int64_t repository_id, const struct digest *after,
    struct digest *out, size_t limit, size_t *count)
{
	enum found found = FOUND;
	sqlite3_stmt *q = query_of(db, Q_ORPHAN_LIST, repository_id, after);
	if (after->algorithm == DIGEST_NONE)
		bind_blob(q, 2, "", 0);
	*count = 0;
	while (*count < limit && (found = db_found(db_step(db, q))) == FOUND)
		*count += column_digest(q, 0, &out[*count]);
	db_done(q);
	if (found == ABSENT && *count > 0)
		found = FOUND; /* the next call will say that there is no more */
	return found;
}
