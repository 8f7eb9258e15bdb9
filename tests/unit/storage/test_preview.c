/* Previews: rows that are made in the background, replaced, aged out and cleared away. */
#include "support.h"

#include "storage/core.h"
#include "storage/lifecycle/preview.h"

#include <time.h>

#define DAY_MS (24 * 3600 * 1000LL)

static const char keep_one[] =
    "{\"rules\":[{\"rulePriority\":7,\"selection\":{\"tagStatus\":\"any\",\"countType\":"
    "\"imageCountMoreThan\",\"countNumber\":1},\"action\":{\"type\":\"expire\"}}]}";

static void fill(struct preview_start *start, struct fixture *f, const char *policy)
{
	memset(start, 0, sizeof(*start));
	start->key = f->key;
	start->policy = slice_str(policy);
}

static struct preview look(struct fixture *f)
{
	struct preview preview;
	assert_int_equal(preview_find(f->reader, f->repository_id, &f->arena, &preview), ERR_NONE);
	return preview;
}

static struct preview wait_for(struct fixture *f, enum preview_status status)
{
	struct timespec pause = {.tv_nsec = 1000000};
	struct preview preview = look(f);
	for (int i = 0; i < 20000 && preview.status == PREVIEW_IN_PROGRESS; i++) {
		nanosleep(&pause, NULL);
		preview = look(f);
	}
	assert_int_equal(preview.status, status);
	return preview;
}

static struct preview make(struct fixture *f)
{
	struct preview_start start;
	fill(&start, f, keep_one);
	assert_int_equal(RUN(f, &start, preview_start_submit), ERR_NONE);
	return wait_for(f, PREVIEW_COMPLETE);
}

static void push(struct fixture *f, int count)
{
	for (int i = 0; i < count; i++) {
		const char *text = arena_printf(&f->arena, "image %d", i);
		put_ok(
		    f, i % 3 ? image_sample(f, text, text + 6, NULL) : image_sample(f, text, NULL));
	}
}

static void wait_for_count(struct fixture *f, const char *table, int64_t count)
{
	struct timespec pause = {.tv_nsec = 1000000};
	for (int i = 0; i < 20000 && count_rows(f, table) != count; i++)
		nanosleep(&pause, NULL);
	assert_int_equal(count_rows(f, table), count);
}

/* All results by pages of that size, which must be in order. */
static size_t walk(struct fixture *f, int64_t set_id, enum tag_status tags, size_t limit)
{
	struct preview_page page = {.more = true};
	int64_t after = 0;
	size_t seen = 0;
	while (page.more) {
		assert_int_equal(
		    preview_list(f->reader, set_id, tags, after, limit, &f->arena, &page),
		    ERR_NONE);
		for (size_t i = 0; i < page.count; i++, seen++) {
			assert_true(page.items[i].at > after);
			after = page.items[i].at;
			assert_int_equal(page.items[i].priority, 7);
			assert_true(tags != TAG_STATUS_TAGGED || page.items[i].tag_count == 1);
			assert_true(tags != TAG_STATUS_UNTAGGED || page.items[i].tag_count == 0);
		}
	}
	return seen;
}

static void pages(void **state)
{
	struct fixture *f = *state;
	push(f, 200); /* the newest, or the last of the same millisecond, stays */
	struct preview preview = make(f);
	assert_int_equal(preview.expiring, 199);
	assert_int_equal(preview.transitioning, 0);
	assert_slice(preview.policy, keep_one);
	static const size_t sizes[] = {1, 7, 100, 1000};
	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t tagged = walk(f, preview.set_id, TAG_STATUS_TAGGED, sizes[i]);
		size_t untagged = walk(f, preview.set_id, TAG_STATUS_UNTAGGED, sizes[i]);
		assert_int_equal(walk(f, preview.set_id, TAG_STATUS_ANY, sizes[i]), 199);
		assert_int_equal(tagged + untagged, 199);
		assert_in_range(untagged, 66, 67);
	}
}

