/*
 * The request's side of an upload: sessions, and bytes coming in. All of it runs on the request's
 * thread. How one becomes a blob is upload_finish.c.
 */
#include "storage/db/disk.h"
#include "storage/repositories/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYER_BYTES_MAX (52000ULL * 1024 * 1024) /* ecr-behaviour 9: "Layer size" */
#define UPLOAD_LIFETIME_MS (24 * 3600 * 1000LL)

enum { WRITE_BACK_BYTES = 8 * 1024 * 1024 };

/* starting */

static enum error_code start(struct store *store, int64_t repository_id,
    const struct repository_key *key, enum digest_algorithm algorithm, uint8_t id[16])
{
	struct upload *u = NULL;
	struct spool_head head = {.repository_id = repository_id,
	    .key = *key,
	    .algorithm = algorithm != DIGEST_NONE ? algorithm : DIGEST_SHA256,
	    .began_ms = clock_now_ms(&store->clock)};
	head.touched_ms = head.began_ms;
	if (getrandom(head.id, sizeof(head.id), 0) != sizeof(head.id))
		return ERR_STORAGE_FAILED;
	head.id[6] = (head.id[6] & 0x0f) | 0x40; /* RFC 9562: version 4, variant 10 */
	head.id[8] = (head.id[8] & 0x3f) | 0x80;
	memcpy(id, head.id, sizeof(head.id));
	enum error_code failure = upload_new(store, &head, &u);
	if (failure == ERR_NONE)
		upload_give_back(u);
	return failure;
}

enum error_code upload_begin(struct store *store, struct store_reader *reader,
    const struct repository_key *key, enum digest_algorithm algorithm, uint8_t id[16])
{
	int64_t repository_id;
	enum error_code failure = row_repository_id(&reader->db, key, &repository_id);
	return failure == ERR_NONE ? start(store, repository_id, key, algorithm, id) : failure;
}

static void start_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_start *up = (struct upload_start *)job;
	int64_t repository_id;
	if (job_repository_id(tx, job, &up->key, &repository_id))
		job->error.code = start(tx->store, repository_id, &up->key, up->algorithm, up->id);
}

static const struct job_ops start_ops = {.run = start_run};

void upload_start_submit(struct store *store, struct upload_start *up)
{
	store_submit(store, &up->job, &start_ops);
}

/* holding */

enum error_code upload_stat(struct store_reader *reader, const struct repository_key *key,
    const uint8_t id[16], uint64_t *size)
{
	if (upload_peek(&reader->store->uploads, id, key, size))
		return ERR_NONE;
	return row_missing(&reader->db, key, ERR_UPLOAD_UNKNOWN);
}

