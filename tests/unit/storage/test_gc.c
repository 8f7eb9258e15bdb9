/* What is collected, when, and what never is. */
#include "support.h"

#include "storage/blobs/blob_link.h"
#include "storage/blobs/gc.h"
#include "storage/core.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR_MS (3600 * 1000LL)
enum { LARGE = BLOB_INLINE_MAX + 1000 };

static struct gc_result collect(struct fixture *f, int64_t grace_ms)
{
	struct gc_run run = {.grace_ms = grace_ms};
	job_begin(f, &run.job);
	run.grace_ms = grace_ms;
	gc_submit(f->store, &run);
	assert_int_equal(job_end(&run.job), ERR_NONE);
	return run.result;
}

static void advance(struct fixture *f, int64_t ms)
{
	struct clock_move move;
	job_begin(f, &move.job);
	move.offset_ms = clock_offset_ms(store_clock(f->store)) + ms;
	clock_move_submit(f->store, &move);
	assert_int_equal(job_end(&move.job), ERR_NONE);
}

/* All that goes on in the background is over then: flushes, purges, what the clock made due. */
static void reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static bool file_there(struct fixture *f, const struct digest *digest)
{
	char name[FILE_NAME_MAX];
	files_blob_name(digest, name);
	return faccessat(f->store->files.folder, name, F_OK, 0) == 0;
}

static enum error_code stat_in(
    struct fixture *f, const char *repository, const struct digest *digest)
{
	struct blob blob;
	struct repository_key key = key_of(repository);
	return blob_stat(f->reader, &key, digest, &blob);
}

static void mount_to(struct fixture *f, const char *repository, const struct digest *digest)
{
	struct blob_mount mount = {
	    .key = key_of(repository), .from = f->key.name, .digest = *digest};
	assert_int_equal(RUN(f, &mount, blob_mount_submit), ERR_NONE);
	assert_true(mount.mounted);
}

static void delete_image(struct fixture *f, const struct digest *digest)
{
	struct image_delete_item item = {.id = {.digest = *digest}};
	struct image_delete del = {.key = f->key, .items = &item, .count = 1};
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_NONE);
	assert_int_equal(item.result, IMAGE_DELETED);
}

static struct digest only_layer(const struct sample *s)
{
	return s->manifest.layers[0].digest;
}

static void goes_after_the_grace_time(void **state)
{
	struct fixture *f = *state;
	struct digest small = push_blob(f, slice_str("small"));
	struct digest large = push_blob(f, noise(&f->arena, LARGE, 1));
	reopen(f);
	struct gc_result now = collect(f, GC_STORES_GRACE);
	assert_int_equal(now.blobs, 0);
	assert_int_equal(now.waiting_blobs, 2);
	assert_int_equal(now.waiting_bytes, 5 + LARGE);
	advance(f, 24 * HOUR_MS - 60000);
	assert_int_equal(collect(f, GC_STORES_GRACE).blobs, 0);
	assert_true(blob_exists(f, &small) && blob_exists(f, &large) && file_there(f, &large));
	advance(f, 2 * HOUR_MS); /* and the interval between collections is over, too */
	for (int i = 0; i < 1000 && (blob_exists(f, &small) || file_there(f, &large)); i++)
		usleep(10000); /* nobody has asked for it */
	assert_false(blob_exists(f, &small) || blob_exists(f, &large) || file_there(f, &large));
	assert_int_equal(count_rows(f, "content"), 0);
	assert_int_equal(count_rows(f, "blob"), 0);
	assert_int_equal(count_rows(f, "repository_blob"), 0);
	assert_int_equal(count_rows(f, "stray"), 0);
}

static void says_what_was_freed(void **state)
{
	struct fixture *f = *state;
	push_blob(f, slice_str("small"));
	push_blob(f, noise(&f->arena, LARGE, 1));
	reopen(f);
	struct gc_result found = collect(f, 0);
	assert_int_equal(found.blobs, 2);
	assert_int_equal(found.bytes, 5 + LARGE);
	assert_int_equal(found.waiting_blobs, 0);
}

