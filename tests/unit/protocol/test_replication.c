#include "support.h"

#include "protocol/replication.h"

static const char two_rules[] =
    "{\"rules\":[{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"111122223333\"},"
    "{\"region\":\"us-west-2\",\"registryId\":\"000000000000\"}]},"
    "{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"000000000000\"}],"
    "\"repositoryFilters\":[{\"filter\":\"prod\",\"filterType\":\"PREFIX_MATCH\"},"
    "{\"filter\":\"team/\",\"filterType\":\"PREFIX_MATCH\"}]}]}";

static void rules_are_read_in_order(void **state)
{
	struct arena a;
	struct replication_rules rules;

	(void)state;
	arena_init(&a);
	assert_true(replication_parse(slice_str(two_rules), &a, &rules));
	assert_int_equal(rules.count, 2);
	assert_int_equal(rules.at[0].destination_count, 2);
	assert_true(slice_is(rules.at[0].destinations[0].account, "111122223333"));
	assert_true(slice_is(rules.at[0].destinations[1].region, "us-west-2"));
	assert_int_equal(rules.at[0].prefix_count, 0);
	assert_int_equal(rules.at[1].prefix_count, 2);
	arena_release(&a);
}

static void a_rule_matches_by_prefix_or_everything(void **state)
{
	struct arena a;
	struct replication_rules rules;

	(void)state;
	arena_init(&a);
	assert_true(replication_parse(slice_str(two_rules), &a, &rules));
	assert_true(replication_rule_matches(&rules.at[0], slice_str("anything")));
	assert_true(replication_rule_matches(&rules.at[1], slice_str("production/app")));
	assert_true(replication_rule_matches(&rules.at[1], slice_str("team/app")));
	assert_false(replication_rule_matches(&rules.at[1], slice_str("team")));
	assert_false(replication_rule_matches(&rules.at[1], slice_str("pro")));
	arena_release(&a);
}

static void what_is_no_configuration_is_refused(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "{}", "{\"rules\":{}}", "null"};
	struct arena a;
	struct replication_rules rules;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(replication_parse(slice_str(texts[i]), &a, &rules));
	assert_true(replication_parse(slice_str("{\"rules\":[]}"), &a, &rules));
	assert_int_equal(rules.count, 0);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rules_are_read_in_order),
	    cmocka_unit_test(a_rule_matches_by_prefix_or_everything),
	    cmocka_unit_test(what_is_no_configuration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
