/* What is flushed when, what waits for it, and what a refusing disk does. */
#include "support.h"

#include "storage/core.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static sem_t flush_entered, flush_released;
static atomic_int flushes, refused;

static int counting_flush(int fd)
{
	atomic_fetch_add(&flushes, 1);
	return fdatasync(fd);
}

static int held_flush(int fd)
{
	sem_post(&flush_entered);
	sem_wait(&flush_released);
	return fdatasync(fd);
}

static int refusing_flush(int fd)
{
	(void)fd;
	if (atomic_fetch_sub(&refused, 1) <= 0)
		return fdatasync(fd);
	errno = EIO;
	return -1;
}

/* An image of one large layer, which is a file. */
static struct sample *large_sample(struct fixture *f, const char *text)
{
	struct sample *s = image_sample(f, text, text, NULL);
	struct slice bytes = noise(&f->arena, BLOB_INLINE_MAX + 1000, (unsigned)text[0]);
	s->manifest.layers[0].digest = push_blob(f, bytes);
	return s;
}

static bool is_done(struct store_job *job)
{
	int value = 0;
	sem_getvalue(job->owner, &value);
	return value > 0;
}

/* The image waits for its layer; nothing else does. */
static void an_image_waits_for_its_layers(void **state)
{
	struct fixture *f = *state;
	sem_init(&flush_entered, 0, 0);
	sem_init(&flush_released, 0, 0);
	f->store->files.flush_blob = held_flush;
	struct sample *s = large_sample(f, "large"), *small = image_sample(f, "small", "v1", NULL);
	sem_wait(&flush_entered); /* the layer was acknowledged, its flush has begun */
	assert_true(blob_exists(f, &s->manifest.layers[0].digest));
	SUBMIT(f, &s->put, image_put_submit);
	put_ok(f, small);
	assert_int_equal(create_repository(f, "other", TAGS_MUTABLE, NULL), ERR_NONE);
	assert_false(is_done(&s->put.job));
	assert_string_equal(tags_of(f, &s->put.digest), "(none)");
	sem_post(&flush_released);
	assert_int_equal(job_end(&s->put.job), ERR_NONE);
	assert_string_equal(tags_of(f, &s->put.digest), "large");
	put_ok(f, s); /* it waits once only */
}

static void several_wait_for_the_same(void **state)
{
	struct fixture *f = *state;
	sem_init(&flush_entered, 0, 0);
	sem_init(&flush_released, 0, 0);
	f->store->files.flush_blob = held_flush;
	struct sample *s[5];
	s[0] = large_sample(f, "a");
	for (int i = 1; i < 5; i++) {
		s[i] = image_sample(f, arena_printf(&f->arena, "other %d", i), NULL);
		s[i]->manifest.layers[0] = s[0]->manifest.layers[0];
	}
	for (int i = 0; i < 5; i++)
		SUBMIT(f, &s[i]->put, image_put_submit);
	sem_wait(&flush_entered);
	sem_post(&flush_released);
	for (int i = 0; i < 5; i++)
		assert_int_equal(job_end(&s[i]->put.job), ERR_NONE);
}

/* The disk does not take the layer: it is gone, the image fails, and a second push works. */
static void a_layer_that_cannot_be_flushed(void **state)
{
	struct fixture *f = *state;
	sem_init(&flush_entered, 0, 0);
	sem_init(&flush_released, 0, 0);
	f->store->files.flush_blob = refusing_flush;
	atomic_store(&refused, 1);
	struct sample *s = large_sample(f, "large");
	enum error_code code = put(f, s);
	/* failed while it waited, or came after the layer had gone */
	assert_true(code == ERR_STORAGE_FAILED || code == ERR_LAYERS_NOT_FOUND);
	assert_false(blob_exists(f, &s->manifest.layers[0].digest));
	assert_string_equal(tags_of(f, &s->put.digest), "(none)");
	push_blob(f, noise(&f->arena, BLOB_INLINE_MAX + 1000, 'l'));
	put_ok(f, s);
}

