#include "support.h"

#include "protocol/policy_document.h"

static struct policy_document parse_as(struct arena *a, enum policy_kind kind, const char *text)
{
	struct policy_document p;
	const char *why = "";

	if (!policy_document_parse(exact(a, text), kind, a, &p, &why))
		fail_msg("%s: %s", text, why);
	return p;
}

static struct policy_document parse(struct arena *a, const char *text)
{
	return parse_as(a, POLICY_OF_REPOSITORY, text);
}

static void reads_every_element(void **state)
{
	struct policy_document p = parse(*state,
	    "{\"Version\":\"2012-10-17\",\"Id\":\"x\",\"Statement\":[{\"Sid\":\"s\",\"Effect\":"
	    "\"Deny\","
	    "\"Principal\":{\"AWS\":[\"*\",\"000000000000\"],\"Service\":\"lambda.amazonaws.com\"},"
	    "\"NotAction\":[\"ecr:PutImage\",\"ECR:Get*\"],\"NotResource\":\"*\","
	    "\"Condition\":{\"Bool\":{\"aws:SecureTransport\":false}}}]}");
	const struct policy_statement *s = p.statements;

	assert_slice(p.version, "2012-10-17");
	assert_int_equal(p.count, 1);
	assert_slice(s->sid, "s");
	assert_false(s->allow || s->not_principal);
	assert_true(s->not_action && s->not_resource);
	assert_int_equal(s->principal_count, 3);
	assert_int_equal(s->principals[0].type, POLICY_EVERYBODY);
	assert_int_equal(s->principals[1].type, POLICY_ACCOUNT);
	assert_slice(s->principals[1].account, "000000000000");
	assert_int_equal(s->principals[2].type, POLICY_SERVICE);
	assert_slice(s->principals[2].name, "lambda.amazonaws.com");
	assert_int_equal(s->action_count, 2);
	assert_int_equal(s->resource_count, 1);
	assert_int_equal(s->condition_count, 1);
	assert_slice(s->conditions->key, "aws:SecureTransport");
	assert_slice(s->conditions->values->text.text, "false");
}

static void one_statement_without_a_list(void **state)
{
	struct policy_document p = parse(*state,
	    "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"ecr:*\"}}");

	assert_slice(p.version, "2008-10-17");
	assert_int_equal(p.count, 1);
	assert_true(p.statements->allow);
	assert_int_equal(p.statements->condition_count, 0);
	assert_slice(p.statements->sid, NULL);
}

static void actions(void **state)
{
	static const char *const known[] = {"*", "ecr:*", "ECR:putimage", "ecr:ReplicateImage",
	    "ecr:BatchImportUpstreamImage", "ecr:Get?", "ecr:Nothing*"};
	static const char *const unknown[] = {
	    "", "ecr", "ecr:", "ecr:Nothing", "s3:GetObject", "PutImage", "ecr:PutImage:x", "*:*"};

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++)
		assert_true(policy_action_known(slice_str(known[i])));
	for (size_t i = 0; i < COUNT(unknown); i++)
		assert_false(policy_action_known(slice_str(unknown[i])));
}

static void each_kind_has_its_elements(void **state)
{
	static const struct {
		const char *text;
		bool repository, identity, trust;
	} cases[] = {
#define ONE(rest) "{\"Statement\":{\"Effect\":\"Allow\"," rest "}}"
	    {ONE("\"Principal\":\"*\",\"Action\":\"ecr:*\""), true, false, true},
	    {ONE("\"Principal\":\"*\",\"Action\":\"ecr:*\",\"Resource\":\"*\""), true, false,
		false},
	    {ONE("\"Principal\":\"*\",\"Action\":\"sts:AssumeRole\""), false, false, true},
	    {ONE("\"Action\":\"ecr:*\",\"Resource\":\"*\""), false, true, false},
	    {ONE("\"Action\":\"ecr:NotThere\",\"Resource\":\"*\""), false, true, false},
	    {ONE("\"Action\":[\"s3:*\",\"sts:AssumeRole\",\"*\"],\"Resource\":\"*\""), false, true,
		false},
	    {ONE("\"Action\":\"ecr:*\",\"NotResource\":\"arn:aws:ecr:*:*:repository/x\""), false,
		true, false},
	    {ONE("\"Action\":\"ecr:*\""), false, false, false},
	    {ONE("\"Action\":\"ecr:*\",\"Resource\":\"app\""), false, false, false},
	    {ONE("\"Action\":\"ecr:*\",\"Resource\":\"arn:aws:ecr:*\""), false, false, false},
	    {ONE("\"Action\":\"ecr\",\"Resource\":\"*\""), false, false, false},
	    {ONE("\"Action\":\"ecr: x\",\"Resource\":\"*\""), false, false, false},
	    {ONE("\"Action\":\":x\",\"Resource\":\"*\""), false, false, false},
	    {ONE("\"Resource\":\"*\""), false, false, false},
#undef ONE
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice text = exact(*state, cases[i].text);
		struct policy_document p;
		const char *why = "";

		assert_int_equal(
		    policy_document_parse(text, POLICY_OF_REPOSITORY, *state, &p, &why),
		    cases[i].repository);
		assert_int_equal(policy_document_parse(text, POLICY_OF_IDENTITY, *state, &p, &why),
		    cases[i].identity);
		assert_int_equal(
		    policy_document_parse(text, POLICY_OF_TRUST, *state, &p, &why), cases[i].trust);
	}
}

static void variables_are_of_the_newer_version(void **state)
{
	struct policy_document p = parse_as(*state, POLICY_OF_IDENTITY,
	    "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
	    "\"Resource\":[\"arn:aws:ecr:*:*:repository/${aws:username}\",\"*\"]}}");

	assert_true(p.statements->resources[0].variables);
	assert_false(p.statements->resources[1].variables);
	p = parse_as(*state, POLICY_OF_IDENTITY,
	    "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\","
	    "\"Resource\":\"arn:aws:ecr:*:*:repository/${aws:username}\"}}");
	assert_false(p.statements->resources[0].variables);
}

static void principals(void **state)
{
	struct policy_document p = parse(*state,
	    "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Principal\":{\"AWS\":["
	    "\"arn:aws-cn:iam::123456789012:root\",\"arn:aws:iam::123456789012:role/a/b\","
	    "\"AROACKCEVSQ6C2EXAMPLE\"]}}}");

	assert_int_equal(p.statements->principals[0].type, POLICY_ACCOUNT);
	assert_slice(p.statements->principals[0].account, "123456789012");
	assert_int_equal(p.statements->principals[1].type, POLICY_AWS);
	assert_int_equal(p.statements->principals[2].type, POLICY_AWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(reads_every_element),
	    arena_test(one_statement_without_a_list),
	    arena_test(actions),
	    arena_test(each_kind_has_its_elements),
	    arena_test(variables_are_of_the_newer_version),
	    arena_test(principals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
