#include "support.h"

#include "storage/blobs/blob_link.h"
#include "storage/core.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool exists(struct fixture *f, const char *name)
{
	struct stat st;
	return stat(fixture_path(f, name), &st) == 0;
}

static struct slice read_blob(struct fixture *f, const struct digest *digest)
{
	struct blob blob;
	assert_int_equal(blob_open(f->reader, &f->key, digest, &f->arena, &blob), ERR_NONE);
	if (blob.data.at)
		return blob.data;
	char *bytes = arena_alloc(&f->arena, blob.size);
	assert_int_equal(pread(blob.fd, bytes, blob.size, 0), blob.size);
	close(blob.fd);
	return slice_of(bytes, blob.size);
}

static const size_t sizes[] = {0, 1, 4096, BLOB_INLINE_MAX - 1, BLOB_INLINE_MAX,
    BLOB_INLINE_MAX + 1, 300000, 12 * 1024 * 1024};

/* In steps, each in a request of its own; 0: all in one. */
static void upload_in(struct fixture *f, struct slice bytes, size_t step)
{
	uint8_t id[16];
	uint64_t size;
	struct upload *u = open_upload(f, id);
	struct digest digest = digest_of(bytes);
	for (size_t at = 0; at < bytes.len; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		assert_int_equal(upload_append(u, slice_of(bytes.at + at, len)), ERR_NONE);
		assert_int_equal(upload_size(u), at + len);
		assert_int_equal(upload_keep(u, &size), ERR_NONE);
		assert_int_equal(size, at + len);
		assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_NONE);
		assert_int_equal(size, at + len);
		assert_int_equal(upload_acquire(f->store, f->reader, &f->key, id, &u), ERR_NONE);
	}
	struct upload_finish finish = {.upload = u, .digest = digest};
	assert_int_equal(RUN(f, &finish, upload_finish_submit), ERR_NONE);
	assert_int_equal(finish.size, bytes.len);
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_UPLOAD_UNKNOWN);
	assert_true(slice_eq(read_blob(f, &digest), bytes));
}

static void every_size_at_once(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		upload_in(f, noise(&f->arena, sizes[i], (unsigned)i), sizes[i] ? sizes[i] : 1);
}

static void every_size_in_parts(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 1; i < COUNT(sizes); i++)
		upload_in(f, noise(&f->arena, sizes[i], 100 + (unsigned)i), sizes[i] / 3 + 1);
}

static void a_wrong_digest_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		uint8_t id[16];
		uint64_t size;
		struct slice bytes = noise(&f->arena, sizes[i], 7);
		struct digest other = sha256_of("something else"), right = digest_of(bytes);
		struct upload *u = open_upload(f, id);
		assert_int_equal(upload_append(u, bytes), ERR_NONE);
		assert_int_equal(finish_upload(f, u, &other), ERR_LAYER_DIGEST_MISMATCH);
		assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_UPLOAD_UNKNOWN);
		assert_false(blob_exists(f, &other));
		assert_false(blob_exists(f, &right));
	}
	fixture_close(f); /* removals run in the background until then */
	char uploads[128];
	snprintf(uploads, sizeof(uploads), "%s/uploads", f->folder);
	assert_int_equal(rmdir(uploads), 0); /* it is empty */
	fixture_open(f);
}

static void one_request_at_a_time(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	struct upload *u = open_upload(f, id), *second;
	assert_int_equal(
	    upload_acquire(f->store, f->reader, &f->key, id, &second), ERR_UPLOAD_BUSY);
	struct upload_cancel cancel = {.key = f->key};
	memcpy(cancel.id, id, 16);
	assert_int_equal(RUN(f, &cancel, upload_cancel_submit), ERR_UPLOAD_BUSY);
	upload_release(u);
	assert_int_equal(RUN(f, &cancel, upload_cancel_submit), ERR_NONE);
	assert_int_equal(RUN(f, &cancel, upload_cancel_submit), ERR_UPLOAD_UNKNOWN);
}

