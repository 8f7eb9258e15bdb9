/* What follows a push in its own transaction: a scan, and no scan of what cannot be scanned. */
#include "support.h"

#include "storage/images/archive.h"
#include "storage/images/push_effects.h"

static bool scanned(struct fixture *f, const struct digest *digest)
{
	return image_of(f, digest).scanned_ms > 0;
}

/* Makes team/scanned, whose pushes are scanned, the fixture's repository. */
static void use_scanned_repository(struct fixture *f)
{
	struct repository_create create = {.repository = {.account = f->key.account,
					       .region = f->key.region,
					       .name = slice_str("team/scanned"),
					       .scan_on_push = true,
					       .encryption_type = slice_str("AES256")}};
	struct repository r;

	assert_int_equal(RUN(f, &create, repository_create_submit), ERR_NONE);
	f->key = key_of("team/scanned");
	assert_int_equal(repository_find(f->reader, &f->key, &f->arena, &r), ERR_NONE);
	f->repository_id = r.id;
}

static void nobody_asked(void **state)
{
	struct fixture *f = *state;
	struct digest digest = put_ok(f, image_sample(f, "one", "v1", NULL));

	assert_false(scanned(f, &digest));
}

static void the_repository_asks(void **state)
{
	struct fixture *f = *state;

	use_scanned_repository(f);
	struct sample *s = image_sample(f, "one", "v1", NULL);
	struct digest digest = put_ok(f, s);
	int64_t first_ms = image_of(f, &digest).scanned_ms;
	assert_in_range(first_ms - image_of(f, &digest).pushed_ms, 0, 4999);
	/* The same again with another tag is no new image. */
	clock_forward(f, 5000);
	s->tags[0] = slice_str("v2");
	put_ok(f, s);
	assert_int_equal(image_of(f, &digest).scanned_ms, first_ms);
}

static void the_registry_asks(void **state)
{
	struct fixture *f = *state;
	static const char rules[] =
	    "{\"scanType\":\"BASIC\",\"rules\":[{\"scanFrequency\":\"SCAN_ON_PUSH\","
	    "\"repositoryFilters\":[{\"filter\":\"%s\",\"filterType\":\"WILDCARD\"}]}]}";

	put_document(f, DOCUMENT_SCANNING, "", arena_printf(&f->arena, rules, "other*"));
	struct digest unscanned = put_ok(f, image_sample(f, "one", NULL));
	put_document(f, DOCUMENT_SCANNING, "", arena_printf(&f->arena, rules, "team/*"));
	struct digest digest = put_ok(f, image_sample(f, "two", NULL));
	assert_false(scanned(f, &unscanned));
	assert_true(scanned(f, &digest));
}

static void only_container_images_of_one_platform(void **state)
{
	struct fixture *f = *state;
	const struct {
		const char *artifact_type;
		bool possible;
	} kinds[] = {
	    {"application/vnd.oci.image.config.v1+json", true},
	    {"application/vnd.docker.container.image.v1+json", true},
	    {"application/vnd.cncf.helm.config.v1+json", false},
	    {"application/vnd.oci.empty.v1+json", false},
	    {NULL, false},
	};

	use_scanned_repository(f);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct sample *s = image_sample(f, arena_printf(&f->arena, "image %zu", i), NULL);
		struct image_row row = {.artifact_type = slice_str(kinds[i].artifact_type)};
		s->manifest.artifact_type = row.artifact_type;
		put_ok(f, s);
		assert_int_equal(scan_possible(&row), kinds[i].possible);
		assert_int_equal(scanned(f, &s->put.digest), kinds[i].possible);
	}
	struct sample *child = image_sample(f, "child", NULL);
	put_ok(f, child);
	struct digest index = put_ok(f, index_sample(f, "index", &child, 1, "multi"));
	assert_false(scanned(f, &index));
}

/* What comes back from the archive is scanned as if it were pushed; by the clock that brought it back. */
static void back_from_the_archive(void **state)
{
	struct fixture *f = *state;
	struct digest digest;

	use_scanned_repository(f);
	digest = put_ok(f, image_sample(f, "one", "v1", NULL));
	int64_t first_ms = image_of(f, &digest).scanned_ms;
	for (int back = 0; back < 2; back++) {
		struct archive_update up = {.key = f->key, .id.digest = digest, .restore = back};
		assert_int_equal(RUN(f, &up, archive_update_submit), ERR_NONE);
	}
	clock_forward(f, ARCHIVE_ACTIVATION_MS + 1000);
	assert_true(image_of(f, &digest).scanned_ms >= first_ms + ARCHIVE_ACTIVATION_MS);
}

/* A push that is refused has no effects. */
static void none_of_a_push_that_is_refused(void **state)
{
	struct fixture *f = *state;
	struct descriptor missing = {.digest = sha256_of("missing")};

	use_scanned_repository(f);
	struct sample *s = image_sample(f, "one", "v1", NULL);
	s->manifest.layers = &missing;
	assert_int_equal(put(f, s), ERR_LAYERS_NOT_FOUND);
	assert_string_equal(tags_of(f, &s->put.digest), "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(nobody_asked),
	    store_test(the_repository_asks),
	    store_test(the_registry_asks),
	    store_test(only_container_images_of_one_platform),
	    store_test(back_from_the_archive),
	    store_test(none_of_a_push_that_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
