#include "support.h"

#include "protocol/policy_text.h"

static const struct slice me = SLICE("me"), starred = SLICE("a*b?"),
			  several[] = {SLICE("x"), SLICE("y")};
static const struct policy_key keys[] = {
    {SLICE("aws:username"), &me, 1},
    {SLICE("aws:PrincipalTag/odd"), &starred, 1},
    {SLICE("aws:TagKeys"), several, 2},
};
static const struct policy_context context = {keys, COUNT(keys), NULL, 0};

/* What the text becomes with the use; absent when a variable has no value. */
static struct slice expand(struct arena *a, const char *text, enum policy_text_use use)
{
	struct policy_text t = policy_text_of(exact(a, text), true);
	struct slice out, variable = {NULL, 0};

	if (policy_text_expand(&t, &context, use, a, &out, &variable))
		return out;
	assert_non_null(variable.at);
	return slice_of(NULL, 0);
}

static void variables(void **state)
{
	static const struct {
		const char *text, *plain;
	} cases[] = {
	    {"team/*", "team/*"},
	    {"", ""},
	    {"${aws:username}", "me"},
	    {"x-${AWS:UserName}-${aws:username}/", "x-me-me/"},
	    {"${*}${?}${$}{x}", "*?${x}"},
	    {"${aws:PrincipalTag/odd}", "a*b?"},
	    {"${aws:nothing}", NULL},
	    {"${aws:TagKeys}", NULL},
	    {"${}", NULL},
	    {"${aws:nothing, 'nobody'}", "nobody"},
	    {"${aws:username, 'nobody'}", "me"},
	    {"${aws:nothing, ''}", ""},
	    {"${aws:nothing, nobody}", NULL},
	    {"${aws:nothing, '}", NULL},
	    {"${aws:username", "${aws:username"},
	    {"a$b{c}", "a$b{c}"},
	    {"$${aws:username}}", "$me}"},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_slice(expand(*state, cases[i].text, POLICY_TEXT_PLAIN), cases[i].plain);
}

static void older_versions_have_no_variables(void **state)
{
	struct policy_text t = policy_text_of(slice_str("${aws:nothing}"), false);
	struct slice out, variable;

	assert_true(policy_text_expand(&t, &context, POLICY_TEXT_PATTERN, *state, &out, &variable));
	assert_slice(out, "${aws:nothing}");
}

static void what_comes_of_a_variable_is_no_wildcard(void **state)
{
	struct slice pattern = expand(*state, "${aws:PrincipalTag/odd}-*", POLICY_TEXT_PATTERN);

	assert_true(policy_pattern_match(pattern, slice_str("a*b?-1")));
	assert_false(policy_pattern_match(pattern, slice_str("axxb?-1")));
	assert_false(policy_pattern_match(pattern, slice_str("a*bx-1")));
	pattern = expand(*state, "${*}?${?}", POLICY_TEXT_PATTERN);
	assert_true(policy_pattern_match(pattern, slice_str("*x?")));
	assert_false(policy_pattern_match(pattern, slice_str("xx?")));
	assert_false(policy_pattern_match(pattern, slice_str("*xx")));
}

static void too_long_has_no_value(void **state)
{
	char *text = arena_zalloc(*state, 16 * 1024);

	for (size_t i = 0; i < 600; i++)
		memcpy(text + i * 15, "${aws:username}", 15);
	assert_int_equal(expand(*state, text, POLICY_TEXT_PLAIN).len, 1200);
	memset(text + 600 * 15, 'x', 848);
	assert_int_equal(expand(*state, text, POLICY_TEXT_PLAIN).len, POLICY_TEXT_EXPANDED_MAX);
	memset(text + 600 * 15, 'x', 849);
	assert_null(expand(*state, text, POLICY_TEXT_PLAIN).at);
}

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
	    {"", "", true},
	    {"", "a", false},
	    {"*", "", true},
	    {"**", "a", true},
	    {"?", "", false},
	    {"?", "a", true},
	    {"?", "ab", false},
	    {"?", "\xc3\xa9", true}, /* one character of two bytes */
	    {"a?c",
		"a\xe2\x82\xac"
		"c",
		true},
	    {"ecr:Get*", "ecr:GetLifecyclePolicy", true},
	    {"ecr:Get*", "ecr:PutImage", false},
	    {"ECR:get*", "ecr:GetLifecyclePolicy", false},
	    {"arn:aws:ecr:*:*:repository/a*", "arn:aws:ecr:us-east-1:1:repository/abc", true},
	    {"*abc", "abcabc", true},
	    {"*abc", "abcab", false},
	    {"*abc", "bc", false},
	    {"*aab*", "aaab", true},
	    {"*aab*b", "aaab", false},
	    {"*aab*b", "aaabb", true},
	    {"a*", "", false},
	    {"*a", "", false},
	    {"*a?b*", "xxa_bxx", true},
	    {"*a?b*", "xxabxx", false},
	    {"a*b*c", "abxbc", true},
	    {"a*b*c", "abxbcd", false},
	    {"[a]", "a", false},
	    {"a\\*", "a\\x", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (policy_pattern_match(slice_str(cases[i].pattern), slice_str(cases[i].text)) !=
		    cases[i].matches)
			fail_msg("%s, %s", cases[i].pattern, cases[i].text);
	assert_true(policy_pattern_match_nocase(slice_str("ECR:get?"), slice_str("ecr:GetX")));
	assert_false(policy_pattern_match_nocase(slice_str("ECR:get?"), slice_str("ecr:Get")));
}

/* Exponential matching would not end. */
static void hostile_patterns_end(void **state)
{
	char *pattern = arena_zalloc(*state, 4096), *text = arena_zalloc(*state, 4096);

	for (size_t i = 0; i < 2000; i++)
		memcpy(pattern + 2 * i, "*a", 2);
	memset(text, 'a', 4000);
	text[3999] = 'b';
	assert_false(policy_pattern_match(slice_str(pattern), slice_str(text)));
	memset(pattern, '?', 4000);
	pattern[0] = '*';
	assert_true(policy_pattern_match(slice_str(pattern), slice_str(text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(variables),
	    arena_test(older_versions_have_no_variables),
	    arena_test(what_comes_of_a_variable_is_no_wildcard),
	    arena_test(too_long_has_no_value),
	    arena_test(patterns),
	    arena_test(hostile_patterns_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