static void belongs_to_its_repository(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16], none[16] = {1};
	uint64_t size;
	struct upload *u = open_upload(f, id);
	struct repository_key other = key_of("team/other"), missing = key_of("team/none");
	upload_release(u);
	create_repository(f, "team/other", TAGS_MUTABLE, NULL);
	assert_int_equal(upload_acquire(f->store, f->reader, &other, id, &u), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(
	    upload_acquire(f->store, f->reader, &missing, id, &u), ERR_REPOSITORY_NOT_FOUND);
	assert_int_equal(
	    upload_acquire(f->store, f->reader, &f->key, none, &u), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(upload_stat(f->reader, &other, id, &size), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(upload_stat(f->reader, &missing, id, &size), ERR_REPOSITORY_NOT_FOUND);
	assert_int_equal(upload_begin(f->store, f->reader, &missing, DIGEST_NONE, none),
	    ERR_REPOSITORY_NOT_FOUND);
	struct upload_start start = {.key = missing};
	assert_int_equal(RUN(f, &start, upload_start_submit), ERR_REPOSITORY_NOT_FOUND);
	assert_slice(start.job.error.repository, "team/none");
	start.key = other;
	assert_int_equal(RUN(f, &start, upload_start_submit), ERR_NONE);
	assert_int_equal(upload_stat(f->reader, &other, start.id, &size), ERR_NONE);
	assert_int_equal(size, 0);
}

static void a_vanished_client_loses_nothing(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	uint64_t size;
	struct slice bytes = noise(&f->arena, 200000, 1);
	struct digest digest = digest_of(bytes);
	struct upload *u = open_upload(f, id);
	assert_int_equal(upload_append(u, slice_of(bytes.at, 150000)), ERR_NONE);
	upload_abandon(u);
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_NONE);
	assert_int_equal(size, 150000);
	assert_int_equal(upload_acquire(f->store, f->reader, &f->key, id, &u), ERR_NONE);
	assert_int_equal(upload_append(u, slice_skip(bytes, 150000)), ERR_NONE);
	assert_int_equal(finish_upload(f, u, &digest), ERR_NONE);
}

static void sha512_with_and_without_notice(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 4; i++) {
		uint8_t id[16];
		struct slice bytes = noise(&f->arena, i < 2 ? 1000 : 200000, 50 + (unsigned)i);
		struct digest digest;
		struct upload *u = open_upload(f, id);
		if (i % 2)
			upload_expect(u, DIGEST_SHA512);
		digest_compute(DIGEST_SHA512, bytes, &digest);
		assert_int_equal(upload_append(u, bytes), ERR_NONE);
		assert_int_equal(finish_upload(f, u, &digest), ERR_NONE);
		assert_true(slice_eq(read_blob(f, &digest), bytes));
	}
}

static void the_same_blob_twice(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 1; i < COUNT(sizes); i += 4) {
		uint8_t id[16];
		struct slice bytes = noise(&f->arena, sizes[i], 9);
		struct digest digest = push_blob(f, bytes);
		struct upload_finish again = {.upload = open_upload(f, id), .digest = digest};
		upload_append(again.upload, bytes);
		assert_int_equal(RUN(f, &again, upload_finish_submit), ERR_NONE);
		arena_release(again.job.arena);
		assert_true(again.was_there);
		assert_true(slice_eq(read_blob(f, &digest), bytes));
	}
}

/* Content is shared beneath, but seen only where it was pushed or mounted. */
static void blobs_are_seen_where_they_were_pushed(void **state)
{
	struct fixture *f = *state;
	struct slice bytes = slice_str("shared");
	struct digest digest = push_blob(f, bytes);
	struct repository_key other = key_of("team/other"), none = key_of("team/none");
	struct blob blob;
	create_repository(f, "team/other", TAGS_MUTABLE, NULL);
	assert_int_equal(blob_stat(f->reader, &other, &digest, &blob), ERR_BLOB_UNKNOWN);
	struct blob_mount mount = {.key = other, .from = f->key.name, .digest = digest};
	assert_int_equal(RUN(f, &mount, blob_mount_submit), ERR_NONE);
	assert_true(mount.mounted);
	assert_int_equal(blob_stat(f->reader, &other, &digest, &blob), ERR_NONE);
	assert_int_equal(blob.size, bytes.len);
	assert_int_equal(blob_stat(f->reader, &none, &digest, &blob), ERR_REPOSITORY_NOT_FOUND);
	mount.key = none;
	assert_int_equal(RUN(f, &mount, blob_mount_submit), ERR_REPOSITORY_NOT_FOUND);
}

