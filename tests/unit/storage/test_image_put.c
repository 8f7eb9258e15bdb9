/* Every rule of PutImage (ecr-behaviour 2.3 and 5). */
#include "support.h"

#include <stdio.h>

static struct image find(struct fixture *f, const struct digest *digest)
{
	struct image image;
	struct image_id id = {.digest = *digest, .tag = {NULL, 0}};
	assert_int_equal(image_find(f->reader, f->repository_id, &id, &f->arena, &image), ERR_NONE);
	return image;
}

static const char *text_of(struct fixture *f, const struct digest *digest)
{
	return digest_format(digest, arena_alloc(&f->arena, DIGEST_TEXT_MAX)).at;
}

static void stores_what_it_was_given(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", "latest", NULL);
	struct stored_manifest m;
	struct image_id by_tag = {.tag = slice_str("latest")}, by_digest = {.tag = {NULL, 0}};
	s->manifest.subject.digest = sha256_of("subject");
	put_ok(f, s);
	assert_true(s->put.created);
	struct image image = find(f, &s->put.digest);
	assert_slice(image.media_type, MEDIA_OCI_MANIFEST);
	assert_slice(image.artifact_type, "application/vnd.oci.image.config.v1+json");
	assert_int_equal(image.size_bytes, strlen("layer of one"));
	assert_true(image.pushed_ms > 0 && image.pushed_ms == s->put.pushed_ms);
	assert_int_equal(image.pulled_ms, 0);
	struct digest subject = sha256_of("subject");
	assert_true(digest_eq(&image.subject, &subject));
	assert_string_equal(tags_of(f, &s->put.digest), "latest,v1");
	by_digest.digest = s->put.digest;
	const struct image_id *ids[] = {&by_tag, &by_digest};
	for (size_t i = 0; i < COUNT(ids); i++) {
		assert_int_equal(
		    manifest_read(f->reader, &f->key, ids[i], true, &f->arena, &m), ERR_NONE);
		assert_true(slice_eq(m.bytes, s->put.manifest));
		assert_true(digest_eq(&m.digest, &s->put.digest));
		assert_slice(m.media_type, MEDIA_OCI_MANIFEST);
		assert_int_equal(m.size, s->put.manifest.len);
		assert_int_equal(
		    manifest_read(f->reader, &f->key, ids[i], false, &f->arena, &m), ERR_NONE);
		assert_null(m.bytes.at);
		assert_int_equal(m.size, s->put.manifest.len);
	}
	assert_false(blob_exists(f, &s->put.digest)); /* a manifest is no blob of the repository */
}

static void unknown_repository(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", NULL);
	s->put.key = key_of("team/none");
	assert_int_equal(put(f, s), ERR_REPOSITORY_NOT_FOUND);
	assert_slice(s->put.job.error.repository, "team/none");
}

static void layers_must_be_here(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	struct descriptor layers[5] = {{.digest = sha256_of("b")}, s->manifest.layers[0],
	    {.digest = sha256_of("a")}, {.digest = sha256_of("b")},
	    {.digest = sha256_of("f"), .foreign = true}};
	s->manifest.layers = layers;
	s->manifest.layer_count = 5;
	s->manifest.config.digest = sha256_of("config");
	assert_int_equal(put(f, s), ERR_LAYERS_NOT_FOUND);
	char expected[3 * DIGEST_TEXT_MAX];
	snprintf(expected, sizeof(expected), "%s, %s, %s", text_of(f, &s->manifest.config.digest),
	    text_of(f, &layers[0].digest), text_of(f, &layers[2].digest));
	assert_slice(s->put.job.error.digests, expected);
	assert_string_equal(tags_of(f, &s->put.digest), "(none)");
	push_blob(f, slice_str("a"));
	push_blob(f, slice_str("b"));
	push_blob(f, slice_str("config"));
	put_ok(f, s);
}

/* A blob that another repository has is not here. */
static void layers_of_other_repositories_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	create_repository(f, "team/other", TAGS_MUTABLE, NULL);
	s->put.key = key_of("team/other");
	assert_int_equal(put(f, s), ERR_LAYERS_NOT_FOUND);
}

static void children_must_be_here(void **state)
{
	struct fixture *f = *state;
	struct sample *children[] = {
	    image_sample(f, "small", NULL), image_sample(f, "a larger one", NULL)};
	struct sample *index = index_sample(f, "index", children, 2, "multi");
	put_ok(f, children[0]);
	assert_int_equal(put(f, index), ERR_REFERENCED_IMAGES_NOT_FOUND);
	assert_slice(index->put.job.error.digests, text_of(f, &children[1]->put.digest));
	put_ok(f, children[1]);
	put_ok(f, index);
	assert_int_equal(find(f, &index->put.digest).size_bytes, strlen("layer of a larger one"));
}

