/*
 * Reading is two steps: a scan of the text that refuses what cJSON would let pass or take too much
 * memory or stack for, then cJSON for the grammar. The scan looks at each byte once.
 */
#include "protocol/json.h"

#include "protocol/hex.h"

#include <inttypes.h>
#include <stdio.h>

/* Bytes of the well-formed UTF-8 sequence at the head of s; 0 when there is none. RFC 3629. */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
	size_t need;
	unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		need = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		need = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0; /* overlong below */
	if (s[0] == 0xed)
		high = 0x9f; /* surrogates above */
	if (s[0] == 0xf0)
		low = 0x90; /* overlong below */
	if (s[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF above */
	if (len < need || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return need;
}

bool utf8_valid(struct slice text)
{
	const unsigned char *at = (const unsigned char *)text.at;

	for (size_t i = 0; i < text.len;) {
		uint64_t eight;
		if (text.len - i >= sizeof(eight)) {
			memcpy(&eight, at + i, sizeof(eight));
			if ((eight & 0x8080808080808080u) == 0) {
				i += sizeof(eight);
				continue;
			}
		}
		size_t len = utf8_sequence(at + i, text.len - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

size_t utf8_length(struct slice text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += (text.at[i] & 0xc0) != 0x80;
	return count;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits of a \u escape: cJSON makes a NUL of wrong ones, and of four zeroes. */
static bool hex4_fits(struct slice digits)
{
	int any = 0;

	if (digits.len < 4)
		return false;
	for (size_t i = 0; i < 4; i++) {
		if (hex_digit(digits.at[i]) < 0)
			return false;
		any |= hex_digit(digits.at[i]);
	}
	return any != 0;
}

/* Length of the string at the head of s, with its quotes; 0: it is open, or holds a control. */
static size_t scan_string(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '"')
			return i + 1;
		if ((unsigned char)s.at[i] < 0x20)
			return 0;
		if (s.at[i] != '\\')
			continue;
		i++;
		if (i < s.len && s.at[i] == 'u' && !hex4_fits(slice_skip(s, i + 1)))
			return 0;
	}
	return 0;
}

static size_t scan_digits(struct slice s, size_t i)
{
	while (i < s.len && is_digit(s.at[i]))
		i++;
	return i;
}

/* Length of the number at the head of s, RFC 8259 section 6 (cJSON takes 01 and 1. too); or 0. */
static size_t scan_number(struct slice s)
{
	size_t i = s.at[0] == '-', from = i;

	i = scan_digits(s, i);
	if (i == from || (s.at[from] == '0' && i > from + 1))
		return 0;
	if (i < s.len && s.at[i] == '.') {
		from = ++i;
		i = scan_digits(s, i);
		if (i == from)
			return 0;
	}
	if (i < s.len && (s.at[i] == 'e' || s.at[i] == 'E')) {
		i++;
		if (i < s.len && (s.at[i] == '+' || s.at[i] == '-'))
			i++;
		from = i;
		i = scan_digits(s, i);
		if (i == from)
			return 0;
	}
	return i;
}

/* Length of the scalar at the head of s; 0 when there is none. */
static size_t scan_scalar(struct slice s)
{
	static const struct slice words[] = {SLICE("true"), SLICE("false"), SLICE("null")};

	if (s.at[0] == '"')
		return scan_string(s);
	if (s.at[0] == '-' || is_digit(s.at[0]))
		return scan_number(s);
	for (size_t i = 0; i < 3; i++) {
		if (slice_starts(s, words[i]))
			return words[i].len;
	}
	return 0;
}

/* True when text is JSON's tokens, its brackets balance, and it keeps within the bounds. */
static bool scan(struct slice text, size_t values_max)
{
	size_t depth = 0, values = 0;

	while (text.len) {
		char c = text.at[0];
		size_t len = 1;
		if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return false;
			values++;
		} else if (c == '}' || c == ']') {
			if (depth-- == 0)
				return false;
		} else if (c == ':') {
			values -= values > 0; /* what stood before it was a name */
		} else if (c != ',' && !is_blank(c)) {
			len = scan_scalar(text);
			if (len == 0)
				return false;
			values++;
		}
		if (values > values_max)
			return false;
		text = slice_skip(text, len);
	}
	return depth == 0;
}

cJSON *json_parse(struct slice text)
{
	return json_parse_up_to(text, JSON_VALUES_MAX);
}

size_t json_cost(struct slice text)
{
	enum {
		VALUE_BYTES = 144 /* cJSON's 64, a name and a string, what malloc adds to each */
	};
	size_t values = 1;

	/* Every value but the first follows one of these. */
	for (size_t i = 0; i < text.len; i++)
		values += text.at[i] == ',' || text.at[i] == '[' || text.at[i] == '{';
	if (values > JSON_VALUES_MAX)
		values = JSON_VALUES_MAX;
	return text.len + values * VALUE_BYTES;
}

cJSON *json_parse_up_to(struct slice text, size_t values_max)
{
	const char *end = NULL;

	if (!text.at || !utf8_valid(text) || !scan(text, values_max))
		return NULL;
	cJSON *value = cJSON_ParseWithLengthOpts(text.at, text.len, &end, false);
	if (!value)
		return NULL;
	while (end < text.at + text.len && is_blank(*end))
		end++;
	if (end != text.at + text.len) {
		cJSON_Delete(value);
		return NULL;
	}
	return value;
}

/* The member, the last of that name; NULL when there is none. */
static const cJSON *find_member(const cJSON *object, const char *name)
{
	const cJSON *found = NULL, *member;

	if (!cJSON_IsObject(object))
		return NULL;
	cJSON_ArrayForEach(member, object) {
		if (strcmp(member->string, name) == 0)
			found = member;
	}
	return found;
}

const cJSON *json_member(const cJSON *object, const char *name)
{
	const cJSON *member = find_member(object, name);

	return cJSON_IsNull(member) ? NULL : member;
}

bool json_has(const cJSON *object, const char *name)
{
	return find_member(object, name) != NULL;
}

struct slice json_string(const cJSON *object, const char *name)
{
	const cJSON *member = json_member(object, name);

	return slice_str(cJSON_IsString(member) ? member->valuestring : NULL);
}

bool json_bool(const cJSON *object, const char *name, bool fallback)
{
	const cJSON *member = json_member(object, name);

	return cJSON_IsBool(member) ? cJSON_IsTrue(member) : fallback;
}

bool json_integer(const cJSON *value, int64_t *out)
{
	/* doubles hold every integer up to here, and no fraction of one beyond */
	static const double exact = 9007199254740992.0;

	if (!cJSON_IsNumber(value))
		return false;
	double number = value->valuedouble;
	if (!(number >= -exact && number <= exact) || number != (double)(int64_t)number)
		return false;
	*out = (int64_t)number;
	return true;
}

int64_t json_int(const cJSON *object, const char *name, int64_t fallback)
{
	int64_t value;

	return json_integer(json_member(object, name), &value) ? value : fallback;
}

void json_begin(struct json_writer *w, struct buf *out)
{
	*w = (struct json_writer){.out = out};
}

/* A value comes: the comma before it, if it is not the first, and one before the next. */
static void value_comes(struct json_writer *w)
{
	if (w->comma)
		buf_putc(w->out, ',');
	w->comma = true;
}

static void open_with(struct json_writer *w, char bracket)
{
	value_comes(w);
	buf_putc(w->out, bracket);
	w->comma = false;
}

static void close_with(struct json_writer *w, char bracket)
{
	buf_putc(w->out, bracket);
	w->comma = true;
}

void json_object(struct json_writer *w)
{
	open_with(w, '{');
}

void json_object_end(struct json_writer *w)
{
	close_with(w, '}');
}

void json_array(struct json_writer *w)
{
	open_with(w, '[');
}

void json_array_end(struct json_writer *w)
{
	close_with(w, ']');
}

static void put_escape(struct buf *out, unsigned char c)
{
	static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *form = short_forms; *form; form += 2) {
		if ((unsigned char)form[0] == c) {
			buf_putc(out, '\\');
			buf_putc(out, form[1]);
			return;
		}
	}
	buf_printf(out, "\\u%04x", c);
}

static void put_quoted(struct buf *out, struct slice value)
{
	size_t from = 0;

	/* What cannot fit is not looked at. */
	if (out->overflow || value.len > out->max - out->len) {
		out->overflow = true;
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_put(out, value.at + from, i - from);
		put_escape(out, c);
		if (out->overflow)
			return;
		from = i + 1;
	}
	buf_put(out, value.at + from, value.len - from);
	buf_putc(out, '"');
}

void json_key(struct json_writer *w, const char *name)
{
	value_comes(w);
	put_quoted(w->out, slice_str(name));
	buf_putc(w->out, ':');
	w->comma = false;
}

void json_str(struct json_writer *w, struct slice value)
{
	value_comes(w);
	if (value.at)
		put_quoted(w->out, value);
	else
		buf_puts(w->out, "\"\"");
}

void json_num(struct json_writer *w, int64_t value)
{
	char digits[24], *at = digits + sizeof(digits);
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	if (json_full(w))
		return;
	value_comes(w);
	do
		*--at = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	buf_put(w->out, at, (size_t)(digits + sizeof(digits) - at));
}

void json_boolean(struct json_writer *w, bool value)
{
	value_comes(w);
	buf_puts(w->out, value ? "true" : "false");
}

void json_time(struct json_writer *w, int64_t unix_ms)
{
	uint64_t left = unix_ms < 0 ? 0 - (uint64_t)unix_ms : (uint64_t)unix_ms;
	char text[32];

	if (json_full(w))
		return;
	value_comes(w);
	int len = snprintf(text, sizeof(text), "%s%" PRIu64 ".%03u", unix_ms < 0 ? "-" : "",
	    left / 1000, (unsigned)(left % 1000));
	while (text[len - 1] == '0' && text[len - 2] != '.')
		len--;
	buf_put(w->out, text, (size_t)len);
}

void json_raw(struct json_writer *w, struct slice text)
{
	value_comes(w);
	buf_put_slice(w->out, text);
}

void json_put_str(struct json_writer *w, const char *name, struct slice value)
{
	if (!value.at)
		return;
	json_key(w, name);
	json_str(w, value);
}

void json_put_cstr(struct json_writer *w, const char *name, const char *value)
{
	json_put_str(w, name, slice_str(value));
}

void json_put_num(struct json_writer *w, const char *name, int64_t value)
{
	json_key(w, name);
	json_num(w, value);
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
	json_key(w, name);
	json_boolean(w, value);
}

void json_put_time(struct json_writer *w, const char *name, int64_t unix_ms)
{
	json_key(w, name);
	json_time(w, unix_ms);
}

void json_put_array(struct json_writer *w, const char *name)
{
	json_key(w, name);
	json_array(w);
}

void json_put_object(struct json_writer *w, const char *name)
{
	json_key(w, name);
	json_object(w);
}
