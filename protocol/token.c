/*
 * The password is base64url of
 *
 *	seal[32] version[1] expires[8] account[12] region_len[1] region principal_len[2] principal policy
 *
 * numbers with the high byte first, the seal an HMAC-SHA256 over a label and all that follows it.
 *The label keeps these seals apart from others made with the same key.
 */
#include "protocol/token.h"

#include "protocol/base64.h"
#include "protocol/buf.h"
#include "protocol/names.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum {
	SEAL_LEN = 32,
	VERSION = 1,
	ACCOUNT_LEN = 12,
	REGION_MAX = 25,
	FIXED_LEN = 1 + 8 + ACCOUNT_LEN + 1 + 2,
	SEALED_MAX = SEAL_LEN + FIXED_LEN + REGION_MAX + TOKEN_PRINCIPAL_MAX + TOKEN_POLICY_MAX,
	/* a header longer than any that was given out: twice base64, "AWS:" and "Basic " */
	HEADER_MAX = SEALED_MAX * 2 + 32,
};

#define LABEL "drydock registry token\n"

static void seal(struct slice payload, const uint8_t key[TOKEN_KEY_LEN], uint8_t out[SEAL_LEN])
{
	uint8_t text[sizeof(LABEL) - 1 + SEALED_MAX];
	unsigned len = SEAL_LEN;

	memcpy(text, LABEL, sizeof(LABEL) - 1);
	memcpy(text + sizeof(LABEL) - 1, payload.at, payload.len);
	if (!HMAC(
		EVP_sha256(), key, TOKEN_KEY_LEN, text, sizeof(LABEL) - 1 + payload.len, out, &len))
		abort(); /* only memory can fail it */
}

void token_key_derive(
    const uint8_t key[TOKEN_KEY_LEN], const char *label, uint8_t out[TOKEN_KEY_LEN])
{
	unsigned len = TOKEN_KEY_LEN;

	if (!HMAC(
		EVP_sha256(), key, TOKEN_KEY_LEN, (const uint8_t *)label, strlen(label), out, &len))
		abort(); /* only memory can fail it */
}

static void put_number(struct buf *b, uint64_t value, int bytes)
{
	while (bytes-- > 0)
		buf_putc(b, (char)(value >> (8 * bytes)));
}

struct slice token_seal(const struct token *t, const uint8_t key[TOKEN_KEY_LEN], struct arena *a)
{
	struct slice principal = t->principal, region = t->region, policy = t->policy;
	uint8_t mac[SEAL_LEN] = {0};
	struct buf sealed, pair;

	if (principal.len > TOKEN_PRINCIPAL_MAX)
		principal.len = TOKEN_PRINCIPAL_MAX;
	if (region.len > REGION_MAX)
		region.len = REGION_MAX;
	if (policy.len > TOKEN_POLICY_MAX)
		abort(); /* cut off, it could allow more */
	buf_init(&sealed, a, SEALED_MAX, SEALED_MAX);
	buf_put(&sealed, mac, SEAL_LEN);
	put_number(&sealed, VERSION, 1);
	put_number(&sealed, (uint64_t)t->expires_ms, 8);
	buf_put(
	    &sealed, t->account.at, t->account.len < ACCOUNT_LEN ? t->account.len : ACCOUNT_LEN);
	put_number(&sealed, region.len, 1);
	buf_put_slice(&sealed, region);
	put_number(&sealed, principal.len, 2);
	buf_put_slice(&sealed, principal);
	buf_put_slice(&sealed, policy);
	seal(slice_skip(buf_slice(&sealed), SEAL_LEN), key, mac);
	memcpy(sealed.at, mac, SEAL_LEN);

	struct slice password = base64url_encode(buf_slice(&sealed), a);
	buf_init(&pair, a, password.len + 4, password.len + 4);
	buf_puts(&pair, "AWS:");
	buf_put_slice(&pair, password);
	return base64_encode(buf_slice(&pair), a);
}

/* The sealed bytes within a header's value; absent when it is not of a token's form. */
static struct slice unwrap(struct slice header, struct arena *a)
{
	static const struct slice scheme = SLICE("Basic "), user = SLICE("AWS:");
	struct slice absent = {NULL, 0};

	if (header.len < scheme.len || header.len > HEADER_MAX ||
	    !slice_eq_nocase(slice_of(header.at, scheme.len), scheme))
		return absent;
	struct slice encoded = slice_skip(header, scheme.len);
	while (encoded.len && encoded.at[0] == ' ')
		encoded = slice_skip(encoded, 1);
	while (encoded.len && encoded.at[encoded.len - 1] == ' ')
		encoded.len--;
	struct slice pair = base64_decode(encoded, a);
	if (!slice_starts(pair, user))
		return absent;
	struct slice sealed = base64url_decode(slice_skip(pair, user.len), a);
	if (sealed.len < SEAL_LEN + FIXED_LEN || sealed.len > SEALED_MAX)
		return absent;
	return sealed;
}

static uint64_t take_number(struct slice *s, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | (uint8_t)s->at[i];
	*s = slice_skip(*s, bytes);
	return value;
}

static struct slice take(struct slice *s, size_t len)
{
	struct slice part = slice_of(s->at, len);

	*s = slice_skip(*s, len);
	return part;
}

/* payload has FIXED_LEN bytes at least; false when it is not laid out as above. */
static bool read_payload(struct slice payload, struct token *out)
{
	struct slice rest = payload;
	struct token t = {0};

	if (take_number(&rest, 1) != VERSION)
		return false;
	t.expires_ms = (int64_t)take_number(&rest, 8);
	t.account = take(&rest, ACCOUNT_LEN);
	size_t len = (size_t)take_number(&rest, 1);
	if (rest.len < len + 2)
		return false;
	t.region = take(&rest, len);
	len = (size_t)take_number(&rest, 2);
	if (rest.len < len)
		return false;
	t.principal = take(&rest, len);
	if (rest.len)
		t.policy = rest;
	if (!account_id_valid(t.account) || !region_valid(t.region))
		return false;
	*out = t;
	return true;
}

enum token_fault token_open(struct slice header, const uint8_t key[TOKEN_KEY_LEN], int64_t now_ms,
    struct arena *a, struct token *out)
{
	uint8_t mac[SEAL_LEN];

	if (!header.at)
		return TOKEN_ABSENT;
	struct slice sealed = unwrap(header, a);
	if (!sealed.at)
		return TOKEN_GARBLED;
	struct slice payload = slice_skip(sealed, SEAL_LEN);
	seal(payload, key, mac);
	if (CRYPTO_memcmp(mac, sealed.at, SEAL_LEN) != 0)
		return TOKEN_FORGED;
	if (!read_payload(payload, out))
		return TOKEN_GARBLED;
	return now_ms < out->expires_ms ? TOKEN_OK : TOKEN_EXPIRED;
}
