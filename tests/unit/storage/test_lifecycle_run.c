/* Runs of lifecycle policies: what is carried out, and what has changed since it was decided. */
#include "support.h"

#include "storage/core.h"
#include "storage/images/archive.h"
#include "storage/images/orphan.h"
#include "storage/jobs/await.h"
#include "storage/lifecycle/lifecycle.h"
#include "storage/lifecycle/lifecycle_batch.h"
#include "storage/repositories/document.h"

#define DAY_MS (24 * 3600 * 1000LL)

static const char keep_one[] =
    "{\"rules\":[{\"rulePriority\":7,\"selection\":{\"tagStatus\":\"any\",\"countType\":"
    "\"imageCountMoreThan\",\"countNumber\":1},\"action\":{\"type\":\"expire\"}}]}";
static const char archive_old[] =
    "{\"rules\":[{\"rulePriority\":1,\"selection\":{\"tagStatus\":\"any\",\"countType\":"
    "\"sinceImagePushed\",\"countUnit\":\"days\",\"countNumber\":1},\"action\":{\"type\":"
    "\"transition\",\"targetStorageClass\":\"archive\"}}]}";

static void put_policy(struct fixture *f, const char *text)
{
	struct document_put *put = arena_zalloc(&f->arena, sizeof(*put));
	put->key = (struct document_key){
	    f->key.account, f->key.region, DOCUMENT_LIFECYCLE_POLICY, f->key.name};
	put->text = slice_str(text);
	assert_int_equal(RUN(f, put, document_put_submit), ERR_NONE);
}

static int64_t evaluated_ms(struct fixture *f)
{
	struct document_key key = {
	    f->key.account, f->key.region, DOCUMENT_LIFECYCLE_POLICY, f->key.name};
	struct document found;
	assert_int_equal(document_get(f->reader, &key, &f->arena, &found), ERR_NONE);
	return found.evaluated_ms;
}

static void move_clock(struct fixture *f, int64_t offset_ms)
{
	struct clock_move *move = arena_zalloc(&f->arena, sizeof(*move));
	move->offset_ms = offset_ms;
	assert_int_equal(RUN(f, move, clock_move_submit), ERR_NONE);
}

static bool is_there(struct fixture *f, const struct sample *s)
{
	return strcmp(tags_of(f, &s->put.digest), "(none)") != 0;
}

static struct lifecycle_run *run_one(struct fixture *f)
{
	struct lifecycle_run *run = arena_zalloc(&f->arena, sizeof(*run));
	run->key = f->key;
	run->report_max = 1024 * 1024;
	assert_int_equal(RUN(f, run, lifecycle_run_submit), ERR_NONE);
	assert_non_null(run->first);
	assert_ptr_equal(run->first, run->last);
	return run;
}

static void delete_one(struct fixture *f, const struct sample *s)
{
	struct image_delete_item item = {.id = {.digest = s->put.digest, .tag = {NULL, 0}}};
	struct image_delete *del = arena_zalloc(&f->arena, sizeof(*del));
	*del = (struct image_delete){.key = f->key, .items = &item, .count = 1};
	assert_int_equal(RUN(f, del, image_delete_submit), ERR_NONE);
	assert_int_equal(item.result, IMAGE_DELETED);
}

/* ---- one decision, and what may come before it is carried out ---- */

struct find {
	struct digest digest;
	struct lifecycle_item *item;
};

static void find_image(void *user, const struct lifecycle_image *image)
{
	struct find *find = user;
	if (!digest_eq(&image->digest, &find->digest))
		return;
	find->item->image_id = image->id;
	find->item->mark = lifecycle_mark(image);
}

static void no_child(void *user, const struct digest *index, const struct digest *child)
{
	(void)user, (void)index, (void)child;
}

/* As the engine would have decided it now. */
static struct lifecycle_item decided(
    struct fixture *f, const struct sample *s, enum lifecycle_action action)
{
	struct lifecycle_item item = {
	    .deed = {.digest = s->put.digest, .cause = LIFECYCLE_BY_RULE, .action = action}};
	struct find find = {s->put.digest, &item};
	struct lifecycle_visit visit = {find_image, no_child, &find};
	assert_int_equal(lifecycle_read(f->reader, f->repository_id, &visit), ERR_NONE);
	return item;
}

