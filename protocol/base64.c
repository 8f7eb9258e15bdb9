#include "protocol/base64.h"

#include <stdint.h>

static const char ordinary[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct slice encode(struct slice bytes, const char *alphabet, bool pad, struct arena *a)
{
	char *text = arena_alloc(a, (bytes.len + 2) / 3 * 4 + 1), *at = text;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t group = (uint32_t)(uint8_t)bytes.at[i] << 16;

		if (left > 1)
			group |= (uint32_t)(uint8_t)bytes.at[i + 1] << 8;
		if (left > 2)
			group |= (uint32_t)(uint8_t)bytes.at[i + 2];
		*at++ = alphabet[group >> 18];
		*at++ = alphabet[group >> 12 & 63];
		if (left > 1)
			*at++ = alphabet[group >> 6 & 63];
		else if (pad)
			*at++ = '=';
		if (left > 2)
			*at++ = alphabet[group & 63];
		else if (pad)
			*at++ = '=';
	}
	*at = '\0';
	return slice_of(text, (size_t)(at - text));
}

struct slice base64_encode(struct slice bytes, struct arena *a)
{
	return encode(bytes, ordinary, true, a);
}

struct slice base64url_encode(struct slice bytes, struct arena *a)
{
	return encode(bytes, url_safe, false, a);
}

/* 0 to 63, or 64 for a character outside the alphabet whose last two are plus and slash. */
static uint32_t value_of(char c, char plus, char slash)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == plus ? 62 : c == slash ? 63 : 64;
}

/*
 * Decodes to bytes, or only looks when it is NULL; text carries no padding here. False for foreign
 * characters, an impossible length, and bits left over that are not zero.
 */
static bool walk(struct slice text, char plus, char slash, char *bytes)
{
	uint32_t bits = 0;
	unsigned count = 0;

	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint32_t value = value_of(text.at[i], plus, slash);

		if (value > 63)
			return false;
		bits = bits << 6 | value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			if (bytes)
				*bytes++ = (char)(bits >> count & 0xff);
		}
	}
	return (bits & ((1u << count) - 1)) == 0;
}

static struct slice decode(struct slice text, char plus, char slash, struct arena *a)
{
	size_t len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
	char *bytes = arena_alloc(a, len + 1);

	if (!walk(text, plus, slash, bytes))
		return (struct slice){0};
	bytes[len] = '\0';
	return slice_of(bytes, len);
}

/* Takes the padding off; false when it cannot be right. */
static bool unpad(struct slice *text)
{
	if (text->len % 4 != 0)
		return false;
	for (int i = 0; i < 2 && text->len && text->at[text->len - 1] == '='; i++)
		text->len--;
	return true;
}

struct slice base64_decode(struct slice text, struct arena *a)
{
	if (!unpad(&text))
		return (struct slice){0};
	return decode(text, '+', '/', a);
}

bool base64_decoded_len(struct slice text, size_t *len)
{
	if (!unpad(&text) || !walk(text, '+', '/', NULL))
		return false;
	*len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
	return true;
}

struct slice base64url_decode(struct slice text, struct arena *a)
{
	return decode(text, '-', '_', a);
}
