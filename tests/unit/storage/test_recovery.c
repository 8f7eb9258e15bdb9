/* What is there after a restart, a kill -9, and a crash of the machine. */
#include "support.h"

#include "storage/core.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs what a process does until it is killed: it says how far it got by writing one byte. */
static void run_and_kill(struct fixture *f, void (*doomed)(struct fixture *f), uint8_t id[16])
{
	int pipes[2];
	char reached = 0;
	fixture_close(f);
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		fixture_open(f);
		doomed(f);
		if (write(pipes[1], f->folder + sizeof(f->folder) - 16, 16) != 16)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], id, 16), 16);
	(void)reached;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipes[0]);
	fixture_open(f);
}

/* The last 16 bytes of folder[] carry an upload's id out of the child. */
static uint8_t *out_id(struct fixture *f)
{
	return (uint8_t *)f->folder + sizeof(f->folder) - 16;
}

enum { KEPT = 3000000, LOST = 500000, WHOLE = 5000000 };

static void die_in_an_upload(struct fixture *f)
{
	uint64_t size;
	struct upload *u = open_upload(f, out_id(f));
	struct slice bytes = noise(&f->arena, WHOLE, 1);
	upload_append(u, slice_of(bytes.at, KEPT));
	upload_keep(u, &size); /* acknowledged */
	assert_int_equal(upload_acquire(f->store, f->reader, &f->key, out_id(f), &u), ERR_NONE);
	upload_append(u, slice_of(bytes.at + KEPT, LOST)); /* never acknowledged */
}

static void killed_in_an_upload(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	uint64_t size;
	struct upload *u;
	run_and_kill(f, die_in_an_upload, id);
	struct slice bytes = noise(&f->arena, WHOLE, 1);
	struct digest digest = digest_of(bytes);
	assert_false(blob_exists(f, &digest));
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_NONE);
	assert_int_equal(size, KEPT);
	assert_int_equal(upload_acquire(f->store, f->reader, &f->key, id, &u), ERR_NONE);
	assert_int_equal(upload_append(u, slice_skip(bytes, KEPT)), ERR_NONE);
	assert_int_equal(finish_upload(f, u, &digest), ERR_NONE);
	assert_true(blob_exists(f, &digest));
}

static void die_in_a_small_upload(struct fixture *f)
{
	uint64_t size;
	struct upload *u = open_upload(f, out_id(f));
	upload_append(u, slice_str("hello "));
	upload_keep(u, &size);
}

static void killed_in_a_small_upload(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	struct upload *u;
	struct digest digest = sha256_of("hello world");
	run_and_kill(f, die_in_a_small_upload, id);
	assert_int_equal(upload_acquire(f->store, f->reader, &f->key, id, &u), ERR_NONE);
	assert_int_equal(upload_size(u), 6);
	assert_int_equal(upload_append(u, slice_str("world")), ERR_NONE);
	assert_int_equal(finish_upload(f, u, &digest), ERR_NONE);
	assert_true(blob_exists(f, &digest));
}

static void die_between_blob_and_manifest(struct fixture *f)
{
	push_blob(f, noise(&f->arena, WHOLE, 2));
	push_blob(f, slice_str("layer of one"));
	put_ok(f, image_sample(f, "acknowledged", "kept", NULL));
}

static void killed_between_blob_and_manifest(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	struct image_page page;
	run_and_kill(f, die_between_blob_and_manifest, id);
	struct digest large = digest_of(noise(&f->arena, WHOLE, 2));
	struct digest small = sha256_of("layer of one");
	assert_true(blob_exists(f, &large));
	assert_true(blob_exists(f, &small));
	assert_int_equal(
	    image_list(f->reader, f->repository_id, TAG_STATUS_ANY, NULL, 10, &f->arena, &page),
	    ERR_NONE);
	assert_int_equal(page.count, 1); /* what was acknowledged, and nothing half-made */
	assert_slice(page.at[0].tags[0], "kept");
	struct sample *s = image_sample(f, "one", "v1", NULL);
	s->manifest.layers[0].digest = large;
	put_ok(f, s);
}

