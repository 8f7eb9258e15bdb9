/*
 * The writer's side of an upload: its row, and its becoming a blob.
 */
#include "storage/blob_flush.h"
#include "storage/rows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define UPLOAD_LIFETIME_MS (24 * 3600 * 1000LL)

/* start */

static void start_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_start *start = (struct upload_start *)job;
	int64_t repository_id;
	if (!job_repository_id(tx, job, &start->key, &repository_id))
		return;
	struct upload *u = upload_new(tx->store, start->id, repository_id, &start->key);
	if (start->algorithm != DIGEST_NONE)
		u->algorithm = start->algorithm;
	start->session = u;
	sqlite3_stmt *q = db_query(tx->db, Q_UPLOAD_ADD);
	bind_blob(q, 1, start->id, 16);
	bind_int(q, 2, repository_id);
	bind_int(q, 3, u->algorithm);
	bind_int(q, 4, clock_now_ms(&tx->store->clock));
	tx_exec(tx, job, q);
}

static void start_settle(struct store *store, struct store_job *job)
{
	struct upload_start *start = (struct upload_start *)job;
	if (start->session && job->error.code == ERR_NONE) {
		upload_insert(&store->uploads, start->session);
		upload_give_back(&store->uploads, start->session);
	} else {
		upload_free(start->session);
	}
	start->session = NULL;
}

void upload_start_submit(struct store *store, struct upload_start *start)
{
	ssize_t got = getrandom(start->id, sizeof(start->id), 0);
	assert(got == (ssize_t)sizeof(start->id));
	(void)got;
	start->id[6] = (start->id[6] & 0x0f) | 0x40; /* RFC 9562: version 4, variant 10 */
	start->id[8] = (start->id[8] & 0x3f) | 0x80;
	start->session = NULL;
	start->job.run = start_run;
	start->job.settle = start_settle;
	start->job.flush = STORE_FLUSH_LATER;
	store_submit(store, &start->job);
}

/* what all endings share */

/* Deletes the row, and the content it alone refers to. False when the job has failed. */
static bool drop_rows(struct store_tx *tx, struct store_job *job, const uint8_t id[16],
    int64_t content_id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_UPLOAD_DROP);
	bind_blob(q, 1, id, 16);
	if (!tx_exec(tx, job, q))
		return false;
	if (sqlite3_changes(tx->db->handle) == 0) {
		job->error.code = ERR_UPLOAD_UNKNOWN;
		return false;
	}
	if (content_id == 0)
		return true;
	q = db_query(tx->db, Q_CONTENT_DROP);
	bind_int(q, 1, content_id);
	return tx_exec(tx, job, q);
}

struct file_removal {
	struct store_job job;
	char name[FILE_NAME_MAX];
};

static void remove_work(struct store *store, struct store_job *job)
{
	files_remove(&store->files, ((struct file_removal *)job)->name);
}

/* Unlinking many megabytes takes its time: a worker does it. */
static void remove_file(struct store *store, const uint8_t id[16])
{
	struct file_removal *removal = calloc(1, sizeof(*removal));
	if (!removal)
		abort();
	removal->job.work = remove_work;
	removal->job.done = store_job_free;
	files_upload_name(id, removal->name);
	store_submit(store, &removal->job);
}

struct row_removal {
	struct store_job job;
	uint8_t id[16];
	int64_t content_id;
};

static void row_removal_run(struct store_tx *tx, struct store_job *job)
{
	struct row_removal *removal = (struct row_removal *)job;
	drop_rows(tx, job, removal->id, removal->content_id);
}

/*
 * Forgets a session that cannot go on, so that its space returns. The file goes first: it is what fills
 * the disk, and removing the row may itself need space (an orphaned row expires).
 */