static bool carried_out(struct fixture *f, struct lifecycle_item *item, const char *policy)
{
	struct lifecycle_batch batch;
	struct arena a;
	arena_init(&a);
	lifecycle_batch_init(&batch, &a);
	batch.key = f->key;
	batch.repository_id = f->repository_id;
	batch.policy = slice_str(policy);
	batch.decided_ms = clock_now_ms(store_clock(f->store)) - 1000;
	batch.items = item;
	batch.count = 1;
	assert_int_equal(lifecycle_batch_await(f->store, &batch), ERR_NONE);
	item->deed.tags = item->deed.parents = slice_of(NULL, 0);
	arena_release(&a);
	return !batch.stopped;
}

static void assert_result(
    struct fixture *f, struct lifecycle_item item, enum lifecycle_result result)
{
	assert_true(carried_out(f, &item, NULL));
	assert_int_equal(item.deed.result, result);
}

static void nothing_came_between(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", "b", NULL),
		      *t = image_sample(f, "two", "c", NULL);
	put_ok(f, s);
	put_ok(f, t);
	assert_result(f, decided(f, s, LIFECYCLE_EXPIRE), LIFECYCLE_CARRIED_OUT);
	assert_false(is_there(f, s));
	assert_result(f, decided(f, t, LIFECYCLE_TRANSITION), LIFECYCLE_CARRIED_OUT);
	struct image image;
	struct image_id id = {.tag = slice_str("c")};
	assert_int_equal(image_find(f->reader, f->repository_id, &id, &f->arena, &image), ERR_NONE);
	assert_int_equal(image.status, IMAGE_ARCHIVED);
	struct repository_key key = f->key;
	struct stored_manifest m;
	assert_int_equal(
	    manifest_read(f->reader, &key, &id, false, &f->arena, &m), ERR_MANIFEST_UNKNOWN);
	id.tag = slice_str("a");
	assert_int_equal(
	    image_find(f->reader, f->repository_id, &id, &f->arena, &image), ERR_IMAGE_NOT_FOUND);
}

static void a_tag_came_between(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", NULL);
	put_ok(f, s);
	struct lifecycle_item item = decided(f, s, LIFECYCLE_EXPIRE);
	s->tags[0] = slice_str("kept");
	put_ok(f, s);
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	assert_string_equal(tags_of(f, &s->put.digest), "a,kept");
	item = decided(f, s, LIFECYCLE_EXPIRE);
	struct sample *other = image_sample(f, "two", "a", NULL);
	put_ok(f, other); /* and here a tag goes */
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	assert_string_equal(tags_of(f, &s->put.digest), "kept");
}

static void a_pull_came_between(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", NULL);
	put_ok(f, s);
	struct lifecycle_item item = decided(f, s, LIFECYCLE_TRANSITION);
	struct image_id id = {.tag = slice_str("a")};
	struct stored_manifest m;
	assert_int_equal(manifest_read(f->reader, &f->key, &id, false, &f->arena, &m), ERR_NONE);
	image_note_pull(f->store, &m);
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	assert_int_equal(manifest_read(f->reader, &f->key, &id, false, &f->arena, &m), ERR_NONE);
}

static void archive(struct fixture *f, const struct sample *s, bool restore)
{
	struct archive_update *up = arena_zalloc(&f->arena, sizeof(*up));
	up->key = f->key;
	up->id.digest = s->put.digest;
	up->restore = restore;
	assert_int_equal(RUN(f, up, archive_update_submit), ERR_NONE);
}

static void a_restore_came_between(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", NULL);
	put_ok(f, s);
	archive(f, s, false);
	struct lifecycle_item item = decided(f, s, LIFECYCLE_EXPIRE);
	archive(f, s, true);
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	item = decided(f, s, LIFECYCLE_EXPIRE);
	put_ok(f, s); /* a push restores at once */
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	assert_true(is_there(f, s));
}

static void an_index_came_between(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", NULL);
	put_ok(f, s);
	struct lifecycle_item expire = decided(f, s, LIFECYCLE_EXPIRE),
			      transition = decided(f, s, LIFECYCLE_TRANSITION);
	struct sample *index = index_sample(f, "index", &s, 1, "multi");
	put_ok(f, index);
	assert_result(f, expire, LIFECYCLE_REFERENCED);
	assert_result(f, transition, LIFECYCLE_REFERENCED);
	archive(f, index, false);
	assert_result(f, expire, LIFECYCLE_REFERENCED);
	assert_result(f, transition, LIFECYCLE_CARRIED_OUT);
}

