#include "protocol/wildcard.h"

/*
 * What lies between two stars is placed as early as it fits; placing it later could not make a
 * match that the earliest place rules out. So only the last star seen is ever gone back to.
 */
bool wildcard_match(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0, star = pattern.len, resume = 0;
	while (t < text.len) {
		if (p < pattern.len && pattern.at[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.len && pattern.at[p] == text.at[t]) {
			p++;
			t++;
		} else if (star < pattern.len) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.at[p] == '*')
		p++;
	return p == pattern.len;
}