static void forget(struct upload *u)
{
	struct store *store = u->store;
	if (u->in_file || u->fd >= 0)
		remove_file(store, u->id);
	struct row_removal *removal = calloc(1, sizeof(*removal));
	if (!removal)
		abort();
	removal->job.run = row_removal_run;
	removal->job.done = store_job_free;
	removal->content_id = u->content_id;
	memcpy(removal->id, u->id, 16);
	upload_take_out(&store->uploads, u);
	upload_free(u);
	store_submit(store, &removal->job);
}

/* park */

/* Brings the row up to what came. False when the job has failed. */
static bool keep(struct store_tx *tx, struct store_job *job, struct upload *u, int64_t *content_id)
{
	*content_id = u->content_id;
	if (atomic_load(&u->dead)) {
		job->error.code = ERR_UPLOAD_UNKNOWN;
		return false;
	}
	bool stale = u->content_id != 0 && (u->in_file || u->parked != u->size);
	if (stale) {
		sqlite3_stmt *drop = db_query(tx->db, Q_CONTENT_DROP);
		bind_int(drop, 1, u->content_id);
		if (!tx_exec(tx, job, drop))
			return false;
		*content_id = 0;
	}
	if (!u->in_file && u->parked != u->size &&
	    !content_add(tx, job, slice_of(u->bytes, (size_t)u->size), content_id))
		return false;
	return true;
}

static void keep_row(struct store_tx *tx, struct store_job *job, struct upload *u,
    int64_t content_id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_UPLOAD_PARK);
	bind_blob(q, 1, u->id, 16);
	bind_int(q, 2, (int64_t)u->size);
	bind_int(q, 3, content_id);
	bind_int(q, 4, u->in_file);
	bind_int(q, 5, clock_now_ms(&tx->store->clock));
	if (tx_exec(tx, job, q) && sqlite3_changes(tx->db->handle) == 0)
		job->error.code = ERR_UPLOAD_UNKNOWN;
}

static void park_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_park *park = (struct upload_park *)job;
	struct upload *u = park->upload;
	park->size = u->size;
	if (u->spoilt)
		job->error.code = ERR_STORAGE_FAILED;
	else if (keep(tx, job, u, &park->content_id))
		keep_row(tx, job, u, park->content_id);
}

static void park_settle(struct store *store, struct store_job *job)
{
	struct upload_park *park = (struct upload_park *)job;
	struct upload *u = park->upload;
	park->upload = NULL;
	if (job->error.code == ERR_NONE) {
		u->content_id = park->content_id;
		u->parked = u->size;
		free(u->bytes);
		u->bytes = NULL;
		u->bytes_cap = 0;
		upload_give_back(&store->uploads, u);
	} else if (job->error.code == ERR_UPLOAD_UNKNOWN) {
		atomic_store(&u->dead, true);
		if (u->in_file)
			remove_file(store, u->id);
		upload_give_back(&store->uploads, u);
	} else {
		forget(u);
	}
}

void upload_park_submit(struct store *store, struct upload_park *park)
{
	park->job.run = park_run;
	park->job.settle = park_settle;
	park->job.flush = STORE_FLUSH_LATER;
	store_submit(store, &park->job);
}

void upload_abandon(struct upload *upload)
{
	if (upload->spoilt) {
		forget(upload);
		return;
	}
	if (upload->size == upload->parked) {
		upload_release(upload);
		return;
	}
	struct upload_park *park = calloc(1, sizeof(*park));
	if (!park)
		abort();
	park->job.done = store_job_free;
	park->upload = upload;
	upload_park_submit(upload->store, park);
}

/* finish */

