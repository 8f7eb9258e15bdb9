/*
 * Patterns and variables of policies: a pattern and a text, a line each. Patterns against the definition, worked
 * out as a table; what a variable brings against what it stands for.
 */
#include "fuzz.h"

#include "protocol/policy_text.h"

enum { MAX = 256 };

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] >= 0x80)
			return false;
	return true;
}

/* The character at p, and whether it is a wildcard; *next is behind it. */
static char character(struct slice pattern, size_t p, bool *wildcard, size_t *next)
{
	bool escaped = pattern.at[p] == POLICY_PATTERN_ESCAPE && p + 1 < pattern.len;
	char c = pattern.at[escaped ? p + 1 : p];

	*wildcard = !escaped && (c == '*' || c == '?');
	*next = p + 1 + escaped;
	return c;
}

/* fits[t]: the pattern read so far matches the first t bytes of the text */
static bool matches_by_definition(struct slice pattern, struct slice text)
{
	bool fits[MAX + 1] = {true};
	size_t next;

	for (size_t p = 0; p < pattern.len; p = next) {
		bool wildcard, before = fits[0];
		char c = character(pattern, p, &wildcard, &next);

		fits[0] = fits[0] && wildcard && c == '*';
		for (size_t t = 1; t <= text.len; t++) {
			bool here = fits[t];

			if (wildcard && c == '*')
				fits[t] = fits[t] || fits[t - 1];
			else
				fits[t] = before && (wildcard || c == text.at[t - 1]);
			before = here;
		}
	}
	return fits[text.len];
}

/* "${k}" in a pattern is the text itself, whatever is in it. */
static void check_variable(struct slice text)
{
	struct policy_key key = {SLICE("k"), &text, 1};
	struct policy_context context = {&key, 1, NULL, 0};
	struct policy_text variable = policy_text_of(slice_str("${K}"), true);
	struct slice out, name;
	struct arena a;

	arena_init(&a);
	if (policy_text_expand(&variable, &context, POLICY_TEXT_PATTERN, &a, &out, &name)) {
		CHECK(policy_pattern_match(out, text));
		CHECK(policy_text_expand(&variable, &context, POLICY_TEXT_PLAIN, &a, &out, &name));
		CHECK(slice_eq(out, text));
	} else {
		CHECK(2 * text.len > POLICY_TEXT_EXPANDED_MAX);
	}
	arena_release(&a);
}

static void check_text(struct slice pattern)
{
	struct policy_context context = {NULL, 0, NULL, 0};
	struct policy_text text = policy_text_of(pattern, true);
	struct slice out, name = {NULL, 0};
	struct arena a;

	arena_init(&a);
	if (!policy_text_expand(&text, &context, POLICY_TEXT_PLAIN, &a, &out, &name))
		CHECK(is_within(name, pattern) && name.at);
	else if (!text.variables)
		CHECK(slice_eq(out, pattern));
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len), pattern = slice_cut(&text, '\n');

	check_variable(text);
	check_text(pattern);
	policy_pattern_match_nocase(pattern, text);
	if (pattern.len > MAX || text.len > MAX || !is_ascii(text))
		return 0;
	CHECK(policy_pattern_match(pattern, text) == matches_by_definition(pattern, text));
	return 0;
}