static void its_subject_came_between(void **state)
{
	struct fixture *f = *state;
	struct sample *subject = image_sample(f, "subject", "v1", NULL),
		      *s = image_sample(f, "one", NULL);
	s->manifest.subject.digest = subject->put.digest;
	put_ok(f, s);
	struct lifecycle_item item = decided(f, s, LIFECYCLE_EXPIRE);
	put_ok(f, subject);
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	item.deed.cause = LIFECYCLE_WITH_SUBJECT; /* which has stayed */
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	item.deed.action = LIFECYCLE_TRANSITION;
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	archive(f, subject, false); /* takes the referrer with it */
	assert_result(f, item, LIFECYCLE_CARRIED_OUT);
	delete_one(f, subject);
	item.deed.action = LIFECYCLE_EXPIRE;
	assert_result(f, item, LIFECYCLE_CARRIED_OUT);
	assert_false(is_there(f, s));
}

static void it_was_pushed_anew(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", NULL), *last = image_sample(f, "last", NULL);
	put_ok(f, s);
	put_ok(f, last); /* so that its number is not given again */
	struct lifecycle_item item = decided(f, s, LIFECYCLE_EXPIRE);
	delete_one(f, s);
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	put_ok(f, s);
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	item.deed.cause = LIFECYCLE_WITH_SUBJECT;
	assert_result(f, item, LIFECYCLE_OVERTAKEN);
	assert_true(is_there(f, s));
}

static void another_policy_came_between(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", NULL);
	put_ok(f, s);
	put_policy(f, keep_one);
	struct lifecycle_item item = decided(f, s, LIFECYCLE_EXPIRE);
	put_policy(f, archive_old);
	assert_false(carried_out(f, &item, keep_one));
	move_clock(f, -DAY_MS); /* decided a second ago is well; a day ahead is not */
	assert_true(carried_out(f, &item, archive_old));
	assert_int_equal(item.deed.result, LIFECYCLE_CARRIED_OUT);
	put_ok(f, s);
	item = decided(f, s, LIFECYCLE_EXPIRE);
	assert_int_equal(delete_repository(f, "team/app", true), ERR_NONE);
	assert_false(carried_out(f, &item, archive_old));
	assert_int_equal(create_repository(f, "team/app", TAGS_MUTABLE, NULL), ERR_NONE);
	assert_false(carried_out(f, &item, NULL));
}

static void the_clock_went_back(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", NULL);
	struct lifecycle_batch batch;
	struct arena a;
	put_ok(f, s);
	struct lifecycle_item item = decided(f, s, LIFECYCLE_EXPIRE);
	arena_init(&a);
	lifecycle_batch_init(&batch, &a);
	batch.key = f->key;
	batch.repository_id = f->repository_id;
	batch.decided_ms = clock_now_ms(store_clock(f->store)) + DAY_MS;
	batch.items = &item;
	batch.count = 1;
	assert_int_equal(lifecycle_batch_await(f->store, &batch), ERR_NONE);
	assert_true(batch.stopped);
	assert_true(is_there(f, s));
	arena_release(&a);
}

/* ---- whole runs ---- */

static atomic_int reports;

static void count_reports(const struct lifecycle_report *report)
{
	reports += report->has_policy && report->expired == 0 && !report->stopped;
}

static void more_than_a_batch(void **state)
{
	struct fixture *f = *state;
	struct sample *last = NULL;
	for (int i = 0; i < 3 * LIFECYCLE_BATCH_MAX + 1; i++) {
		move_clock(f, i * 1000LL);
		last = image_sample(f, arena_printf(&f->arena, "image %d", i), "latest", NULL);
		put_ok(f, last);
	}
	put_policy(f, keep_one);
	assert_int_equal(evaluated_ms(f), 0);
	struct lifecycle_run *run = run_one(f);
	assert_int_equal(run->first->expired, 3 * LIFECYCLE_BATCH_MAX);
	assert_true(run->whole);
	size_t listed = 0;
	for (struct lifecycle_deed *deed = run->first->first; deed; deed = deed->next, listed++) {
		assert_int_equal(deed->priority, 7);
		assert_int_equal(deed->result, LIFECYCLE_CARRIED_OUT);
	}
	assert_int_equal(listed, 3 * LIFECYCLE_BATCH_MAX);
	assert_true(is_there(f, last));
	assert_in_range(evaluated_ms(f) - run->now_ms, 0, 10000);
	assert_int_equal(run_one(f)->first->expired, 0);
	struct lifecycle_run all = {.report_max = 0, .each = count_reports};
	assert_int_equal(RUN(f, &all, lifecycle_run_submit), ERR_NONE);
	assert_null(all.first); /* there was no room */
	assert_false(all.whole);
	assert_int_equal(reports, 1);
}

