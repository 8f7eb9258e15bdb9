/* Every rule of BatchDeleteImage (ecr-behaviour 2.3). */
#include "support.h"

static struct image_id tag(const char *name)
{
	return (struct image_id){.tag = slice_str(name)};
}

static struct image_id digest(const struct sample *s)
{
	return (struct image_id){.digest = s->put.digest, .tag = {NULL, 0}};
}

static struct image_id both(const struct sample *s, const char *name)
{
	return (struct image_id){.digest = s->put.digest, .tag = slice_str(name)};
}

static struct image_delete_item items[8];

static size_t delete (struct fixture *f, size_t count)
{
	struct image_delete *del = arena_zalloc(&f->arena, sizeof(*del));
	*del = (struct image_delete){.key = f->key, .items = items, .count = count};
	assert_int_equal(RUN(f, del, image_delete_submit), ERR_NONE);
	return count;
}

static void assert_gone(
    const struct image_delete_item *item, size_t at, const struct sample *s, const char *name)
{
	assert_true(at < item->gone_count);
	assert_true(digest_eq(&item->gone[at].digest, &s->put.digest));
	assert_slice(item->gone[at].tag, name);
}

static void by_tag(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", "b", NULL);
	put_ok(f, s);
	items[0].id = tag("a"); /* not the last: the image stays */
	delete (f, 1);
	assert_int_equal(items[0].result, IMAGE_DELETED);
	assert_int_equal(items[0].gone_count, 1);
	assert_gone(&items[0], 0, s, "a");
	assert_string_equal(tags_of(f, &s->put.digest), "b");
	items[0].id = tag("b"); /* the last: it goes */
	delete (f, 1);
	assert_gone(&items[0], 0, s, "b");
	assert_string_equal(tags_of(f, &s->put.digest), "(none)");
	items[0].id = tag("b");
	delete (f, 1);
	assert_int_equal(items[0].result, IMAGE_NOT_THERE);
	put_ok(f, s); /* its layers are still here: pushed again, it is new */
	assert_true(s->put.created);
}

static void by_digest(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "b", "a", NULL),
		      *t = image_sample(f, "two", NULL);
	put_ok(f, s);
	put_ok(f, t);
	items[0].id = digest(s);
	items[1].id = digest(t);
	delete (f, 2);
	assert_int_equal(items[0].gone_count, 2);
	assert_gone(&items[0], 0, s, "a");
	assert_gone(&items[0], 1, s, "b");
	assert_int_equal(items[1].gone_count, 1);
	assert_gone(&items[1], 0, t, NULL);
	assert_string_equal(tags_of(f, &s->put.digest), "(none)");
	struct image_id id = tag("a");
	struct stored_manifest m;
	assert_int_equal(
	    manifest_read(f->reader, &f->key, &id, true, &f->arena, &m), ERR_MANIFEST_UNKNOWN);
}

static void by_both(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", "b", NULL),
		      *t = image_sample(f, "two", "c", NULL);
	put_ok(f, s);
	put_ok(f, t);
	items[0].id = both(s, "a");
	items[1].id = both(s, "c");
	items[2].id = both(s, "none");
	delete (f, 3);
	assert_int_equal(items[0].result, IMAGE_DELETED);
	assert_gone(&items[0], 0, s, "a");
	assert_int_equal(items[1].result, IMAGE_TAG_MISMATCH);
	assert_int_equal(items[2].result, IMAGE_NOT_THERE);
	assert_string_equal(tags_of(f, &s->put.digest), "b");
	assert_string_equal(tags_of(f, &t->put.digest), "c");
}