enum error_code upload_acquire(struct store *store, struct store_reader *reader,
    const struct repository_key *key, const uint8_t id[16], struct upload **out)
{
	struct upload *u = NULL;
	enum upload_claim claim = upload_claim(&store->uploads, id, &u);
	if (claim == UPLOAD_HELD)
		return ERR_UPLOAD_BUSY;
	if (claim == UPLOAD_CLAIMED && upload_belongs(u, key)) {
		*out = u;
		return ERR_NONE;
	}
	if (claim == UPLOAD_CLAIMED)
		upload_give_back(u);
	return row_missing(&reader->db, key, ERR_UPLOAD_UNKNOWN);
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

/* bytes */

/*
 * The one place where bytes are hashed on their way in. A session that has bytes but no hash (it
 * cooled down, or the process is a new one) is hashed whole when it is finished.
 */
static void hash(struct upload *u, struct slice bytes)
{
	if (!u->hasher && u->size == 0)
		u->hasher = hasher_new(u->algorithm);
	if (u->hasher)
		hasher_update(u->hasher, bytes.at, bytes.len);
}

/* Makes the file, with what a small upload had in its slot so far. */
static int make_file(struct upload *u)
{
	char small[BLOB_INLINE_MAX];
	u->fd = files_open_upload(&u->store->files, u->id, true);
	if (u->fd < 0)
		return errno;
	int failure = spool_read(&u->store->uploads.spool, u->slot, small, (size_t)u->size);
	if (!failure)
		failure = disk_write_all(u->fd, small, (size_t)u->size, 0);
	u->in_file = true; /* whole or not: it is there to be removed */
	return failure;
}

/* Opens the file again. It may be longer than what was acknowledged; never shorter. */
static int reopen_file(struct upload *u)
{
	struct stat st;
	u->fd = files_open_upload(&u->store->files, u->id, false);
	if (u->fd < 0 || fstat(u->fd, &st) != 0)
		return errno;
	if ((uint64_t)st.st_size < u->size)
		return EIO;
	return (uint64_t)st.st_size == u->size || disk_truncate(u->fd, (off_t)u->size) == 0 ? 0
											    : errno;
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

static const struct job_ops write_back_ops = {.work = write_back_work};

/* Has the kernel start writing what came, so that the flush before the manifest is short. */
static void start_write_back(struct upload *u)
{
	if (u->store->ephemeral || u->size - u->write_back < WRITE_BACK_BYTES)
		return;
	struct write_back *w = calloc(1, sizeof(*w));
	int fd = w ? fcntl(u->fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd < 0) {
		free(w);
		return;
	}
	w->job.done = store_job_free;
	w->fd = fd;
	w->from = u->write_back;
	w->len = u->size - u->write_back;
	u->write_back = u->size;
	store_submit(u->store, &w->job, &write_back_ops);
}

static int append(struct upload *u, struct slice bytes)
{
	if (!u->in_file && u->size + bytes.len <= BLOB_INLINE_MAX)
		return spool_write(&u->store->uploads.spool, u->slot, u->size, bytes.at, bytes.len);
	int failure = u->fd >= 0 ? 0 : u->in_file ? reopen_file(u) : make_file(u);
	return failure ? failure : disk_write_all(u->fd, bytes.at, bytes.len, u->size);
}

/*
 * No more of it can be used. Its bytes are let go here, before the client is answered, so that one
 * that begins anew at once finds their room; the file itself goes with the session.
 */
static void spoil(struct upload *u)
{
	u->spoilt = true;
	if (u->fd >= 0 && disk_truncate(u->fd, 0) != 0)
		return; /* then its room returns a little later */
}

enum error_code upload_append(struct upload *upload, struct slice bytes)
{
	if (atomic_load_explicit(&upload->dead, memory_order_relaxed))
		return ERR_UPLOAD_UNKNOWN;
	if (bytes.len == 0)
		return ERR_NONE;
	if (bytes.len > LAYER_BYTES_MAX - upload->size)
		return ERR_LAYER_TOO_LARGE;
	int failure = reserve_whole(upload->store) ? append(upload, bytes) : ENOSPC;
	if (failure) {
		spoil(upload);
		return error_of_errno(failure);
	}
	hash(upload, bytes);
	upload->size += bytes.len;
	if (upload->in_file)
		start_write_back(upload);
	return ERR_NONE;
}

/* endings */

static enum error_code keep(struct upload *upload, uint64_t *size)
{
	*size = upload->size;
	if (atomic_load(&upload->dead)) {
		upload_give_back(upload);
		return ERR_UPLOAD_UNKNOWN;
	}
	upload->touched_ms = clock_now_ms(&upload->store->clock);
	int failure = upload->spoilt ? EIO : upload_write_head(upload);
	if (failure) {
		upload_remove(upload); /* so that its space returns */
		return error_of_errno(failure);
	}
	upload->parked = upload->size;
	upload_give_back(upload);
	return ERR_NONE;
}

size_t upload_part_count(const struct upload *upload)
{
	return upload->part_count;
}

bool upload_part_too_small(const struct upload *upload)
{
	bool more = upload->size > upload->part_end;
	return upload->parts == PARTS_TOO_SMALL || (upload->parts == PARTS_LAST_SMALL && more);
}

enum error_code upload_keep(struct upload *upload, uint64_t *size)
{
	if (upload_part_too_small(upload))
		upload->parts = PARTS_TOO_SMALL;
	else if (upload->size > upload->part_end &&
	    upload->size - upload->part_end < UPLOAD_PART_MIN)
		upload->parts = PARTS_LAST_SMALL;
	upload->part_end = upload->size;
	if (upload->part_count < UINT16_MAX)
		upload->part_count++;
	return keep(upload, size);
}

void upload_park_submit(struct store *store, struct upload_park *park)
{
	(void)store;
	park->job.error.code = upload_keep(park->upload, &park->size);
	park->upload = NULL;
	park->job.done(&park->job);
}

void upload_abandon(struct upload *upload)
{
	uint64_t size;
	if (upload->spoilt)
		upload_remove(upload);
	else if (upload->size == upload->parked)
		upload_give_back(upload);
	else if (keep(upload, &size) != ERR_NONE) /* what is left half way is no part */
		return;                           /* it is gone: nobody waits to hear it */
}

void upload_release(struct upload *upload)
{
	upload_give_back(upload);
}

static void cancel_run(struct store_tx *tx, struct store_job *job)
{
	struct upload_cancel *cancel = (struct upload_cancel *)job;
	int64_t repository_id;
	struct upload *u = NULL;
	if (!job_repository_id(tx, job, &cancel->key, &repository_id))
		return;
	enum upload_claim claim = upload_claim(&tx->store->uploads, cancel->id, &u);
	if (claim == UPLOAD_HELD) {
		job->error.code = ERR_UPLOAD_BUSY;
	} else if (claim == UPLOAD_CLAIMED && upload_belongs(u, &cancel->key)) {
		upload_remove(u);
	} else {
		job->error.code = ERR_UPLOAD_UNKNOWN;
		if (u)
			upload_give_back(u);
	}
}

static const struct job_ops cancel_ops = {.run = cancel_run, .frees = true};

void upload_cancel_submit(struct store *store, struct upload_cancel *cancel)
{
	store_submit(store, &cancel->job, &cancel_ops);
}

struct file_removal {
	struct store_job job;
	char name[FILE_NAME_MAX];
};

static void remove_work(struct store *store, struct store_job *job)
{
	files_remove(&store->files, ((struct file_removal *)job)->name);
}

static const struct job_ops remove_ops = {.work = remove_work};

void upload_file_remove(struct store *store, const uint8_t id[16])
{
	struct file_removal *removal = calloc(1, sizeof(*removal));
	if (!removal)
		abort();
	removal->job.done = store_job_free;
	files_upload_name(id, removal->name);
	store_submit(store, &removal->job, &remove_ops);
}

size_t uploads_expire(struct store *store)
{
	return upload_kill_older(&store->uploads, clock_now_ms(&store->clock) - UPLOAD_LIFETIME_MS);
}