static void what_an_image_holds_stays(void **state)
{
	struct fixture *f = *state;
	struct sample *image = image_sample(f, "image", "v1", NULL);
	struct digest layer = only_layer(image);
	struct digest digest = put_ok(f, image);
	assert_int_equal(count_rows(f, "stray"), 0);
	advance(f, 100 * 24 * HOUR_MS);
	assert_int_equal(collect(f, 0).blobs, 0);
	assert_true(blob_exists(f, &layer));
	delete_image(f, &digest);
	assert_int_equal(collect(f, GC_STORES_GRACE).waiting_blobs, 1); /* its grace time begins */
	assert_true(blob_exists(f, &layer));
	assert_int_equal(collect(f, 0).blobs, 1);
	assert_false(blob_exists(f, &layer));
}

static void the_last_of_two_images(void **state)
{
	struct fixture *f = *state;
	struct sample *one = image_sample(f, "one", "v1", NULL);
	struct sample *two = image_sample(f, "two", "v2", NULL);
	struct digest layer = only_layer(one);
	two->manifest.layers = one->manifest.layers;
	put_ok(f, one);
	put_ok(f, two);
	delete_image(f, &one->put.digest);
	collect(f, 0);
	assert_true(blob_exists(f, &layer));
	delete_image(f, &two->put.digest);
	collect(f, 0);
	assert_false(blob_exists(f, &layer));
}

/* Each repository sees what its own images hold; the content goes with the last that does. */
static void each_repository_for_itself(void **state)
{
	struct fixture *f = *state;
	struct sample *image = image_sample(f, "image", "v1", NULL);
	struct digest layer = only_layer(image);
	assert_int_equal(create_repository(f, "other", TAGS_MUTABLE, NULL), ERR_NONE);
	mount_to(f, "other", &layer);
	put_ok(f, image);
	struct gc_result found = collect(f, GC_STORES_GRACE);
	assert_int_equal(found.waiting_blobs, 0); /* an image holds it: it will not be freed */
	assert_int_equal(stat_in(f, "other", &layer), ERR_NONE);
	assert_int_equal(collect(f, 0).blobs, 0);
	assert_int_equal(stat_in(f, "other", &layer), ERR_BLOB_UNKNOWN);
	assert_true(blob_exists(f, &layer));
}

static void what_a_deleted_repository_had(void **state)
{
	struct fixture *f = *state;
	struct sample *image = image_sample(f, "image", "v1", NULL);
	struct digest layer = only_layer(image), alone = push_blob(f, slice_str("alone"));
	assert_int_equal(create_repository(f, "other", TAGS_MUTABLE, NULL), ERR_NONE);
	mount_to(f, "other", &layer);
	put_ok(f, image);
	assert_int_equal(delete_repository(f, "team/app", true), ERR_NONE);
	reopen(f);
	assert_int_equal(stat_in(f, "other", &layer), ERR_NONE);
	struct gc_result found = collect(f, 0);
	assert_int_equal(found.blobs, 2);
	assert_int_equal(stat_in(f, "other", &layer), ERR_BLOB_UNKNOWN);
	assert_int_equal(count_rows(f, "repository_blob"), 0);
	assert_int_equal(count_rows(f, "content"), 0);
	(void)alone;
}

/* In profile oci a repository may lose sight of a blob that its images hold. */
static void deleted_from_under_an_image(void **state)
{
	struct fixture *f = *state;
	struct sample *image = image_sample(f, "image", "v1", NULL);
	struct blob_unlink unlink = {.key = f->key, .digest = only_layer(image)};
	put_ok(f, image);
	assert_int_equal(RUN(f, &unlink, blob_unlink_submit), ERR_NONE);
	assert_int_equal(collect(f, 0).blobs, 0);
	delete_image(f, &image->put.digest);
	assert_int_equal(collect(f, 0).blobs, 1);
	assert_int_equal(count_rows(f, "content"), 0);
}

static bool fades(struct fixture *f, const struct digest *digest)
{
	struct blob blob;
	assert_int_equal(blob_stat(f->reader, &f->key, digest, &blob), ERR_NONE);
	return blob.fading;
}

static void renew(struct fixture *f, const struct digest *digest)
{
	struct blob_renew renewal = {.key = f->key, .digests = digest, .count = 1};
	assert_int_equal(RUN(f, &renewal, blob_renew_submit), ERR_NONE);
}