static void children_are_kept(void **state)
{
	struct fixture *f = *state;
	struct sample *child = image_sample(f, "child", "x", "y", NULL);
	put_ok(f, child);
	struct sample *first = index_sample(f, "first", &child, 1, "multi"),
		      *second = index_sample(f, "second", &child, 1, NULL);
	put_ok(f, first);
	put_ok(f, second);
	items[0].id = digest(child);
	items[1].id = tag("x"); /* one of two tags may go */
	items[2].id = tag("y"); /* the last may not */
	delete (f, 3);
	assert_int_equal(items[0].result, IMAGE_REFERENCED);
	char one[DIGEST_TEXT_MAX], two[DIGEST_TEXT_MAX];
	digest_format(&first->put.digest, one);
	digest_format(&second->put.digest, two);
	bool sorted = strcmp(one, two) < 0;
	assert_slice(items[0].parents,
	    arena_printf(&f->arena, "%s, %s", sorted ? one : two, sorted ? two : one));
	assert_int_equal(items[1].result, IMAGE_DELETED);
	assert_int_equal(items[2].result, IMAGE_REFERENCED);
	assert_string_equal(tags_of(f, &child->put.digest), "y");
	/* with the indexes before it, it may */
	items[0].id = digest(child);
	items[1].id = tag("multi");
	items[2].id = digest(second);
	items[3].id = tag("y");
	delete (f, 4);
	assert_int_equal(items[0].result, IMAGE_REFERENCED);
	assert_int_equal(items[1].result, IMAGE_DELETED);
	assert_int_equal(items[2].result, IMAGE_DELETED);
	assert_int_equal(items[3].result, IMAGE_DELETED);
	assert_string_equal(tags_of(f, &child->put.digest), "(none)");
}

static void deleting_an_index_leaves_its_children(void **state)
{
	struct fixture *f = *state;
	struct sample *child = image_sample(f, "child", NULL);
	put_ok(f, child);
	struct sample *index = index_sample(f, "index", &child, 1, "multi");
	put_ok(f, index);
	items[0].id = tag("multi");
	delete (f, 1);
	assert_string_equal(tags_of(f, &child->put.digest), "");
	items[0].id = digest(child);
	delete (f, 1);
	assert_int_equal(items[0].result, IMAGE_DELETED);
}

static void repeated_items_collapse(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", "b", NULL),
		      *t = image_sample(f, "two", "c", NULL);
	put_ok(f, s);
	put_ok(f, t);
	items[0].id = digest(s);
	items[1].id = digest(s);
	items[2].id = tag("a");
	items[3].id = both(s, "b");
	items[4].id = tag("c");
	items[5].id = digest(t); /* gone with its last tag */
	items[6].id = tag("none");
	items[7].id = tag("none");
	delete (f, 8);
	static const enum image_delete_result expected[] = {IMAGE_DELETED, IMAGE_DELETE_SKIPPED,
	    IMAGE_DELETE_SKIPPED, IMAGE_DELETE_SKIPPED, IMAGE_DELETED, IMAGE_DELETE_SKIPPED,
	    IMAGE_NOT_THERE, IMAGE_DELETE_SKIPPED};
	for (size_t i = 0; i < COUNT(expected); i++)
		assert_int_equal(items[i].result, expected[i]);
}

/* A tag and then its image, which has another: both happen. */
static void a_tag_and_then_the_rest(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "a", "b", NULL);
	put_ok(f, s);
	items[0].id = tag("a");
	items[1].id = digest(s);
	delete (f, 2);
	assert_gone(&items[0], 0, s, "a");
	assert_int_equal(items[1].result, IMAGE_DELETED);
	assert_int_equal(items[1].gone_count, 1);
	assert_gone(&items[1], 0, s, "b");
}

static void unknown_repository(void **state)
{
	struct fixture *f = *state;
	struct image_delete del = {.key = key_of("team/none"), .items = items, .count = 1};
	items[0].id = tag("a");
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_REPOSITORY_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(by_tag),
	    store_test(by_digest),
	    store_test(by_both),
	    store_test(children_are_kept),
	    store_test(deleting_an_index_leaves_its_children),
	    store_test(repeated_items_collapse),
	    store_test(a_tag_and_then_the_rest),
	    store_test(unknown_repository),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