/* On a worker: the hash was not made as the bytes came, or with another algorithm. */
static void finish_work(struct store *store, struct store_job *job)
{
	struct upload_finish *finish = (struct upload_finish *)job;
	struct upload *u = finish->upload;
	uint64_t size = 0;
	int fd = files_open_upload(&store->files, u->id, false);
	int failure = fd < 0 ? errno
			     : files_hash(fd, finish->digest.algorithm, &size, &finish->found);
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

/* The digest of a small upload whose hash is not at hand: from memory or its row. */
static bool hash_small(struct store_tx *tx, struct upload_finish *finish)
{
	struct upload *u = finish->upload;
	if (u->size == 0 || u->bytes) {
		digest_compute(finish->digest.algorithm,
		    slice_of(u->bytes ? u->bytes : "", (size_t)u->size), &finish->found);
		return true;
	}
	sqlite3_stmt *q = db_query(tx->db, Q_CONTENT_READ);
	bind_int(q, 1, u->content_id);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW)
		digest_compute(finish->digest.algorithm, column_slice(q, 0), &finish->found);
	else if (step != SQLITE_DONE)
		tx_fail(tx, &finish->job);
	else
		finish->job.error.code = ERR_UPLOAD_UNKNOWN;
	db_done(q);
	return step == SQLITE_ROW;
}

/* True when the bytes are what the client says. Otherwise the job has failed. */
static bool verify(struct store_tx *tx, struct upload_finish *finish)
{
	struct store_job *job = &finish->job;
	struct upload *u = finish->upload;
	if (hash_at_hand(finish))
		hasher_peek(u->hasher, &finish->found);
	else if (!u->in_file && !hash_small(tx, finish))
		return false;
	if (digest_eq(&finish->found, &finish->digest))
		return true;
	if (!drop_rows(tx, job, u->id, u->content_id))
		return false;
	job_refuse(job, ERR_LAYER_DIGEST_MISMATCH, &u->key);
	tx->keep = true;
	return false;
}

static bool repository_alive(struct store_tx *tx, struct upload_finish *finish)
{
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_ALIVE);
	bind_int(q, 1, finish->upload->repository_id);
	int step = db_step(tx->db, q);
	db_done(q);
	if (step == SQLITE_DONE)
		job_refuse(&finish->job, ERR_REPOSITORY_NOT_FOUND, &finish->upload->key);
	else if (step != SQLITE_ROW)
		tx_fail(tx, &finish->job);
	return step == SQLITE_ROW;
}

/* Gives a new blob its content row, and its file when it has one. */
static bool place_content(struct store_tx *tx, struct upload_finish *finish, int64_t *id)
{
	struct store_job *job = &finish->job;
	struct upload *u = finish->upload;
	if (!u->in_file) {
		if (u->content_id != 0 && u->parked == u->size) {
			*id = u->content_id;
			return true;
		}
		struct slice bytes = slice_of(u->size ? u->bytes : "", (size_t)u->size);
		return content_add(tx, job, bytes, id);
	}
	int failure = files_link_blob(&tx->store->files, u->id, &finish->digest, true);
	if (failure) {
		job_fail(job, failure == ENOSPC || failure == EDQUOT ? ERR_STORAGE_FULL
								     : ERR_STORAGE_FAILED,
		    "linking a blob into place: %s", strerror(failure));
		return false;
	}
	finish->linked = true;
	return content_add(tx, job, slice_of(NULL, 0), id);
}

static bool add_blob(struct store_tx *tx, struct upload_finish *finish, int64_t *id)
{
	if (!place_content(tx, finish, id))
		return false;
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_ADD);
	bind_digest(q, 1, &finish->digest);
	bind_int(q, 2, *id);
	bind_int(q, 3, (int64_t)finish->upload->size);
	bind_int(q, 4, !finish->linked || tx->store->ephemeral);
	bind_int(q, 5, clock_now_ms(&tx->store->clock));
	return tx_exec(tx, &finish->job, q);
}

