/*
 * Base64: the ordinary alphabet with padding (RFC 4648 section 4), and the URL-safe one without
 * (section 5). Decoding is strict: no blanks, no foreign characters, no stray bits. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_BASE64_H
#define DRYDOCK_PROTOCOL_BASE64_H

#include "protocol/arena.h"

struct slice base64_encode(struct slice bytes, struct arena *a);
struct slice base64url_encode(struct slice bytes, struct arena *a);
/* The bytes, in the arena; the absent slice when text is not base64. */
struct slice base64_decode(struct slice text, struct arena *a);
struct slice base64url_decode(struct slice text, struct arena *a);
/* How many bytes text decodes to, without decoding it; false when it is not base64. */
bool base64_decoded_len(struct slice text, size_t *len);

#endif
