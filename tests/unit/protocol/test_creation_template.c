#include "support.h"

#include "protocol/creation_template.h"

static const char full[] =
    "{\"prefix\":\"prod\",\"imageTagMutability\":\"IMMUTABLE_WITH_EXCLUSION\","
    "\"imageTagMutabilityExclusionFilters\":[{\"filterType\":\"WILDCARD\",\"filter\":\"dev-*\"}],"
    "\"encryptionConfiguration\":{\"encryptionType\":\"KMS\",\"kmsKey\":\"arn:key\"},"
    "\"resourceTags\":[{\"Key\":\"team\",\"Value\":\"a\"},{\"Key\":\"empty\",\"Value\":\"\"}],"
    "\"repositoryPolicy\":\"{}\",\"lifecyclePolicy\":\"\",\"customRoleArn\":\"arn:role\","
    "\"appliedFor\":[\"CREATE_ON_PUSH\",\"REPLICATION\",\"SOMETHING_NEW\"]}";

static void every_member_is_read(void **state)
{
	struct creation_template t;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_true(creation_template_parse(slice_str(full), &a, &t));
	assert_true(slice_is(t.mutability, "IMMUTABLE_WITH_EXCLUSION"));
	assert_true(
	    slice_is(t.exclusion_filters, "[{\"filterType\":\"WILDCARD\",\"filter\":\"dev-*\"}]"));
	assert_true(slice_is(t.encryption_type, "KMS"));
	assert_true(slice_is(t.kms_key, "arn:key"));
	assert_true(slice_is(t.repository_policy, "{}"));
	assert_null(t.lifecycle_policy.at); /* an empty text clears */
	assert_true(slice_is(t.role, "arn:role"));
	assert_int_equal(t.tag_count, 2);
	assert_true(slice_is(t.tags[0].key, "team"));
	assert_true(slice_is(t.tags[1].value, ""));
	arena_release(&a);
}

static void only_the_scenarios_named_apply(void **state)
{
	struct creation_template t;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_true(creation_template_parse(slice_str(full), &a, &t));
	assert_true(t.applied[TEMPLATE_CREATE_ON_PUSH]);
	assert_true(t.applied[TEMPLATE_REPLICATION]);
	assert_false(t.applied[TEMPLATE_PULL_THROUGH_CACHE]);
	assert_true(creation_template_parse(slice_str("{}"), &a, &t));
	assert_false(t.applied[TEMPLATE_CREATE_ON_PUSH]);
	arena_release(&a);
}

static void what_is_absent_stays_absent(void **state)
{
	struct creation_template t;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_true(creation_template_parse(slice_str("{\"resourceTags\":null}"), &a, &t));
	assert_null(t.mutability.at);
	assert_null(t.exclusion_filters.at);
	assert_null(t.kms_key.at);
	assert_int_equal(t.tag_count, 0);
	assert_false(creation_template_parse(slice_str("[]"), &a, &t));
	assert_false(creation_template_parse(slice_str("{"), &a, &t));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_member_is_read),
	    cmocka_unit_test(only_the_scenarios_named_apply),
	    cmocka_unit_test(what_is_absent_stays_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
