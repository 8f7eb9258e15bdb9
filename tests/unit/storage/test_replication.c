/* Copies of what is pushed, in the registries that the rules name (ecr-behaviour 8.2). */
#include "support.h"

#include "storage/db/fault.h"
#include "storage/images/replication.h"

#include <sys/resource.h>

#define ACCOUNT "000000000000"
#define TO_EUROPE                                                                                  \
	"{\"rules\":[{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"" ACCOUNT       \
	"\"}]}]}"

static const char europe[] = "eu-west-1";

static struct repository_key there(const char *region, const char *name)
{
	return (struct repository_key){slice_str(ACCOUNT), slice_str(region), slice_str(name)};
}

/* The image at a destination, whose manifest and first layer are whole; false: it is not there. */
static bool arrived(struct fixture *f, const struct repository_key *key, const struct sample *s)
{
	struct image_id id = {.digest = s->put.digest, .tag = {NULL, 0}};
	struct stored_manifest m;
	struct blob blob;
	enum error_code code = manifest_read(f->reader, key, &id, true, &f->arena, &m);

	if (code == ERR_REPOSITORY_NOT_FOUND || code == ERR_MANIFEST_UNKNOWN)
		return false;
	assert_int_equal(code, ERR_NONE);
	assert_true(slice_eq(m.bytes, s->put.manifest));
	if (s->manifest.layer_count)
		assert_int_equal(
		    blob_stat(f->reader, key, &s->manifest.layers[0].digest, &blob), ERR_NONE);
	return true;
}

/* "a,b" of the image at a destination. */
static const char *tags_there(
    struct fixture *f, const struct repository_key *key, const struct sample *s)
{
	int64_t here = f->repository_id;
	struct repository r;
	const char *tags;

	assert_int_equal(repository_find(f->reader, key, &f->arena, &r), ERR_NONE);
	f->repository_id = r.id;
	tags = tags_of(f, &s->put.digest);
	f->repository_id = here;
	return tags;
}

/* What is noted of an image's copies: "eu-west-1/000000000000 eu-west-2/...=FailureException". */
static const char *noted(struct fixture *f, const struct digest *digest)
{
	const char *all = "";
	struct replica *at;
	size_t count;

	assert_int_equal(
	    replica_list(f->reader, image_of(f, digest).id, &f->arena, &at, &count), ERR_NONE);
	for (size_t i = 0; i < count; i++)
		all = arena_printf(&f->arena, "%s%s%.*s/%.*s%s%.*s", all, i ? " " : "",
		    SLICE_ARG(at[i].region), SLICE_ARG(at[i].account), at[i].failure.at ? "=" : "",
		    SLICE_ARG(at[i].failure));
	return all;
}

static void without_rules_nothing_goes_anywhere(void **state)
{
	struct fixture *f = *state;
	struct sample *s = real(f, image_sample(f, "one", "v1", NULL));
	struct repository_key key = there(europe, "team/app");
	struct repository r;

	put_ok(f, s);
	assert_string_equal(noted(f, &s->put.digest), "");
	assert_int_equal(repository_find(f->reader, &key, &f->arena, &r), ERR_REPOSITORY_NOT_FOUND);
}

static void a_push_arrives_with_its_tags(void **state)
{
	struct fixture *f = *state;
	struct sample *s = real(f, image_sample(f, "one", "v1", "latest", NULL));
	struct repository_key key = there(europe, "team/app");

	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	put_ok(f, s);
	assert_true(arrived(f, &key, s));
	assert_string_equal(tags_there(f, &key, s), "latest,v1");
	assert_string_equal(noted(f, &s->put.digest), "eu-west-1/" ACCOUNT);
	/* A further tag goes too; what was there before the rules stays where it is. */
	s->tags[0] = slice_str("v2");
	s->put.tag_count = 1;
	put_ok(f, s);
	assert_string_equal(tags_there(f, &key, s), "latest,v1,v2");
}

