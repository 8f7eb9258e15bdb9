/*
 * Reading blobs, on the caller's own connection.
 *
 * One statement finds a blob by repository and digest. Small content comes from its row. Of large content the file
 * decides: it is looked at, or opened, so that a row whose file somebody has removed is unknown to clients.
 * Nothing holds a file in place between the two steps, and no lock is taken: when it is gone the row is read
 * again, as the blob may have been collected and pushed anew.
 */
#include "storage/blobs/blob.h"

#include "storage/blobs/stray.h"
#include "storage/repositories/rows.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often a file is looked for that its row speaks of. */
enum { OPEN_TRIES = 3 };

static sqlite3_stmt *look_up(struct store_reader *reader, enum db_query query,
    const struct repository_key *key, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(&reader->db, query);
	bind_key(q, key);
	bind_digest(q, 4, digest);
	return q;
}

/* Small content is a row, whatever files there are; what is large might be, of a folder that another version wrote. */
enum error_code blob_look(
    struct db *db, struct files *files, int64_t id, const struct digest *digest, uint64_t size)
{
	int look = size > BLOB_INLINE_MAX ? files_look_blob(files, digest, size) : 0;
	if (look == 0)
		return ERR_NONE;
	if (look != ENOENT)
		return error_of_errno(look);
	sqlite3_stmt *q = db_query(db, Q_CONTENT_INLINE);
	bind_int(q, 1, id);
	int step = db_step(db, q);
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	return step == SQLITE_DONE ? ERR_BLOB_UNKNOWN : db_failure(db);
}

enum error_code blob_stat(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct blob *out)
{
	sqlite3_stmt *q = look_up(reader, Q_BLOB_STAT, key, digest);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW) {
		*out = (struct blob){.id = sqlite3_column_int64(q, 0), .fd = -1};
		out->size = (uint64_t)sqlite3_column_int64(q, 1);
		out->fading = sqlite3_column_type(q, 2) != SQLITE_NULL &&
		    stray_fades(reader->store, sqlite3_column_int64(q, 2));
	}
	db_done(q);
	if (step == SQLITE_DONE)
		return row_missing(&reader->db, key, ERR_BLOB_UNKNOWN);
	return step == SQLITE_ROW
	    ? blob_look(&reader->db, &reader->store->files, out->id, digest, out->size)
	    : db_failure(&reader->db);
}

/* The row, with small content. */
static enum error_code read_blob(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct arena *a, struct blob *out)
{
	sqlite3_stmt *q = look_up(reader, Q_BLOB_OPEN, key, digest);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW) {
		*out = (struct blob){.id = sqlite3_column_int64(q, 0), .fd = -1};
		out->size = (uint64_t)sqlite3_column_int64(q, 1);
		out->data = column_dup(q, 2, a);
	}
	db_done(q);
	if (step == SQLITE_DONE)
		return row_missing(&reader->db, key, ERR_BLOB_UNKNOWN);
	return step == SQLITE_ROW ? ERR_NONE : db_failure(&reader->db);
}

/* Opens the file of a blob: 0, ENOENT when it is not there or not whole, or another errno. */
static int open_file(struct store_reader *reader, const struct digest *digest, struct blob *out)
{
	struct stat st;
	out->fd = files_open_blob(&reader->store->files, digest);
	if (out->fd < 0)
		return errno == ENOTDIR ? ENOENT : errno;
	int failure = fstat(out->fd, &st) != 0 ? errno : 0;
	if (!failure && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != out->size))
		failure = ENOENT;
	if (failure) {
		close(out->fd);
		out->fd = -1;
	}
	return failure;
}

/* Between the look at its row and the opening of its file a blob may be collected, and pushed again. */
enum error_code blob_open(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct arena *a, struct blob *out)
{
	int failure = 0;
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		enum error_code found = read_blob(reader, key, digest, a, out);
		if (found != ERR_NONE || out->data.at)
			return found;
		failure = open_file(reader, digest, out);
		if (failure != ENOENT)
			break;
	}
	if (failure == 0)
		return ERR_NONE;
	return failure == ENOENT ? ERR_BLOB_UNKNOWN : error_of_errno(failure);
}

static void renew_run(struct store_tx *tx, struct store_job *job)
{
	struct blob_renew *renew = (struct blob_renew *)job;
	int64_t now = clock_now_ms(&tx->store->clock);
	for (size_t i = 0; i < renew->count; i++) {
		sqlite3_stmt *q = db_query(tx->db, Q_STRAY_RENEW);
		bind_key(q, &renew->key);
		bind_digest(q, 4, &renew->digests[i]);
		bind_int(q, 5, now);
		if (!tx_exec(tx, job, q))
			return;
	}
}

static const struct job_ops renew_ops = {.run = renew_run};

void blob_renew_submit(struct store *store, struct blob_renew *renew)
{
	store_submit(store, &renew->job, &renew_ops);
}
