/* Hand-written cases are files of testdata/policies/, each a request, its policies and what is decided. */
#include "policy_case.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static const char *const sources[] = {
    [AUTHORIZE_IDENTITY] = "identity",
    [AUTHORIZE_SESSION] = "session",
    [AUTHORIZE_REPOSITORY] = "repository",
    [AUTHORIZE_REGISTRY] = "registry",
    [AUTHORIZE_ACCOUNT] = "account",
};

/* "registry 0/1, identity 2/0": who decided, and which statements (policy/statement); "account" */
static struct slice tell(const struct authorize_decision *d, struct arena *a)
{
	struct slice text = slice_str(d->ground_count ? "" : sources[d->source]);

	for (size_t i = 0; i < d->ground_count; i++) {
		const struct authorize_step *g = &d->grounds[i];

		text = arena_slicef(a, "%.*s%s%s %zu/%zu", SLICE_ARG(text), i ? ", " : "",
		    sources[g->source], g->policy, g->statement);
	}
	return text;
}

static void check_file(struct arena *a, const char *name)
{
	struct slice text = testdata(a, arena_printf(a, "policies/%s", name));
	cJSON *tree = json_parse(text);
	const cJSON *expect = json_member(tree, "expect");
	struct authorize_decision d;
	struct policy_case c;
	struct slice by, sentence;

	if (!expect)
		fail_msg("%s: no case", name);
	policy_case_read(tree, a, &c);
	authorize(&c.request, a, &d);
	by = tell(&d, a);
	sentence = d.allowed ? slice_of(NULL, 0) : authorize_sentence(&c.request, &d, a);
	if (d.allowed != json_bool(expect, "allowed", false) ||
	    !slice_eq(by, json_string(expect, "by")) ||
	    !slice_eq(sentence, json_string(expect, "sentence")))
		fail_msg("%s: allowed %d by \"%.*s\": %.*s", name, d.allowed, SLICE_ARG(by),
		    SLICE_ARG(sentence));
	assert_int_equal(d.ground_count && d.grounds[0].source != d.source, false);
	cJSON_Delete(tree);
}

static void cases_of_files(void **state)
{
	DIR *folder = opendir(DRYDOCK_TESTDATA "/policies");
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.' || !strstr(entry->d_name, ".json"))
			continue;
		check_file(*state, entry->d_name);
		count++;
	}
	closedir(folder);
	assert_true(count >= 40);
}

/* ---- */

static void what_the_principal_tells(void **state)
{
	static const struct slice given = SLICE("other");
	static const struct policy_key keys[] = {{SLICE("AWS:UserName"), &given, 1}};
	static const struct {
		const char *arn, *key, *value;
	} cases[] = {
	    {"arn:aws:sts::123456789012:assumed-role/ci/run", "aws:PrincipalArn",
		"arn:aws:iam::123456789012:role/ci"},
	    {"arn:aws:sts::123456789012:assumed-role/ci/run", "aws:PrincipalType", "AssumedRole"},
	    {"arn:aws:sts::123456789012:assumed-role/ci/run", "aws:userid", NULL},
	    {"arn:aws:iam::123456789012:user/a/me", "aws:principalarn",
		"arn:aws:iam::123456789012:user/a/me"},
	    {"arn:aws:iam::123456789012:user/a/me", "aws:PrincipalType", "User"},
	    {"arn:aws:iam::123456789012:user/a/me", "aws:username", "other"},
	    {"arn:aws:iam::123456789012:user/a/me", "aws:PrincipalAccount", "123456789012"},
	    {"arn:aws:iam::123456789012:user/a/me", "aws:ResourceAccount", "223456789012"},
	    {"123456789012", "aws:PrincipalType", "Account"},
	    {"123456789012", "aws:userid", "123456789012"},
	    {"123456789012", "aws:PrincipalIsAWSService", "false"},
	    {"123456789012", "aws:SourceIp", NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct principal who;
		struct authorize_request r = {.principal = &who,
		    .resource_account = slice_str("223456789012"),
		    .keys = keys,
		    .key_count = 1};
		struct policy_context context;
		const struct policy_key *key;

		assert_true(principal_of_arn(slice_str(cases[i].arn), *state, &who));
		context = authorize_context(&r, *state);
		key = policy_context_find(&context, slice_str(cases[i].key));
		if (!cases[i].value)
			assert_null(key);
		else
			assert_slice(key->values[0], cases[i].value);
	}
}

static void a_trace_has_every_statement(void **state)
{
	cJSON *tree = json_parse(testdata(*state, "policies/deny-wins-over-all.json"));
	const struct authorize_step *steps;
	struct authorize_decision traced, plain;
	struct policy_case c;
	size_t count, applied = 0;

	policy_case_read(tree, *state, &c);
	authorize_traced(&c.request, *state, &traced, &steps, &count);
	authorize(&c.request, *state, &plain);
	assert_int_equal(traced.allowed, plain.allowed);
	assert_int_equal(traced.source, plain.source);
	assert_int_equal(count, 4);
	assert_int_equal(steps[0].source, AUTHORIZE_IDENTITY);
	assert_int_equal(steps[3].source, AUTHORIZE_REGISTRY);
	for (size_t i = 0; i < count; i++)
		applied += steps[i].judgement.verdict == STATEMENT_APPLIES;
	assert_int_equal(applied, 4);
	cJSON_Delete(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(cases_of_files),
	    arena_test(what_the_principal_tells),
	    arena_test(a_trace_has_every_statement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
