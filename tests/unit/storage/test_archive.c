/* The archive (ecr-behaviour 8.8): what moves, what goes along, and when it is back. */
#include "support.h"

#include "storage/images/archive.h"

#include <unistd.h>

static enum error_code move_to(
    struct fixture *f, const struct digest *digest, bool restore, struct archive_update *up)
{
	*up = (struct archive_update){.key = f->key, .id.digest = *digest, .restore = restore};
	return RUN(f, up, archive_update_submit);
}

static void archive(struct fixture *f, const struct digest *digest)
{
	struct archive_update up;

	assert_int_equal(move_to(f, digest, false, &up), ERR_NONE);
	assert_int_equal(up.status, IMAGE_ARCHIVED);
	assert_true(digest_eq(&up.digest, digest));
}

static void restore(struct fixture *f, const struct digest *digest)
{
	struct archive_update up;

	assert_int_equal(move_to(f, digest, true, &up), ERR_NONE);
	assert_int_equal(up.status, IMAGE_ACTIVATING);
}

static void refused(
    struct fixture *f, const struct digest *digest, bool to_restore, const char *why)
{
	struct archive_update up;

	assert_int_equal(move_to(f, digest, to_restore, &up), ERR_STORAGE_CLASS_UPDATE);
	assert_slice(up.job.error.detail, why);
}

/* Waits for what the writer does when it is idle. */
static void until(struct fixture *f, const struct digest *digest, enum image_status status)
{
	for (int i = 0; i < 5000 && image_of(f, digest).status != status; i++)
		usleep(1000);
	assert_int_equal(image_of(f, digest).status, status);
}

static bool readable(struct fixture *f, const struct digest *digest)
{
	struct image_id id = {.digest = *digest, .tag = {NULL, 0}};
	struct stored_manifest m;
	enum error_code code = manifest_read(f->reader, &f->key, &id, false, &f->arena, &m);

	assert_true(code == ERR_NONE || code == ERR_MANIFEST_UNKNOWN);
	return code == ERR_NONE;
}

static void there_and_back(void **state)
{
	struct fixture *f = *state;
	struct digest digest = put_ok(f, image_sample(f, "one", "v1", "v2", NULL));
	int64_t before_ms = image_of(f, &digest).pushed_ms;

	archive(f, &digest);
	assert_int_equal(image_of(f, &digest).status, IMAGE_ARCHIVED);
	assert_true(image_of(f, &digest).archived_ms >= before_ms);
	assert_int_equal(image_of(f, &digest).activated_ms, 0);
	assert_string_equal(tags_of(f, &digest), "v1,v2");
	assert_false(readable(f, &digest));

	restore(f, &digest);
	assert_int_equal(image_of(f, &digest).status, IMAGE_ACTIVATING);
	assert_false(readable(f, &digest));
	clock_forward(f, ARCHIVE_ACTIVATION_MS - 1000);
	assert_int_equal(image_of(f, &digest).status, IMAGE_ACTIVATING);
	clock_forward(f, 2000);
	until(f, &digest, IMAGE_ACTIVE);
	assert_true(readable(f, &digest));
	/* The moment it was due, not that at which somebody looked. */
	assert_in_range(image_of(f, &digest).activated_ms - image_of(f, &digest).archived_ms,
	    ARCHIVE_ACTIVATION_MS, ARCHIVE_ACTIVATION_MS + 60000);
	assert_int_equal(image_of(f, &digest).pushed_ms, before_ms);
}

static void by_tag(void **state)
{
	struct fixture *f = *state;
	struct digest digest = put_ok(f, image_sample(f, "one", "v1", NULL));
	struct archive_update up = {.key = f->key, .id.tag = slice_str("v1")};

	assert_int_equal(RUN(f, &up, archive_update_submit), ERR_NONE);
	assert_true(digest_eq(&up.digest, &digest));
	assert_int_equal(image_of(f, &digest).status, IMAGE_ARCHIVED);
}

static void what_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct digest nowhere = sha256_of("nowhere");
	struct archive_update up;

	assert_int_equal(move_to(f, &nowhere, false, &up), ERR_IMAGE_NOT_FOUND);
	up = (struct archive_update){.key = key_of("team/none"), .id.digest = nowhere};
	assert_int_equal(RUN(f, &up, archive_update_submit), ERR_REPOSITORY_NOT_FOUND);
}