static void rules_have_prefixes(void **state)
{
	struct fixture *f = *state;
	struct sample *s = real(f, image_sample(f, "one", "v1", NULL));
	struct repository_key match = there("eu-west-1", "team/app");
	struct repository_key other = there("eu-west-2", "team/app");

	put_document(f, DOCUMENT_REPLICATION, "",
	    "{\"rules\":["
	    "{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"" ACCOUNT "\"}],"
	    "\"repositoryFilters\":[{\"filter\":\"te\",\"filterType\":\"PREFIX_MATCH\"}]},"
	    "{\"destinations\":[{\"region\":\"eu-west-2\",\"registryId\":\"" ACCOUNT "\"}],"
	    "\"repositoryFilters\":[{\"filter\":\"app\",\"filterType\":\"PREFIX_MATCH\"}]}]}");
	put_ok(f, s);
	assert_true(arrived(f, &match, s));
	assert_false(arrived(f, &other, s));
	assert_string_equal(noted(f, &s->put.digest), "eu-west-1/" ACCOUNT);
}

/* Also when two rules name it, a destination gets one copy; a copy is not copied on. */
static void once_and_no_further(void **state)
{
	struct fixture *f = *state;
	struct sample *s = real(f, image_sample(f, "one", "v1", NULL));
	struct repository_key first = there("eu-west-1", "team/app");
	struct repository_key further = there("eu-west-2", "team/app");
	struct document_put put = {
	    .key = {slice_str(ACCOUNT), slice_str(europe), DOCUMENT_REPLICATION, slice_str("")},
	    .text = slice_str("{\"rules\":[{\"destinations\":[{\"region\":\"eu-west-2\","
			      "\"registryId\":\"" ACCOUNT "\"}]}]}")};

	assert_int_equal(RUN(f, &put, document_put_submit), ERR_NONE);
	put_document(f, DOCUMENT_REPLICATION, "",
	    "{\"rules\":["
	    "{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"" ACCOUNT "\"}]},"
	    "{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"" ACCOUNT "\"}]}]}");
	put_ok(f, s);
	assert_true(arrived(f, &first, s));
	assert_false(arrived(f, &further, s));
	assert_string_equal(noted(f, &s->put.digest), "eu-west-1/" ACCOUNT);
}

static void an_index_brings_its_images(void **state)
{
	struct fixture *f = *state;
	struct sample *child = real(f, image_sample(f, "child", NULL)), *index;
	struct repository_key key = there(europe, "team/app");

	put_ok(f, child);
	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	index = real(f, index_sample(f, "index", &child, 1, "multi"));
	put_ok(f, index);
	assert_true(arrived(f, &key, index));
	assert_true(arrived(f, &key, child));
	assert_string_equal(tags_there(f, &key, index), "multi");
}

