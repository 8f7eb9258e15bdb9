/*
 * What of slices is more than a line; the rest is inline in slice.h. Only ASCII letters change case here, whatever
 * the locale: names on the wire are ASCII.
 */
#include "protocol/slice.h"

static unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	if (slice_eq(a, b))
		return true; /* nearly always, and much faster */
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.at[i]) != lower(b.at[i]))
			return false;
	}
	return true;
}

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_ows(s.at[0]))
		s = slice_skip(s, 1);
	while (s.len && is_ows(s.at[s.len - 1]))
		s.len--;
	return s;
}

struct slice slice_cut(struct slice *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	size_t len = end ? (size_t)(end - rest->at) : rest->len;
	struct slice part = slice_of(rest->at, len);

	*rest = slice_skip(*rest, end ? len + 1 : len);
	return part;
}

int slice_cmp(struct slice a, struct slice b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.at, b.at, common) : 0;
	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool slice_to_u64(struct slice s, unsigned long long *out)
{
	unsigned long long value = 0;

	/* 19 digits always fit; 20 might not */
	if (s.len == 0 || s.len > 19)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		value = value * 10 + (unsigned)(s.at[i] - '0');
	}
	*out = value;
	return true;
}
