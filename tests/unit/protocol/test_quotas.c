#include "support.h"

#include "protocol/creation_template.h"
#include "protocol/quotas.h"
#include "protocol/replication.h"

static void quotas_are_set(void **state)
{
	struct quotas q = {{0}};

	assert_int_equal(quota_of(&q, QUOTA_REPOSITORIES), 100000);
	assert_true(quotas_read(&q, slice_str("repositories=2,lifecycle-rules=3")));
	assert_int_equal(quota_of(&q, QUOTA_REPOSITORIES), 2);
	assert_int_equal(quota_of(&q, QUOTA_LIFECYCLE_RULES), 3);
	assert_int_equal(quota_of(&q, QUOTA_IMAGES), 100000);
	assert_slice(quota_message(&q, QUOTA_REPOSITORIES, *state),
	    "The maximum number of repositories per registry (2) has been reached");
}

static void other_quotas_are_refused(void **state)
{
	static const char *const bad[] = {"", "repositories", "repositories=", "repositories=0",
	    "repositories=x", "resource-tags=51", "nothing=1", "repositories=1,,", "=1",
	    "repositories=-1"};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct quotas q = {{0}};
		assert_false(quotas_read(&q, slice_str(bad[i])));
	}
	for (size_t i = 0; i < QUOTA_COUNT; i++)
		assert_non_null(quota_name(i));
	assert_null(quota_name(QUOTA_COUNT));
}

static void replication_rules_are_read(void **state)
{
	struct replication_rules rules;

	assert_true(replication_parse(
	    slice_str("{\"rules\":[{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":"
		      "\"123456789012\"}],\"repositoryFilters\":[{\"filter\":\"prod\"}]},"
		      "{\"destinations\":[]}]}"),
	    *state, &rules));
	assert_int_equal(rules.count, 2);
	assert_slice(rules.at[0].destinations[0].account, "123456789012");
	assert_slice(rules.at[0].destinations[0].region, "eu-west-1");
	assert_true(replication_rule_matches(&rules.at[0], slice_str("production/app")));
	assert_false(replication_rule_matches(&rules.at[0], slice_str("team/prod")));
	assert_true(replication_rule_matches(&rules.at[1], slice_str("team/prod")));
	assert_false(replication_parse(slice_str("[]"), *state, &rules));
}

static void templates_are_read(void **state)
{
	struct creation_template t;

	assert_true(creation_template_parse(
	    slice_str(
		"{\"imageTagMutability\":\"IMMUTABLE\",\"encryptionConfiguration\":{"
		"\"encryptionType\":\"KMS\"},\"resourceTags\":[{\"Key\":\"a\",\"Value\":\"\"}],"
		"\"appliedFor\":[\"REPLICATION\"],\"repositoryPolicy\":\"{}\"}"),
	    *state, &t));
	assert_slice(t.mutability, "IMMUTABLE");
	assert_slice(t.encryption_type, "KMS");
	assert_slice(t.kms_key, NULL);
	assert_slice(t.repository_policy, "{}");
	assert_slice(t.lifecycle_policy, NULL);
	assert_int_equal(t.tag_count, 1);
	assert_slice(t.tags[0].key, "a");
	assert_true(t.applied[TEMPLATE_REPLICATION]);
	assert_false(t.applied[TEMPLATE_CREATE_ON_PUSH]);
	assert_false(creation_template_parse(slice_str("x"), *state, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(quotas_are_set),
	    arena_test(other_quotas_are_refused),
	    arena_test(replication_rules_are_read),
	    arena_test(templates_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
