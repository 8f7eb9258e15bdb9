/* Many threads at once, each with a reader of its own. Meant for the thread sanitizer, too. */
#include "support.h"

#include "storage/core.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 25 };

struct worker_arg {
	struct fixture *f;
	int number;
	const char *failure; /* asserting is for the test's own thread */
};

static void post(struct store_job *job)
{
	sem_post(job->owner);
}

static void prepare(struct store_job *job, sem_t *done, struct arena *arena)
{
	*job = (struct store_job){.done = post, .owner = done, .arena = arena};
}

static enum error_code wait_for(struct store_job *job)
{
	sem_wait(job->owner);
	return job->error.code;
}

#define AWAIT(store, request, submit)                                                              \
	(prepare(&(request)->job, &done, &arena), submit((store), (request)),                      \
	    wait_for(&(request)->job))

/* Uploads, puts, reads, lists and deletes images, all in one repository, some of their tags shared.
 */
static void *churn(void *arg)
{
	struct worker_arg *w = arg;
	struct store *store = w->f->store;
	struct err err;
	struct arena arena;
	sem_t done;
	struct store_reader *reader = store_reader_open(store, &err);
	arena_init(&arena);
	sem_init(&done, 0, 0);
	for (int i = 0; i < ROUNDS && !w->failure; i++) {
		uint8_t id[16];
		uint64_t size;
		struct upload *u;
		size_t len = i % 5 == 0 ? BLOB_INLINE_MAX + 100 : 500;
		/* every second layer is the same in all threads */
		struct slice bytes =
		    noise(&arena, len, (unsigned)(i % 2 ? i : i * 100 + w->number));
		struct descriptor layer = {.digest = digest_of(bytes), .size = len};
		if (upload_begin(store, reader, &w->f->key, DIGEST_NONE, id) != ERR_NONE ||
		    upload_acquire(store, reader, &w->f->key, id, &u) != ERR_NONE ||
		    upload_append(u, bytes) != ERR_NONE || upload_keep(u, &size) != ERR_NONE ||
		    upload_acquire(store, reader, &w->f->key, id, &u) != ERR_NONE)
			w->failure = "upload";
		struct upload_finish finish = {.upload = u, .digest = layer.digest};
		if (AWAIT(store, &finish, upload_finish_submit) != ERR_NONE)
			w->failure = "finish";
		struct manifest manifest = {.kind = MANIFEST_IMAGE,
		    .media_type = slice_str(MEDIA_OCI_MANIFEST),
		    .layers = &layer,
		    .layer_count = 1};
		struct slice tags[] = {
		    slice_str("latest"), arena_slicef(&arena, "t%d-%d", w->number, i)};
		struct image_put put = {.key = w->f->key,
		    .manifest = arena_slicef(&arena, "{\"%d\":%d}", w->number, i),
		    .parsed = &manifest,
		    .tags = tags,
		    .tag_count = 2};
		put.digest = digest_of(put.manifest);
		if (AWAIT(store, &put, image_put_submit) != ERR_NONE)
			w->failure = "put";
		struct stored_manifest m;
		struct image_id by_tag = {.tag = tags[1]}, latest = {.tag = tags[0]};
		if (manifest_read(reader, &w->f->key, &by_tag, true, &arena, &m) != ERR_NONE ||
		    !slice_eq(m.bytes, put.manifest) ||
		    manifest_read(reader, &w->f->key, &latest, true, &arena, &m) != ERR_NONE)
			w->failure = "read";
		image_note_pull(store, &m);
		struct image_page page;
		if (image_list(reader, w->f->repository_id, TAG_STATUS_ANY, NULL, 50, &arena,
			&page) != ERR_NONE)
			w->failure = "list";
		struct image_delete_item item = {.id = {.tag = tags[1]}};
		struct image_delete del = {.key = w->f->key, .items = &item, .count = 1};
		if (i % 3 == 0 &&
		    (AWAIT(store, &del, image_delete_submit) != ERR_NONE ||
			item.result != IMAGE_DELETED))
			w->failure = "delete";
		arena_reset(&arena);
	}
	store_reader_close(reader);
	arena_release(&arena);
	return NULL;
}

