/*
 * Both alphabets by the same code.
 *
 * A table has each character's value and one more, so that 0 means a foreign character. Checking and decoding are
 * one walk, without and with a place to write to. Bits left over must be zero: what is sealed has one spelling,
 * not several.
 */
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

/* clang-format off */
/* By character: one more than what it stands for, 0 outside the alphabet. */
#define LETTERS_AND_DIGITS \
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, \
	['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, \
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, \
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, \
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, \
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42, \
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49, \
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, \
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62
/* clang-format on */

static const uint8_t ordinary_values[256] = {LETTERS_AND_DIGITS, ['+'] = 63, ['/'] = 64};
static const uint8_t url_safe_values[256] = {LETTERS_AND_DIGITS, ['-'] = 63, ['_'] = 64};

/* The three bytes of four characters; false when one of them is foreign. */
static bool walk_group(const uint8_t *text, const uint8_t *values, char *bytes)
{
	uint32_t a = values[text[0]], b = values[text[1]], c = values[text[2]], d = values[text[3]];
	uint32_t bits;

	if (!a || !b || !c || !d)
		return false;
	bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
	if (bytes) {
		bytes[0] = (char)(bits >> 16);
		bytes[1] = (char)(bits >> 8 & 0xff);
		bytes[2] = (char)(bits & 0xff);
	}
	return true;
}

/*
 * Decodes to bytes, or only looks when it is NULL; text carries no padding here. False for foreign
 * characters, an impossible length, and bits left over that are not zero.
 */
static bool walk(struct slice text, const uint8_t *values, char *bytes)
{
	const uint8_t *at = (const uint8_t *)text.at;
	size_t rest = text.len % 4;
	uint8_t last[4] = {'A', 'A', 'A', 'A'};
	char left[3];

	if (rest == 1)
		return false;
	for (size_t i = 0; i < text.len / 4; i++, at += 4)
		if (!walk_group(at, values, bytes ? bytes + i * 3 : NULL))
			return false;
	if (rest == 0)
		return true;
	memcpy(last, at, rest);
	if (!walk_group(last, values, left) || left[rest - 1] != 0)
		return false;
	if (bytes)
		memcpy(bytes + text.len / 4 * 3, left, rest - 1);
	return true;
}

static struct slice decode(struct slice text, const uint8_t *values, struct arena *a)
{
	size_t len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
	char *bytes = arena_alloc(a, len + 1);

	if (!walk(text, values, bytes))
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
	return decode(text, ordinary_values, a);
}

bool base64_decoded_len(struct slice text, size_t *len)
{
	if (!unpad(&text) || !walk(text, ordinary_values, NULL))
		return false;
	*len = text.len / 4 * 3 + text.len % 4 * 3 / 4;
	return true;
}

struct slice base64url_decode(struct slice text, struct arena *a)
{
	return decode(text, url_safe_values, a);
}
