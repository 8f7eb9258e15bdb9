/* wildcard_match against the definition, worked out as a table: pattern and text, a line each. */
#include "fuzz.h"

#include "protocol/wildcard.h"

enum { MAX = 256 };

/* fits[t]: the pattern read so far matches the first t bytes of the text */
static bool matches_by_definition(struct slice pattern, struct slice text)
{
	bool fits[MAX + 1] = {true};

	for (size_t p = 0; p < pattern.len; p++) {
		bool before = fits[0];
		fits[0] = fits[0] && pattern.at[p] == '*';
		for (size_t t = 1; t <= text.len; t++) {
			bool here = fits[t];
			if (pattern.at[p] == '*')
				fits[t] = fits[t] || fits[t - 1];
			else
				fits[t] = before && pattern.at[p] == text.at[t - 1];
			before = here;
		}
	}
	return fits[text.len];
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len), pattern = slice_cut(&text, '\n');

	if (pattern.len > MAX || text.len > MAX)
		return 0;
	CHECK(wildcard_match(pattern, text) == matches_by_definition(pattern, text));
	return 0;
}
