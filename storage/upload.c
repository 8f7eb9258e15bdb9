/*
 * The request's side of an upload: taking hold of a session, and bytes coming in.
 * What becomes of them is decided in upload_jobs.c, on the writer.
 */
#include "storage/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYER_BYTES_MAX (52000ULL * 1024 * 1024) /* ecr-behaviour: quota "Layer size" */

enum { WRITE_BACK_BYTES = 8 * 1024 * 1024 };

enum error_code upload_stat(struct store_reader *reader, const struct repository_key *key,
    const uint8_t id[16], uint64_t *size)
{
	if (upload_peek(&reader->store->uploads, id, key, size))
		return ERR_NONE;
	sqlite3_stmt *q = db_query(&reader->db, Q_UPLOAD_FIND);
	bind_key(q, key);
	bind_blob(q, 4, id, 16);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW)
		*size = (uint64_t)sqlite3_column_int64(q, 2);
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	return step == SQLITE_DONE ? row_missing(&reader->db, key, ERR_UPLOAD_UNKNOWN) : ERR_STORAGE_FAILED;
}

/* A file may be longer than what was acknowledged, never shorter (unless power was lost). */
static bool file_agrees(struct upload *u)
{
	struct stat st;
	int fd = files_open_upload(&u->store->files, u->id, false);
	bool whole = fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size >= u->size &&
	    ((uint64_t)st.st_size == u->size || ftruncate(fd, (off_t)u->size) == 0);
	if (fd >= 0)
		close(fd);
	return whole;
}

/* A session that memory does not have: from its row. */
static enum error_code load(struct store_reader *reader, const struct repository_key *key,
    const uint8_t id[16], struct upload **out)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_UPLOAD_FIND);
	bind_key(q, key);
	bind_blob(q, 4, id, 16);
	int step = db_step(&reader->db, q);
	struct upload *u = NULL;
	if (step == SQLITE_ROW) {
		u = upload_new(reader->store, id, sqlite3_column_int64(q, 0), key);
		u->algorithm = (enum digest_algorithm)sqlite3_column_int(q, 1);
		u->size = u->parked = (uint64_t)sqlite3_column_int64(q, 2);
		u->content_id = sqlite3_column_int64(q, 3);
		u->in_file = sqlite3_column_int(q, 4) != 0;
	}
	db_done(q);
	if (!u)
		return step == SQLITE_DONE ? row_missing(&reader->db, key, ERR_UPLOAD_UNKNOWN) : ERR_STORAGE_FAILED;
	if (u->in_file && !file_agrees(u)) {
		upload_free(u);
		return ERR_UPLOAD_UNKNOWN;
	}
	*out = u;
	return ERR_NONE;
}

static bool belongs(const struct upload *u, const struct repository_key *key)
{
	return slice_eq(u->key.name, key->name) && slice_eq(u->key.account, key->account) &&
	    slice_eq(u->key.region, key->region);
}

enum error_code upload_acquire(struct store *store, struct store_reader *reader,
    const struct repository_key *key, const uint8_t id[16], struct upload **out)
{
	struct upload *u = NULL;
	enum upload_claim claim = upload_claim(&store->uploads, id, &u);
	if (claim == UPLOAD_HELD)
		return ERR_UPLOAD_BUSY;
	if (claim == UPLOAD_ABSENT) {
		enum error_code failure = load(reader, key, id, &u);
		if (failure != ERR_NONE)
			return failure;
		if (!upload_insert(&store->uploads, u)) {
			upload_free(u);
			return ERR_UPLOAD_BUSY; /* another request was faster by a moment */
		}
	} else if (!belongs(u, key)) {
		upload_give_back(&store->uploads, u);
		return row_missing(&reader->db, key, ERR_UPLOAD_UNKNOWN);
	}
	u->reader = reader;
	*out = u;
	return ERR_NONE;
}

uint64_t upload_size(const struct upload *upload)
{
	return upload->size;
}

void upload_expect(struct upload *upload, enum digest_algorithm algorithm)
{
	if (upload->size == 0 && !upload->hasher && algorithm != DIGEST_NONE)
		upload->algorithm = algorithm;
}

/*
 * The one place where bytes are hashed on their way in. A session that has bytes but no hash (it was
 * forgotten, or the process is a new one) is hashed whole when it is finished.
 */
static void hash(struct upload *u, struct slice bytes)
{
	if (!u->hasher && u->size == 0)
		u->hasher = hasher_new(u->algorithm);
	if (u->hasher)
		hasher_update(u->hasher, bytes.at, bytes.len);
}

