/*
 * Patterns with stars: what stands before the first star and behind the last is compared at the text's ends, and
 * the pieces between are looked for from left to right, each at its first place. Nothing is ever tried again.
 */
#include "protocol/wildcard.h"

/* What lies between two stars is placed as early as it fits: a later place never makes a match. */
static bool match_middle(struct slice pieces, struct slice text)
{
	while (pieces.len > 0) {
		struct slice piece = slice_cut(&pieces, '*');
		const char *found;

		if (piece.len == 0)
			continue;
		if (piece.len > text.len ||
		    !(found = memmem(text.at, text.len, piece.at, piece.len)))
			return false;
		text = slice_skip(text, (size_t)(found - text.at) + piece.len);
	}
	return true;
}

bool wildcard_match(struct slice pattern, struct slice text)
{
	const char *first = pattern.len ? memchr(pattern.at, '*', pattern.len) : NULL;
	const char *last = pattern.len ? memrchr(pattern.at, '*', pattern.len) : NULL;

	if (!first)
		return slice_eq(pattern, text);

	struct slice head = slice_of(pattern.at, (size_t)(first - pattern.at));
	struct slice tail = slice_skip(pattern, (size_t)(last - pattern.at) + 1);
	struct slice pieces = slice_of(first, (size_t)(last - first));

	if (head.len + tail.len > text.len || !slice_starts(text, head) || !slice_ends(text, tail))
		return false;
	return match_middle(pieces, slice_of(text.at + head.len, text.len - head.len - tail.len));
}