static void waiting_for_a_layer_that_fails(void **state)
{
	struct fixture *f = *state;
	static sem_t gate;
	sem_init(&flush_entered, 0, 0);
	sem_init(&flush_released, 0, 0);
	sem_init(&gate, 0, 0);
	f->store->files.flush_blob = held_flush;
	struct sample *s = large_sample(f, "large");
	sem_wait(&flush_entered);
	SUBMIT(f, &s->put, image_put_submit);
	assert_int_equal(create_repository(f, "other", TAGS_MUTABLE, NULL), ERR_NONE);
	/* take the file away, so that what follows the flush of its bytes fails */
	char name[FILE_NAME_MAX];
	files_blob_name(&s->manifest.layers[0].digest, name);
	*strrchr(name, '/') = '\0';
	char moved[FILE_NAME_MAX + 8];
	snprintf(moved, sizeof(moved), "%s-moved", fixture_path(f, name));
	assert_int_equal(rename(fixture_path(f, name), moved), 0);
	sem_post(&flush_released);
	assert_int_equal(job_end(&s->put.job), ERR_STORAGE_FAILED);
	assert_false(blob_exists(f, &s->manifest.layers[0].digest));
}

static void which_jobs_flush_the_log(void **state)
{
	struct fixture *f = *state;
	f->store->files.flush_log = counting_flush;
	atomic_store(&flushes, 0);
	struct sample *s = image_sample(f, "one", "v1", NULL); /* uploads and finishes a blob */
	assert_int_equal(atomic_load(&flushes), 0);
	put_ok(f, s);
	assert_int_equal(atomic_load(&flushes), 1);
	create_repository(f, "other", TAGS_MUTABLE, NULL);
	assert_int_equal(atomic_load(&flushes), 2);
	delete_repository(f, "other", false);
	assert_int_equal(atomic_load(&flushes), 3);
	struct image_delete_item item = {.id = {.tag = slice_str("v1")}};
	struct image_delete del = {.key = f->key, .items = &item, .count = 1};
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_NONE);
	assert_int_equal(atomic_load(&flushes), 4);
}

/* A flush of the log fails: who waited is told, the store says so, and the next write mends it. */
static void a_log_that_cannot_be_flushed(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	f->store->files.flush_log = refusing_flush;
	atomic_store(&refused, 1);
	assert_int_equal(put(f, s), ERR_STORAGE_FAILED);
	assert_non_null(s->put.job.error.detail.at);
	assert_true(store_broken(f->store));
	assert_true(atomic_load(&f->store->log_suspect));
	put_ok(f, s);
	assert_false(store_broken(f->store));
	assert_false(atomic_load(&f->store->log_suspect));
}

/* group commit */

struct gate {
	struct store_job job;
	sem_t entered, open;
};

static void gate_run(struct store_tx *tx, struct store_job *job)
{
	struct gate *gate = (struct gate *)job;
	(void)tx;
	sem_post(&gate->entered);
	sem_wait(&gate->open);
}

static const struct job_ops gate_ops = {.run = gate_run};

static void gate_submit(struct store *store, struct gate *gate)
{
	sem_init(&gate->entered, 0, 0);
	sem_init(&gate->open, 0, 0);
	store_submit(store, &gate->job, &gate_ops);
}

static int count_commit(void *arg)
{
	++*(int *)arg;
	return 0;
}

static void many_jobs_one_commit(void **state)
{
	enum { MANY = 40 };
	struct fixture *f = *state;
	struct sample *s[MANY];
	struct gate gate;
	static int commits;
	for (int i = 0; i < MANY; i++)
		s[i] = image_sample(f, arena_printf(&f->arena, "%d", i), NULL);
	s[7]->put.key = key_of("team/none");
	SUBMIT(f, &gate, gate_submit);
	sem_wait(&gate.entered);
	sqlite3_commit_hook(f->store->writer.db.handle, count_commit, &commits);
	f->store->files.flush_log = counting_flush;
	atomic_store(&flushes, 0);
	for (int i = 0; i < MANY; i++)
		SUBMIT(f, &s[i]->put, image_put_submit);
	sem_post(&gate.open);
	job_end(&gate.job);
	for (int i = 0; i < MANY; i++) /* one that fails takes nobody with it */
		assert_int_equal(
		    job_end(&s[i]->put.job), i == 7 ? ERR_REPOSITORY_NOT_FOUND : ERR_NONE);
	assert_int_equal(commits, 2); /* the gate's own, and one for all */
	assert_int_equal(atomic_load(&flushes), 1);
}

