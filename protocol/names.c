/*
 * Names, each checked by a loop that passes over it once and never goes back: that is done for every request, and
 * before anything is looked up.
 */
#include "protocol/names.h"

#include "protocol/hex.h"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* How long the separator at the head of s is: "/", ".", "_", "__" or dashes; 0 when it is none. */
static size_t separator_len(struct slice s)
{
	size_t len = 1;

	switch (s.at[0]) {
	case '/':
	case '.':
		return 1;
	case '_':
		return s.len > 1 && s.at[1] == '_' ? 2 : 1;
	case '-':
		while (len < s.len && s.at[len] == '-')
			len++;
		return len;
	default:
		return 0;
	}
}

bool repository_name_valid(struct slice name)
{
	if (name.len < REPOSITORY_NAME_MIN || name.len > REPOSITORY_NAME_MAX)
		return false;
	for (;;) {
		if (name.len == 0 || !is_lower_alnum(name.at[0]))
			return false;
		while (name.len && is_lower_alnum(name.at[0]))
			name = slice_skip(name, 1);
		if (name.len == 0)
			return true;
		size_t separator = separator_len(name);
		if (separator == 0)
			return false;
		name = slice_skip(name, separator);
	}
}

bool tag_valid(struct slice tag)
{
	if (tag.len < 1 || tag.len > TAG_MAX)
		return false;
	for (size_t i = 0; i < tag.len; i++) {
		char c = tag.at[i];
		bool word = is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
		if (!word && (i == 0 || (c != '.' && c != '-')))
			return false;
	}
	return true;
}

bool account_id_valid(struct slice id)
{
	if (id.len != 12)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		if (!is_digit(id.at[i]))
			return false;
	}
	return true;
}

bool region_valid(struct slice region)
{
	if (region.len < 2 || region.len > 25)
		return false;
	for (size_t i = 0; i < region.len; i++) {
		if (!is_lower_alnum(region.at[i]) && region.at[i] != '-')
			return false;
	}
	return true;
}

const char *partition_of_region(struct slice region)
{
	if (slice_starts(region, slice_str("cn-")))
		return "aws-cn";
	if (slice_starts(region, slice_str("us-gov-")))
		return "aws-us-gov";
	return "aws";
}

const char *dns_suffix_of_region(struct slice region)
{
	return slice_starts(region, slice_str("cn-")) ? "amazonaws.com.cn" : "amazonaws.com";
}

/* True where the text of a UUID has a dash. */
static bool uuid_dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool uuid_parse(struct slice text, uint8_t out[16])
{
	uint8_t id[16];
	size_t digits = 0;

	if (text.len != UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.at[i]);
		if (uuid_dash_at(i)) {
			if (text.at[i] != '-')
				return false;
			continue;
		}
		if (digit < 0)
			return false;
		uint8_t *byte = &id[digits / 2];
		*byte = (uint8_t)(digits % 2 ? *byte << 4 | digit : digit);
		digits++;
	}
	memcpy(out, id, sizeof(id));
	return true;
}

void uuid_format(const uint8_t id[16], char text[UUID_TEXT_LEN + 1])
{
	for (size_t i = 0, byte = 0; i < UUID_TEXT_LEN;) {
		if (uuid_dash_at(i)) {
			text[i++] = '-';
			continue;
		}
		hex_encode(&id[byte++], 1, text + i);
		i += 2;
	}
	text[UUID_TEXT_LEN] = '\0';
}
