#include "support.h"

#include <stdio.h>

static void creates_and_finds(void **state)
{
	struct fixture *f = *state;
	struct repository_key key = key_of("team/web");
	struct repository found;
	struct resource_tag tags[] = {{SLICE("owner"), SLICE("ann")}, {SLICE("env"), SLICE("")}};
	struct resource_tag read[RESOURCE_TAGS_MAX];
	size_t count;
	struct repository_create create = {.repository = {.account = key.account,
					       .region = key.region,
					       .name = key.name,
					       .mutability = TAGS_IMMUTABLE,
					       .scan_on_push = true,
					       .encryption_type = slice_str("KMS"),
					       .kms_key = slice_str("arn:aws:kms:k")},
	    .tags = tags,
	    .tag_count = 2};
	assert_int_equal(RUN(f, &create, repository_create_submit), ERR_NONE);
	assert_int_equal(repository_find(f->reader, &key, &f->arena, &found), ERR_NONE);
	assert_true(found.id == create.repository.id && found.id > 0);
	assert_true(found.created_ms == create.repository.created_ms && found.created_ms > 0);
	assert_slice(found.account, "000000000000");
	assert_slice(found.region, "us-east-1");
	assert_slice(found.name, "team/web");
	assert_int_equal(found.mutability, TAGS_IMMUTABLE);
	assert_slice(found.mutability_filters, NULL);
	assert_true(found.scan_on_push);
	assert_slice(found.encryption_type, "KMS");
	assert_slice(found.kms_key, "arn:aws:kms:k");
	assert_int_equal(repository_tags(f->reader, found.id, &f->arena, read, &count), ERR_NONE);
	assert_int_equal(count, 2);
	assert_slice(read[0].key, "env");
	assert_slice(read[0].value, "");
	assert_slice(read[1].value, "ann");
}

static void refuses_a_second_of_the_name(void **state)
{
	struct fixture *f = *state;
	struct repository_create again = {.repository = {.account = f->key.account,
					      .region = f->key.region,
					      .name = f->key.name,
					      .encryption_type = slice_str("AES256")}};
	assert_int_equal(RUN(f, &again, repository_create_submit), ERR_REPOSITORY_EXISTS);
	assert_slice(again.job.error.repository, "team/app");
	assert_slice(again.job.error.registry, "000000000000");
	/* a name may begin another's */
	assert_int_equal(create_repository(f, "team", TAGS_MUTABLE, NULL), ERR_NONE);
}

static void unknown_is_said(void **state)
{
	struct fixture *f = *state;
	struct repository found;
	struct repository_key other = key_of("team/none"), region = f->key, account = f->key;
	region.region = slice_str("eu-west-1");
	account.account = slice_str("111111111111");
	const struct repository_key *unknown[] = {&other, &region, &account};
	for (size_t i = 0; i < COUNT(unknown); i++)
		assert_int_equal(repository_find(f->reader, unknown[i], &f->arena, &found),
		    ERR_REPOSITORY_NOT_FOUND);
	assert_int_equal(delete_repository(f, "team/none", false), ERR_REPOSITORY_NOT_FOUND);
}

static void lists_by_page(void **state)
{
	struct fixture *f = *state;
	struct repository_page page;
	struct slice after = {NULL, 0};
	char *seen = arena_strdup(&f->arena, slice_str(""));
	for (int i = 0; i < 7; i++)
		create_repository(f, arena_printf(&f->arena, "r%d", i), TAGS_MUTABLE, NULL);
	do {
		assert_int_equal(repository_list(f->reader, f->key.account, f->key.region, after, 3,
				     &f->arena, &page),
		    ERR_NONE);
		for (size_t i = 0; i < page.count; i++)
			seen = arena_printf(&f->arena, "%s%.*s ", seen, SLICE_ARG(page.at[i].name));
		after = page.at[page.count - 1].name;
	} while (page.more);
	assert_string_equal(seen, "r0 r1 r2 r3 r4 r5 r6 team/app ");
	assert_int_equal(repository_list(f->reader, f->key.account, slice_str("eu-west-1"),
			     slice_of(NULL, 0), 9, &f->arena, &page),
	    ERR_NONE);
	assert_int_equal(page.count, 0);
	assert_false(page.more);
}

static void deletes_empty_ones(void **state)
{
	struct fixture *f = *state;
	struct repository found;
	struct repository_delete del = {.key = f->key};
	assert_int_equal(RUN(f, &del, repository_delete_submit), ERR_NONE);
	assert_slice(del.deleted.name, "team/app");
	assert_slice(del.deleted.encryption_type, "AES256");
	assert_int_equal(
	    repository_find(f->reader, &f->key, &f->arena, &found), ERR_REPOSITORY_NOT_FOUND);
}

static void full_ones_need_force(void **state)
{
	struct fixture *f = *state;
	struct image_page page;
	struct stored_manifest manifest;
	struct image_id by_tag = {.tag = slice_str("v1")};
	for (int i = 0; i < 150; i++) {
		struct sample *s = image_sample(f, arena_printf(&f->arena, "image %d", i),
		    arena_printf(&f->arena, "v%d", i), NULL);
		put_ok(f, s);
	}
	assert_int_equal(delete_repository(f, "team/app", false), ERR_REPOSITORY_NOT_EMPTY);
	assert_int_equal(delete_repository(f, "team/app", true), ERR_NONE);
	assert_int_equal(manifest_read(f->reader, &f->key, &by_tag, true, &f->arena, &manifest),
	    ERR_REPOSITORY_NOT_FOUND);
	/* one of the same name starts empty, whatever of the old one is still being removed */
	assert_int_equal(create_repository(f, "team/app", TAGS_MUTABLE, NULL), ERR_NONE);
	assert_int_equal(manifest_read(f->reader, &f->key, &by_tag, true, &f->arena, &manifest),
	    ERR_MANIFEST_UNKNOWN);
	struct digest layer = sha256_of("layer of image 1");
	assert_false(blob_exists(f, &layer));
	fixture_close(f); /* which lets the purge run, or leaves it to the next start */
	fixture_open(f);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(
	    image_list(f->reader, f->repository_id, TAG_STATUS_ANY, NULL, 10, &f->arena, &page),
	    ERR_NONE);
	(void)page; /* rows of the old id may only go, never be seen by name */
}

static void emptied_ones_need_no_force(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "only", "v1", NULL);
	put_ok(f, s);
	struct image_delete_item item = {.id = {.tag = slice_str("v1")}};
	struct image_delete del = {.key = f->key, .items = &item, .count = 1};
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_NONE);
	assert_int_equal(delete_repository(f, "team/app", false), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(creates_and_finds),
	    store_test(refuses_a_second_of_the_name),
	    store_test(unknown_is_said),
	    store_test(lists_by_page),
	    store_test(deletes_empty_ones),
	    store_test(full_ones_need_force),
	    store_test(emptied_ones_need_no_force),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