/* The database itself fails in the middle of a job: the others of its batch are not harmed. */
static void a_job_that_fails_is_undone(void **state)
{
	struct fixture *f = *state;
	struct sample *s[3];
	for (int i = 0; i < 3; i++)
		s[i] = image_sample(
		    f, arena_printf(&f->arena, "%d", i), arena_printf(&f->arena, "t%d", i), NULL);
	/* image 1's last statement but one will not find its table's shape */
	struct gate gate;
	SUBMIT(f, &gate, gate_submit);
	sem_wait(&gate.entered);
	char trap[512], text[DIGEST_TEXT_MAX];
	digest_format(&s[1]->put.digest, text);
	snprintf(trap, sizeof(trap),
	    "CREATE TEMP TRIGGER trap BEFORE INSERT ON image WHEN hex(NEW.digest) = upper('01%s') "
	    "BEGIN SELECT RAISE(FAIL, 'sprung'); END",
	    text + 7);
	assert_int_equal(
	    sqlite3_exec(f->store->writer.db.handle, trap, NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < 3; i++)
		SUBMIT(f, &s[i]->put, image_put_submit);
	sem_post(&gate.open);
	job_end(&gate.job);
	assert_int_equal(job_end(&s[0]->put.job), ERR_NONE);
	assert_int_equal(job_end(&s[1]->put.job), ERR_STORAGE_FAILED);
	assert_int_equal(job_end(&s[2]->put.job), ERR_NONE);
	assert_non_null(strstr(s[1]->put.job.error.detail.at, "sprung"));
	struct image_id tag = {.tag = slice_str("t1")};
	struct stored_manifest m;
	assert_int_equal(
	    manifest_read(f->reader, &f->key, &tag, true, &f->arena, &m), ERR_MANIFEST_UNKNOWN);
	struct tag_page tags;
	assert_int_equal(
	    tag_list(f->reader, f->repository_id, slice_of(NULL, 0), 10, &f->arena, &tags),
	    ERR_NONE);
	assert_int_equal(tags.count, 2);
}

static int refuse_commit(void *arg)
{
	return (*(int *)arg)-- > 0;
}

/* A commit that fails fails all that was in it, and leaves nothing; the next one works. */
static void a_commit_that_fails(void **state)
{
	struct fixture *f = *state;
	struct sample *s[3];
	static int refusals = 2; /* the gate's own commit, and the one for all the others */
	uint8_t id[16];
	struct slice bytes = noise(&f->arena, BLOB_INLINE_MAX + 5, 77);
	struct upload_finish finish = {.upload = open_upload(f, id), .digest = digest_of(bytes)};
	upload_append(finish.upload, bytes);
	for (int i = 0; i < 3; i++)
		s[i] = image_sample(f, arena_printf(&f->arena, "%d", i), NULL);
	struct gate gate;
	SUBMIT(f, &gate, gate_submit);
	sem_wait(&gate.entered);
	sqlite3_commit_hook(f->store->writer.db.handle, refuse_commit, &refusals);
	SUBMIT(f, &finish, upload_finish_submit);
	for (int i = 0; i < 3; i++)
		SUBMIT(f, &s[i]->put, image_put_submit);
	sem_post(&gate.open);
	assert_int_equal(job_end(&gate.job), ERR_STORAGE_FAILED);
	assert_int_equal(job_end(&finish.job), ERR_STORAGE_FAILED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(job_end(&s[i]->put.job), ERR_STORAGE_FAILED);
		assert_string_equal(tags_of(f, &s[i]->put.digest), "(none)");
	}
	assert_true(store_broken(f->store));
	assert_false(blob_exists(f, &finish.digest));
	char name[FILE_NAME_MAX];
	files_blob_name(&finish.digest, name);
	assert_int_equal(access(fixture_path(f, name), F_OK), -1);
	for (int i = 0; i < 3; i++)
		put_ok(f, s[i]);
	/* the upload may be tried again */
	assert_int_equal(
	    upload_acquire(f->store, f->reader, &f->key, id, &finish.upload), ERR_NONE);
	assert_int_equal(finish_upload(f, finish.upload, &finish.digest), ERR_NONE);
	assert_true(blob_exists(f, &finish.digest));
	assert_false(store_broken(f->store));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(an_image_waits_for_its_layers),
	    store_test(several_wait_for_the_same),
	    store_test(a_layer_that_cannot_be_flushed),
	    store_test(waiting_for_a_layer_that_fails),
	    store_test(which_jobs_flush_the_log),
	    store_test(a_log_that_cannot_be_flushed),
	    store_test(many_jobs_one_commit),
	    store_test(a_job_that_fails_is_undone),
	    store_test(a_commit_that_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