static void exists_is_a_promise(void **state)
{
	struct fixture *f = *state;
	struct digest blob = push_blob(f, slice_str("blob"));
	assert_false(fades(f, &blob));
	advance(f, 4 * HOUR_MS);
	assert_true(fades(f, &blob));
	renew(f, &blob);
	assert_false(fades(f, &blob));
	advance(f, 23 * HOUR_MS);
	assert_int_equal(collect(f, GC_STORES_GRACE).waiting_blobs, 1);
	assert_true(fades(f, &blob));
	renew(f, &blob);
	advance(f, 23 * HOUR_MS);
	assert_int_equal(collect(f, GC_STORES_GRACE).blobs, 0);
	advance(f, HOUR_MS);
	collect(f, GC_STORES_GRACE);
	assert_false(blob_exists(f, &blob));
	renew(f, &blob); /* the collector was quicker */
	assert_false(blob_exists(f, &blob));
	assert_int_equal(count_rows(f, "stray"), 0);
}

/* Mounting, and uploading once more, renew it as well. */
static void other_ways_to_renew(void **state)
{
	struct fixture *f = *state;
	struct digest blob = push_blob(f, slice_str("blob"));
	assert_int_equal(create_repository(f, "other", TAGS_MUTABLE, NULL), ERR_NONE);
	mount_to(f, "other", &blob);
	advance(f, 23 * HOUR_MS);
	push_blob(f, slice_str("blob"));
	advance(f, 23 * HOUR_MS);
	mount_to(f, "other", &blob);
	advance(f, 23 * HOUR_MS);
	collect(f, GC_STORES_GRACE);
	assert_int_equal(stat_in(f, "other", &blob), ERR_NONE);
	assert_false(blob_exists(f, &blob)); /* here it was 46 hours ago */
}

static void a_push_going_on_spares_its_repository(void **state)
{
	struct fixture *f = *state;
	uint8_t id[16];
	uint64_t size;
	struct digest blob = push_blob(f, slice_str("blob"));
	advance(f, HOUR_MS);
	struct upload *u = open_upload(f, id);
	advance(f, 100 * HOUR_MS);
	struct digest late = push_blob(f, slice_str("late"));
	assert_int_equal(collect(f, GC_STORES_GRACE).blobs, 0); /* a request is at it */
	assert_int_equal(collect(f, 0).waiting_blobs, 1);
	assert_true(blob_exists(f, &late) && !blob_exists(f, &blob)); /* found before it began */
	blob = late;
	assert_int_equal(upload_append(u, slice_str("more")), ERR_NONE);
	assert_int_equal(upload_keep(u, &size), ERR_NONE);
	advance(f, 23 * HOUR_MS);
	assert_int_equal(collect(f, GC_STORES_GRACE).blobs, 0); /* one was, not long ago */
	assert_true(blob_exists(f, &blob));
	advance(f, 2 * HOUR_MS);
	collect(f, GC_STORES_GRACE);
	assert_false(blob_exists(f, &blob));
	assert_int_equal(upload_stat(f->reader, &f->key, id, &size), ERR_UPLOAD_UNKNOWN);
}

static void set_synced(struct fixture *f, int synced)
{
	sqlite3 *own = NULL;
	const char *sql = arena_printf(&f->arena, "UPDATE blob SET synced = %d", synced);
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &own), SQLITE_OK);
	sqlite3_busy_timeout(own, 5000);
	assert_int_equal(sqlite3_exec(own, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(own);
}

/* A blob that is not on disk yet is a job's still: dropped and made again, its flag would be the old one's. */
static void what_is_being_flushed_stays(void **state)
{
	struct fixture *f = *state;
	struct digest large = push_blob(f, noise(&f->arena, LARGE, 1));
	reopen(f);
	set_synced(f, 0);
	assert_int_equal(collect(f, 0).waiting_blobs, 1);
	set_synced(f, 1);
	assert_true(file_there(f, &large));
	assert_int_equal(collect(f, 0).blobs, 1);
	assert_false(file_there(f, &large));
}

static void the_clock_may_go_back(void **state)
{
	struct fixture *f = *state;
	advance(f, 365 * 24 * HOUR_MS);
	struct digest blob = push_blob(f, slice_str("blob"));
	advance(f, -365 * 24 * HOUR_MS);
	assert_int_equal(collect(f, GC_STORES_GRACE).waiting_blobs, 1);
	advance(f, 25 * HOUR_MS);
	collect(f, GC_STORES_GRACE);
	assert_false(blob_exists(f, &blob));
}

/* More than a step takes; some that wait, some that an image holds between them. */
static void many(void **state)
{
	struct fixture *f = *state;
	enum { BLOBS = 700 };
	uint64_t bytes = 0;
	for (unsigned i = 0; i < BLOBS; i++) {
		push_blob(f, noise(&f->arena, i % 70 ? 100 + i : LARGE + i, i));
		bytes += i % 70 ? 100 + i : LARGE + i;
	}
	struct sample *image = image_sample(f, "image", "v1", NULL);
	put_ok(f, image);
	reopen(f);
	struct gc_result found = collect(f, GC_STORES_GRACE);
	assert_int_equal(found.waiting_blobs, BLOBS);
	assert_int_equal(found.waiting_bytes, bytes);
	found = collect(f, 0);
	assert_int_equal(found.blobs, BLOBS);
	assert_int_equal(found.bytes, bytes);
	assert_int_equal(count_rows(f, "content"), 1);
}

static void make_file(struct fixture *f, const char *name, struct slice bytes)
{
	char folder[FILE_NAME_MAX];
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(name, '/') - name), name);
	mkdirat(f->store->files.folder, folder, 0700);
	int fd = openat(f->store->files.folder, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0 && write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len);
	close(fd);
}