static void a_clean_restart(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	struct clock_move move = {.offset_ms = 123456789};
	uint8_t key[TOKEN_KEY_LEN], id[16];
	uint64_t size;
	put_ok(f, s);
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	upload_release(open_upload(f, id));
	memcpy(key, store_token_key(f->store), sizeof(key));
	fixture_close(f);
	struct stat st;
	assert_int_equal(stat(fixture_path(f, "drydock.db-wal"), &st), -1); /* copied and removed */
	fixture_open(f);
	assert_string_equal(tags_of(f, &s->put.digest), "v1");
	assert_memory_equal(key, store_token_key(f->store), sizeof(key));
	assert_int_equal(clock_offset_ms(store_clock(f->store)), 123456789);
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_NONE);
}

/* What was over before the restart does not come back. */
static void ended_sessions_stay_ended(void **state)
{
	struct fixture *f = *state;
	uint8_t finished[16], cancelled[16];
	uint64_t size;
	struct digest digest = sha256_of("x");
	struct upload *u = open_upload(f, finished);
	struct upload_cancel cancel = {.key = f->key};
	upload_release(open_upload(f, cancelled)); /* at once, so that each has a slot of its own */
	upload_append(u, slice_str("x"));
	assert_int_equal(finish_upload(f, u, &digest), ERR_NONE);
	memcpy(cancel.id, cancelled, 16);
	assert_int_equal(RUN(f, &cancel, upload_cancel_submit), ERR_NONE);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(upload_stat(f->reader, &f->key, finished, &size), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(upload_stat(f->reader, &f->key, cancelled, &size), ERR_UPLOAD_UNKNOWN);
}

/* a crash of the machine: as if the folder had last been opened under another boot */

static void another_boot(struct fixture *f, const char *more)
{
	sqlite3 *db;
	fixture_close(f);
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	const char *sql = arena_printf(
	    &f->arena, "UPDATE meta SET value = 'another' WHERE key = 'boot_id'; %s", more);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void power_loss(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	uint64_t size;
	struct slice whole = noise(&f->arena, 200000, 1), torn = noise(&f->arena, 200000, 2),
		     cut = noise(&f->arena, 200000, 3), sure = noise(&f->arena, 200000, 4);
	struct digest digests[] = {
	    push_blob(f, whole), push_blob(f, torn), push_blob(f, cut), push_blob(f, sure)};
	struct upload *u = open_upload(f, id);
	upload_append(u, whole);
	upload_keep(u, &size);
	another_boot(f, "UPDATE blob SET synced = 0");
	char name[FILE_NAME_MAX];
	files_blob_name(&digests[1], name);
	FILE *file = fopen(fixture_path(f, name), "r+");
	assert_int_equal(fputc('x', file), 'x');
	fclose(file);
	files_blob_name(&digests[2], name);
	assert_int_equal(truncate(fixture_path(f, name), 4096), 0);
	fixture_open(f);
	static const bool kept[] = {true, false, false, true};
	for (size_t i = 0; i < COUNT(digests); i++)
		assert_int_equal(blob_exists(f, &digests[i]), kept[i]);
	/* sessions were never flushed: the client begins anew */
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_UPLOAD_UNKNOWN);
	files_upload_name(id, name);
	assert_int_equal(access(fixture_path(f, name), F_OK), -1);
	push_blob(f, torn);
	assert_true(blob_exists(f, &digests[1]));
}

/* Under the same boot nothing is hashed again: the page cache is whole. What was not yet flushed
 * is. */
static void unflushed_blobs_are_flushed(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	s->manifest.layers[0].digest = push_blob(f, noise(&f->arena, 200000, 1));
	fixture_close(f);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "UPDATE blob SET synced = 0", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	fixture_open(f);
	put_ok(f, s); /* would wait for ever if nobody flushed it */
}

static void orphans_are_removed(void **state)
{
	struct fixture *f = *state;
	const char *orphan = "uploads/00000000-0000-4000-8000-000000000000";
	fixture_close(f);
	fclose(fopen(fixture_path(f, orphan), "w"));
	assert_int_equal(mkdir(fixture_path(f, "aside/1-1"), 0700), 0);
	fclose(fopen(fixture_path(f, "aside/1-1/file"), "w"));
	fixture_open(f);
	assert_int_equal(access(fixture_path(f, orphan), F_OK), -1);
	fixture_close(f); /* waits for the background */
	assert_int_equal(access(fixture_path(f, "aside/1-1"), F_OK), -1);
	fixture_open(f);
}

/* A reset that was committed, and then the process died before the files were gone. */
static void a_reset_is_finished(void **state)
{
	struct fixture *f = *state;
	push_blob(f, noise(&f->arena, 200000, 1));
	fixture_close(f);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
			     "DELETE FROM blob; DELETE FROM content; DELETE FROM repository_blob;"
			     "INSERT INTO meta VALUES('files_to_clear', '1')",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	fixture_open(f);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(rmdir(fixture_path(f, "blobs/sha256")), 0);
}

/* After a reset that could not be finished something was pushed: the next start does not take it with the rest. */
static void a_reset_is_not_finished_over_what_came_since(void **state)
{
	struct fixture *f = *state;
	struct digest digest = push_blob(f, noise(&f->arena, 200000, 1));
	struct blob blob;
	fixture_close(f);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "INSERT INTO meta VALUES('files_to_clear', '1')", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	fixture_open(f);
	assert_int_equal(blob_open(f->reader, &f->key, &digest, &f->arena, &blob), ERR_NONE);
	close(blob.fd);
}

/*
 * After a crash of the machine the start is cut short while it looks at what was not flushed: the next one, under the
 * same boot, must look again. Here the database does not let it drop a torn blob.
 */
static void a_recovery_that_is_cut_short(void **state)
{
	struct fixture *f = *state;
	struct digest digest = push_blob(f, noise(&f->arena, 200000, 1));
	char name[FILE_NAME_MAX];
	another_boot(f,
	    "UPDATE blob SET synced = 0;"
	    "CREATE TRIGGER cut_short BEFORE DELETE ON repository_blob BEGIN "
	    "SELECT raise(FAIL, 'the disk fails'); END;");
	files_blob_name(&digest, name);
	FILE *file = fopen(fixture_path(f, name), "r+");
	assert_int_equal(fputc('x', file), 'x');
	fclose(file);
	struct err err = {""};
	assert_null(store_open(&f->options, &err));
	sqlite3 *db;
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TRIGGER cut_short", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	fixture_open(f);
	assert_false(blob_exists(f, &digest));
}

static atomic_int folders_flushed;

static int counting_folder_flush(int fd, const char *name)
{
	(void)name;
	atomic_fetch_add(&folders_flushed, 1);
	return fsync(fd);
}

/* A blob's file, its two folders, and, once after they were made, blobs/ and the root. */
static void new_folders_are_flushed(void **state)
{
	struct fixture *f = *state;
	struct store_reset reset;
	static const int flushed[] = {4, 6};
	f->store->files.flush_folder = counting_folder_flush;
	for (int round = 0; round < 2; round++) {
		atomic_store(&folders_flushed, 0);
		for (int i = 0; i < 2; i++) {
			struct sample *s =
			    image_sample(f, arena_printf(&f->arena, "%d-%d", round, i), NULL);
			s->manifest.layers[0].digest =
			    push_blob(f, noise(&f->arena, 200000, (unsigned)(2 * round + i)));
			put_ok(f, s); /* after its layer's flush */
			assert_int_equal(atomic_load(&folders_flushed), flushed[i]);
		}
		assert_int_equal(RUN(f, &reset, store_reset_submit), ERR_NONE);
		assert_int_equal(create_repository(f, "team/app", TAGS_MUTABLE, NULL), ERR_NONE);
	}
}

/* A torn head in the spool is a free slot, and no danger. */
static void torn_heads(void **state)
{
	struct fixture *f = *state;
	uint8_t ids[3][16];
	uint64_t size;
	for (int i = 0; i < 3; i++)
		upload_release(open_upload(f, ids[i]));
	fixture_close(f);
	FILE *file = fopen(fixture_path(f, "sessions"), "r+");
	/* sessions that end in turn share slot 0; these three did not overlap, so make the damage
	 * there */
	fseek(file, 40, SEEK_SET);
	fputc('x', file);
	fclose(file);
	assert_int_equal(truncate(fixture_path(f, "sessions"), 700), 0);
	fixture_open(f);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    upload_stat(f->reader, &f->key, ids[i], &size), ERR_UPLOAD_UNKNOWN);
	push_blob(f, slice_str("still works"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(killed_in_an_upload),
	    store_test(killed_in_a_small_upload),
	    store_test(killed_between_blob_and_manifest),
	    store_test(a_clean_restart),
	    store_test(ended_sessions_stay_ended),
	    store_test(power_loss),
	    store_test(unflushed_blobs_are_flushed),
	    store_test(orphans_are_removed),
	    store_test(a_reset_is_finished),
	    store_test(a_reset_is_not_finished_over_what_came_since),
	    store_test(a_recovery_that_is_cut_short),
	    store_test(new_folders_are_flushed),
	    store_test(torn_heads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
