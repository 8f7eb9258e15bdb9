/* Pages of images, of ids and of tags, also while the repository changes beneath them. */
#include "support.h"

enum { IMAGES = 23 };

/* Every third untagged; image 4 has many tags. */
static void fill(struct fixture *f, struct sample *samples[IMAGES])
{
	for (int i = 0; i < IMAGES; i++) {
		const char *text = arena_printf(&f->arena, "image %d", i);
		const char *tag = arena_printf(&f->arena, "t%02d", i);
		samples[i] = i % 3 == 0 ? image_sample(f, text, NULL)
		    : i == 4            ? image_sample(f, text, tag, "m1", "m2", "m3", "m4", NULL)
					: image_sample(f, text, tag, NULL);
		put_ok(f, samples[i]);
	}
}

static size_t walk_images(struct fixture *f, enum tag_status status, size_t limit)
{
	struct image_page page;
	struct digest last = {.algorithm = DIGEST_NONE};
	size_t count = 0;
	do {
		assert_int_equal(
		    image_list(f->reader, f->repository_id, status, &last, limit, &f->arena, &page),
		    ERR_NONE);
		for (size_t i = 0; i < page.count; i++, count++) {
			assert_true(count == 0 ||
			    memcmp(page.at[i].digest.raw, last.raw, sizeof(last.raw)) > 0);
			last = page.at[i].digest;
			if (status != TAG_STATUS_ANY)
				assert_int_equal(
				    page.at[i].tag_count > 0, status == TAG_STATUS_TAGGED);
		}
		assert_true(page.count == limit || !page.more);
	} while (page.more);
	return count;
}

/* An image may have 1,000 tags of 128 characters: what a page costs is not just the number of its images. */
static void pages_of_many_tags(void **state)
{
	enum { MANY_TAGS = 1000, MANY_IMAGES = 17 };
	struct fixture *f = *state;
	struct slice *tags = arena_array(&f->arena, MANY_TAGS, sizeof(*tags));
	struct digest last = {.algorithm = DIGEST_NONE};
	size_t count = 0, pages = 0;
	struct image_page page;
	for (int i = 0; i < MANY_IMAGES; i++) {
		struct sample *s = image_sample(f, arena_printf(&f->arena, "%d", i), NULL);
		for (int j = 0; j < MANY_TAGS; j++)
			tags[j] = arena_slicef(&f->arena, "%0120d_%03d", i, j);
		s->put.tags = tags;
		s->put.tag_count = MANY_TAGS;
		put_ok(f, s);
	}
	do {
		assert_int_equal(image_list(f->reader, f->repository_id, TAG_STATUS_ANY, &last,
				     1000, &f->arena, &page),
		    ERR_NONE);
		assert_in_range(page.count, 1, MANY_IMAGES - 1);
		for (size_t i = 0; i < page.count; i++, count++)
			assert_int_equal(page.at[i].tag_count, MANY_TAGS);
		last = page.at[page.count - 1].digest;
		pages++;
	} while (page.more);
	assert_int_equal(count, MANY_IMAGES);
	assert_int_equal(pages, 2);
}

static void every_image_once(void **state)
{
	struct fixture *f = *state;
	struct sample *samples[IMAGES];
	fill(f, samples);
	static const size_t limits[] = {1, 2, 7, IMAGES - 1, IMAGES, IMAGES + 1, 1000};
	for (size_t i = 0; i < COUNT(limits); i++) {
		assert_int_equal(walk_images(f, TAG_STATUS_ANY, limits[i]), IMAGES);
		assert_int_equal(walk_images(f, TAG_STATUS_UNTAGGED, limits[i]), 8);
		assert_int_equal(walk_images(f, TAG_STATUS_TAGGED, limits[i]), IMAGES - 8);
	}
}

static size_t walk_ids(struct fixture *f, enum tag_status status, size_t limit)
{
	struct image_id_page page;
	struct image_id last = {.tag = {NULL, 0}};
	size_t count = 0;
	do {
		assert_int_equal(image_id_list(f->reader, f->repository_id, status,
				     count ? &last : NULL, limit, &f->arena, &page),
		    ERR_NONE);
		for (size_t i = 0; i < page.count; i++, count++) {
			struct image_id *id = &page.at[i];
			int order =
			    memcmp(id->digest.raw, last.digest.raw, sizeof(last.digest.raw));
			assert_true(count == 0 || order > 0 ||
			    (order == 0 && slice_cmp(id->tag, last.tag) > 0));
			last = *id;
		}
	} while (page.more);
	return count;
}