static void ends_with_its_repository(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16], idle[16];
	uint64_t size;
	struct digest digest = sha256_of("x");
	struct upload *u = open_upload(f, idle);
	upload_release(u);
	u = open_upload(f, id);
	assert_int_equal(upload_append(u, slice_str("x")), ERR_NONE);
	assert_int_equal(delete_repository(f, "team/app", false), ERR_NONE);
	assert_int_equal(upload_append(u, slice_str("y")), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(finish_upload(f, u, &digest), ERR_UPLOAD_UNKNOWN);
	create_repository(f, "team/app", TAGS_MUTABLE, NULL);
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(upload_stat(f->reader, &f->key, idle, &size), ERR_UPLOAD_UNKNOWN);
}

static void expires_after_a_day(void **state)
{
	struct fixture *f = *state;
	uint8_t old[16], fresh[16];
	uint64_t size;
	struct upload *u = open_upload(f, old);
	upload_append(u, noise(&f->arena, 100000, 1));
	assert_int_equal(upload_keep(u, &size), ERR_NONE);
	struct clock_move move = {.offset_ms = 23 * 3600 * 1000LL};
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	assert_int_equal(upload_stat(f->reader, &f->key, old, &size), ERR_NONE);
	u = open_upload(f, fresh);
	upload_release(u);
	move.offset_ms = 25 * 3600 * 1000LL;
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	assert_int_equal(upload_stat(f->reader, &f->key, old, &size), ERR_UPLOAD_UNKNOWN);
	assert_int_equal(upload_stat(f->reader, &f->key, fresh, &size), ERR_NONE);
}

/* More sessions than keep their hash: the cold ones are hashed again when they are finished. */
static void many_sessions(void **state)
{
	enum { MANY = UPLOADS_WARM_MAX + 50 };
	struct fixture *f = *state;
	uint8_t ids[MANY][16];
	uint64_t size;
	for (unsigned i = 0; i < MANY; i++) {
		struct upload *u = open_upload(f, ids[i]);
		upload_append(u, noise(&f->arena, i % 10 ? 100 : 70000, i));
		assert_int_equal(upload_keep(u, &size), ERR_NONE);
	}
	assert_int_equal(f->store->uploads.warm.count, UPLOADS_WARM_MAX);
	assert_int_equal(f->store->uploads.cold.count, 50);
	for (unsigned i = 0; i < MANY; i++) {
		struct upload *u;
		struct slice bytes = noise(&f->arena, i % 10 ? 100 : 70000, i);
		struct digest digest = digest_of(bytes);
		assert_int_equal(
		    upload_acquire(f->store, f->reader, &f->key, ids[i], &u), ERR_NONE);
		assert_int_equal(finish_upload(f, u, &digest), ERR_NONE);
	}
	assert_int_equal(f->store->uploads.warm.count + f->store->uploads.cold.count, 0);
	assert_int_equal(f->store->uploads.free_count, f->store->uploads.slots_used);
}

/* A session of any account and repository, idle. */
static void open_for(struct fixture *f, const char *account, int64_t repository_id, uint8_t id[16])
{
	static uint32_t number;
	struct upload *u = NULL;
	struct spool_head head = {.repository_id = repository_id,
	    .key = {slice_str(account), slice_str("us-east-1"), slice_str("app")},
	    .algorithm = DIGEST_SHA256};

	number++;
	memcpy(head.id, &number, sizeof(number));
	head.id[15] = 1;
	memcpy(id, head.id, 16);
	assert_int_equal(upload_new(f->store, &head, &u), ERR_NONE);
	upload_give_back(u);
}

static bool known(struct fixture *f, const uint8_t id[16])
{
	return upload_known(&f->store->uploads, id);
}

