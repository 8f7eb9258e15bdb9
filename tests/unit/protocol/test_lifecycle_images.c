#include "support.h"

#include "protocol/lifecycle_images.h"

static const int64_t now_ms = 1767225600000, day_ms = 86400000;

static bool parse(
    struct arena *a, const char *text, struct lifecycle_images *out, struct slice *why)
{
	return lifecycle_images_parse(exact(a, text), now_ms, a, out, why);
}

static void own_form(void **state)
{
	struct lifecycle_images images;
	struct slice why;
	struct digest name;

	assert_true(parse(*state,
	    "{\"images\":[{\"name\":\"A\",\"tags\":[\"v1\",\"v2\"],\"pushed_days_ago\":1.5,"
	    "\"pulled_at\":\"2025-12-31T01:00:00+01:00\",\"archived_at\":1767000000.25,"
	    "\"restored_days_ago\":0,\"status\":\"ACTIVATING\",\"subject\":\"B\"},"
	    "{\"name\":\"B\",\"pushed_at\":0,\"children\":[\"A\",\"sha256:"
	    "00000000000000000000000000000000000000000000000000000000000000ff\"]}]}",
	    &images, &why));
	assert_int_equal(images.count, 2);
	struct lifecycle_image *a = &images.at[0].image, *b = &images.at[1].image;
	digest_compute(DIGEST_SHA256, slice_str("A"), &name);
	assert_true(digest_eq(&a->digest, &name));
	assert_int_equal(a->tags.len, 6);
	assert_memory_equal(a->tags.at, "v1\0v2\0", 6);
	assert_int_equal(a->pushed_ms, now_ms - day_ms * 3 / 2);
	assert_int_equal(a->pulled_ms, now_ms - day_ms);
	assert_int_equal(a->archived_ms, 1767000000250);
	assert_int_equal(a->activated_ms, now_ms);
	assert_int_equal(a->status, LIFECYCLE_ACTIVATING);
	assert_true(digest_eq(&a->subject, &b->digest));
	assert_slice(images.at[1].name, "B");
	assert_int_equal(b->id, 1);
	assert_int_equal(b->pushed_ms, 0);
	assert_int_equal(b->pulled_ms, 0);
	assert_int_equal(b->tags.len, 0);
	assert_int_equal(b->status, LIFECYCLE_ACTIVE);
	assert_int_equal(b->subject.algorithm, DIGEST_NONE);
	assert_int_equal(images.at[1].child_count, 2);
	assert_true(digest_eq(&images.at[1].children[0], &a->digest));
	assert_int_equal(images.at[1].children[1].raw[31], 0xff);
}

static void ecr_form(void **state)
{
	struct lifecycle_images images;
	struct slice why;

	assert_true(parse(*state,
	    "{\"imageDetails\":[{\"registryId\":\"000000000000\",\"imageDigest\":\"sha256:"
	    "00000000000000000000000000000000000000000000000000000000000000ff\","
	    "\"imageTags\":[\"v1\"],\"imageSizeInBytes\":7,"
	    "\"imagePushedAt\":\"2025-12-31T14:30:00.250000-09:30\","
	    "\"lastRecordedPullTime\":1767000000,\"imageStatus\":\"ARCHIVED\","
	    "\"lastArchivedAt\":1767100000.5,\"subjectManifestDigest\":\"sha256:"
	    "00000000000000000000000000000000000000000000000000000000000000fe\"}]}",
	    &images, &why));
	assert_int_equal(images.count, 1);
	assert_int_equal(images.at[0].image.digest.raw[31], 0xff);
	assert_int_equal(images.at[0].image.subject.raw[31], 0xfe);
	assert_int_equal(images.at[0].image.pushed_ms, 1767225600250);
	assert_int_equal(images.at[0].image.pulled_ms, 1767000000000);
	assert_int_equal(images.at[0].image.archived_ms, 1767100000500);
	assert_int_equal(images.at[0].image.status, LIFECYCLE_ARCHIVED);
	assert_null(images.at[0].name.at);
}

static void status_by_times(void **state)
{
	struct lifecycle_images images;
	struct slice why;

	assert_true(parse(*state,
	    "{\"images\":[{\"name\":\"a\",\"pushed_at\":1,\"archived_days_ago\":5},"
	    "{\"name\":\"b\",\"pushed_at\":1,\"archived_days_ago\":5,\"restored_days_ago\":3},"
	    "{\"name\":\"c\",\"pushed_at\":1,\"archived_days_ago\":3,\"restored_days_ago\":5}]}",
	    &images, &why));
	assert_int_equal(images.at[0].image.status, LIFECYCLE_ARCHIVED);
	assert_int_equal(images.at[1].image.status, LIFECYCLE_ACTIVE);
	assert_int_equal(images.at[2].image.status, LIFECYCLE_ARCHIVED);
}

static const struct {
	const char *text, *why;
} refused[] = {
    {"", "it is no JSON text, or too large a one"},
    {"[]", "it has no array \"images\" (or \"imageDetails\", as ECR writes)"},
    {"{\"images\":{}}", "it has no array \"images\" (or \"imageDetails\", as ECR writes)"},
    {"{\"images\":[1]}", "image 1: it is no object"},
    {"{\"images\":[{\"pushed_at\":1}]}", "image 1: it has neither \"name\" nor \"digest\""},
    {"{\"images\":[{\"name\":\"A\"}]}",
	"image \"A\": it has neither \"pushed_days_ago\" nor \"pushed_at\""},
    {"{\"images\":[{\"name\":\"A\",\"tag\":1}]}", "image 1: \"tag\" is no member of an image"},
    {"{\"images\":[{\"name\":1}]}", "image 1: \"name\" is no string"},
    {"{\"images\":[{\"digest\":\"sha256:1\"}]}", "image 1: \"sha256:1\" is no digest"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_days_ago\":\"1\"}]}",
	"image \"A\": \"pushed_days_ago\" is no number"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_days_ago\":30000}]}",
	"image \"A\": \"pushed_days_ago\" is not in the years 1970 to 9999"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1e300}]}",
	"image \"A\": \"pushed_at\" is not in the years 1970 to 9999"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":\"yesterday\"}]}",
	"image \"A\": \"pushed_at\" is no time such as 2026-01-01T00:00:00Z"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1,\"status\":\"archived\"}]}",
	"image \"A\": \"status\" is none of ACTIVE, ARCHIVED, ACTIVATING"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1,\"tags\":\"v1\"}]}",
	"image \"A\": \"tags\" is no array"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1,\"tags\":[\"\"]}]}",
	"image \"A\": \"tags\" holds something that is no tag"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1,\"subject\":\"B\"}]}",
	"image \"A\": there is no image with the name \"B\""},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1,\"children\":\"A\"}]}",
	"image \"A\": \"children\" is no array"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1,\"children\":[1]}]}",
	"image \"A\": its subject and children are strings: names or digests"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1},{\"name\":\"A\",\"pushed_at\":1}]}",
	"two images have the digest "
	"sha256:559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd"},
    {"{\"images\":[{\"name\":\"A\",\"pushed_at\":1},{\"name\":\"A\",\"pushed_at\":1,\"digest\":"
     "\"sha256:00000000000000000000000000000000000000000000000000000000000000ff\"}]}",
	"two images have the name A"},
};

static void refuses(void **state)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct lifecycle_images images;
		struct slice why = {NULL, 0};

		assert_false(parse(*state, refused[i].text, &images, &why));
		assert_slice(why, refused[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(own_form),
	    arena_test(ecr_form),
	    arena_test(status_by_times),
	    arena_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