static double cpu_seconds(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* An index that names one child many times. */
static struct sample *repeated(
    struct fixture *f, const char *text, struct sample *child, struct sample *other, size_t count)
{
	struct sample **all = arena_array(&f->arena, count, sizeof(struct sample *));

	for (size_t i = 0; i < count; i++)
		all[i] = i % 2 && other ? other : child;
	return real(f, index_sample(f, text, all, count, NULL));
}

/* 5,000 times 5,000 times 5,000 the same image: each is copied once, for what the pushes cost without a copy. */
static void an_image_is_copied_once_however_often_it_is_named(void **state)
{
	enum { MANY = 5000 };
	struct fixture *f = *state;
	struct repository_key key = there(europe, "team/app");
	struct sample *child = real(f, image_sample(f, "child", NULL)), *inner, *other, *outer;
	double plain, copied;

	put_ok(f, child);
	inner = repeated(f, "inner", child, NULL, MANY);
	other = repeated(f, "other", child, NULL, MANY - 1);
	put_ok(f, inner);
	put_ok(f, other);
	outer = repeated(f, "outer", inner, other, MANY);
	plain = cpu_seconds();
	put_ok(f, outer);
	plain = cpu_seconds() - plain;
	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	outer->tags[0] = slice_str("now");
	outer->put.tag_count = 1;
	copied = cpu_seconds();
	put_ok(f, outer);
	copied = cpu_seconds() - copied;
	assert_true(arrived(f, &key, outer));
	assert_true(arrived(f, &key, inner));
	assert_true(arrived(f, &key, other));
	assert_true(arrived(f, &key, child));
	assert_true(copied < 20 * plain + 0.2);
}

/* What the destination lost is copied again with the index; what it still has is left alone. */
static void what_is_missing_comes_again(void **state)
{
	struct fixture *f = *state;
	struct sample *gone = real(f, image_sample(f, "gone", NULL));
	struct sample *kept = real(f, image_sample(f, "kept", NULL));
	struct sample *both[] = {gone, kept}, *index;
	struct repository_key key = there(europe, "team/app");
	struct image_delete_item item = {.id.digest = gone->put.digest};
	struct image_delete del = {.key = key, .items = &item, .count = 1, .even_referenced = true};

	put_ok(f, gone);
	put_ok(f, kept);
	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	index = real(f, index_sample(f, "index", both, 2, "v1"));
	put_ok(f, index);
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_NONE);
	assert_int_equal(item.result, IMAGE_DELETED);
	assert_false(arrived(f, &key, gone));
	index->tags[0] = slice_str("v2");
	put_ok(f, index);
	assert_true(arrived(f, &key, gone));
	assert_true(arrived(f, &key, kept));
	assert_string_equal(tags_there(f, &key, index), "v1,v2");
}

/* The destination's repository is as its registry's template says. */
static void the_repository_is_made_of_a_template(void **state)
{
	struct fixture *f = *state;
	struct sample *s = real(f, image_sample(f, "one", "v1", NULL));
	struct repository_key key = there(europe, "team/app");
	struct repository r;
	struct document_put put = {
	    .key = {slice_str(ACCOUNT), slice_str(europe), DOCUMENT_TEMPLATE, slice_str("team")},
	    .text = slice_str("{\"prefix\":\"team\",\"appliedFor\":[\"REPLICATION\"],"
			      "\"imageTagMutability\":\"IMMUTABLE\"}")};

	assert_int_equal(RUN(f, &put, document_put_submit), ERR_NONE);
	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	put_ok(f, s);
	assert_int_equal(repository_find(f->reader, &key, &f->arena, &r), ERR_NONE);
	assert_int_equal(r.mutability, TAGS_IMMUTABLE);
	assert_string_equal(tags_there(f, &key, s), "v1");
}

/* A tag that may not move there stays, and the image arrives without it. */
static void immutable_tags_stay(void **state)
{
	struct fixture *f = *state;
	struct sample *old = real(f, image_sample(f, "old", "v1", NULL));
	struct sample *new = real(f, image_sample(f, "new", "v1", NULL));
	struct repository_key key = there(europe, "team/app");
	struct repository_create create = {.repository = {.account = key.account,
					       .region = key.region,
					       .name = key.name,
					       .mutability = TAGS_IMMUTABLE,
					       .encryption_type = slice_str("AES256")}};

	assert_int_equal(RUN(f, &create, repository_create_submit), ERR_NONE);
	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	put_ok(f, old);
	put_ok(f, new);
	assert_string_equal(tags_there(f, &key, old), "v1");
	assert_string_equal(tags_there(f, &key, new), "");
	assert_string_equal(tags_of(f, &new->put.digest), "v1");
	assert_string_equal(noted(f, &new->put.digest), "eu-west-1/" ACCOUNT);
}

