/* A repository as the lifecycle engine is shown it. */
#include "support.h"

#include "storage/images/archive.h"
#include "storage/lifecycle/lifecycle.h"

struct seen {
	struct arena *arena;
	struct lifecycle_image images[8];
	size_t image_count;
	struct digest children[8][2];
	size_t child_count;
};

static void see_image(void *user, const struct lifecycle_image *image)
{
	struct seen *seen = user;
	assert_true(seen->image_count < COUNT(seen->images));
	struct lifecycle_image *copy = &seen->images[seen->image_count++];
	*copy = *image;
	copy->tags = arena_dup(seen->arena, image->tags);
}

static void see_child(void *user, const struct digest *index, const struct digest *child)
{
	struct seen *seen = user;
	assert_true(seen->child_count < COUNT(seen->children));
	seen->children[seen->child_count][0] = *index;
	seen->children[seen->child_count++][1] = *child;
}

static struct seen *look(struct fixture *f)
{
	struct seen *seen = arena_zalloc(&f->arena, sizeof(*seen));
	seen->arena = &f->arena;
	struct lifecycle_visit visit = {see_image, see_child, seen};
	assert_int_equal(lifecycle_read(f->reader, f->repository_id, &visit), ERR_NONE);
	return seen;
}

static const struct lifecycle_image *image_seen(const struct seen *seen, const struct sample *s)
{
	for (size_t i = 0; i < seen->image_count; i++) {
		if (digest_eq(&seen->images[i].digest, &s->put.digest))
			return &seen->images[i];
	}
	fail_msg("an image was not shown");
	return NULL;
}

static void nothing_is_there(void **state)
{
	struct seen *seen = look(*state);
	assert_int_equal(seen->image_count, 0);
	assert_int_equal(seen->child_count, 0);
}

static void each_is_shown_once_with_its_facts(void **state)
{
	struct fixture *f = *state;
	struct sample *one = image_sample(f, "one", "b", "a", NULL),
		      *two = image_sample(f, "two", NULL);
	struct sample *both[] = {one, two};
	put_ok(f, one);
	put_ok(f, two);
	struct sample *index = index_sample(f, "index", both, 2, "multi");
	put_ok(f, index);
	struct sample *signature = image_sample(f, "signature", NULL);
	signature->manifest.subject.digest = one->put.digest;
	put_ok(f, signature);
	struct seen *seen = look(f);
	assert_int_equal(seen->image_count, 4);
	assert_int_equal(image_seen(seen, one)->tags.len, 4);
	assert_memory_equal(image_seen(seen, one)->tags.at, "a\0b", 4);
	assert_int_equal(image_seen(seen, two)->tags.len, 0);
	assert_int_equal(image_seen(seen, two)->pushed_ms, two->put.pushed_ms);
	assert_int_equal(image_seen(seen, two)->subject.algorithm, DIGEST_NONE);
	assert_true(digest_eq(&image_seen(seen, signature)->subject, &one->put.digest));
	assert_int_equal(seen->child_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(digest_eq(&seen->children[i][0], &index->put.digest));
		assert_true(digest_eq(&seen->children[i][1], &one->put.digest) ||
		    digest_eq(&seen->children[i][1], &two->put.digest));
	}
}

static void archive(struct fixture *f, const struct sample *s, bool restore)
{
	struct archive_update *up = arena_zalloc(&f->arena, sizeof(*up));
	up->key = f->key;
	up->id.digest = s->put.digest;
	up->restore = restore;
	assert_int_equal(RUN(f, up, archive_update_submit), ERR_NONE);
}

static void status_and_times(void **state)
{
	struct fixture *f = *state;
	struct sample *one = image_sample(f, "one", "a", NULL);
	put_ok(f, one);
	assert_int_equal(image_seen(look(f), one)->status, LIFECYCLE_ACTIVE);
	archive(f, one, false);
	const struct lifecycle_image *image = image_seen(look(f), one);
	assert_int_equal(image->status, LIFECYCLE_ARCHIVED);
	assert_true(image->archived_ms >= image->pushed_ms);
	assert_int_equal(image->activated_ms, 0);
	archive(f, one, true);
	assert_int_equal(image_seen(look(f), one)->status, LIFECYCLE_ACTIVATING);
	put_ok(f, one); /* a push brings it back at once */
	image = image_seen(look(f), one);
	assert_int_equal(image->status, LIFECYCLE_ACTIVE);
	assert_true(image->activated_ms >= image->archived_ms);
	assert_int_equal(image->pulled_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(nothing_is_there),
	    store_test(each_is_shown_once_with_its_facts),
	    store_test(status_and_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
