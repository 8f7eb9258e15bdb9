/*
 * Hexadecimal digits. hex_decode_lower() is for digests, which have one spelling; hex_digit() takes both cases,
 * for percent-encoding and UUIDs.
 */
#include "protocol/hex.h"

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

void hex_encode(const uint8_t *raw, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[raw[i] >> 4];
		text[2 * i + 1] = digits[raw[i] & 15];
	}
}

bool hex_decode_lower(struct slice text, uint8_t *raw)
{
	if (text.len % 2)
		return false;
	for (size_t i = 0; i < text.len; i += 2) {
		char high = text.at[i], low = text.at[i + 1];
		if (hex_digit(high) < 0 || hex_digit(low) < 0 || (high >= 'A' && high <= 'F') ||
		    (low >= 'A' && low <= 'F'))
			return false;
		raw[i / 2] = (uint8_t)(hex_digit(high) << 4 | hex_digit(low));
	}
	return true;
}