/* The blob of that digest: there already (and in use again from now), or made. */
static bool find_or_add_blob(struct store_tx *tx, struct upload_finish *finish, int64_t *id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_FIND);
	bind_digest(q, 1, &finish->digest);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW)
		*id = sqlite3_column_int64(q, 0);
	db_done(q);
	if (step == SQLITE_DONE)
		return add_blob(tx, finish, id);
	if (step != SQLITE_ROW) {
		tx_fail(tx, &finish->job);
		return false;
	}
	q = db_query(tx->db, Q_BLOB_TOUCH);
	bind_digest(q, 1, &finish->digest);
	bind_int(q, 2, clock_now_ms(&tx->store->clock));
	return tx_exec(tx, &finish->job, q);
}

/* Drops from before the last append what the blob does not take over. */
static bool drop_upload(struct store_tx *tx, struct upload_finish *finish, int64_t blob_id)
{
	struct upload *u = finish->upload;
	int64_t leftover = u->content_id == blob_id ? 0 : u->content_id;
	return drop_rows(tx, &finish->job, u->id, leftover);
}

static void unlink_blob(struct store *store, struct upload_finish *finish)
{
	char name[FILE_NAME_MAX];
	files_blob_name(&finish->digest, name);
	files_remove(&store->files, name);
	finish->linked = false;
}

static void become_blob(struct store_tx *tx, struct upload_finish *finish)
{
	int64_t id;
	if (!repository_alive(tx, finish) || !verify(tx, finish) ||
	    !find_or_add_blob(tx, finish, &id) || !drop_upload(tx, finish, id))
		return;
	sqlite3_stmt *q = db_query(tx->db, Q_BLOB_LINK);
	bind_int(q, 1, id);
	bind_int(q, 2, finish->upload->repository_id);
	if (tx_exec(tx, &finish->job, q))
		finish->was_there = sqlite3_changes(tx->db->handle) == 0;
}

static void finish_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_finish *finish = (struct upload_finish *)job;
	struct upload *u = finish->upload;
	finish->size = u->size;
	if (atomic_load(&u->dead))
		job->error.code = ERR_UPLOAD_UNKNOWN;
	else if (u->spoilt)
		job->error.code = ERR_STORAGE_FAILED;
	else
		become_blob(tx, finish);
	if (job->error.code != ERR_NONE && finish->linked)
		unlink_blob(tx->store, finish); /* now, before a later job makes the same blob */
}

static void finish_settle(struct store *store, struct store_job *job)
{
	struct upload_finish *finish = (struct upload_finish *)job;
	struct upload *u = finish->upload;
	enum error_code code = job->error.code;
	finish->upload = NULL;
	if (code == ERR_NONE && finish->linked && !store->ephemeral)
		blob_flush_submit(store, &finish->digest);
	if (code != ERR_NONE && finish->linked)
		unlink_blob(store, finish); /* the commit failed */
	if (code == ERR_STORAGE_FAILED && !u->spoilt) {
		upload_give_back(&store->uploads, u); /* the client may try again */
	} else if (code == ERR_STORAGE_FULL || code == ERR_STORAGE_FAILED) {
		forget(u);
	} else {
		if (u->in_file)
			remove_file(store, u->id);
		upload_take_out(&store->uploads, u);
		upload_free(u);
	}
}

void upload_finish_submit(struct store *store, struct upload_finish *finish)
{
	bool read_back = finish->upload->in_file && !hash_at_hand(finish);
	finish->job.work = read_back ? finish_work : NULL;
	finish->job.run = finish_run;
	finish->job.settle = finish_settle;
	finish->job.flush = STORE_FLUSH_LATER;
	finish->linked = false;
	store_submit(store, &finish->job);
}

/* cancel */

static void cancel_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_cancel *cancel = (struct upload_cancel *)job;
	int64_t repository_id;
	if (!job_repository_id(tx, job, &cancel->key, &repository_id))
		return;
	if (upload_claim(&tx->store->uploads, cancel->id, &cancel->session) == UPLOAD_HELD) {
		job->error.code = ERR_UPLOAD_BUSY;
		return;
	}
	sqlite3_stmt *q = db_query(tx->db, Q_UPLOAD_GET);
	bind_blob(q, 1, cancel->id, 16);
	int step = db_step(tx->db, q);
	bool ours = step == SQLITE_ROW && sqlite3_column_int64(q, 0) == repository_id;
	int64_t content_id = ours ? sqlite3_column_int64(q, 1) : 0;
	cancel->in_file = ours && sqlite3_column_int(q, 2) != 0;
	db_done(q);
	if (ours)
		drop_rows(tx, job, cancel->id, content_id);
	else
		job->error.code = ERR_UPLOAD_UNKNOWN;
}

