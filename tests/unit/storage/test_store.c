/* The data folder as a whole: owners, versions, modes, reset. */
#include "support.h"

#include "storage/core.h"
#include "storage/db/schema.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void one_owner(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	char expected[512];
	assert_null(store_open(&f->options, &err));
	snprintf(expected, sizeof(expected),
	    "the data folder %s is in use by another drydock (pid %ld): stop it, or choose another "
	    "with "
	    "--data",
	    f->folder, (long)getpid());
	assert_string_equal(err.text, expected);
	fixture_close(f);
	fixture_open(f); /* and free again when it is closed */
}

static void a_newer_schema_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	sqlite3 *db;
	fixture_close(f);
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	sqlite3_exec(db, arena_printf(&f->arena, "PRAGMA user_version=%d", schema_version() + 1),
	    NULL, NULL, NULL);
	assert_null(store_open(&f->options, &err));
	assert_non_null(strstr(err.text, f->folder));
	assert_non_null(strstr(err.text, "newer drydock"));
	assert_non_null(strstr(err.text, "--data"));
	sqlite3_exec(db, arena_printf(&f->arena, "PRAGMA user_version=%d", schema_version()), NULL,
	    NULL, NULL);
	sqlite3_close(db);
	fixture_open(f); /* nothing was touched */
	assert_true(f->repository_id > 0);
}

static void what_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	fixture_close(f);
	FILE *file = fopen(fixture_path(f, "drydock.db"), "r+");
	for (int i = 0; i < 200; i++)
		fputs("this is not a database, it is a letter", file);
	fclose(file);
	assert_null(store_open(&f->options, &err));
	assert_non_null(strstr(err.text, "not a database"));
	unlink(fixture_path(f, "drydock.db"));
	fixture_open(f);
}

static void a_folder_that_cannot_be(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	struct store_options options = {.path = fixture_path(f, "lock/below-a-file")};
	assert_null(store_open(&options, &err));
	assert_non_null(strstr(err.text, "--data"));
	options.path = fixture_path(f, "deep/er/folder");
	struct store *store = store_open(&options, &err);
	assert_non_null(store);
	assert_string_equal(store_path(store), options.path);
	store_close(store);
}

static void ephemeral_leaves_nothing(void **state)
{
	(void)state;
	struct store_options options = {.ephemeral = true};
	struct err err = {""};
	struct stat st;
	char path[PATH_MAX];
	struct store *store = store_open(&options, &err);
	assert_non_null(store);
	snprintf(path, sizeof(path), "%s", store_path(store));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	store_close(store);
	assert_int_equal(stat(path, &st), -1);
}

static void the_key_is_not_for_others(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	static const char *const private[] = {"drydock.db", "drydock.db-wal", "sessions", "lock"};
	for (size_t i = 0; i < COUNT(private); i++) {
		assert_int_equal(stat(fixture_path(f, private[i]), &st), 0);
		assert_int_equal(st.st_mode & 0077, 0);
	}
}

static void the_clock_moves(void **state)
{
	struct fixture *f = *state;
	struct clock *clock = store_clock(f->store);
	int64_t before = clock_now_ms(clock);
	struct clock_move move = {.offset_ms = -86400000};
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	assert_int_equal(clock_offset_ms(clock), -86400000);
	assert_in_range(before - clock_now_ms(clock), 86400000 - 60000, 86400000);
	struct sample *s = image_sample(f, "one", NULL);
	put_ok(f, s);
	assert_true(s->put.pushed_ms < before - 86000000);
}

