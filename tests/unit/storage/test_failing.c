/*
 * What storage says when storage fails: nothing that rests on a lost commit, a failed flush or a failed read, and
 * always something. (tests/faults plays every failure there is; here stand the ones that once went wrong.)
 */
#include "support.h"

#include "storage/core.h"
#include "storage/db/fault.h"
#include "storage/db/meta.h"
#include "storage/images/archive.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/* Within ten seconds; a job that is never answered would hold the test for ever. */
static enum error_code answer_of(struct store_job *job)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	while (sem_timedwait(job->owner, &until) != 0) {
		if (errno != EINTR) {
			print_error("no answer within ten seconds\n");
			_exit(1); /* the store cannot be closed any more, either */
		}
	}
	sem_post(job->owner);
	return job_end(job);
}

static enum error_code put_within(struct fixture *f, struct sample *s)
{
	SUBMIT(f, &s->put, image_put_submit);
	return answer_of(&s->put.job);
}

/* An image of one layer that is a file. */
static struct sample *large_sample(struct fixture *f, const char *text)
{
	struct sample *s = image_sample(f, text, text, NULL);

	s->manifest.layers[0].digest =
	    push_blob(f, noise(&f->arena, BLOB_INLINE_MAX + 1000, (unsigned)text[0]));
	return s;
}

/* The layer's file is flushed, but that could not be noted down: who needs the layer is told, and can try again. */
static void a_flush_that_cannot_be_noted(void **state)
{
	struct fixture *f = *state;
	struct sample *s;
	enum error_code code;

	fault_arm("sql.BLOB_SYNCED:1");
	s = large_sample(f, "large");
	code = put_within(f, s);
	assert_true(code == ERR_NONE || code == ERR_STORAGE_FAILED);
	assert_int_equal(fault_fired(), 1);
	assert_int_equal(put_within(f, s), ERR_NONE);
	assert_string_equal(tags_of(f, &s->put.digest), "large");
}

static sem_t flush_entered, flush_released;
static atomic_int flush_count;

static int first_flush_fails(int fd)
{
	if (atomic_fetch_add(&flush_count, 1) > 0)
		return fdatasync(fd);
	sem_post(&flush_entered);
	sem_wait(&flush_released);
	errno = EIO;
	return -1;
}

/* What was committed while a flush of the log was failing is in the same log. */
static void committed_while_a_flush_fails(void **state)
{
	struct fixture *f = *state;
	struct sample *one = image_sample(f, "one", "v1", NULL),
		      *two = image_sample(f, "two", "v2", NULL);

	sem_init(&flush_entered, 0, 0);
	sem_init(&flush_released, 0, 0);
	f->store->files.flush_log = first_flush_fails;
	SUBMIT(f, &one->put, image_put_submit);
	sem_wait(&flush_entered);
	SUBMIT(f, &two->put, image_put_submit);
	for (int i = 0; i < 5000 && strcmp(tags_of(f, &two->put.digest), "v2") != 0; i++)
		usleep(1000);
	assert_string_equal(tags_of(f, &two->put.digest), "v2"); /* committed */
	sem_post(&flush_released);
	assert_int_equal(answer_of(&one->put.job), ERR_STORAGE_FAILED);
	if (answer_of(&two->put.job) == ERR_NONE)
		assert_false(atomic_load(&f->store->log_suspect));
	else
		assert_int_equal(two->put.job.error.code, ERR_STORAGE_FAILED);
	assert_int_equal(put_within(f, one), ERR_NONE);
	assert_int_equal(put_within(f, two), ERR_NONE);
}

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

/* "It exists already" rests on the put before it, in the same transaction; that is lost. */
static void refusals_go_with_a_lost_commit(void **state)
{
	enum { SAME = 16 };
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	struct image_put puts[SAME];
	struct gate gate;

	SUBMIT(f, &gate, gate_submit);
	sem_wait(&gate.entered);
	fault_arm("sql.COMMIT:2"); /* the gate's own is the first */
	for (int i = 0; i < SAME; i++) {
		puts[i] = s->put;
		puts[i].refuse_same = true;
		SUBMIT(f, &puts[i], image_put_submit);
	}
	sem_post(&gate.open);
	job_end(&gate.job);
	for (int i = 0; i < SAME; i++)
		assert_int_equal(answer_of(&puts[i].job), ERR_STORAGE_FAILED);
	assert_int_equal(fault_fired(), 1);
	assert_string_equal(tags_of(f, &s->put.digest), "(none)");
	assert_int_equal(put_within(f, s), ERR_NONE);
}

/* A repository that is deleted keeps its row until its images are gone, also when they could not be read once. */
static void a_purge_that_cannot_read(void **state)
{
	struct fixture *f = *state;

	put_ok(f, image_sample(f, "one", NULL));
	fault_arm("sql.IMAGE_SOME:1");
	assert_int_equal(delete_repository(f, "team/app", true), ERR_NONE);
	fixture_close(f);
	assert_int_equal(fault_fired(), 1);
	fault_arm(NULL);
	fixture_open(f);
	for (int i = 0; i < 5000 && count_rows(f, "repository") > 0; i++)
		usleep(1000);
	assert_int_equal(count_rows(f, "repository"), 0);
	assert_int_equal(count_rows(f, "image"), 0);
}

/* Whether a list that stays active names the image could not be told: it is not archived. */
static void an_archiving_that_cannot_read(void **state)
{
	struct fixture *f = *state;
	struct sample *child = image_sample(f, "one", "v1", NULL);
	struct archive_update update = {.key = f->key, .id.digest = child->put.digest};

	put_ok(f, child);
	put_ok(f, index_sample(f, "list", &child, 1, "list"));
	fault_arm("sql.CHILD_PARENTS:1");
	assert_int_equal(RUN(f, &update, archive_update_submit), ERR_STORAGE_FAILED);
	assert_int_equal(fault_fired(), 1);
	assert_int_equal(image_of(f, &child->put.digest).status, IMAGE_ACTIVE);
}

static bool went_on;

/* As careless as can be: it looks at nothing that its steps answer. */
static void careless_run(struct store_tx *tx, struct store_job *job)
{
	(void)job;
	meta_put(tx->db, "first", "1", 1);
	sqlite3_exec(tx->db->handle, "ROLLBACK", NULL, NULL, NULL); /* as SQLite may do by itself */
	went_on = meta_put(tx->db, "second", "1", 1);
}

static void careless_submit(struct store *store, struct gate *careless)
{
	static const struct job_ops ops = {.run = careless_run};

	store_submit(store, &careless->job, &ops);
}

/* When SQLite has ended the transaction with a failed step, the next one would be committed by itself. */
static void nothing_follows_a_failed_step(void **state)
{
	struct fixture *f = *state;
	struct gate careless;
	char kept;
	size_t len;

	fault_arm("sql.META_PUT:1");
	SUBMIT(f, &careless, careless_submit);
	assert_int_equal(answer_of(&careless.job), ERR_STORAGE_FAILED);
	assert_false(went_on);
	assert_int_equal(meta_get(&f->reader->db, "second", &kept, 1, &len), ABSENT);
}

static int disarm(void **state)
{
	fault_arm(NULL);
	return fixture_teardown(state);
}

#define failing_test(f) cmocka_unit_test_setup_teardown(f, fixture_setup, disarm)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    failing_test(a_flush_that_cannot_be_noted),
	    failing_test(committed_while_a_flush_fails),
	    failing_test(refusals_go_with_a_lost_commit),
	    failing_test(a_purge_that_cannot_read),
	    failing_test(an_archiving_that_cannot_read),
	    failing_test(nothing_follows_a_failed_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