static void the_same_again(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	put_ok(f, s);
	int64_t pushed_ms = find(f, &s->put.digest).pushed_ms;
	clock_forward(f, 5000);
	put_ok(f, s); /* docker's push again: no change */
	assert_false(s->put.created);
	s->put.refuse_same = true;
	assert_int_equal(put(f, s), ERR_IMAGE_EXISTS);
	assert_slice(s->put.job.error.digest, text_of(f, &s->put.digest));
	assert_slice(s->put.job.error.tag, "v1");
	s->put.tag_count = 0; /* no tag: the digest alone is there already */
	assert_int_equal(put(f, s), ERR_IMAGE_EXISTS);
	s->put.refuse_same = false;
	put_ok(f, s);
	s->put.refuse_same = true;
	s->put.tag_count = 1;
	s->tags[0] = slice_str("v2"); /* another tag: added, the time of the push stays */
	put_ok(f, s);
	assert_false(s->put.created);
	assert_string_equal(tags_of(f, &s->put.digest), "v1,v2");
	assert_int_equal(find(f, &s->put.digest).pushed_ms, pushed_ms);
}

static void a_tag_moves(void **state)
{
	struct fixture *f = *state;
	struct sample *old = image_sample(f, "old", "latest", "v1", NULL);
	struct sample *new = image_sample(f, "new", "latest", NULL);
	put_ok(f, old);
	put_ok(f, new);
	assert_string_equal(tags_of(f, &old->put.digest), "v1");
	assert_string_equal(tags_of(f, &new->put.digest), "latest");
	new->tags[0] =
	    slice_str("v1"); /* and on to an image that is there; the old one stays, untagged */
	put_ok(f, new);
	assert_string_equal(tags_of(f, &old->put.digest), "");
	assert_string_equal(tags_of(f, &new->put.digest), "latest,v1");
	old->tags[0] = slice_str("latest");
	old->put.tag_count = 1;
	put_ok(f, old);
	assert_string_equal(tags_of(f, &old->put.digest), "latest");
	assert_string_equal(tags_of(f, &new->put.digest), "v1");
}

static void repeated_tags_count_once(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "b", "a", "b", NULL);
	put_ok(f, s);
	assert_string_equal(tags_of(f, &s->put.digest), "a,b");
	struct sample *t = image_sample(f, "two", NULL);
	put_ok(f, t);
	t->tags[0] = t->tags[1] = slice_str("c");
	t->put.tag_count = 2;
	put_ok(f, t);
	assert_string_equal(tags_of(f, &t->put.digest), "c");
}

static const struct {
	enum mutability mutability;
	const char *filters;
	const char *tag;
	bool moves;
} moves[] = {
    {TAGS_MUTABLE, NULL, "v1", true},
    {TAGS_IMMUTABLE, NULL, "v1", false},
    {TAGS_IMMUTABLE_WITH_EXCLUSION, "[{\"filterType\":\"WILDCARD\",\"filter\":\"dev-*\"}]", "dev-1",
	true},
    {TAGS_IMMUTABLE_WITH_EXCLUSION, "[{\"filterType\":\"WILDCARD\",\"filter\":\"dev-*\"}]",
	"a-dev-1", false},
    {TAGS_IMMUTABLE_WITH_EXCLUSION,
	"[{\"filterType\":\"WILDCARD\",\"filter\":\"x\"},{\"filterType\":\"WILDCARD\",\"filter\":"
	"\"latest\"}]",
	"latest", true},
    {TAGS_IMMUTABLE_WITH_EXCLUSION, "[{\"filterType\":\"WILDCARD\",\"filter\":\"latest\"}]",
	"latest-1", false}, /* the whole tag must match */
    {TAGS_MUTABLE_WITH_EXCLUSION, "[{\"filterType\":\"WILDCARD\",\"filter\":\"v*\"}]", "v1", false},
    {TAGS_MUTABLE_WITH_EXCLUSION, "[{\"filterType\":\"WILDCARD\",\"filter\":\"v*\"}]", "dev", true},
};

