/*
 * How an upload becomes a blob: the bytes are verified, then one transaction makes the content, the
 * blob and the repository's link to it. A large one's file gets the blob's name before that commit;
 * should the process die in between, the session is still there under its own name.
 */
#include "storage/blobs/blob_flush.h"
#include "storage/blobs/stray.h"
#include "storage/repositories/rows.h"

#include <errno.h>
#include <unistd.h>

/* On a worker: the hash was not made as the bytes came, or with another algorithm. */
static void finish_work(struct store *store, struct store_job *job)
{
	struct upload_finish *finish = (struct upload_finish *)job;
	struct upload *u = finish->upload;
	uint64_t size = 0;
	int fd = files_open_upload(&store->files, u->id, false);
	int failure =
	    fd < 0 ? errno : files_hash(fd, finish->digest.algorithm, &size, &finish->found);
	if (fd >= 0)
		close(fd);
	if (failure || size != u->size)
		job_fail(job, failure == ENOENT ? ERR_UPLOAD_UNKNOWN : ERR_STORAGE_FAILED,
		    "reading an upload back: %s", failure ? strerror(failure) : "wrong size");
}

static bool hash_at_hand(const struct upload_finish *finish)
{
	const struct upload *u = finish->upload;
	return u->hasher && u->algorithm == finish->digest.algorithm;
}

static void fail_errno(struct upload_finish *finish, int failure, const char *doing)
{
	job_fail(&finish->job, error_of_errno(failure), "%s: %s", doing, strerror(failure));
}

/* True when the bytes are what the client says. small: the bytes of a small upload. */
static bool verify(struct upload_finish *finish, struct slice small)
{
	struct upload *u = finish->upload;
	if (hash_at_hand(finish))
		hasher_peek(u->hasher, &finish->found);
	else if (!u->in_file)
		digest_compute(finish->digest.algorithm, small, &finish->found);
	if (digest_eq(&finish->found, &finish->digest))
		return true;
	finish->job.error.code = ERR_LAYER_DIGEST_MISMATCH; /* without facts: u's go with it */
	return false;
}

static bool repository_alive(struct store_tx *tx, struct upload_finish *finish)
{
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_ALIVE);
	bind_int(q, 1, finish->upload->repository_id);
	int step = db_step(tx->db, q);
	db_done(q);
	if (step == SQLITE_DONE)
		finish->job.error.code = ERR_REPOSITORY_NOT_FOUND;
	else if (step != SQLITE_ROW)
		tx_fail(tx, &finish->job);
	return step == SQLITE_ROW;
}

/* The upload's file gets the blob's name. */
static bool link_file(struct store_tx *tx, struct upload_finish *finish)
{
	int failure = files_link_blob(&tx->store->files, finish->upload->id, &finish->digest);
	finish->linked = failure == 0;
	if (failure)
		fail_errno(finish, failure, "linking a blob into place");
	else
		blob_flush_outdate(tx->store, &finish->digest);
	return finish->linked;
}

/*
 * Gives a new blob its content row, and its file's name to a large one. A file of before that waits for its removal
 * keeps it: as long as the commit that gave it up is not on disk, a row may come back that counts on it.
 */
static bool place_content(
    struct store_tx *tx, struct upload_finish *finish, struct slice small, int64_t *id)
{
	struct upload *u = finish->upload;
	if (u->in_file) {
		int look = !removal_has(tx->store, &finish->digest)
		    ? ENOENT
		    : files_look_blob(&tx->store->files, &finish->digest, u->size);
		if (look != 0 && look != ENOENT) {
			fail_errno(finish, look, "looking at a blob's file");
			return false;
		}
		finish->taken_over = look == 0;
		small = slice_of(NULL, 0);
		if (!finish->taken_over && !link_file(tx, finish))
			return false;
	}
	return content_add(tx, &finish->job, &finish->digest, small, id);
}

static bool add_blob(
    struct store_tx *tx, struct upload_finish *finish, struct slice small, int64_t *id)
{
	if (!place_content(tx, finish, small, id))
		return false;
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_ADD);
	bind_digest(q, 1, &finish->digest);
	bind_int(q, 2, *id);
	bind_int(q, 3, (int64_t)finish->upload->size);
	bind_int(q, 4, !finish->linked || tx->store->ephemeral);
	return tx_exec(tx, &finish->job, q);
}

/*
 * A row may be wrong: its file was deleted by hand, or is cut off. The upload's bytes were just verified: they take its place,
 * under the same row, so that the images that hold it are whole again. The row says synced, and may go on
 * saying so after a power cut: so the bytes are on disk before they get the name. That holds up the writer, once.
 */