/* Files that no row speaks of are looked for after a crash, and only then. */
static void what_a_crash_left(void **state)
{
	struct fixture *f = *state;
	char name[FILE_NAME_MAX];
	struct digest large = push_blob(f, noise(&f->arena, LARGE, 1));
	for (unsigned i = 0; i < 100; i++) {
		struct digest orphan = digest_of(noise(&f->arena, 10, 1000 + i));
		orphan.raw[0] = (uint8_t)(i < 80 ? 7 : i);
		files_blob_name(&orphan, name);
		make_file(f, name, slice_str("orphan"));
	}
	assert_int_equal(collect(f, GC_STORES_GRACE).files, 0);
	atomic_store(&f->store->sweep_due, true);
	reopen(f); /* as long as it is due, it is owed over restarts */
	assert_true(atomic_load(&f->store->sweep_due));
	struct gc_result found = collect(f, GC_STORES_GRACE);
	assert_int_equal(found.files, 100);
	assert_int_equal(found.file_bytes, 600);
	assert_true(file_there(f, &large));
	reopen(f);
	assert_false(atomic_load(&f->store->sweep_due));
	assert_true(file_there(f, &large));
}

/* ---- threads: the same content, pushed and dropped and collected without end ---- */

enum { PUSHERS = 4, ROUNDS = 60, LAYERS = 6 };

struct worker {
	struct fixture *f;
	unsigned number;
	const char *failure;
	atomic_bool *over;
};

static void post(struct store_job *job)
{
	sem_post(job->owner);
}

#define AWAIT(request, submit)                                                                     \
	((request)->job = (struct store_job){.done = post, .owner = &done, .arena = a},            \
	    submit(store, (request)), sem_wait(&done), (request)->job.error.code)

static struct slice layer_bytes(struct arena *a, unsigned i)
{
	return noise(a, i % 2 ? 300 : LARGE + i, i);
}

static enum error_code upload(struct store *store, struct store_reader *reader,
    const struct repository_key *key, struct slice bytes, struct arena *a)
{
	uint8_t id[16];
	struct upload *u;
	sem_t done;
	sem_init(&done, 0, 0);
	if (upload_begin(store, reader, key, DIGEST_NONE, id) != ERR_NONE ||
	    upload_acquire(store, reader, key, id, &u) != ERR_NONE ||
	    upload_append(u, bytes) != ERR_NONE)
		return ERR_STORAGE_FAILED;
	struct upload_finish finish = {.upload = u, .digest = digest_of(bytes)};
	enum error_code code = AWAIT(&finish, upload_finish_submit);
	sem_destroy(&done);
	return code;
}

/* What was acknowledged can be read whole as long as its image is there. */
static bool whole(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct arena *a)
{
	struct blob blob;
	struct digest found;
	uint64_t size;
	if (blob_open(reader, key, digest, a, &blob) != ERR_NONE)
		return false;
	if (blob.data.at) {
		digest_compute(DIGEST_SHA256, blob.data, &found);
	} else {
		files_hash(blob.fd, DIGEST_SHA256, &size, &found);
		close(blob.fd);
	}
	return digest_eq(&found, digest);
}

