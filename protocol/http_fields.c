/*
 * Each field is read by hand: digits and separators are cut off a slice, numbers that do not fit become the
 * greatest one.
 *
 * A Range that is malformed counts as not sent (RFC 9110 section 14.2); the Content-Range of an upload must be
 * right, as bytes would be lost. Text is copied only when an escape in it has to be decoded, and a decoded NUL
 * makes it malformed, as paths and names end there for others.
 */
#include "protocol/http_fields.h"

#include "protocol/hex.h"

static const struct slice absent;

/* Takes the digits at the head of *s; false when there are none. Saturates. */
static bool take_number(struct slice *s, uint64_t *out)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < s->len && s->at[i] >= '0' && s->at[i] <= '9'; i++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (unsigned)(s->at[i] - '0'), &value))
			value = UINT64_MAX;
	}
	*s = slice_skip(*s, i);
	*out = value;
	return i > 0;
}

static bool take_char(struct slice *s, char c)
{
	if (s->len == 0 || s->at[0] != c)
		return false;
	*s = slice_skip(*s, 1);
	return true;
}

/* "-n": the last n bytes */
static enum range_kind suffix_range(
    struct slice rest, uint64_t size, uint64_t *first, uint64_t *last)
{
	uint64_t count;

	if (!take_number(&rest, &count) || rest.len)
		return RANGE_NONE;
	if (count == 0)
		return RANGE_UNSATISFIABLE;
	if (size == 0)
		return RANGE_NONE; /* all of nothing */
	*first = count < size ? size - count : 0;
	*last = size - 1;
	return RANGE_PART;
}

enum range_kind http_range(struct slice range, uint64_t size, uint64_t *first, uint64_t *last)
{
	static const struct slice unit = SLICE("bytes=");
	uint64_t from, to = UINT64_MAX;

	range = slice_trim(range);
	if (range.len < unit.len || !slice_eq_nocase(slice_of(range.at, unit.len), unit))
		return RANGE_NONE;
	struct slice rest = slice_skip(range, unit.len);
	if (take_char(&rest, '-'))
		return suffix_range(rest, size, first, last);
	if (!take_number(&rest, &from) || !take_char(&rest, '-'))
		return RANGE_NONE;
	if (rest.len && (!take_number(&rest, &to) || rest.len))
		return RANGE_NONE;
	if (to < from || from >= size)
		return RANGE_UNSATISFIABLE;
	*first = from;
	*last = to < size ? to : size - 1;
	return RANGE_PART;
}

/* What stands behind a content range: a slash and the whole's size or a star, or nothing. */
static bool total_fits(struct slice rest, uint64_t last)
{
	uint64_t total;

	if (rest.len == 0)
		return true;
	if (!take_char(&rest, '/'))
		return false;
	if (take_char(&rest, '*'))
		return rest.len == 0;
	return take_number(&rest, &total) && rest.len == 0 && last < total;
}

bool http_content_range(struct slice value, uint64_t *first, uint64_t *last)
{
	static const struct slice unit = SLICE("bytes");
	struct slice rest = slice_trim(value);
	uint64_t from, to;

	if (rest.len > unit.len && slice_eq_nocase(slice_of(rest.at, unit.len), unit)) {
		rest = slice_skip(rest, unit.len);
		if (!take_char(&rest, '=') && !take_char(&rest, ' '))
			return false;
		rest = slice_trim(rest);
	}
	if (!take_number(&rest, &from) || !take_char(&rest, '-') || !take_number(&rest, &to))
		return false;
	if (to < from || to == UINT64_MAX || !total_fits(rest, to))
		return false;
	*first = from;
	*last = to;
	return true;
}

struct slice http_media_type(struct slice value)
{
	return slice_trim(slice_cut(&value, ';'));
}

/* Where the first element of a list ends; separators within quotes do not count. */
static size_t element_len(struct slice list, char separator)
{
	const char *end = list.len ? memchr(list.at, separator, list.len) : NULL;
	size_t i = 0, plain = end ? (size_t)(end - list.at) : list.len;
	bool quoted = false;

	if (plain == 0 || !memchr(list.at, '"', plain))
		return plain;
	for (; i < list.len && (quoted || list.at[i] != separator); i++) {
		if (list.at[i] == '"')
			quoted = !quoted;
		else if (quoted && list.at[i] == '\\' && i + 1 < list.len)
			i++;
	}
	return i;
}