/* Whoever opens more sessions than there are places ends his own, the oldest first. */
static void who_has_most_gives_way(void **state)
{
	enum { OTHERS = 3, MINE = SPOOL_SLOTS_MAX + 1600 };
	struct fixture *f = *state;
	uint8_t others[OTHERS][16], (*mine)[16] = malloc(sizeof(*mine) * MINE);

	for (size_t i = 0; i < OTHERS; i++)
		open_for(f, "111111111111", 1001, others[i]);
	for (size_t i = 0; i < MINE; i++)
		open_for(f, "111111111111", 1002, mine[i]);
	for (size_t i = 0; i < OTHERS; i++)
		assert_true(known(f, others[i]));
	for (size_t i = 0; i < MINE; i++)
		assert_int_equal(known(f, mine[i]), i >= MINE - (SPOOL_SLOTS_MAX - OTHERS));
	/* after a restart, too */
	fixture_close(f);
	fixture_open(f);
	for (size_t i = 0; i < 100; i++)
		open_for(f, "111111111111", 1002, mine[i]);
	for (size_t i = 0; i < OTHERS; i++)
		assert_true(known(f, others[i]));
	free(mine);
}

/* Also when he spreads them over as many repositories, of his account. */
static void an_account_is_not_ended_by_another(void **state)
{
	enum { OTHERS = 3 };
	struct fixture *f = *state;
	uint8_t others[OTHERS][16], id[16];

	for (size_t i = 0; i < OTHERS; i++)
		open_for(f, "111111111111", 1001, others[i]);
	for (int64_t i = 0; i < SPOOL_SLOTS_MAX + 1600; i++)
		open_for(f, "222222222222", 2000 + i, id);
	for (size_t i = 0; i < OTHERS; i++)
		assert_true(known(f, others[i]));
	assert_true(known(f, id));
}

/* A session that a request holds stays, even one of whoever has most. */
static void a_session_in_use_does_not_give_way(void **state)
{
	struct fixture *f = *state;
	uint8_t held[16], other[16], id[16];
	struct upload *u;

	open_for(f, "111111111111", 1001, other);
	open_for(f, "222222222222", 2000, held);
	assert_int_equal(upload_claim(&f->store->uploads, held, &u), UPLOAD_CLAIMED);
	for (size_t i = 0; i < SPOOL_SLOTS_MAX + 100; i++)
		open_for(f, "222222222222", 2000, id);
	assert_true(known(f, held));
	assert_true(known(f, other));
	upload_give_back(u);
	open_for(f, "222222222222", 2000, id);
	assert_true(known(f, held)); /* it was used last but one */
}

static void its_file_has_its_place(void **state)
{
	struct fixture *f = *state;
	char text[DIGEST_TEXT_MAX];
	struct digest large = push_blob(f, noise(&f->arena, 100000, 3));
	digest_format(&large, text);
	assert_true(exists(f, arena_printf(&f->arena, "blobs/sha256/%.2s/%s", text + 7, text + 7)));
	struct digest small = push_blob(f, slice_str("small"));
	digest_format(&small, text);
	assert_false(
	    exists(f, arena_printf(&f->arena, "blobs/sha256/%.2s/%s", text + 7, text + 7)));
}

/* A file under the blob's name that no row vouches for (a crash left it) is not taken for the blob.
 */
static void a_stray_file_makes_way(void **state)
{
	struct fixture *f = *state;
	char name[FILE_NAME_MAX];
	struct slice bytes = noise(&f->arena, 100000, 5);
	struct digest digest = digest_of(bytes);
	files_blob_name(&digest, name);
	char *folder = arena_strdup(&f->arena, slice_str(fixture_path(f, name)));
	*strrchr(folder, '/') = '\0';
	assert_int_equal(mkdir(folder, 0700), 0);
	FILE *stray = fopen(fixture_path(f, name), "w");
	fputs("torn", stray);
	fclose(stray);
	push_blob(f, bytes);
	assert_true(slice_eq(read_blob(f, &digest), bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(every_size_at_once),
	    store_test(every_size_in_parts),
	    store_test(a_wrong_digest_leaves_nothing),
	    store_test(one_request_at_a_time),
	    store_test(belongs_to_its_repository),
	    store_test(a_vanished_client_loses_nothing),
	    store_test(sha512_with_and_without_notice),
	    store_test(the_same_blob_twice),
	    store_test(blobs_are_seen_where_they_were_pushed),
	    store_test(ends_with_its_repository),
	    store_test(expires_after_a_day),
	    store_test(many_sessions),
	    store_test(who_has_most_gives_way),
	    store_test(an_account_is_not_ended_by_another),
	    store_test(a_session_in_use_does_not_give_way),
	    store_test(its_file_has_its_place),
	    store_test(a_stray_file_makes_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
