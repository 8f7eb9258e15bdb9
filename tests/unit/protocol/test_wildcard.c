#include "support.h"

#include "protocol/wildcard.h"

static const struct {
	const char *pattern, *text;
	bool matches;
} cases[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"latest", "latest", true},
    {"latest", "latest-1", false},
    {"latest", "my-latest", false},
    {"*", "", true},
    {"*", "anything", true},
    {"**", "anything", true},
    {"dev-*", "dev-", true},
    {"dev-*", "dev-1", true},
    {"dev-*", "a-dev-1", false},
    {"*-dev", "x-dev", true},
    {"*-dev", "x-dev-1", false},
    {"*-dev", "x-dev-dev", true},
    {"a*b*c", "a-bb-c", true},
    {"a*b*c", "a-c-b", false},
    {"a*b", "ab", true},
    {"ab*ba", "aba", false},
    {"?", "?", true},
    {"?", "x", false},
    {"[ab]", "a", false},
    {"*aab", "aaaab", true},
    {"Dev", "dev", false},
    {"a*a", "a", false},
    {"ab*b*", "ab", false},
    {"*a*a*", "a", false},
    {"*a**b*", "xaxbx", true},
    {"**a", "ba", true},
    {"a*bc*bc", "abc-bc", true},
    {"a*bc*bc", "a-bc", false},
};

static void matches_whole_texts(void **state)
{
	struct arena *a = *state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (wildcard_match(exact(a, cases[i].pattern), exact(a, cases[i].text)) !=
		    cases[i].matches)
			fail_msg("\"%s\" against \"%s\"", cases[i].pattern, cases[i].text);
	}
}

/* The pattern that takes backtracking matchers for ever. */
static void hostile_patterns_end(void **state)
{
	struct arena *a = *state;
	char *pattern = arena_alloc(a, 20001), *text = arena_alloc(a, 20000);
	for (size_t i = 0; i < 20000; i++) {
		pattern[i] = i % 2 ? 'a' : '*';
		text[i] = 'a';
	}
	pattern[20000] = 'b';
	assert_false(wildcard_match(slice_of(pattern, 20001), slice_of(text, 20000)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(matches_whole_texts),
	    arena_test(hostile_patterns_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
