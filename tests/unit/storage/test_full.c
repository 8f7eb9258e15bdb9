/* A disk that is full: clear answers, space returns, and the store lives on. Needs to mount, so
 * root. */
#include "support.h"

#include "storage/core.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DISK_BYTES = 12 * 1024 * 1024 };

static atomic_int told;

static void tell_checkpoint(const char *cause)
{
	assert_non_null(cause);
	atomic_fetch_add(&told, 1);
}

static bool small_disk(struct fixture *f)
{
	const char *options = arena_printf(&f->arena, "size=%d", DISK_BYTES);
	fixture_close(f);
	bool mounted = mount("tmpfs", f->folder, "tmpfs", 0, options) == 0;
	f->options.checkpoint_failed = tell_checkpoint;
	atomic_store(&told, 0);
	fixture_open(f);
	if (mounted)
		create_repository(f, "team/app", TAGS_MUTABLE, NULL);
	return mounted;
}

static uint64_t space(struct fixture *f)
{
	struct statvfs fs;
	assert_int_equal(statvfs(f->folder, &fs), 0);
	return (uint64_t)fs.f_bavail * fs.f_bsize;
}

static void leave_disk(struct fixture *f)
{
	fixture_close(f);
	assert_int_equal(umount(f->folder), 0);
	fixture_open(f);
}

static void an_upload_fills_the_disk(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	uint64_t size;
	if (!small_disk(f))
		skip();
	uint64_t before = space(f);
	struct upload *u = open_upload(f, id);
	struct slice piece = noise(&f->arena, 1024 * 1024, 1);
	enum error_code code = ERR_NONE;
	for (int i = 0; i < 100 && code == ERR_NONE; i++)
		code = upload_append(u, piece);
	assert_int_equal(code, ERR_STORAGE_FULL);
	upload_abandon(u);
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_UPLOAD_UNKNOWN);
	fixture_close(f); /* the file goes in the background */
	fixture_open(f);
	assert_true(space(f) + 1024 * 1024 > before);
	put_ok(f, image_sample(f, "after", "v1", NULL));
	leave_disk(f);
}

/* Small things until nothing goes in any more: some commit fails, nothing half-made is left. */
static void small_things_fill_the_disk(void **state)
{
	struct fixture *f = *state;
	if (!small_disk(f))
		skip();
	uint8_t id[16];
	enum error_code code = ERR_NONE;
	struct digest last, first;
	for (unsigned i = 0; i < 2000 && code == ERR_NONE; i++) {
		struct slice bytes = noise(&f->arena, 60000, i);
		struct upload *u = NULL;
		code = upload_begin(f->store, f->reader, &f->key, DIGEST_NONE, id);
		if (code != ERR_NONE)
			break;
		assert_int_equal(upload_acquire(f->store, f->reader, &f->key, id, &u), ERR_NONE);
		last = digest_of(bytes);
		if (i == 0)
			first = last;
		code = upload_append(u, bytes);
		if (code == ERR_NONE)
			code = finish_upload(f, u, &last);
		else
			upload_abandon(u);
	}
	assert_int_equal(code, ERR_STORAGE_FULL);
	assert_true(store_broken(f->store));
	/* before, the database could not take in the log any more: said once, however often it was tried */
	for (int i = 0; i < 5000 && atomic_load(&told) == 0; i++)
		usleep(1000); /* a worker tries, and says it */
	assert_true(store_checkpoints_failed(f->store) > 0);
	assert_int_equal(atomic_load(&told), 1);
	assert_false(blob_exists(f, &last));
	assert_true(blob_exists(f, &first));
	/* reading goes on, and with space again so does writing */
	struct store_reset reset;
	const char *options = arena_printf(&f->arena, "size=%d", 4 * DISK_BYTES);
	assert_int_equal(mount("tmpfs", f->folder, "tmpfs", MS_REMOUNT, options), 0);
	put_ok(f, image_sample(f, "after", "v1", NULL));
	assert_false(store_broken(f->store));
	assert_int_equal(RUN(f, &reset, store_reset_submit), ERR_NONE);
	leave_disk(f);
}

/* A limit of the process, or a quota, is as full as a disk. */
static void a_limit_is_met(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, low;
	struct stat st;
	assert_int_equal(stat(fixture_path(f, "drydock.db-wal"), &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)st.st_size;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	enum error_code code = create_repository(f, "other", TAGS_MUTABLE, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(code, ERR_STORAGE_FULL);
	assert_int_equal(create_repository(f, "other", TAGS_MUTABLE, NULL), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(an_upload_fills_the_disk),
	    store_test(small_things_fill_the_disk),
	    store_test(a_limit_is_met),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