static void one_image(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", "b", NULL);
	put_ok(f, s);
	struct clock_move move = {.offset_ms = 1000};
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	struct sample *t = image_sample(f, "two", NULL);
	put_ok(f, t);
	struct preview preview = make(f);
	struct preview_item item;
	assert_int_equal(
	    preview_item_find(f->reader, preview.set_id, &s->put.digest, &f->arena, &item),
	    ERR_NONE);
	assert_int_equal(item.tag_count, 2);
	assert_slice(item.tags[1], "b");
	assert_int_equal(item.pushed_ms, s->put.pushed_ms);
	assert_false(item.archived);
	assert_int_equal(
	    preview_item_find(f->reader, preview.set_id, &t->put.digest, &f->arena, &item),
	    ERR_IMAGE_NOT_FOUND);
}

static void one_at_a_time(void **state)
{
	struct fixture *f = *state;
	push(f, 300);
	static struct preview_start first, second;
	fill(&first, f, keep_one);
	fill(&second, f, keep_one);
	struct preview none;
	assert_int_equal(
	    preview_find(f->reader, f->repository_id, &f->arena, &none), ERR_PREVIEW_NOT_FOUND);
	job_begin(f, &first.job);
	job_begin(f, &second.job);
	preview_start_submit(f->store, &first);
	preview_start_submit(f->store, &second);
	assert_int_equal(job_end(&first.job), ERR_NONE);
	assert_int_equal(job_end(&second.job), ERR_PREVIEW_IN_PROGRESS);
	int64_t set_id = wait_for(f, PREVIEW_COMPLETE).set_id;
	assert_true(make(f).set_id > set_id);
	wait_for_count(f, "preview_item", 299);
	wait_for_count(f, "preview_set", 1);
}

static void ages_out(void **state)
{
	struct fixture *f = *state;
	push(f, 300);
	make(f);
	struct clock_move move = {.offset_ms = DAY_MS - 60000};
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	assert_int_equal(look(f).status, PREVIEW_COMPLETE);
	move.offset_ms = DAY_MS + 1000;
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	assert_int_equal(look(f).status, PREVIEW_EXPIRED);
	wait_for_count(f, "preview_item", 0);
	move.offset_ms = 0; /* what is gone does not come back */
	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
	wait_for(f, PREVIEW_EXPIRED);
	wait_for_count(f, "preview_set", 0);
}

static void goes_with_its_repository(void **state)
{
	struct fixture *f = *state;
	push(f, 20);
	make(f);
	assert_int_equal(delete_repository(f, "team/app", true), ERR_NONE);
	wait_for_count(f, "preview_item", 0);
	wait_for_count(f, "preview", 0);
	wait_for_count(f, "preview_set", 0);
}

static void is_cut_off(void **state)
{
	struct fixture *f = *state;
	push(f, 20);
	make(f);
	fixture_close(f);
	sqlite3 *db; /* as a process leaves it that is killed */
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "UPDATE preview SET status = 0", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	fixture_open(f);
	assert_int_equal(look(f).status, PREVIEW_FAILED);
	assert_int_equal(make(f).expiring, 19);
}

static void a_policy_that_is_none(void **state)
{
	struct fixture *f = *state;
	struct preview_start start;
	fill(&start, f, "{}");
	assert_int_equal(RUN(f, &start, preview_start_submit), ERR_NONE);
	wait_for(f, PREVIEW_FAILED);
	fill(&start, f, keep_one);
	start.key = key_of("not/here");
	assert_int_equal(RUN(f, &start, preview_start_submit), ERR_REPOSITORY_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(pages),
	    store_test(one_image),
	    store_test(one_at_a_time),
	    store_test(ages_out),
	    store_test(goes_with_its_repository),
	    store_test(is_cut_off),
	    store_test(a_policy_that_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
