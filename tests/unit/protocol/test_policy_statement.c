#include "support.h"

#include "protocol/policy_statement.h"

#define ACCOUNT "123456789012"

static void reads_principals(void **state)
{
	static const struct {
		const char *text, *arn, *role, *user;
		enum principal_kind kind;
	} cases[] = {
	    {ACCOUNT, "arn:aws:iam::" ACCOUNT ":root", NULL, NULL, PRINCIPAL_ROOT},
	    {"arn:aws:iam::" ACCOUNT ":root", "arn:aws:iam::" ACCOUNT ":root", NULL, NULL,
		PRINCIPAL_ROOT},
	    {"arn:aws-cn:iam::" ACCOUNT ":user/a/b/me", "arn:aws-cn:iam::" ACCOUNT ":user/a/b/me",
		NULL, "me", PRINCIPAL_USER},
	    {"arn:aws:iam::" ACCOUNT ":role/a/ci",
		"arn:aws:sts::" ACCOUNT ":assumed-role/ci/session",
		"arn:aws:iam::" ACCOUNT ":role/a/ci", NULL, PRINCIPAL_ROLE},
	    {"arn:aws:sts::" ACCOUNT ":assumed-role/ci/run",
		"arn:aws:sts::" ACCOUNT ":assumed-role/ci/run", "arn:aws:iam::" ACCOUNT ":role/ci",
		NULL, PRINCIPAL_ROLE},
	};
	static const char *const bad[] = {"", "me", "12345678901", "arn:aws:iam::" ACCOUNT ":",
	    "arn:aws:iam::" ACCOUNT ":user/", "arn:aws:iam::" ACCOUNT ":user",
	    "arn:aws:iam::" ACCOUNT ":group/x", "arn:aws:iam::12:user/me",
	    "arn:aws:iam:us-east-1:" ACCOUNT ":user/me", "arn:aws:s3:::bucket",
	    "arn:aws:sts::" ACCOUNT ":root", "arn:aws:sts::" ACCOUNT ":assumed-role/ci",
	    "arn:aws:sts::" ACCOUNT ":assumed-role//x", "arn:aws:iam::" ACCOUNT ":role/a/",
	    "arn:gcp:iam::" ACCOUNT ":root", "arn:aws:iam::" ACCOUNT ":assumed-role/a/b"};
	struct principal p;

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(principal_of_arn(exact(*state, cases[i].text), *state, &p));
		assert_int_equal(p.kind, cases[i].kind);
		assert_slice(p.arn, cases[i].arn);
		assert_slice(p.role_arn, cases[i].role);
		assert_slice(p.user_name, cases[i].user);
		assert_slice(p.account, ACCOUNT);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		if (principal_of_arn(exact(*state, bad[i]), *state, &p))
			fail_msg("'%s' was taken", bad[i]);
}

/* The judgement of a statement's elements for the session "run" of the role "ci". */
static struct statement_judgement judge(struct arena *a, const char *elements)
{
	struct policy_context context = {NULL, 0, NULL, 0};
	struct statement_judgement out;
	struct policy_document p;
	struct principal who;
	struct statement_request request = {&who, slice_str("ecr:PutImage"),
	    slice_str("arn:aws:ecr:us-east-1:" ACCOUNT ":repository/app"), &context};
	const char *why = "";
	struct slice text = arena_slicef(
	    a, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",%s}}", elements);

	assert_true(
	    principal_of_arn(slice_str("arn:aws:sts::" ACCOUNT ":assumed-role/ci/run"), a, &who));
	who.user_id = slice_str("AROACKCEVSQ6C2EXAMPLE:run");
	if (!policy_document_parse(text, POLICY_OF_REPOSITORY, a, &p, &why))
		fail_msg("%s: %s", elements, why);
	policy_statement_judge(p.statements, &request, a, &out);
	return out;
}

