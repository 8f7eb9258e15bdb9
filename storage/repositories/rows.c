/* What nearly every job begins with: the repository's id by its key, and what to answer when it is not there. */
#include "storage/repositories/rows.h"

void bind_key(sqlite3_stmt *q, const struct repository_key *key)
{
	bind_text(q, 1, key->account);
	bind_text(q, 2, key->region);
	bind_text(q, 3, key->name);
}

enum error_code row_repository_id(struct db *db, const struct repository_key *key, int64_t *id)
{
	sqlite3_stmt *q = db_query(db, Q_REPOSITORY_ID);
	bind_key(q, key);
	int step = db_step(db, q);
	if (step == SQLITE_ROW)
		*id = sqlite3_column_int64(q, 0);
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	return step == SQLITE_DONE ? ERR_REPOSITORY_NOT_FOUND : db_failure(db);
}

enum error_code row_missing(
    struct db *db, const struct repository_key *key, enum error_code otherwise)
{
	int64_t id;
	enum error_code found = row_repository_id(db, key, &id);
	return found == ERR_NONE ? otherwise : found;
}

void job_refuse(struct store_job *job, enum error_code code, const struct repository_key *key)
{
	job->error.code = code;
	job->error.registry = key->account;
	job->error.repository = key->name;
}

bool job_repository_id(
    struct store_tx *tx, struct store_job *job, const struct repository_key *key, int64_t *id)
{
	enum error_code failure = row_repository_id(tx->db, key, id);
	if (failure == ERR_REPOSITORY_NOT_FOUND)
		job_refuse(job, failure, key);
	else if (failure != ERR_NONE)
		tx_fail(tx, job);
	return failure == ERR_NONE;
}

bool content_add(struct store_tx *tx, struct store_job *job, const struct digest *digest,
    struct slice bytes, int64_t *id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_CONTENT_ADD);
	bind_digest(q, 1, digest);
	if (bytes.at)
		bind_blob(q, 2, bytes.at, bytes.len);
	else
		sqlite3_bind_null(q, 2);
	if (!tx_exec(tx, job, q))
		return false;
	*id = sqlite3_last_insert_rowid(tx->db->handle);
	tx->bytes += bytes.len;
	return true;
}