static void every_id_once(void **state)
{
	struct fixture *f = *state;
	struct sample *samples[IMAGES];
	fill(f, samples);
	static const size_t limits[] = {1, 2, 3, 5, 19, 1000};
	for (size_t i = 0; i < COUNT(limits); i++) {
		assert_int_equal(walk_ids(f, TAG_STATUS_ANY, limits[i]), IMAGES + 4);
		assert_int_equal(walk_ids(f, TAG_STATUS_UNTAGGED, limits[i]), 8);
		assert_int_equal(walk_ids(f, TAG_STATUS_TAGGED, limits[i]), IMAGES - 8 + 4);
	}
}

static void tags_in_order(void **state)
{
	struct fixture *f = *state;
	struct tag_page page;
	struct sample *samples[IMAGES];
	struct slice after = {NULL, 0};
	size_t count = 0;
	fill(f, samples);
	do {
		assert_int_equal(
		    tag_list(f->reader, f->repository_id, after, 4, &f->arena, &page), ERR_NONE);
		for (size_t i = 0; i < page.count; i++, count++) {
			assert_true(!after.at || slice_cmp(page.at[i], after) > 0);
			after = page.at[i];
		}
	} while (page.more);
	assert_int_equal(count, IMAGES - 8 + 4);
	assert_int_equal(
	    tag_list(f->reader, f->repository_id, slice_str("t20"), 100, &f->arena, &page),
	    ERR_NONE);
	assert_int_equal(page.count, 1); /* t22; 21 is untagged */
	assert_slice(page.at[0], "t22");
	assert_false(page.more);
}

/* Between two pages the last one's end is deleted, and others come and change their tags: each
 * image that stays is seen exactly once. */
static void pages_survive_changes(void **state)
{
	struct fixture *f = *state;
	struct sample *samples[IMAGES];
	struct image_page first, rest;
	fill(f, samples);
	assert_int_equal(
	    image_list(f->reader, f->repository_id, TAG_STATUS_ANY, NULL, 10, &f->arena, &first),
	    ERR_NONE);
	assert_true(first.more);
	struct image_delete_item item = {.id = {.digest = first.at[9].digest, .tag = {NULL, 0}}};
	struct image_delete del = {.key = f->key, .items = &item, .count = 1};
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_NONE);
	for (int i = 0; i < IMAGES; i += 3) {
		if (digest_eq(&samples[i]->put.digest, &first.at[9].digest))
			continue;
		samples[i]->tags[0] = arena_slicef(&f->arena, "late-%d", i);
		samples[i]->put.tag_count = 1;
		put_ok(f, samples[i]); /* from untagged to tagged: its row moves */
	}
	assert_int_equal(image_list(f->reader, f->repository_id, TAG_STATUS_ANY,
			     &first.at[9].digest, 100, &f->arena, &rest),
	    ERR_NONE);
	assert_int_equal(rest.count, IMAGES - 10);
	assert_false(rest.more);
	assert_int_equal(walk_images(f, TAG_STATUS_UNTAGGED, 5), 0);
}

static void finds_by_each_name(void **state)
{
	struct fixture *f = *state;
	struct image image;
	struct sample *s = image_sample(f, "one", "v1", "v2", NULL),
		      *t = image_sample(f, "two", "v3", NULL);
	put_ok(f, s);
	put_ok(f, t);
	struct image_id tag = {.tag = slice_str("v2")}, none = {.tag = slice_str("none")};
	struct image_id both = {s->put.digest, slice_str("v1")},
			mixed = {s->put.digest, slice_str("v3")};
	assert_int_equal(
	    image_find(f->reader, f->repository_id, &tag, &f->arena, &image), ERR_NONE);
	assert_true(digest_eq(&image.digest, &s->put.digest));
	assert_int_equal(image.tag_count, 2);
	assert_int_equal(
	    image_find(f->reader, f->repository_id, &both, &f->arena, &image), ERR_NONE);
	assert_int_equal(image_find(f->reader, f->repository_id, &mixed, &f->arena, &image),
	    ERR_IMAGE_NOT_FOUND);
	assert_int_equal(
	    image_find(f->reader, f->repository_id, &none, &f->arena, &image), ERR_IMAGE_NOT_FOUND);
	struct stored_manifest m;
	assert_int_equal(
	    manifest_read(f->reader, &f->key, &mixed, true, &f->arena, &m), ERR_MANIFEST_UNKNOWN);
	assert_int_equal(manifest_read(f->reader, &f->key, &both, true, &f->arena, &m), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(every_image_once),
	    store_test(pages_of_many_tags),
	    store_test(every_id_once),
	    store_test(tags_in_order),
	    store_test(pages_survive_changes),
	    store_test(finds_by_each_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
