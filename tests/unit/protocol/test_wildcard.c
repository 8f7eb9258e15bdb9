#include "support.h"

#include "protocol/wildcard.h"

static void matches(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
	    {"", "", true},
	    {"", "a", false},
	    {"*", "", true},
	    {"*", "abc", true},
	    {"**", "", true},
	    {"a", "a", true},
	    {"a", "ab", false},
	    {"a", "", false},
	    {"prod*", "prod", true},
	    {"prod*", "prod-1", true},
	    {"prod*", "pro", false},
	    {"*prod", "a-prod", true},
	    {"*prod", "prod-a", false},
	    {"v*-rc*", "v1.2-rc1", true},
	    {"v*-rc*", "v1.2", false},
	    {"*a*b", "xaxbxb", true},
	    {"*a*b", "xaxbx", false},
	    {"a*a", "a", false},
	    {"a*a", "aa", true},
	    {"?", "a", false},
	    {"?", "?", true},
	    {"[a]", "a", false},
	    {"[a]", "[a]", true},
	    {"A*", "a", false},
	    {"*ab*", "aab", true},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice pattern = exact(*state, cases[i].pattern);
		if (wildcard_match(pattern, exact(*state, cases[i].text)) != cases[i].matches)
			fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].text);
	}
}

/* Many stars make matchers that try every split exponential. */
static void many_stars_are_not_slow(void **state)
{
	struct arena *a = *state;
	char *pattern = arena_alloc(a, 401), *text = arena_alloc(a, 10000);

	for (int i = 0; i < 400; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[400] = 'b';
	memset(text, 'a', 10000);
	assert_false(wildcard_match(slice_of(pattern, 401), slice_of(text, 10000)));
	assert_true(wildcard_match(slice_of(pattern, 400), slice_of(text, 10000)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(matches),
	    arena_test(many_stars_are_not_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
