/* Reading and writing of tar headers; where fields lie is POSIX's table of the ustar header block. */
#include "protocol/tar.h"

#include <stdio.h>

enum {
	NAME_AT = 0,
	NAME_LEN = 100,
	MODE_AT = 100,
	UID_AT = 108,
	GID_AT = 116,
	SIZE_AT = 124,
	SIZE_LEN = 12,
	MTIME_AT = 136,
	SUM_AT = 148,
	SUM_LEN = 8,
	TYPE_AT = 156,
	LINK_AT = 157,
	LINK_LEN = 100,
	MAGIC_AT = 257,
	PREFIX_AT = 345,
	PREFIX_LEN = 155,
};

/* The most that a header's eleven octal digits can say. */
static const uint64_t octal_max = 077777777777;

bool tar_block_empty(const uint8_t block[TAR_BLOCK])
{
	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

/* Octal digits with blanks before, blanks or NULs behind. */
static bool read_octal(const uint8_t *at, size_t len, uint64_t *out)
{
	size_t i = 0, first;
	uint64_t n = 0;

	while (i < len && at[i] == ' ')
		i++;
	for (first = i; i < len && at[i] >= '0' && at[i] <= '7'; i++)
		n = n * 8 + (uint64_t)(at[i] - '0');
	if (i == first)
		return false;
	for (; i < len; i++)
		if (at[i] != ' ' && at[i] != '\0')
			return false;
	*out = n;
	return true;
}

/* Octal, or GNU's binary form: the first byte 0x80, the number big-endian behind it. */
static bool read_size(const uint8_t *at, uint64_t *out)
{
	uint64_t n = 0;

	if (!(at[0] & 0x80))
		return read_octal(at, SIZE_LEN, out);
	if (at[0] != 0x80 || at[1] || at[2] || at[3])
		return false;
	for (size_t i = 4; i < SIZE_LEN; i++)
		n = n << 8 | at[i];
	*out = n;
	return n <= INT64_MAX;
}

static uint64_t checksum(const uint8_t *block)
{
	uint64_t sum = SUM_LEN * ' ';

	for (size_t i = 0; i < TAR_BLOCK; i++)
		if (i < SUM_AT || i >= SUM_AT + SUM_LEN)
			sum += block[i];
	return sum;
}

static enum tar_kind kind_of(uint8_t type)
{
	switch (type) {
	case '\0':
	case '0':
	case '7':
		return TAR_FILE;
	case '1':
		return TAR_HARDLINK;
	case '2':
		return TAR_SYMLINK;
	case '5':
		return TAR_FOLDER;
	case 'x':
		return TAR_PAX;
	case 'g':
		return TAR_PAX_ALL;
	case 'L':
		return TAR_LONG_NAME;
	case 'K':
		return TAR_LONG_LINK;
	default:
		return TAR_OTHER;
	}
}

static void read_names(const uint8_t *block, struct tar_entry *out)
{
	const char *at = (const char *)block;
	int prefix =
	    memcmp(at + MAGIC_AT, "ustar", 6) == 0 ? (int)strnlen(at + PREFIX_AT, PREFIX_LEN) : 0;

	snprintf(out->name, sizeof(out->name), "%.*s%s%.*s", prefix, at + PREFIX_AT,
	    prefix ? "/" : "", (int)strnlen(at, NAME_LEN), at);
	snprintf(out->link, sizeof(out->link), "%.*s", (int)strnlen(at + LINK_AT, LINK_LEN),
	    at + LINK_AT);
}

bool tar_header_read(const uint8_t block[TAR_BLOCK], struct tar_entry *out, const char **why)
{
	uint64_t sum;

	if (!read_octal(block + SUM_AT, SUM_LEN, &sum) || sum != checksum(block)) {
		*why = "a tar header has the wrong checksum";
		return false;
	}
	if (!read_size(block + SIZE_AT, &out->size)) {
		*why = "a tar header's size is no number";
		return false;
	}
	out->kind = kind_of(block[TYPE_AT]);
	if (out->kind == TAR_FOLDER || out->kind == TAR_SYMLINK || out->kind == TAR_HARDLINK)
		out->size = 0;
	read_names(block, out);
	return true;
}

/* Copies a name that an extra header holds; false when it is too long or has a NUL in it. */
static bool take_name(struct slice value, char name[TAR_NAME_MAX])
{
	if (value.len >= TAR_NAME_MAX || (value.len && memchr(value.at, '\0', value.len)))
		return false;
	if (value.len)
		memcpy(name, value.at, value.len);
	name[value.len] = '\0';
	return true;
}

static bool take_record(struct slice key, struct slice value, struct tar_extra *out)
{
	unsigned long long n;

	if (slice_is(key, "path"))
		return take_name(value, out->name);
	if (slice_is(key, "linkpath"))
		return take_name(value, out->link);
	if (slice_starts(key, slice_str("GNU.sparse.")))
		return false;
	if (!slice_is(key, "size"))
		return true;
	if (!slice_to_u64(value, &n) || n > INT64_MAX)
		return false;
	out->has_size = true;
	out->size = n;
	return true;
}

/* "LENGTH KEY=VALUE\n", the length counting itself. */
static bool read_pax(struct slice rest, struct tar_extra *out)
{
	while (rest.len) {
		struct slice record = rest, digits, key;
		unsigned long long len;

		digits = slice_cut(&record, ' ');
		if (!slice_to_u64(digits, &len) || len > rest.len || len < digits.len + 3 ||
		    rest.at[len - 1] != '\n')
			return false;
		record = slice_of(rest.at + digits.len + 1, (size_t)len - digits.len - 2);
		if (!memchr(record.at, '=', record.len))
			return false;
		key = slice_cut(&record, '=');
		if (!take_record(key, record, out))
			return false;
		rest = slice_skip(rest, (size_t)len);
	}
	return true;
}

bool tar_extra_read(
    enum tar_kind kind, struct slice content, struct tar_extra *out, const char **why)
{
	bool good;

	if (kind == TAR_PAX) {
		good = read_pax(content, out);
	} else {
		if (content.len && content.at[content.len - 1] == '\0')
			content.len--;
		good = take_name(content, kind == TAR_LONG_NAME ? out->name : out->link);
	}
	if (!good)
		*why = "a tar header with a long name or size is malformed";
	return good;
}

void tar_extra_apply(const struct tar_extra *extra, struct tar_entry *entry)
{
	if (extra->has_size && entry->kind == TAR_FILE)
		entry->size = extra->size;
	if (extra->name[0])
		memcpy(entry->name, extra->name, sizeof(entry->name));
	if (extra->link[0])
		memcpy(entry->link, extra->link, sizeof(entry->link));
}

bool tar_name_clean(char *name)
{
	struct slice rest = slice_str(name);
	char *to = name;

	if (name[0] == '/')
		return false;
	while (rest.len) {
		struct slice part = slice_cut(&rest, '/');

		if (slice_is(part, ".."))
			return false;
		if (part.len == 0 || slice_is(part, "."))
			continue;
		if (to != name)
			*to++ = '/';
		memmove(to, part.at, part.len);
		to += part.len;
	}
	*to = '\0';
	return to != name;
}

size_t tar_padding(uint64_t size)
{
	return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

static void write_block(uint8_t *block, const char *name, uint64_t size, char type)
{
	char *at = (char *)block;

	memset(block, 0, TAR_BLOCK);
	memcpy(at + NAME_AT, name, strnlen(name, NAME_LEN));
	snprintf(at + MODE_AT, 8, "%07o", type == '5' ? 0755 : 0644);
	snprintf(at + UID_AT, 8, "%07o", 0);
	snprintf(at + GID_AT, 8, "%07o", 0);
	snprintf(
	    at + SIZE_AT, SIZE_LEN, "%011llo", (unsigned long long)(size > octal_max ? 0 : size));
	snprintf(at + MTIME_AT, 12, "%011o", 0);
	at[TYPE_AT] = type;
	memcpy(at + MAGIC_AT, "ustar\00000", 8);
	snprintf(at + SUM_AT, 7, "%06llo", (unsigned long long)checksum(block));
	at[SUM_AT + 7] = ' ';
}

/* Appends a pax record to text; the new length. */
static size_t put_record(char *text, size_t at, const char *key, const char *value)
{
	size_t bare = strlen(key) + strlen(value) + 3, len = bare + 1;
	char digits[24];

	while (bare + (size_t)snprintf(digits, sizeof(digits), "%zu", len) != len)
		len++;
	return at + (size_t)snprintf(text + at, TAR_BLOCK - at, "%zu %s=%s\n", len, key, value);
}

size_t tar_header_write(uint8_t out[TAR_HEADER_MAX], const char *name, uint64_t size)
{
	size_t name_len = strlen(name), len = 0;
	char type = name_len && name[name_len - 1] == '/' ? '5' : '0', number[24];
	char *text = (char *)out + TAR_BLOCK;

	if (name_len <= NAME_LEN && size <= octal_max) {
		write_block(out, name, size, type);
		return TAR_BLOCK;
	}
	memset(text, 0, TAR_BLOCK);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)size);
	if (name_len > NAME_LEN)
		len = put_record(text, len, "path", name);
	if (size > octal_max)
		len = put_record(text, len, "size", number);
	write_block(out, "pax_header", len, 'x');
	write_block(out + 2 * (size_t)TAR_BLOCK, name, size, type);
	return TAR_HEADER_MAX;
}