static void cancel_settle(struct store *store, struct store_job *job)
{
	struct upload_cancel *cancel = (struct upload_cancel *)job;
	bool gone = job->error.code == ERR_NONE;
	if (gone && cancel->in_file)
		remove_file(store, cancel->id);
	if (cancel->session && gone) {
		upload_take_out(&store->uploads, cancel->session);
		upload_free(cancel->session);
	} else if (cancel->session) {
		upload_give_back(&store->uploads, cancel->session);
	}
	cancel->session = NULL;
}

void upload_cancel_submit(struct store *store, struct upload_cancel *cancel)
{
	cancel->session = NULL;
	cancel->in_file = false;
	cancel->job.run = cancel_run;
	cancel->job.settle = cancel_settle;
	cancel->job.flush = STORE_FLUSH_LATER;
	store_submit(store, &cancel->job);
}

/* expiry */

enum { EXPIRE_PAGE = 64 };

struct upload_expiry {
	struct store_job job;
	uint8_t ids[EXPIRE_PAGE][16];
	size_t count;
};

static void expire_one(struct store_tx *tx, struct upload_expiry *expiry, const uint8_t id[16])
{
	struct upload *session = NULL;
	if (upload_claim(&tx->store->uploads, id, &session) == UPLOAD_HELD)
		return; /* somebody is writing to it */
	sqlite3_stmt *q = db_query(tx->db, Q_UPLOAD_GET);
	bind_blob(q, 1, id, 16);
	bool there = db_step(tx->db, q) == SQLITE_ROW;
	int64_t content_id = there ? sqlite3_column_int64(q, 1) : 0;
	db_done(q);
	if (session) {
		atomic_store(&session->dead, true);
		upload_give_back(&tx->store->uploads, session);
	}
	if (there && drop_rows(tx, &expiry->job, id, content_id))
		memcpy(expiry->ids[expiry->count++], id, 16);
}

static void expire_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_expiry *expiry = (struct upload_expiry *)job;
	uint8_t ids[EXPIRE_PAGE][16];
	size_t count = 0;
	sqlite3_stmt *q = db_query(tx->db, Q_UPLOAD_EXPIRED);
	bind_int(q, 1, clock_now_ms(&tx->store->clock) - UPLOAD_LIFETIME_MS);
	while (count < EXPIRE_PAGE && db_step(tx->db, q) == SQLITE_ROW) {
		struct slice id = column_slice(q, 0);
		if (id.len == 16)
			memcpy(ids[count++], id.at, 16);
	}
	db_done(q);
	for (size_t i = 0; i < count && job->error.code == ERR_NONE; i++)
		expire_one(tx, expiry, ids[i]);
}

static void expire_settle(struct store *store, struct store_job *job)
{
	struct upload_expiry *expiry = (struct upload_expiry *)job;
	for (size_t i = 0; i < expiry->count && job->error.code == ERR_NONE; i++)
		remove_file(store, expiry->ids[i]);
	if (expiry->count == EXPIRE_PAGE && job->error.code == ERR_NONE)
		uploads_expire(store);
}

void uploads_expire(struct store *store)
{
	struct upload_expiry *expiry = calloc(1, sizeof(*expiry));
	if (!expiry)
		abort();
	expiry->job.run = expire_run;
	expiry->job.settle = expire_settle;
	expiry->job.done = store_job_free;
	store_submit(store, &expiry->job);
}
