/*
 * Nothing durable is taken away before the commit that gives it up is on disk.
 *
 * Each flush of the log is followed by a copy of the database as it is then: what a power cut would leave of
 * it at the least. Names are always kept, as a journal may have written them at any moment. Whenever a blob's
 * name is given up, the copy must no longer have a row for it that counts on the file; and a store that is opened
 * on the copy, over the files as they are, must have a file for each row.
 */
#include "support.h"

#include "storage/blobs/blob_flush.h"
#include "storage/blobs/gc.h"
#include "storage/core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOB_BYTES = BLOB_INLINE_MAX + 4096 };

static struct fixture *recorded;
static char durable[80]; /* the folder of the copy */
static atomic_int flushes, taken, too_early, refuse;

static void run_shell(const char *format, ...)
{
	char line[512];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	assert_int_equal(system(line), 0);
}

static int recording_flush(int fd)
{
	if (atomic_load(&refuse) > 0 && atomic_fetch_sub(&refuse, 1) > 0) {
		errno = EIO;
		return -1;
	}
	int rc = fdatasync(fd);
	atomic_fetch_add(&flushes, 1);
	run_shell("rm -f %s/drydock.db*; cp %s/drydock.db %s/drydock.db-wal %s", durable,
	    recorded->folder, recorded->folder, durable);
	return rc;
}

static int64_t ask_copy(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q = NULL;
	char path[128];
	int64_t n = -1;
	snprintf(path, sizeof(path), "%s/drydock.db", durable);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
		n = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

static void recording_taking(struct files *files, const char *name)
{
	char sql[256];
	const char *hex = strrchr(name, '/');
	(void)files;
	atomic_fetch_add(&taken, 1);
	snprintf(sql, sizeof(sql),
	    "SELECT count(*) FROM blob WHERE synced = 1 AND size > %d AND lower(hex(digest)) LIKE '%%%s'",
	    BLOB_INLINE_MAX, hex ? hex + 1 : "");
	if (ask_copy(sql) != 0)
		atomic_fetch_add(&too_early, 1);
}

/* From now on, with everything so far on disk. */
static void record(struct fixture *f)
{
	recorded = f;
	snprintf(durable, sizeof(durable), "%s-durable", f->folder);
	run_shell("rm -rf %s && mkdir %s", durable, durable);
	atomic_store(&refuse, 0);
	f->store->files.flush_log = recording_flush;
	assert_int_equal(create_repository(f, "flushes", TAGS_MUTABLE, NULL), ERR_NONE);
	f->store->files.taking = recording_taking;
	atomic_store(&flushes, 0);
	atomic_store(&taken, 0);
	atomic_store(&too_early, 0);
}

static bool has_file(struct fixture *f, const struct digest *digest)
{
	char name[FILE_NAME_MAX];
	files_blob_name(digest, name);
	return access(fixture_path(f, name), F_OK) == 0;
}

static struct digest push_large(struct fixture *f, unsigned seed)
{
	return push_blob(f, noise(&f->arena, BLOB_BYTES, seed));
}

/* Waits until their flushes are known to the database. */
static void await_synced(struct fixture *f)
{
	sqlite3_stmt *q = NULL;
	int64_t left = 1;
	while (left > 0) {
		sqlite3_prepare_v2(f->reader->db.handle,
		    "SELECT count(*) FROM blob WHERE synced = 0", -1, &q, NULL);
		left = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 1;
		sqlite3_finalize(q);
		if (left > 0)
			usleep(1000);
	}
}

static struct gc_result collect(struct fixture *f)
{
	struct gc_run run = {.grace_ms = 0};
	assert_int_equal(RUN(f, &run, gc_submit), ERR_NONE);
	return run.result;
}

/* Power goes: the log as it was flushed last, the names as they are now. */
static void cut_power(struct fixture *f)
{
	f->store->files.flush_log = fdatasync;
	f->store->files.taking = NULL;
	run_shell("cp -a %s/blobs %s/sessions* %s/", f->folder, f->folder, durable);
	fixture_close(f);
	run_shell("rm -rf %s && mv %s %s", f->folder, durable, f->folder);
	run_shell("mkdir -p %s/uploads %s/aside", f->folder, f->folder);
	fixture_open(f);
}

/* Every blob that has a row can be read. */
static void assert_whole(struct fixture *f)
{
	sqlite3_stmt *q = NULL;
	sqlite3_prepare_v2(f->reader->db.handle, "SELECT digest, size FROM blob", -1, &q, NULL);
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct digest digest;
		struct stat st;
		char name[FILE_NAME_MAX];
		assert_true(column_digest(q, 0, &digest));
		if (sqlite3_column_int64(q, 1) <= BLOB_INLINE_MAX)
			continue;
		files_blob_name(&digest, name);
		assert_int_equal(stat(fixture_path(f, name), &st), 0);
		assert_int_equal(st.st_size, sqlite3_column_int64(q, 1));
	}
	sqlite3_finalize(q);
}

