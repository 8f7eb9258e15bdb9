#include "support.h"

#include "storage/repositories/settings.h"
#include "storage/repositories/template.h"

static struct document_key key_in(struct fixture *f, enum document_kind kind, const char *name)
{
	return (struct document_key){f->key.account, f->key.region, kind, slice_str(name)};
}

static enum error_code write_document(struct fixture *f, enum document_kind kind, const char *name,
    enum document_rule rule, const char *text)
{
	struct document_put put = {
	    .key = key_in(f, kind, name), .rule = rule, .text = slice_str(text)};

	return RUN(f, &put, document_put_submit);
}

static enum error_code drop_document(struct fixture *f, enum document_kind kind, const char *name)
{
	struct document_delete del = {.key = key_in(f, kind, name)};

	return RUN(f, &del, document_delete_submit);
}

static const char *text_of(struct fixture *f, enum document_kind kind, const char *name)
{
	struct document_key key = key_in(f, kind, name);
	struct document found;

	if (document_get(f->reader, &key, &f->arena, &found) != ERR_NONE)
		return "(none)";
	return arena_strdup(&f->arena, found.text);
}

static void made_once_and_replaced(void **state)
{
	struct fixture *f = *state;
	enum document_kind kind = DOCUMENT_TEMPLATE;

	assert_int_equal(write_document(f, kind, "a", DOCUMENT_MAKE, "1"), ERR_NONE);
	assert_int_equal(write_document(f, kind, "a", DOCUMENT_MAKE, "2"), ERR_TEMPLATE_EXISTS);
	assert_string_equal(text_of(f, kind, "a"), "1");
	assert_int_equal(write_document(f, kind, "a", DOCUMENT_PUT, "2"), ERR_NONE);
	assert_string_equal(text_of(f, kind, "a"), "2");
	assert_string_equal(text_of(f, DOCUMENT_PULL_THROUGH_RULE, "a"), "(none)");
	assert_int_equal(drop_document(f, kind, "a"), ERR_NONE);
	assert_int_equal(drop_document(f, kind, "a"), ERR_TEMPLATE_NOT_FOUND);
}

static void replaced_only_when_as_expected(void **state)
{
	struct fixture *f = *state;
	struct document_put put = {.key = key_in(f, DOCUMENT_TEMPLATE, "a"),
	    .rule = DOCUMENT_REPLACE,
	    .text = slice_str("new"),
	    .expected = slice_str("old")};

	assert_int_equal(RUN(f, &put, document_put_submit), ERR_TEMPLATE_NOT_FOUND);
	write_document(f, DOCUMENT_TEMPLATE, "a", DOCUMENT_PUT, "other");
	assert_int_equal(RUN(f, &put, document_put_submit), ERR_NONE);
	assert_true(put.stale);
	assert_string_equal(text_of(f, DOCUMENT_TEMPLATE, "a"), "other");
	put.expected = slice_str("other");
	assert_int_equal(RUN(f, &put, document_put_submit), ERR_NONE);
	assert_false(put.stale);
	assert_string_equal(text_of(f, DOCUMENT_TEMPLATE, "a"), "new");
}

static void those_of_a_repository_go_with_it(void **state)
{
	struct fixture *f = *state;
	enum document_kind kinds[] = {DOCUMENT_REPOSITORY_POLICY, DOCUMENT_LIFECYCLE_POLICY};

	for (size_t i = 0; i < COUNT(kinds); i++) {
		assert_int_equal(write_document(f, kinds[i], "no/such", DOCUMENT_PUT, "x"),
		    ERR_REPOSITORY_NOT_FOUND);
		assert_int_equal(drop_document(f, kinds[i], "no/such"), ERR_REPOSITORY_NOT_FOUND);
		assert_int_equal(
		    write_document(f, kinds[i], "team/app", DOCUMENT_PUT, "x"), ERR_NONE);
	}
	create_repository(f, "team/app2", TAGS_MUTABLE, NULL);
	write_document(f, kinds[0], "team/app2", DOCUMENT_PUT, "y");
	assert_int_equal(delete_repository(f, "team/app", true), ERR_NONE);
	create_repository(f, "team/app", TAGS_MUTABLE, NULL);
	for (size_t i = 0; i < COUNT(kinds); i++)
		assert_string_equal(text_of(f, kinds[i], "team/app"), "(none)");
	assert_string_equal(text_of(f, kinds[0], "team/app2"), "y");
}