/* Cuts the element up to the separator off *list. */
static struct slice take_element(struct slice *list, char separator)
{
	size_t len = element_len(*list, separator);
	struct slice element = slice_of(list->at, len);

	*list = slice_skip(*list, len < list->len ? len + 1 : len);
	return slice_trim(element);
}

/* How closely a range of an Accept header fits. */
enum { MATCH_NONE, MATCH_AS_ANY, MATCH_BY_TYPE, MATCH_BY_NAME };

static int match_range(struct slice range, struct slice media_type)
{
	const char *slash = media_type.len ? memchr(media_type.at, '/', media_type.len) : NULL;
	size_t type_len = slash ? (size_t)(slash - media_type.at) + 1 : 0;

	if (slice_eq_nocase(range, media_type))
		return MATCH_BY_NAME;
	if (slice_is(range, "*/*"))
		return MATCH_AS_ANY;
	if (type_len && range.len == type_len + 1 && range.at[type_len] == '*' &&
	    slice_eq_nocase(slice_of(range.at, type_len), slice_of(media_type.at, type_len)))
		return MATCH_BY_TYPE;
	return MATCH_NONE;
}

/* True when the parameters hold q=0, q=0.0, ... */
static bool refused(struct slice parameters)
{
	while (parameters.len) {
		struct slice p = take_element(&parameters, ';');
		if (p.len < 3 || !slice_eq_nocase(slice_of(p.at, 2), slice_of("q=", 2)))
			continue;
		for (size_t i = 2; i < p.len; i++) {
			if (p.at[i] != '0' && p.at[i] != '.')
				return false;
		}
		return true;
	}
	return false;
}

bool http_accepts(struct slice accept, struct slice media_type)
{
	int best = MATCH_NONE;
	bool admitted = false;

	if (slice_trim(accept).len == 0)
		return true;
	while (accept.len) {
		struct slice parameters = take_element(&accept, ',');
		struct slice range = take_element(&parameters, ';');
		int match = match_range(range, media_type);
		/* the closest range decides; among equals any that admits */
		if (match == MATCH_NONE || match < best)
			continue;
		admitted = !refused(parameters) || (match == best && admitted);
		best = match;
		if (admitted && best == MATCH_BY_NAME)
			break; /* nothing is closer */
	}
	return admitted;
}

struct slice percent_decode(struct slice text, struct arena *a)
{
	if (text.len == 0 || !memchr(text.at, '%', text.len))
		return text;
	char *out = arena_alloc(a, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c == '%') {
			if (text.len - i < 3)
				return absent;
			int high = hex_digit(text.at[i + 1]), low = hex_digit(text.at[i + 2]);
			if (high < 0 || low < 0)
				return absent;
			c = (char)(high << 4 | low);
			if (c == '\0')
				return absent;
			i += 2;
		}
		out[len++] = c;
	}
	out[len] = '\0';
	return slice_of(out, len);
}

struct slice query_next(struct slice *query, const char *key, struct arena *a)
{
	while (query->len) {
		struct slice value = slice_cut(query, '&');
		struct slice name = percent_decode(slice_cut(&value, '='), a);
		if (!name.at || !slice_is(name, key))
			continue;
		value = percent_decode(value, a);
		return value.at ? value : slice_str("");
	}
	return absent;
}

struct slice query_get(struct slice query, const char *key, struct arena *a)
{
	return query_next(&query, key, a);
}

struct slice form_decode(struct slice text, struct arena *a)
{
	char *spaced;

	if (text.len == 0 || !memchr(text.at, '+', text.len))
		return percent_decode(text, a);
	spaced = arena_strdup(a, text);
	for (size_t i = 0; i < text.len; i++)
		if (spaced[i] == '+')
			spaced[i] = ' ';
	return percent_decode(slice_of(spaced, text.len), a);
}

struct slice form_get(struct slice form, const char *key, struct arena *a)
{
	while (form.len) {
		struct slice value = slice_cut(&form, '&');
		struct slice name = form_decode(slice_cut(&value, '='), a);

		if (!name.at || !slice_is(name, key))
			continue;
		value = form_decode(value, a);
		return value.at ? value : slice_str("");
	}
	return absent;
}
