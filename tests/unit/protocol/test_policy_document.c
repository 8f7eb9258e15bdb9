#include "support.h"

#include "protocol/policy_document.h"

static struct policy_document parse(struct arena *a, const char *text)
{
	struct policy_document p;
	const char *why = "";

	if (!policy_document_parse(exact(a, text), a, &p, &why))
		fail_msg("%s: %s", text, why);
	return p;
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
	assert_int_equal(s->principals[1].type, POLICY_AWS);
	assert_int_equal(s->principals[2].type, POLICY_SERVICE);
	assert_slice(s->principals[2].name, "lambda.amazonaws.com");
	assert_int_equal(s->action_count, 2);
	assert_int_equal(s->resource_count, 1);
	assert_slice(s->condition, "{\"Bool\":{\"aws:SecureTransport\":false}}");
	assert_false(policy_statement_has_action(s, slice_str("ecr:putimage")));
	assert_false(policy_statement_has_action(s, slice_str("ecr:GetLifecyclePolicy")));
	assert_true(policy_statement_has_action(s, slice_str("ecr:DeleteRepository")));
}

static void one_statement_without_a_list(void **state)
{
	struct policy_document p = parse(*state,
	    "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"ecr:*\"}}");

	assert_slice(p.version, "2008-10-17");
	assert_int_equal(p.count, 1);
	assert_true(p.statements->allow);
	assert_slice(p.statements->condition, NULL);
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

#define DENY(principal, rest)                                                                      \
	"{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":" principal                             \
	",\"Action\":\"ecr:Set*\"" rest "}}"

static void denies(void **state)
{
	static const struct {
		const char *text;
		bool denied;
	} cases[] = {
	    {DENY("\"*\"", ""), true},
	    {DENY("\"*\"", ",\"Condition\":{\"Bool\":{\"a\":\"b\"}}"), false},
	    {DENY("{\"AWS\":\"123456789012\"}", ""), true},
	    {DENY("{\"AWS\":\"arn:aws:iam::123456789012:root\"}", ""), true},
	    {DENY("{\"AWS\":\"arn:aws:iam::123456789012:user/me\"}", ""), true},
	    {DENY("{\"AWS\":\"arn:aws:iam::123456789012:user/you\"}", ""), false},
	    {DENY("{\"AWS\":\"arn:aws:iam::223456789012:root\"}", ""), false},
	    {DENY("{\"Service\":\"lambda.amazonaws.com\"}", ""), false},
	    {"{\"Statement\":{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"123456789012\"},"
	     "\"Action\":\"*\"}}",
		false},
	    {"{\"Statement\":{\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"223456789012\"},"
	     "\"Action\":\"*\"}}",
		true},
	    {"{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"}}", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_document p = parse(*state, cases[i].text);

		assert_int_equal(
		    policy_denies(&p, slice_str("arn:aws:iam::123456789012:user/me"),
			slice_str("123456789012"), slice_str("ecr:SetRepositoryPolicy")),
		    cases[i].denied);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(reads_every_element),
	    arena_test(one_statement_without_a_list),
	    arena_test(actions),
	    arena_test(denies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