static void *push_and_delete(void *arg)
{
	struct worker *w = arg;
	struct store *store = w->f->store;
	struct err err;
	struct arena arena, *a = &arena;
	sem_t done;
	struct store_reader *reader = store_reader_open(store, &err);
	arena_init(&arena);
	sem_init(&done, 0, 0);
	for (unsigned i = 0; i < ROUNDS && !w->failure; i++) {
		struct slice bytes = layer_bytes(&arena, (w->number + i) % LAYERS);
		struct descriptor layer = {.digest = digest_of(bytes), .size = bytes.len};
		struct manifest manifest = {.kind = MANIFEST_IMAGE,
		    .media_type = slice_str(MEDIA_OCI_MANIFEST),
		    .layers = &layer,
		    .layer_count = 1};
		struct image_put put = {.key = w->f->key,
		    .manifest = arena_slicef(&arena, "{\"%u\":%u}", w->number, i),
		    .parsed = &manifest};
		put.digest = digest_of(put.manifest);
		enum error_code code;
		do { /* without any grace the collector may be quicker than the manifest */
			if (upload(store, reader, &w->f->key, bytes, &arena) != ERR_NONE)
				w->failure = "upload";
			code = AWAIT(&put, image_put_submit);
		} while (code == ERR_LAYERS_NOT_FOUND && !w->failure);
		if (code != ERR_NONE)
			w->failure = "put";
		if (!whole(reader, &w->f->key, &layer.digest, &arena))
			w->failure = "an image's layer cannot be read";
		struct image_delete_item item = {.id = {.digest = put.digest}};
		struct image_delete del = {.key = w->f->key, .items = &item, .count = 1};
		if (i + 1 < ROUNDS && AWAIT(&del, image_delete_submit) != ERR_NONE)
			w->failure = "delete";
		arena_reset(&arena);
	}
	store_reader_close(reader);
	arena_release(&arena);
	return NULL;
}

static void *collect_all_the_time(void *arg)
{
	struct worker *w = arg;
	struct store *store = w->f->store;
	struct arena arena, *a = &arena;
	sem_t done;
	arena_init(&arena);
	sem_init(&done, 0, 0);
	while (!atomic_load(w->over)) {
		struct gc_run run = {.grace_ms = 0};
		if (AWAIT(&run, gc_submit) != ERR_NONE)
			w->failure = "collect";
	}
	arena_release(&arena);
	return NULL;
}

static void pushes_and_collections_at_once(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[PUSHERS + 1];
	struct worker workers[PUSHERS + 1];
	atomic_bool over = false;
	for (unsigned i = 0; i <= PUSHERS; i++) {
		workers[i] = (struct worker){.f = f, .number = i, .over = &over};
		assert_int_equal(
		    pthread_create(&threads[i], NULL,
			i < PUSHERS ? push_and_delete : collect_all_the_time, &workers[i]),
		    0);
	}
	for (unsigned i = 0; i < PUSHERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&over, true);
	pthread_join(threads[PUSHERS], NULL);
	for (unsigned i = 0; i <= PUSHERS; i++) {
		if (workers[i].failure)
			fail_msg("thread %u: %s", i, workers[i].failure);
	}
	collect(f, 0);
	assert_int_equal(count_rows(f, "image"), PUSHERS); /* each one's last */
	assert_true(count_rows(f, "blob") <= PUSHERS && count_rows(f, "blob") > 0);
	assert_int_equal(count_rows(f, "stray"), 0);
	for (unsigned i = 0; i < PUSHERS; i++) {
		struct digest digest = digest_of(layer_bytes(&f->arena, (i + ROUNDS - 1) % LAYERS));
		assert_true(whole(f->reader, &f->key, &digest, &f->arena));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(goes_after_the_grace_time),
	    store_test(says_what_was_freed),
	    store_test(what_an_image_holds_stays),
	    store_test(the_last_of_two_images),
	    store_test(each_repository_for_itself),
	    store_test(what_a_deleted_repository_had),
	    store_test(deleted_from_under_an_image),
	    store_test(exists_is_a_promise),
	    store_test(other_ways_to_renew),
	    store_test(a_push_going_on_spares_its_repository),
	    store_test(what_is_being_flushed_stays),
	    store_test(the_clock_may_go_back),
	    store_test(many),
	    store_test(what_a_crash_left),
	    store_test(pushes_and_collections_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
