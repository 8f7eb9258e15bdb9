/* Looking into a data folder: what is there is seen, and nothing is changed. */
#include "support.h"

#include "storage/lifecycle/lifecycle.h"
#include "storage/repositories/document.h"
#include "storage/upkeep/peek.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t images_seen;

static void count_image(void *user, const struct lifecycle_image *image)
{
	(void)user;
	assert_int_equal(image->tags.len, 2);
	images_seen++;
}

static void no_child(void *user, const struct digest *index, const struct digest *child)
{
	(void)user, (void)index, (void)child;
	fail();
}

/* How many images a look into the folder shows. */
static size_t look(struct fixture *f)
{
	struct lifecycle_visit visit = {count_image, no_child, NULL};
	struct repository found;
	struct err err = {""};
	struct peek *peek = peek_open(f->folder, &err);

	if (!peek)
		fail_msg("%s", err.text);
	images_seen = 0;
	assert_int_equal(repository_find(peek_reader(peek), &f->key, &f->arena, &found), ERR_NONE);
	assert_int_equal(lifecycle_read(peek_reader(peek), found.id, &visit), ERR_NONE);
	peek_close(peek);
	return images_seen;
}

/* Names, sizes, times and contents of the folder's files, but for SQLite's shared memory. */
static struct digest picture(struct fixture *f)
{
	struct hasher *h = hasher_new(DIGEST_SHA256);
	struct dirent **names;
	struct digest sum;
	int count = scandir(f->folder, &names, NULL, alphasort);

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		const char *path = fixture_path(f, names[i]->d_name);
		struct stat st;
		char piece[4096];
		size_t len;
		FILE *in;

		assert_int_equal(stat(path, &st), 0);
		if (S_ISREG(st.st_mode) && !strstr(names[i]->d_name, "-shm")) {
			hasher_update(h, names[i]->d_name, strlen(names[i]->d_name));
			hasher_update(h, &st.st_mtim, sizeof(st.st_mtim));
			in = fopen(path, "rb");
			assert_non_null(in);
			while ((len = fread(piece, 1, sizeof(piece), in)) > 0)
				hasher_update(h, piece, len);
			fclose(in);
		}
		free(names[i]);
	}
	free(names);
	hasher_peek(h, &sum);
	hasher_free(h);
	return sum;
}

static void assert_same(const struct digest *one, const struct digest *other)
{
	assert_true(digest_eq(one, other));
}

static void a_folder_at_rest(void **state)
{
	struct fixture *f = *state;
	struct digest before, after;

	assert_int_equal(put(f, image_sample(f, "one", "a", NULL)), ERR_NONE);
	fixture_close(f);
	before = picture(f);
	assert_int_equal(look(f), 1);
	assert_int_equal(look(f), 1);
	after = picture(f);
	assert_same(&before, &after);
	assert_int_not_equal(access(fixture_path(f, "drydock.db-wal"), F_OK), 0);
	fixture_open(f);
}

static void beside_its_owner(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(look(f), 0);
	assert_int_equal(put(f, image_sample(f, "one", "a", NULL)), ERR_NONE);
	assert_int_equal(look(f), 1);
	assert_int_equal(put(f, image_sample(f, "two", "b", NULL)), ERR_NONE);
	assert_int_equal(look(f), 2);
}

/* A copy of a folder in use is what a killed server leaves: its log holds what the database lacks. */
static void after_a_kill(void **state)
{
	struct fixture *f = *state;
	struct fixture killed = *f;
	struct digest before, after;
	char command[256];

	assert_int_equal(put(f, image_sample(f, "one", "a", NULL)), ERR_NONE);
	assert_int_equal(put(f, image_sample(f, "two", "b", NULL)), ERR_NONE);
	arena_init(&killed.arena);
	snprintf(killed.folder, sizeof(killed.folder), "%.50s-killed", f->folder);
	snprintf(command, sizeof(command), "cp -a %s %s", f->folder, killed.folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(access(fixture_path(&killed, "drydock.db-wal"), F_OK), 0);
	before = picture(&killed);
	assert_int_equal(look(&killed), 2);
	after = picture(&killed);
	assert_same(&before, &after);
	arena_release(&killed.arena);
	snprintf(command, sizeof(command), "rm -r %s", killed.folder);
	assert_int_equal(system(command), 0);
}

static void no_owner_while_looking(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	struct peek *peek;

	fixture_close(f);
	peek = peek_open(f->folder, &err);
	assert_non_null(peek);
	f->store = store_open(&f->options, &err);
	assert_null(f->store);
	peek_close(peek);
	fixture_open(f);
}

static void its_clock(void **state)
{
	struct fixture *f = *state;
	struct clock_move *move = arena_zalloc(&f->arena, sizeof(*move));
	struct err err = {""};
	struct clock real = {0};
	struct peek *peek;

	move->offset_ms = 86400000;
	assert_int_equal(RUN(f, move, clock_move_submit), ERR_NONE);
	peek = peek_open(f->folder, &err);
	assert_non_null(peek);
	assert_in_range(peek_now_ms(peek), clock_now_ms(&real) + 86400000 - 60000,
	    clock_now_ms(&real) + 86400000 + 60000);
	peek_close(peek);
}

static void refuses(void **state)
{
	struct fixture *f = *state;
	struct err err = {""};
	sqlite3 *db;

	assert_null(peek_open("/nowhere/at/all", &err));
	assert_non_null(strstr(err.text, "there is no drydock.db in it"));
	fixture_close(f);
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_null(peek_open(f->folder, &err));
	assert_non_null(strstr(err.text, "it was written by a newer drydock"));
	assert_int_equal(truncate(fixture_path(f, "drydock.db"), 100), 0);
	assert_null(peek_open(f->folder, &err));
	assert_int_equal(unlink(fixture_path(f, "drydock.db")), 0);
	fixture_open(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(a_folder_at_rest),
	    store_test(beside_its_owner),
	    store_test(after_a_kill),
	    store_test(no_owner_while_looking),
	    store_test(its_clock),
	    store_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