static void reset_empties_everything(void **state)
{
	struct fixture *f = *state;
	uint8_t key[TOKEN_KEY_LEN], idle[16], held[16];
	uint64_t size;
	struct repository found;
	memcpy(key, store_token_key(f->store), sizeof(key));
	struct digest small = push_blob(f, slice_str("small"));
	struct slice bytes = noise(&f->arena, 200000, 1);
	struct digest large = push_blob(f, bytes);
	put_ok(f, image_sample(f, "one", "v1", NULL));
	upload_release(open_upload(f, idle));
	struct upload *u = open_upload(f, held);
	upload_append(u, bytes);
	struct clock_move move = {.offset_ms = 1000};
	RUN(f, &move, clock_move_submit);
	struct store_reset reset;
	assert_int_equal(RUN(f, &reset, store_reset_submit), ERR_NONE);
	assert_int_equal(
	    repository_find(f->reader, &f->key, &f->arena, &found), ERR_REPOSITORY_NOT_FOUND);
	assert_int_equal(upload_append(u, bytes), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(upload_keep(u, &size), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(clock_offset_ms(store_clock(f->store)), 0);
	assert_memory_equal(key, store_token_key(f->store), sizeof(key));
	/* and it goes on as new */
	assert_int_equal(create_repository(f, "team/app", TAGS_MUTABLE, NULL), ERR_NONE);
	assert_int_equal(upload_stat(f->reader, &f->key, idle, &size), ERR_UPLOAD_UNKNOWN);
	assert_false(blob_exists(f, &small));
	assert_false(blob_exists(f, &large));
	push_blob(f, bytes);
	struct blob blob;
	assert_int_equal(blob_open(f->reader, &f->key, &large, &f->arena, &blob), ERR_NONE);
	close(blob.fd);
	struct sample *s = image_sample(f, "one", "v1", NULL);
	s->manifest.layers[0].digest = large;
	put_ok(f, s);
	fixture_close(f);
	assert_int_equal(rmdir(fixture_path(f, "aside")), 0); /* what was set aside is gone */
	fixture_open(f);
}

static int commit_never(void *arg)
{
	(void)arg;
	return 1;
}

/* A reset that cannot be committed changes nothing. */
static void a_reset_that_fails(void **state)
{
	struct fixture *f = *state;
	struct slice bytes = noise(&f->arena, 200000, 1);
	struct digest large = push_blob(f, bytes);
	fixture_close(f);
	fixture_open(f);
	sqlite3_commit_hook(f->store->writer.db.handle, commit_never, NULL);
	struct store_reset reset;
	assert_int_equal(RUN(f, &reset, store_reset_submit), ERR_STORAGE_FAILED);
	sqlite3_commit_hook(f->store->writer.db.handle, NULL, NULL);
	struct blob blob;
	assert_int_equal(blob_open(f->reader, &f->key, &large, &f->arena, &blob), ERR_NONE);
	close(blob.fd);
}

/* What ephemeral stores leave that crash, the next one removes; what has an owner, or is no such folder, stays. */
static void crashed_ephemeral_stores(void **state)
{
	struct fixture *f = *state;
	struct store_options ephemeral = {.ephemeral = true};
	struct err err = {""};
	char left[PATH_MAX] = "";
	int pipes[2];
	fixture_close(f);
	assert_int_equal(setenv("TMPDIR", f->folder, 1), 0);
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct store *store = store_open(&ephemeral, &err);
		const char *path = store ? store_path(store) : "";
		_exit(write(pipes[1], path, strlen(path) + 1) <= 1);
	}
	waitpid(pid, NULL, 0);
	assert_true(read(pipes[0], left, sizeof(left)) > 1);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(access(left, F_OK), 0);
	const char *others = fixture_path(f, "drydock-others");
	const char *lock = fixture_path(f, "drydock-others/lock");
	assert_int_equal(mkdir(others, 0700), 0);
	fclose(fopen(lock, "w"));

	struct store *living = store_open(&ephemeral, &err);
	assert_non_null(living);
	struct store *next = store_open(&ephemeral, &err);
	assert_non_null(next);
	store_close(next); /* waits for the background */
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(access(lock, F_OK), 0);
	assert_int_equal(access(store_path(living), F_OK), 0);
	store_close(living);
	unsetenv("TMPDIR");
	fixture_open(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(one_owner),
	    store_test(a_newer_schema_is_refused),
	    store_test(what_is_no_database_is_refused),
	    store_test(a_folder_that_cannot_be),
	    store_test(ephemeral_leaves_nothing),
	    store_test(the_key_is_not_for_others),
	    store_test(the_clock_moves),
	    store_test(reset_empties_everything),
	    store_test(a_reset_that_fails),
	    store_test(crashed_ephemeral_stores),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