static void only_where_it_is_not_yet(void **state)
{
	struct fixture *f = *state;
	struct digest digest = put_ok(f, image_sample(f, "one", NULL));

	refused(
	    f, &digest, true, "The image is not archived: its storage class is STANDARD already");
	archive(f, &digest);
	refused(f, &digest, false, "The image is archived already");
	restore(f, &digest);
	refused(f, &digest, true, "The image is being activated already");
	refused(f, &digest, false, "The image is being activated: archive it once it is ACTIVE");
}

static struct sample *referrer_of(struct fixture *f, const char *text, const struct digest *subject)
{
	struct sample *s = image_sample(f, text, NULL);

	s->manifest.subject.digest = *subject;
	return s;
}

/* A signature, and the signature of that, follow; they do not go by themselves. */
static void referrers_follow(void **state)
{
	struct fixture *f = *state;
	struct digest image = put_ok(f, image_sample(f, "one", "v1", NULL));
	struct digest signature = put_ok(f, referrer_of(f, "signature", &image));
	struct digest second = put_ok(f, referrer_of(f, "of the signature", &signature));
	struct digest stray_subject = sha256_of("not here");
	struct digest stray = put_ok(f, referrer_of(f, "stray", &stray_subject));

	refused(f, &signature, false, "The image is a referrer: it follows its subject");
	archive(f, &image);
	assert_int_equal(image_of(f, &signature).status, IMAGE_ARCHIVED);
	assert_int_equal(image_of(f, &second).status, IMAGE_ARCHIVED);
	assert_int_equal(image_of(f, &stray).status, IMAGE_ACTIVE);
	refused(f, &signature, true, "The image is a referrer: it follows its subject");
	restore(f, &image);
	assert_int_equal(image_of(f, &second).status, IMAGE_ACTIVATING);
	clock_forward(f, ARCHIVE_ACTIVATION_MS + 1000);
	until(f, &second, IMAGE_ACTIVE);
	until(f, &image, IMAGE_ACTIVE);
	archive(f, &stray); /* nothing that it could follow */
}

static void images_of_an_active_index_stay(void **state)
{
	struct fixture *f = *state;
	struct sample *child = image_sample(f, "child", NULL);
	struct digest index;

	put_ok(f, child);
	index = put_ok(f, index_sample(f, "index", &child, 1, "multi"));
	refused(f, &child->put.digest, false,
	    "A manifest list that is not archived references the image: archive that first");
	archive(f, &index);
	assert_int_equal(image_of(f, &child->put.digest).status, IMAGE_ACTIVE);
	archive(f, &child->put.digest);
}

static void a_push_brings_it_back_at_once(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	struct digest digest = put_ok(f, s);

	archive(f, &digest);
	s->put.refuse_same = true;
	put_ok(f, s);
	assert_int_equal(image_of(f, &digest).status, IMAGE_ACTIVE);
	assert_true(readable(f, &digest));
}

/* More than one query of those that are due ends. */
static void many_are_due(void **state)
{
	struct fixture *f = *state;
	struct digest digests[150];

	for (size_t i = 0; i < COUNT(digests); i++) {
		digests[i] =
		    put_ok(f, image_sample(f, arena_printf(&f->arena, "image %zu", i), NULL));
		archive(f, &digests[i]);
		restore(f, &digests[i]);
	}
	clock_forward(f, ARCHIVE_ACTIVATION_MS + 1000);
	for (size_t i = 0; i < COUNT(digests); i++)
		until(f, &digests[i], IMAGE_ACTIVE);
}

static void it_survives_a_restart(void **state)
{
	struct fixture *f = *state;
	struct digest kept = put_ok(f, image_sample(f, "kept", NULL));
	struct digest back = put_ok(f, image_sample(f, "back", NULL));

	archive(f, &kept);
	archive(f, &back);
	restore(f, &back);
	fixture_close(f);
	fixture_open(f);
	assert_int_equal(image_of(f, &kept).status, IMAGE_ARCHIVED);
	assert_int_equal(image_of(f, &back).status, IMAGE_ACTIVATING);
	clock_forward(f, ARCHIVE_ACTIVATION_MS + 1000);
	until(f, &back, IMAGE_ACTIVE);
	assert_int_equal(image_of(f, &kept).status, IMAGE_ARCHIVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(there_and_back),
	    store_test(by_tag),
	    store_test(what_is_not_there),
	    store_test(only_where_it_is_not_yet),
	    store_test(referrers_follow),
	    store_test(images_of_an_active_index_stay),
	    store_test(a_push_brings_it_back_at_once),
	    store_test(many_are_due),
	    store_test(it_survives_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