/* A copy that cannot be made does not refuse the push, and is noted with its exception. */
static void a_failure_is_noted(void **state)
{
	struct fixture *f = *state;
	struct sample *s;
	struct repository_key key = there(europe, "team/app");

	fixture_close(f);
	assert_true(quotas_read(&f->options.quotas, slice_str("repositories=1")));
	fixture_open(f);
	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	/* Another region's registry has room for one, and has it already. */
	struct repository_create create = {.repository = {.account = key.account,
					       .region = key.region,
					       .name = slice_str("full"),
					       .encryption_type = slice_str("AES256")}};
	assert_int_equal(RUN(f, &create, repository_create_submit), ERR_NONE);
	s = real(f, image_sample(f, "one", "v1", NULL));
	put_ok(f, s);
	assert_string_equal(tags_of(f, &s->put.digest), "v1");
	assert_false(arrived(f, &key, s));
	assert_string_equal(
	    noted(f, &s->put.digest), "eu-west-1/" ACCOUNT "=LimitExceededException");
}

static void notes_go_with_the_image(void **state)
{
	struct fixture *f = *state;
	struct sample *s = real(f, image_sample(f, "one", "v1", NULL));
	struct repository_key key = there(europe, "team/app");
	struct image_delete_item item = {.id.digest = s->put.digest};
	struct image_delete del = {.key = f->key, .items = &item, .count = 1};

	put_document(f, DOCUMENT_REPLICATION, "", TO_EUROPE);
	put_ok(f, s);
	int64_t id = image_of(f, &s->put.digest).id;
	assert_int_equal(RUN(f, &del, image_delete_submit), ERR_NONE);
	assert_int_equal(item.result, IMAGE_DELETED);
	struct replica *at;
	size_t count;
	assert_int_equal(replica_list(f->reader, id, &f->arena, &at, &count), ERR_NONE);
	assert_int_equal(count, 0);
	assert_true(arrived(f, &key, s)); /* deletions are not replicated */
}

#ifdef DRYDOCK_FAULTS

/*
 * Each step of a push that is copied fails once: the push is refused and leaves nothing, or the copy is there. Each time
 * into another region, whose repository has to be made.
 */
static void no_copy_is_noted_that_is_not_there(void **state)
{
	struct fixture *f = *state;
	unsigned refused = 0, n = 0;
	bool fired = true;

	while (fired) {
		const char *region = arena_printf(&f->arena, "eu-west-%u", ++n);
		struct sample *s =
		    real(f, image_sample(f, arena_printf(&f->arena, "image %u", n), "v1", NULL));
		struct repository_key key = there(region, "team/app");

		put_document(f, DOCUMENT_REPLICATION, "",
		    arena_printf(&f->arena,
			"{\"rules\":[{\"destinations\":[{\"region\":\"%s\",\"registryId\":\"" ACCOUNT
			"\"}]}]}",
			region));
		assert_true(fault_arm(arena_printf(&f->arena, "sql:%u", n)));
		enum error_code code = put(f, s);
		fired = fault_fired() > 0;
		fault_arm(NULL);
		refused += code != ERR_NONE;
		assert_string_equal(tags_of(f, &s->put.digest), code == ERR_NONE ? "v1" : "(none)");
		assert_int_equal(arrived(f, &key, s), code == ERR_NONE);
	}
	assert_true(refused > 20);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(without_rules_nothing_goes_anywhere),
	    store_test(a_push_arrives_with_its_tags),
	    store_test(rules_have_prefixes),
	    store_test(once_and_no_further),
	    store_test(an_index_brings_its_images),
	    store_test(an_image_is_copied_once_however_often_it_is_named),
	    store_test(what_is_missing_comes_again),
	    store_test(the_repository_is_made_of_a_template),
	    store_test(immutable_tags_stay),
	    store_test(a_failure_is_noted),
	    store_test(notes_go_with_the_image),
#ifdef DRYDOCK_FAULTS
	    store_test(no_copy_is_noted_that_is_not_there),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