static bool heal_file(struct store_tx *tx, struct upload_finish *finish)
{
	struct files *files = &tx->store->files;
	int look = files_look_blob(files, &finish->digest, finish->upload->size);
	if (look == ENOENT && !tx->store->ephemeral)
		look = files_flush_upload(files, finish->upload->id);
	else if (look == ENOENT)
		look = 0;
	else if (look == 0)
		return true;
	if (look) {
		fail_errno(finish, look, "looking at a blob's file");
		return false;
	}
	if (!link_file(tx, finish))
		return false;
	if (tx->store->ephemeral)
		return true;
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_UNSYNC);
	bind_digest(q, 1, &finish->digest);
	return tx_exec(tx, &finish->job, q);
}

/* The blob of that digest: there already, or made. */
static bool find_or_add_blob(
    struct store_tx *tx, struct upload_finish *finish, struct slice small, int64_t *id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_FIND);
	bind_digest(q, 1, &finish->digest);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW)
		*id = sqlite3_column_int64(q, 0);
	db_done(q);
	if (step == SQLITE_DONE)
		return add_blob(tx, finish, small, id);
	if (step != SQLITE_ROW)
		tx_fail(tx, &finish->job);
	return step == SQLITE_ROW && (!finish->upload->in_file || heal_file(tx, finish));
}

static void unlink_blob(struct store *store, struct upload_finish *finish)
{
	char name[FILE_NAME_MAX];
	files_blob_name(&finish->digest, name);
	files_remove(&store->files, name);
	finish->linked = false;
}

static void become_blob(struct store_tx *tx, struct upload_finish *finish, struct slice small)
{
	int64_t id;
	if (!repository_alive(tx, finish) || !verify(finish, small) ||
	    !find_or_add_blob(tx, finish, small, &id))
		return;
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_LINK);
	bind_int(q, 1, id);
	bind_int(q, 2, finish->upload->repository_id);
	if (!tx_exec(tx, &finish->job, q))
		return;
	finish->was_there = sqlite3_changes(tx->db->handle) == 0;
	stray_note(tx, &finish->job, id, finish->upload->repository_id);
}

static void finish_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_finish *finish = (struct upload_finish *)job;
	struct upload *u = finish->upload;
	char small[BLOB_INLINE_MAX];
	int failure = 0;
	finish->size = u->size;
	if (!u->in_file)
		failure = spool_read(&tx->store->uploads.spool, u->slot, small, (size_t)u->size);
	if (atomic_load(&u->dead))
		job->error.code = ERR_UPLOAD_UNKNOWN;
	else if (failure || u->spoilt)
		fail_errno(finish, failure ? failure : EIO, "reading an upload back");
	else
		become_blob(tx, finish, slice_of(small, u->in_file ? 0 : (size_t)u->size));
	if (job->error.code != ERR_NONE && finish->linked)
		unlink_blob(tx->store, finish); /* now, before a later job makes the same blob */
}

static void finish_committed(struct store *store, struct store_job *job)
{
	struct upload_finish *finish = (struct upload_finish *)job;
	if (finish->linked || finish->taken_over)
		removal_cancel(store, &finish->digest); /* of what was there before */
	if (finish->linked && !store->ephemeral)
		blob_flush_want(store, &finish->digest);
	upload_remove(finish->upload);
	finish->upload = NULL;
}

static void finish_failed(struct store *store, struct store_job *job)
{
	struct upload_finish *finish = (struct upload_finish *)job;
	struct upload *u = finish->upload;
	if (finish->linked)
		unlink_blob(store, finish); /* the commit failed */
	if (job->error.code == ERR_STORAGE_FAILED && !u->spoilt)
		upload_give_back(u); /* the client may try again */
	else
		upload_remove(u); /* unfit; or on a full disk, so that its space returns */
	finish->upload = NULL;
}

void upload_finish_submit(struct store *store, struct upload_finish *finish)
{
	static const struct job_ops hashed = {
	    .run = finish_run, .committed = finish_committed, .failed = finish_failed};
	static const struct job_ops to_be_hashed = {.work = finish_work,
	    .run = finish_run,
	    .committed = finish_committed,
	    .failed = finish_failed};
	bool read_back = finish->upload->in_file && !hash_at_hand(finish);
	finish->linked = false;
	finish->taken_over = false;
	finish->was_there = false;
	store_submit(store, &finish->job, read_back ? &to_be_hashed : &hashed);
}
