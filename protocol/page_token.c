/*
 * Sealing the place where a page of a list ended.
 *
 * The seal is an HMAC over the length of the context, the context and the place; comparing takes the same time
 * whatever differs. Nothing is encrypted: a place is a name or a number of what the caller has just been shown.
 */
#include "protocol/page_token.h"

#include "protocol/base64.h"
#include "protocol/buf.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>

/* Half an HMAC-SHA256 is enough against guessing, and keeps tokens short. */
enum { SEAL_LEN = 16 };

static void seal(struct slice context, struct slice position, const uint8_t key[TOKEN_KEY_LEN],
    struct arena *a, uint8_t out[SHA256_DIGEST_LENGTH])
{
	/* the length in front keeps this split of the bytes apart from any other */
	struct slice head = arena_slicef(a, "page:%zu:", context.len);
	unsigned len = SHA256_DIGEST_LENGTH;
	struct buf text;

	buf_init(&text, a, SIZE_MAX, head.len + context.len + position.len);
	buf_put_slice(&text, head);
	buf_put_slice(&text, context);
	buf_put_slice(&text, position);
	if (!HMAC(EVP_sha256(), key, TOKEN_KEY_LEN, (const uint8_t *)text.at, text.len, out, &len))
		abort(); /* only memory can fail it */
}

struct slice page_token_seal(
    struct slice context, struct slice position, const uint8_t key[TOKEN_KEY_LEN], struct arena *a)
{
	uint8_t mac[SHA256_DIGEST_LENGTH];
	struct buf bytes;

	seal(context, position, key, a, mac);
	buf_init(&bytes, a, SIZE_MAX, SEAL_LEN + position.len);
	buf_put(&bytes, mac, SEAL_LEN);
	buf_put_slice(&bytes, position);
	return base64url_encode(buf_slice(&bytes), a);
}

struct slice page_token_open(
    struct slice token, struct slice context, const uint8_t key[TOKEN_KEY_LEN], struct arena *a)
{
	struct slice bytes = base64url_decode(token, a), position;
	uint8_t mac[SHA256_DIGEST_LENGTH];

	if (!bytes.at || bytes.len < SEAL_LEN)
		return (struct slice){0};
	position = slice_skip(bytes, SEAL_LEN);
	seal(context, position, key, a, mac);
	if (CRYPTO_memcmp(mac, bytes.at, SEAL_LEN) != 0)
		return (struct slice){0};
	return position;
}
