/*
 * Strings of policies: variables are put in first, then the outcome is matched as a pattern.
 *
 * In a pattern a variable's value is escaped, so that a user whose name is "*" matches nothing more by it.
 * Matching goes back to the last star only, and finds the next plain characters with memmem(), so that no pattern
 * takes exponential time.
 */
#include "protocol/policy_text.h"

#include "protocol/buf.h"

static const struct slice opening = SLICE("${");

/* The place of needle in s; s.len when it is not there. */
static size_t find(struct slice s, struct slice needle)
{
	const char *at = s.len ? memmem(s.at, s.len, needle.at, needle.len) : NULL;

	return at ? (size_t)(at - s.at) : s.len;
}

struct policy_text policy_text_of(struct slice text, bool variables_mean_something)
{
	return (struct policy_text){
	    text, variables_mean_something && find(text, opening) < text.len};
}

/* ---- variables ---- */

/* In a pattern. */
static bool is_special(char c)
{
	return c == '*' || c == '?' || c == POLICY_PATTERN_ESCAPE;
}

static void put_value(struct buf *out, struct slice value, enum policy_text_use use)
{
	size_t from = 0;

	for (size_t i = 0; use == POLICY_TEXT_PATTERN && i < value.len; i++) {
		if (!is_special(value.at[i]))
			continue;
		buf_put(out, value.at + from, i - from);
		buf_putc(out, POLICY_PATTERN_ESCAPE);
		from = i;
	}
	buf_put_slice(out, slice_skip(value, from));
}

/* "aws:userid, 'anonymous'" -> its default; absent when there is none. */
static struct slice cut_default(struct slice *name)
{
	struct slice rest = *name, head = slice_cut(&rest, ',');

	if (head.len == name->len)
		return (struct slice){NULL, 0};
	rest = slice_trim(rest);
	if (rest.len < 2 || rest.at[0] != '\'' || rest.at[rest.len - 1] != '\'')
		return (struct slice){NULL, 0};
	*name = slice_trim(head);
	return slice_of(rest.at + 1, rest.len - 2);
}

static bool put_variable(struct buf *out, struct slice name, const struct policy_context *context,
    enum policy_text_use use)
{
	bool character = name.len == 1 && strchr("*?$", name.at[0]);
	struct slice fallback = cut_default(&name);
	const struct policy_key *key = policy_context_find(context, name);

	if (character)
		put_value(out, name, use);
	else if (key && key->count == 1)
		put_value(out, key->values[0], use);
	else if (fallback.at)
		put_value(out, fallback, use);
	else
		return false;
	return !out->overflow;
}

bool policy_text_expand(const struct policy_text *text, const struct policy_context *context,
    enum policy_text_use use, struct arena *a, struct slice *out, struct slice *variable)
{
	struct slice rest = text->text;
	struct buf b;

	*out = rest;
	if (!text->variables)
		return true;
	buf_init(&b, a, POLICY_TEXT_EXPANDED_MAX, rest.len + 64);
	while (rest.len) {
		size_t at = find(rest, opening), end;
		struct slice name;

		buf_put(&b, rest.at, at);
		rest = slice_skip(rest, at);
		end = find(rest, slice_str("}"));
		if (end == rest.len) {
			buf_put_slice(&b, rest);
			break;
		}
		name = slice_of(rest.at + opening.len, end - opening.len);
		rest = slice_skip(rest, end + 1);
		*variable = name;
		if (!put_variable(&b, name, context, use))
			return false;
	}
	*variable = text->text;
	*out = buf_slice(&b);
	return !b.overflow;
}

/* ---- wildcards ---- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/*
 * What stands at the head of the pattern, against the head of the text: how many bytes of each it takes;
 * false when it does not fit. Neither is empty, and the pattern has no star there.
 */
static bool step(struct slice pattern, struct slice text, bool nocase, size_t *p, size_t *t)
{
	char c = pattern.at[0];

	*p = *t = 1;
	if (c == '?') {
		while (*t < text.len && continues(text.at[*t]))
			++*t;
		return true;
	}
	if (c == POLICY_PATTERN_ESCAPE && pattern.len > 1) {
		c = pattern.at[1];
		*p = 2;
	}
	return c == text.at[0] || (nocase && lower(c) == lower(text.at[0]));
}

/*
 * Moves the text on to where the plain characters at the head of the pattern are next, in linear time; false when
 * they are nowhere. A pattern of nothing else is the last of its kind, and must be the text's end.
 */
static bool seek(struct slice pattern, struct slice *text)
{
	size_t run = 0, at;

	while (run < pattern.len && !is_special(pattern.at[run]))
		run++;
	if (run == 0)
		return true;
	if (run > text->len)
		return false;
	at = run == pattern.len ? text->len - run : find(*text, slice_of(pattern.at, run));
	*text = slice_skip(*text, at);
	return true;
}

/* As wildcard_match: only the last star seen is ever gone back to. */
static bool match(struct slice pattern, struct slice text, bool nocase)
{
	struct slice after_star = {NULL, 0}, resume = {NULL, 0};
	size_t p, t;

	while (text.len) {
		if (pattern.len && pattern.at[0] == '*') {
			after_star = slice_skip(pattern, 1);
			resume = text;
		} else if (pattern.len && step(pattern, text, nocase, &p, &t)) {
			pattern = slice_skip(pattern, p);
			text = slice_skip(text, t);
			continue;
		} else if (after_star.at) {
			resume = slice_skip(resume, 1);
		} else {
			return false;
		}
		if (!nocase && !seek(after_star, &resume))
			return false;
		pattern = after_star;
		text = resume;
	}
	while (pattern.len && pattern.at[0] == '*')
		pattern = slice_skip(pattern, 1);
	return pattern.len == 0;
}

bool policy_pattern_match(struct slice pattern, struct slice text)
{
	return match(pattern, text, false);
}

bool policy_pattern_match_nocase(struct slice pattern, struct slice text)
{
	return match(pattern, text, true);
}