static void mutability(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT(moves); i++) {
		char *name = arena_printf(&f->arena, "m%zu", i);
		create_repository(f, name, moves[i].mutability, moves[i].filters);
		f->key = key_of(name);
		struct sample *old = image_sample(f, "old", moves[i].tag, NULL);
		struct sample *new = image_sample(f, "new", moves[i].tag, NULL);
		put_ok(f, old);
		assert_int_equal(put(f, old), ERR_NONE); /* to where it points is no move */
		assert_int_equal(put(f, new), moves[i].moves ? ERR_NONE : ERR_IMAGE_TAG_EXISTS);
		if (!moves[i].moves)
			assert_slice(new->put.job.error.tag, moves[i].tag);
		new->tags[0] = slice_str("fresh");
		put_ok(f, new);
		new->tags[0] = slice_str("fresher"); /* a new tag for an old digest is no move */
		put_ok(f, new);
	}
}

/* A refusal leaves nothing, whatever was right about the rest. */
static void all_or_nothing(void **state)
{
	struct fixture *f = *state;
	create_repository(f, "fixed", TAGS_IMMUTABLE, NULL);
	f->key = key_of("fixed");
	put_ok(f, image_sample(f, "old", "taken", NULL));
	struct sample *s = image_sample(f, "new", "free", "taken", NULL);
	struct stored_manifest m;
	struct image_id id = {.tag = slice_str("free")};
	assert_int_equal(put(f, s), ERR_IMAGE_TAG_EXISTS);
	assert_slice(s->put.job.error.tag, "taken");
	assert_int_equal(
	    manifest_read(f->reader, &f->key, &id, true, &f->arena, &m), ERR_MANIFEST_UNKNOWN);
}

static void a_thousand_tags(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", NULL);
	struct slice tags[200];
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 200; i++)
			tags[i] = arena_slicef(&f->arena, "t%03d", round * 200 + i);
		s->put.tags = tags;
		s->put.tag_count = 200;
		put_ok(f, s);
	}
	assert_int_equal(find(f, &s->put.digest).tag_count, 1000);
	tags[0] = slice_str("one-more");
	s->put.tag_count = 1;
	assert_int_equal(put(f, s), ERR_LIMIT_EXCEEDED);
	assert_non_null(s->put.job.error.detail.at);
	tags[0] = slice_str("t500");
	put_ok(f, s);
}

static void image_quota(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	f->options.quotas.at[QUOTA_IMAGES] = 2;
	fixture_open(f);
	put_ok(f, image_sample(f, "1", "a", NULL));
	struct sample *second = image_sample(f, "2", NULL);
	put_ok(f, second);
	assert_int_equal(put(f, image_sample(f, "3", NULL)), ERR_LIMIT_EXCEEDED);
	put_ok(f, second); /* what is there may be put again */
	struct image_delete_item item = {.id = {.digest = second->put.digest, .tag = {NULL, 0}}};
	struct image_delete del = {.key = f->key, .items = &item, .count = 1};
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_NONE);
	put_ok(f, image_sample(f, "3", NULL));
}

static void pulls_are_noted_once_a_day(void **state)
{
	struct fixture *f = *state;
	struct sample *s = image_sample(f, "one", "v1", NULL);
	struct image_id id = {.tag = slice_str("v1")};
	struct stored_manifest m;
	int64_t first = 0;
	put_ok(f, s);
	for (int day = 0; day < 3; day++) {
		for (int i = 0; i < 20; i++) {
			assert_int_equal(
			    manifest_read(f->reader, &f->key, &id, true, &f->arena, &m), ERR_NONE);
			image_note_pull(f->store, &m);
		}
		clock_forward(f, 0); /* a job behind the notes: they are committed when it is */
		int64_t pulled_ms = find(f, &s->put.digest).pulled_ms;
		assert_true(pulled_ms > 0);
		if (day == 0)
			first = pulled_ms;
		if (day == 1)
			assert_int_equal(pulled_ms, first); /* 23 hours on: not yet */
		if (day == 2)
			assert_true(pulled_ms >= first + 24 * 3600 * 1000LL);
		clock_forward(f, day == 0 ? 23 * 3600 * 1000LL : 2 * 3600 * 1000LL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(stores_what_it_was_given),
	    store_test(unknown_repository),
	    store_test(layers_must_be_here),
	    store_test(layers_of_other_repositories_do_not_count),
	    store_test(children_must_be_here),
	    store_test(the_same_again),
	    store_test(a_tag_moves),
	    store_test(repeated_tags_count_once),
	    store_test(mutability),
	    store_test(all_or_nothing),
	    store_test(a_thousand_tags),
	    store_test(image_quota),
	    store_test(pulls_are_noted_once_a_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
