/*
 * Hexadecimal text. Pure; the caller brings the memory.
 */
#ifndef DRYDOCK_PROTOCOL_HEX_H
#define DRYDOCK_PROTOCOL_HEX_H

#include "protocol/slice.h"

#include <stdint.h>

/* 0 to 15, or -1 when c is no hex digit of either case. */
int hex_digit(char c);
/* Lower-case digits, 2 * len of them, without a NUL. */
void hex_encode(const uint8_t *raw, size_t len, char *text);
/* The reverse of hex_encode, text.len / 2 bytes; false for odd lengths and all but [0-9a-f]. */
bool hex_decode_lower(struct slice text, uint8_t *raw);

#endif