static void a_report_has_room_for_so_much(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < 9; i++)
		put_ok(f, image_sample(f, arena_printf(&f->arena, "image %d", i), NULL));
	put_policy(f, keep_one);
	struct lifecycle_run run = {.key = f->key, .report_max = 3 * sizeof(struct lifecycle_deed)};
	assert_int_equal(RUN(f, &run, lifecycle_run_submit), ERR_NONE);
	assert_false(run.whole);
	assert_int_equal(run.first->expired, 8);
	assert_non_null(run.first->first->next->next);
	assert_null(run.first->first->next->next->next);
}

static void referrers_are_archived_with_their_subject(void **state)
{
	struct fixture *f = *state;
	struct sample *subject = image_sample(f, "subject", "v1", NULL),
		      *s = image_sample(f, "s", NULL);
	s->manifest.subject.digest = subject->put.digest;
	put_ok(f, subject);
	put_ok(f, s);
	put_policy(f, archive_old);
	move_clock(f, 2 * DAY_MS);
	while (atomic_load(&f->store->lifecycle_scheduled))
		; /* the schedule's own run, which the clock has made due */
	struct image image;
	struct image_id id = {.digest = s->put.digest};
	assert_int_equal(image_find(f->reader, f->repository_id, &id, &f->arena, &image), ERR_NONE);
	assert_int_equal(image.status, IMAGE_ARCHIVED);
	assert_int_equal(run_one(f)->first->archived, 0);
}

static void orphans_go_and_others_stay(void **state)
{
	struct fixture *f = *state;
	struct sample *subject = image_sample(f, "subject", "v1", NULL),
		      *s = image_sample(f, "s", NULL), *ss = image_sample(f, "ss", NULL),
		      *never = image_sample(f, "never", NULL),
		      *late = image_sample(f, "late", NULL);
	s->manifest.subject.digest = late->manifest.subject.digest = subject->put.digest;
	ss->manifest.subject.digest = s->put.digest;
	never->manifest.subject.digest = sha256_of("nobody");
	put_ok(f, subject);
	put_ok(f, s);
	put_ok(f, ss);
	put_ok(f, never);
	delete_one(f, subject);
	put_ok(f, late);
	assert_true(is_there(f, s));
	struct lifecycle_run *run = run_one(f);
	assert_false(run->first->has_policy);
	assert_int_equal(run->first->expired, 2);
	assert_int_equal(run->first->first->cause, LIFECYCLE_SUBJECT_DELETED);
	assert_false(is_there(f, s) || is_there(f, ss));
	assert_true(is_there(f, never) && is_there(f, late));
	int64_t id;
	assert_int_equal(orphan_repository(&f->reader->db, 0, &id), ABSENT);
}

static void orphans_may_be_kept(void **state)
{
	struct fixture *f = *state;
	struct sample *subject = image_sample(f, "subject", "v1", NULL),
		      *s = image_sample(f, "s", NULL);
	s->manifest.subject.digest = subject->put.digest;
	put_ok(f, subject);
	put_ok(f, s);
	delete_one(f, subject);
	fixture_close(f);
	f->options.keep_orphans = true;
	fixture_open(f);
	assert_int_equal(run_one(f)->first->expired, 0);
	assert_true(is_there(f, s));
	fixture_close(f);
	f->options.keep_orphans = false;
	fixture_open(f);
	assert_int_equal(run_one(f)->first->expired, 1);
}

static void a_run_ends_when_the_store_winds_down(void **state)
{
	struct fixture *f = *state;
	put_ok(f, image_sample(f, "one", NULL));
	put_ok(f, image_sample(f, "two", NULL));
	put_policy(f, keep_one);
	store_wind_down(f->store);
	struct lifecycle_run run = {.key = f->key};
	assert_int_equal(RUN(f, &run, lifecycle_run_submit), ERR_SHUTTING_DOWN);
	struct repository_key key = key_of("not/here");
	fixture_close(f);
	fixture_open(f);
	run = (struct lifecycle_run){.key = key};
	assert_int_equal(RUN(f, &run, lifecycle_run_submit), ERR_REPOSITORY_NOT_FOUND);
	assert_int_equal(run_one(f)->first->expired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(nothing_came_between),
	    store_test(a_tag_came_between),
	    store_test(a_pull_came_between),
	    store_test(a_restore_came_between),
	    store_test(an_index_came_between),
	    store_test(its_subject_came_between),
	    store_test(it_was_pushed_anew),
	    store_test(another_policy_came_between),
	    store_test(the_clock_went_back),
	    store_test(more_than_a_batch),
	    store_test(a_report_has_room_for_so_much),
	    store_test(referrers_are_archived_with_their_subject),
	    store_test(orphans_go_and_others_stay),
	    store_test(orphans_may_be_kept),
	    store_test(a_run_ends_when_the_store_winds_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