static int64_t number_of(struct fixture *f, const char *sql)
{
	sqlite3_stmt *q = NULL;
	assert_int_equal(sqlite3_prepare_v2(f->reader->db.handle, sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	int64_t number = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return number;
}

/* Both sides of everything that is said twice agree. */
static void assert_consistent(struct fixture *f)
{
	static const char *const zero[] = {
	    "SELECT COUNT(*) FROM repository r WHERE image_count <> (SELECT COUNT(*) FROM image i "
	    "WHERE i.repository_id = r.id)",
	    "SELECT COUNT(*) FROM image WHERE tagged <> (tag_count > 0)",
	    "SELECT COUNT(*) FROM tag t WHERE NOT EXISTS (SELECT 1 FROM image i WHERE "
	    "i.repository_id = t.repository_id AND i.digest = t.digest AND "
	    "instr(CAST(x'00' || i.tags AS BLOB), CAST(x'00' || t.name || x'00' AS BLOB)) > 0)",
	    "SELECT (SELECT COUNT(*) FROM tag) - (SELECT SUM(tag_count) FROM image)",
	    "SELECT COUNT(*) - COUNT(DISTINCT digest) FROM image",
	    "SELECT COUNT(*) FROM manifest WHERE id NOT IN (SELECT id FROM image)",
	    "SELECT COUNT(*) FROM image WHERE id NOT IN (SELECT id FROM manifest)",
	    "SELECT COUNT(*) FROM image_blob WHERE image_id NOT IN (SELECT id FROM image)",
	    "SELECT COUNT(*) FROM image_blob WHERE blob_id NOT IN (SELECT id FROM blob)",
	    "SELECT COUNT(*) FROM blob WHERE id NOT IN (SELECT id FROM content)",
	    "SELECT COUNT(*) FROM content WHERE id NOT IN (SELECT id FROM blob)",
	};
	for (size_t i = 0; i < COUNT(zero); i++) {
		if (number_of(f, zero[i]) != 0)
			fail_msg("%s: %lld", zero[i], (long long)number_of(f, zero[i]));
	}
}

static void threads_do_not_disturb_each_other(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[THREADS];
	struct worker_arg args[THREADS];
	for (int i = 0; i < THREADS; i++) {
		args[i] = (struct worker_arg){.f = f, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, churn, &args[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		if (args[i].failure)
			fail_msg("thread %d: %s", i, args[i].failure);
	}
	assert_consistent(f);
	fixture_close(f);
	fixture_open(f);
	assert_consistent(f);
}

/* Resets in the middle of everything: what is answered may be a refusal, never a crash or half a
 * thing. */
static void *churn_carelessly(void *arg)
{
	struct worker_arg *w = arg;
	struct store *store = w->f->store;
	struct err err;
	struct arena arena;
	sem_t done;
	struct store_reader *reader = store_reader_open(store, &err);
	arena_init(&arena);
	sem_init(&done, 0, 0);
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t id[16];
		struct upload *u;
		struct repository_create create = {.repository = {.account = w->f->key.account,
						       .region = w->f->key.region,
						       .name = w->f->key.name,
						       .encryption_type = slice_str("AES256")}};
		AWAIT(store, &create, repository_create_submit);
		struct slice bytes =
		    noise(&arena, i % 2 ? 100 : BLOB_INLINE_MAX + 100, (unsigned)i);
		struct descriptor layer = {.digest = digest_of(bytes)};
		if (upload_begin(store, reader, &w->f->key, DIGEST_NONE, id) != ERR_NONE ||
		    upload_acquire(store, reader, &w->f->key, id, &u) != ERR_NONE)
			continue;
		upload_append(u, bytes);
		struct upload_finish finish = {.upload = u, .digest = layer.digest};
		AWAIT(store, &finish, upload_finish_submit);
		struct manifest manifest = {.kind = MANIFEST_IMAGE,
		    .media_type = slice_str(MEDIA_OCI_MANIFEST),
		    .layers = &layer,
		    .layer_count = 1};
		struct image_put put = {
		    .key = w->f->key, .manifest = slice_str("{}"), .parsed = &manifest};
		put.digest = digest_of(put.manifest);
		enum error_code code = AWAIT(store, &put, image_put_submit);
		if (code != ERR_NONE && code != ERR_REPOSITORY_NOT_FOUND &&
		    code != ERR_LAYERS_NOT_FOUND && code != ERR_STORAGE_FAILED)
			w->failure = "put";
		struct store_reset reset;
		memset(&reset, 0, sizeof(reset));
		if (w->number == 0)
			AWAIT(store, &reset, store_reset_submit);
		arena_reset(&arena);
	}
	store_reader_close(reader);
	arena_release(&arena);
	return NULL;
}

static void resets_in_the_middle(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[THREADS];
	struct worker_arg args[THREADS];
	for (int i = 0; i < THREADS; i++) {
		args[i] = (struct worker_arg){.f = f, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, churn_carelessly, &args[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		assert_null(args[i].failure);
	/* every blob that a row names is there */
	sqlite3_stmt *q = NULL;
	sqlite3_prepare_v2(f->reader->db.handle,
	    "SELECT digest FROM blob b JOIN content c ON c.id = b.id WHERE c.data IS NULL", -1, &q,
	    NULL);
	while (sqlite3_step(q) == SQLITE_ROW) {
		struct digest digest;
		assert_true(column_digest(q, 0, &digest));
		int fd = files_open_blob(&f->store->files, &digest);
		assert_true(fd >= 0);
		close(fd);
	}
	sqlite3_finalize(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(threads_do_not_disturb_each_other),
	    store_test(resets_in_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