static void principals(void **state)
{
	static const struct {
		const char *element;
		enum principal_match match;
	} cases[] = {
	    {"\"Principal\":\"*\"", PRINCIPAL_BY_NAME},
	    {"\"Principal\":{\"AWS\":\"*\"}", PRINCIPAL_BY_NAME},
	    {"\"Principal\":{\"AWS\":\"" ACCOUNT "\"}", PRINCIPAL_BY_ACCOUNT},
	    {"\"Principal\":{\"AWS\":\"arn:aws:iam::" ACCOUNT ":root\"}", PRINCIPAL_BY_ACCOUNT},
	    {"\"Principal\":{\"AWS\":\"223456789012\"}", PRINCIPAL_NOT_NAMED},
	    {"\"Principal\":{\"AWS\":\"arn:aws:iam::" ACCOUNT ":role/ci\"}", PRINCIPAL_BY_ROLE},
	    {"\"Principal\":{\"AWS\":\"arn:aws:iam::" ACCOUNT ":role/CI\"}", PRINCIPAL_NOT_NAMED},
	    {"\"Principal\":{\"AWS\":\"AROACKCEVSQ6C2EXAMPLE\"}", PRINCIPAL_BY_ROLE},
	    {"\"Principal\":{\"AWS\":\"AROACKCEVSQ6C2EXAMPLF\"}", PRINCIPAL_NOT_NAMED},
	    {"\"Principal\":{\"AWS\":[\"" ACCOUNT "\",\"arn:aws:sts::" ACCOUNT
	     ":assumed-role/ci/run\"]}",
		PRINCIPAL_BY_NAME},
	    {"\"Principal\":{\"AWS\":\"arn:aws:sts::" ACCOUNT ":assumed-role/ci/other\"}",
		PRINCIPAL_NOT_NAMED},
	    {"\"Principal\":{\"AWS\":\"arn:aws:iam::" ACCOUNT ":user/ci\"}", PRINCIPAL_NOT_NAMED},
	    {"\"Principal\":{\"Service\":\"lambda.amazonaws.com\"}", PRINCIPAL_NOT_NAMED},
	    {"\"Principal\":{\"Federated\":\"arn:aws:iam::" ACCOUNT ":saml-provider/x\"}",
		PRINCIPAL_NOT_NAMED},
	    {"\"Principal\":{\"Service\":\"*\"}", PRINCIPAL_NOT_NAMED},
	    {"\"NotPrincipal\":{\"AWS\":\"223456789012\"}", PRINCIPAL_BY_NAME},
	    {"\"NotPrincipal\":{\"AWS\":\"arn:aws:iam::" ACCOUNT ":role/ci\"}",
		PRINCIPAL_NOT_NAMED},
	    {"\"NotPrincipal\":{\"AWS\":\"" ACCOUNT "\"}", PRINCIPAL_NOT_NAMED},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct statement_judgement j =
		    judge(*state, arena_printf(*state, "%s,\"Action\":\"*\"", cases[i].element));

		if (j.principal != cases[i].match)
			fail_msg("%s: %d", cases[i].element, j.principal);
		assert_int_equal(j.verdict,
		    cases[i].match == PRINCIPAL_NOT_NAMED ? STATEMENT_OTHER_PRINCIPAL
							  : STATEMENT_APPLIES);
	}
}

static void elements(void **state)
{
	static const struct {
		const char *elements;
		enum statement_verdict verdict;
	} cases[] = {
	    {"\"Action\":\"ecr:putimage\"", STATEMENT_APPLIES},
	    {"\"Action\":\"ecr:Put*\"", STATEMENT_APPLIES},
	    {"\"Action\":\"ecr:PutImag?\"", STATEMENT_APPLIES},
	    {"\"Action\":[\"ecr:GetLifecyclePolicy\",\"ecr:PutImageTagMutability\"]",
		STATEMENT_OTHER_ACTION},
	    {"\"NotAction\":\"ecr:PUT*\"", STATEMENT_OTHER_ACTION},
	    {"\"NotAction\":\"ecr:Get*\"", STATEMENT_APPLIES},
	    {"\"Action\":\"*\",\"Resource\":\"arn:aws:ecr:*:*:repository/app\"", STATEMENT_APPLIES},
	    {"\"Action\":\"*\",\"Resource\":\"arn:aws:ecr:*:*:repository/App\"",
		STATEMENT_OTHER_RESOURCE},
	    {"\"Action\":\"*\",\"Resource\":[\"arn:aws:ecr:*:*:repository/ap\",\"*\"]",
		STATEMENT_APPLIES},
	    {"\"Action\":\"*\",\"NotResource\":\"arn:aws:ecr:*:*:repository/app\"",
		STATEMENT_OTHER_RESOURCE},
	    {"\"Action\":\"*\",\"NotResource\":\"arn:aws:ecr:*:*:repository/x\"",
		STATEMENT_APPLIES},
	    {"\"Action\":\"*\",\"Resource\":\"*${aws:username}\"", STATEMENT_OTHER_RESOURCE},
	    {"\"Action\":\"*\",\"NotResource\":\"*${aws:username}\"", STATEMENT_VARIABLE},
	    {"\"Action\":\"*\",\"Condition\":{\"Null\":{\"aws:SourceIp\":true}}",
		STATEMENT_APPLIES},
	    {"\"Action\":\"*\",\"Condition\":{\"Null\":{\"aws:SourceIp\":false}}",
		STATEMENT_CONDITION_NOT_MET},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct statement_judgement j = judge(
		    *state, arena_printf(*state, "\"Principal\":\"*\",%s", cases[i].elements));

		if (j.verdict != cases[i].verdict)
			fail_msg("%s: %d", cases[i].elements, j.verdict);
		assert_int_equal(j.condition != NULL, j.verdict == STATEMENT_CONDITION_NOT_MET);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(reads_principals),
	    arena_test(principals),
	    arena_test(elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