/* Room for all bytes of a small upload, those of its row read back. */
static enum error_code reserve(struct upload *u, size_t len)
{
	size_t need = (size_t)u->size + len;
	if (need > u->bytes_cap) {
		size_t cap = u->bytes_cap ? u->bytes_cap : 4096;
		while (cap < need)
			cap *= 2;
		u->bytes = realloc(u->bytes, cap);
		if (!u->bytes)
			abort();
		bool fresh = u->bytes_cap == 0;
		u->bytes_cap = cap;
		if (!fresh || u->size == 0)
			return ERR_NONE;
		sqlite3_stmt *q = db_query(&u->reader->db, Q_CONTENT_READ);
		bind_int(q, 1, u->content_id);
		bool read = db_step(&u->reader->db, q) == SQLITE_ROW &&
		    column_slice(q, 0).len == u->size;
		if (read)
			memcpy(u->bytes, column_slice(q, 0).at, (size_t)u->size);
		db_done(q);
		return read ? ERR_NONE : ERR_UPLOAD_UNKNOWN;
	}
	return ERR_NONE;
}

static enum error_code write_out(struct upload *u, const char *at, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t wrote = pwrite(u->fd, at, len, (off_t)offset);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return errno == ENOSPC || errno == EDQUOT || errno == EFBIG
			    ? ERR_STORAGE_FULL
			    : ERR_STORAGE_FAILED;
		at += wrote;
		len -= (size_t)wrote;
		offset += (uint64_t)wrote;
	}
	return ERR_NONE;
}

/* Opens the file, moving into it what a small upload had in memory or in its row. */
static enum error_code open_file(struct upload *u)
{
	u->fd = files_open_upload(&u->store->files, u->id, !u->in_file);
	if (u->fd < 0)
		return errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_STORAGE_FAILED;
	if (u->in_file)
		return ERR_NONE;
	enum error_code failure = u->size > 0 ? reserve(u, 0) : ERR_NONE;
	if (failure == ERR_NONE && !u->bytes && u->size > 0)
		failure = ERR_STORAGE_FAILED;
	if (failure == ERR_NONE)
		failure = write_out(u, u->bytes, (size_t)u->size, 0);
	if (failure != ERR_NONE)
		return failure;
	u->in_file = true;
	free(u->bytes);
	u->bytes = NULL;
	u->bytes_cap = 0;
	return ERR_NONE;
}

struct write_back {
	struct store_job job;
	int fd;
	uint64_t from, len;
};

static void write_back_work(struct store *store, struct store_job *job)
{
	struct write_back *w = (struct write_back *)job;
	(void)store;
	sync_file_range(w->fd, (off_t)w->from, (off_t)w->len, SYNC_FILE_RANGE_WRITE);
	close(w->fd);
}

/* Has the kernel start writing what came, so that the flush before the manifest is short. */
static void start_write_back(struct upload *u)
{
	if (u->store->ephemeral || u->size - u->write_back < WRITE_BACK_BYTES)
		return;
	struct write_back *w = calloc(1, sizeof(*w));
	int fd = fcntl(u->fd, F_DUPFD_CLOEXEC, 0);
	if (!w || fd < 0) {
		free(w);
		return;
	}
	*w = (struct write_back){
	    .job = {.work = write_back_work, .done = store_job_free},
	    .fd = fd,
	    .from = u->write_back,
	    .len = u->size - u->write_back,
	};
	u->write_back = u->size;
	store_submit(u->store, &w->job);
}

static enum error_code append(struct upload *u, struct slice bytes)
{
	enum error_code failure = ERR_NONE;
	if (!u->in_file && u->size + bytes.len <= BLOB_INLINE_MAX) {
		failure = reserve(u, bytes.len);
		if (failure == ERR_NONE)
			memcpy(u->bytes + u->size, bytes.at, bytes.len);
	} else {
		if (u->fd < 0)
			failure = open_file(u);
		if (failure == ERR_NONE)
			failure = write_out(u, bytes.at, bytes.len, u->size);
	}
	return failure;
}

enum error_code upload_append(struct upload *upload, struct slice bytes)
{
	if (atomic_load_explicit(&upload->dead, memory_order_relaxed))
		return ERR_UPLOAD_UNKNOWN;
	if (bytes.len == 0)
		return ERR_NONE;
	if (bytes.len > LAYER_BYTES_MAX - upload->size)
		return ERR_LAYER_TOO_LARGE;
	enum error_code failure = append(upload, bytes);
	if (failure != ERR_NONE) {
		upload->spoilt = true;
		return failure;
	}
	hash(upload, bytes);
	upload->size += bytes.len;
	if (upload->in_file)
		start_write_back(upload);
	return ERR_NONE;
}

void upload_release(struct upload *upload)
{
	upload_give_back(&upload->store->uploads, upload);
}