static void lists_by_name(void **state)
{
	static const char *const names[] = {"d", "b", "a", "c"};
	struct fixture *f = *state;
	struct document_key kind = key_in(f, DOCUMENT_TEMPLATE, "");
	struct document_page page;

	for (size_t i = 0; i < COUNT(names); i++)
		write_document(f, DOCUMENT_TEMPLATE, names[i], DOCUMENT_PUT, names[i]);
	write_document(f, DOCUMENT_EXCLUSION, "aa", DOCUMENT_PUT, "");
	assert_int_equal(
	    document_list(f->reader, &kind, (struct slice){0}, 3, &f->arena, &page), ERR_NONE);
	assert_true(page.more);
	assert_int_equal(page.count, 3);
	assert_slice(page.at[0].name, "a");
	assert_slice(page.at[2].name, "c");
	assert_int_equal(
	    document_list(f->reader, &kind, slice_str("c"), 3, &f->arena, &page), ERR_NONE);
	assert_false(page.more);
	assert_int_equal(page.count, 1);
	assert_slice(page.at[0].text, "d");
}

static void quota_counts_new_ones(void **state)
{
	struct fixture *f = *state;

	fixture_close(f);
	f->options.quotas.at[QUOTA_PULL_TIME_EXCLUSIONS] = 2;
	fixture_open(f);
	for (const char *name = "ab"; *name; name++)
		assert_int_equal(
		    write_document(f, DOCUMENT_EXCLUSION, name, DOCUMENT_MAKE, ""), ERR_NONE);
	assert_int_equal(
	    write_document(f, DOCUMENT_EXCLUSION, "c", DOCUMENT_MAKE, ""), ERR_LIMIT_EXCEEDED);
	assert_int_equal(write_document(f, DOCUMENT_EXCLUSION, "b", DOCUMENT_PUT, ""), ERR_NONE);
	bool excluded;
	assert_int_equal(
	    pull_time_excluded(f->reader, f->key.account, f->key.region, slice_str("b"), &excluded),
	    ERR_NONE);
	assert_true(excluded);
	assert_int_equal(
	    pull_time_excluded(f->reader, f->key.account, f->key.region, slice_str("c"), &excluded),
	    ERR_NONE);
	assert_false(excluded);
}

static void the_longest_prefix_wins(void **state)
{
	struct fixture *f = *state;
	struct repository_key key = key_of("team/web/app");
	struct creation_template t;

#define APPLIED(what, tail) "{\"appliedFor\":[\"" what "\"]" tail "}"
	assert_int_equal(template_for(f->reader, &key, TEMPLATE_CREATE_ON_PUSH, &f->arena, &t),
	    ERR_TEMPLATE_NOT_FOUND);
	write_document(f, DOCUMENT_TEMPLATE, "ROOT", DOCUMENT_PUT,
	    APPLIED("CREATE_ON_PUSH", ",\"customRoleArn\":\"root\""));
	write_document(f, DOCUMENT_TEMPLATE, "team/web", DOCUMENT_PUT, APPLIED("REPLICATION", ""));
	write_document(
	    f, DOCUMENT_TEMPLATE, "team/web/app", DOCUMENT_PUT, APPLIED("CREATE_ON_PUSH", ""));
	assert_int_equal(
	    template_for(f->reader, &key, TEMPLATE_CREATE_ON_PUSH, &f->arena, &t), ERR_NONE);
	assert_slice(t.role, "root");
	write_document(f, DOCUMENT_TEMPLATE, "team", DOCUMENT_PUT,
	    APPLIED("CREATE_ON_PUSH", ",\"customRoleArn\":\"team\""));
	assert_int_equal(
	    template_for(f->reader, &key, TEMPLATE_CREATE_ON_PUSH, &f->arena, &t), ERR_NONE);
	assert_slice(t.role, "team");
	assert_int_equal(
	    template_for(f->reader, &key, TEMPLATE_REPLICATION, &f->arena, &t), ERR_NONE);
	assert_slice(t.role, NULL);
	assert_int_equal(template_for(f->reader, &key, TEMPLATE_PULL_THROUGH_CACHE, &f->arena, &t),
	    ERR_TEMPLATE_NOT_FOUND);
}

static void replication_is_read(void **state)
{
	struct fixture *f = *state;
	struct replication_rules rules;

	assert_int_equal(
	    replication_rules(f->reader, f->key.account, f->key.region, &f->arena, &rules),
	    ERR_NONE);
	assert_int_equal(rules.count, 0);
	write_document(f, DOCUMENT_REPLICATION, "", DOCUMENT_PUT,
	    "{\"rules\":[{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"1\"}]}]}");
	assert_int_equal(
	    replication_rules(f->reader, f->key.account, f->key.region, &f->arena, &rules),
	    ERR_NONE);
	assert_int_equal(rules.count, 1);
	assert_slice(rules.at[0].destinations[0].region, "eu-west-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(made_once_and_replaced),
	    store_test(replaced_only_when_as_expected),
	    store_test(those_of_a_repository_go_with_it),
	    store_test(lists_by_name),
	    store_test(quota_counts_new_ones),
	    store_test(the_longest_prefix_wins),
	    store_test(replication_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