static void a_collection(void **state)
{
	enum { BLOBS = 40 };
	struct fixture *f = *state;
	struct digest digests[BLOBS];
	for (unsigned i = 0; i < BLOBS; i++)
		digests[i] = push_large(f, i);
	await_synced(f);
	record(f);
	assert_int_equal(collect(f).blobs, BLOBS);
	for (unsigned i = 0; i < BLOBS; i++)
		assert_false(has_file(f, &digests[i]));
	assert_int_equal(atomic_load(&taken), BLOBS);
	assert_int_equal(atomic_load(&too_early), 0);
	assert_in_range(atomic_load(&flushes), 1, 2); /* once for many files, not for each */
	cut_power(f);
	assert_whole(f);
}

/* The log cannot be flushed: the files stay, and go once it could be. */
static void a_collection_whose_flush_fails(void **state)
{
	struct fixture *f = *state;
	struct digest digest = push_large(f, 1);
	await_synced(f);
	record(f);
	atomic_store(&refuse, 1);
	struct gc_run run = {.grace_ms = 0};
	RUN(f, &run, gc_submit);
	assert_int_equal(atomic_load(&too_early), 0);
	assert_true(has_file(f, &digest));
	assert_int_equal(create_repository(f, "mends", TAGS_MUTABLE, NULL), ERR_NONE);
	collect(f);
	assert_false(has_file(f, &digest));
	assert_int_equal(atomic_load(&too_early), 0);
	cut_power(f);
	assert_whole(f);
}

/* Pushed again while its file waits for the flush: the file stays, and is the new blob's. */
static sem_t flush_entered, flush_released;

static int held_flush(int fd)
{
	sem_post(&flush_entered);
	sem_wait(&flush_released);
	return recording_flush(fd);
}

static void pushed_again_before_the_flush(void **state)
{
	struct fixture *f = *state;
	struct digest digest = push_large(f, 1);
	struct gc_run run = {.grace_ms = 0};
	await_synced(f);
	record(f);
	sem_init(&flush_entered, 0, 0);
	sem_init(&flush_released, 0, 0);
	f->store->files.flush_log = held_flush;
	SUBMIT(f, &run, gc_submit);
	sem_wait(&flush_entered);
	assert_false(blob_exists(f, &digest));
	push_large(f, 1);
	assert_true(blob_exists(f, &digest));
	sem_post(&flush_released);
	assert_int_equal(job_end(&run.job), ERR_NONE);
	f->store->files.flush_log = recording_flush;
	assert_true(has_file(f, &digest));
	assert_int_equal(atomic_load(&too_early), 0);
	struct blob blob;
	assert_int_equal(blob_open(f->reader, &f->key, &digest, &f->arena, &blob), ERR_NONE);
	close(blob.fd);
	cut_power(f);
	assert_whole(f);
}

static void a_reset(void **state)
{
	struct fixture *f = *state;
	struct store_reset reset;
	push_large(f, 1);
	await_synced(f);
	record(f);
	assert_int_equal(RUN(f, &reset, store_reset_submit), ERR_NONE);
	assert_int_equal(atomic_load(&too_early), 0);
	cut_power(f);
	assert_whole(f);
	assert_int_equal(create_repository(f, "team/app", TAGS_MUTABLE, NULL), ERR_NONE);
}

/* The log cannot be flushed: the files stay for the sweep, and what is pushed next is not taken with them. */
static void a_reset_whose_flush_fails(void **state)
{
	struct fixture *f = *state;
	struct store_reset reset;
	struct digest gone = push_large(f, 1);
	await_synced(f);
	record(f);
	atomic_store(&refuse, 1);
	RUN(f, &reset, store_reset_submit);
	assert_int_equal(atomic_load(&too_early), 0);
	assert_int_equal(create_repository(f, "team/app", TAGS_MUTABLE, NULL), ERR_NONE);
	struct digest kept = push_large(f, 2);
	await_synced(f);
	fixture_close(f);
	fixture_open(f);
	assert_true(has_file(f, &kept));
	assert_true(blob_exists(f, &kept));
	struct gc_run run = {.grace_ms = GC_STORES_GRACE};
	assert_int_equal(RUN(f, &run, gc_submit), ERR_NONE);
	assert_false(has_file(f, &gone));
	assert_true(has_file(f, &kept));
}

static int refusing_blob_flush(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

static void a_blob_that_cannot_be_flushed(void **state)
{
	struct fixture *f = *state;
	record(f);
	f->store->files.flush_blob = refusing_blob_flush;
	struct digest digest = push_large(f, 1);
	while (has_file(f, &digest))
		usleep(1000);
	assert_false(blob_exists(f, &digest));
	assert_int_equal(atomic_load(&too_early), 0);
	assert_int_equal(atomic_load(&flushes), 1);
	cut_power(f);
	assert_whole(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(a_collection),
	    store_test(a_collection_whose_flush_fails),
	    store_test(pushed_again_before_the_flush),
	    store_test(a_reset),
	    store_test(a_reset_whose_flush_fails),
	    store_test(a_blob_that_cannot_be_flushed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
