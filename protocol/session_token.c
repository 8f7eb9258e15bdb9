/* The token is a page_token of its own context: "EXPIRES ARN\nPOLICY". */
#include "protocol/session_token.h"

#include "protocol/buf.h"
#include "protocol/page_token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { MAC_LEN = 32, SECRET_RAW_LEN = SESSION_SECRET_LEN / 4 * 3 };

#define SECRET_LABEL "drydock session secret\n"

static const struct slice id_prefix = SLICE("ASIA");

void session_key_id(const uint8_t random[SESSION_RANDOM_LEN], char id[SESSION_KEY_ID_LEN])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned bits = 0, held = 0;
	size_t at = id_prefix.len, next = 0;

	memcpy(id, id_prefix.at, id_prefix.len);
	while (at < SESSION_KEY_ID_LEN) {
		if (held < 5) {
			bits = bits << 8 | random[next++];
			held += 8;
		}
		held -= 5;
		id[at++] = letters[bits >> held & 31];
	}
}

bool session_key_id_shaped(struct slice id)
{
	return id.len == SESSION_KEY_ID_LEN && slice_starts(id, id_prefix);
}

void session_secret(
    struct slice access_key, const uint8_t key[TOKEN_KEY_LEN], char secret[SESSION_SECRET_LEN])
{
	char text[sizeof(SECRET_LABEL) - 1 + SESSION_KEY_ID_LEN] = SECRET_LABEL;
	size_t len = access_key.len < SESSION_KEY_ID_LEN ? access_key.len : SESSION_KEY_ID_LEN;
	uint8_t mac[MAC_LEN], encoded[SESSION_SECRET_LEN + 1];
	unsigned mac_len = MAC_LEN;

	memcpy(text + sizeof(SECRET_LABEL) - 1, access_key.at, len);
	if (!HMAC(EVP_sha256(), key, TOKEN_KEY_LEN, (const uint8_t *)text,
		sizeof(SECRET_LABEL) - 1 + len, mac, &mac_len))
		abort(); /* only memory can fail it */
	EVP_EncodeBlock(encoded, mac, SECRET_RAW_LEN);
	memcpy(secret, encoded, SESSION_SECRET_LEN);
}

/* A token works with its own access key only. */
static struct slice context_of(struct slice access_key, struct arena *a)
{
	return arena_slicef(a, "session %.*s", SLICE_ARG(access_key));
}

struct slice session_token_seal(
    const struct session_token *t, const uint8_t key[TOKEN_KEY_LEN], struct arena *a)
{
	struct buf says;

	buf_init(&says, a, SIZE_MAX, 64 + t->principal.len + t->policy.len);
	buf_printf(&says, "%lld ", (long long)t->expires_ms);
	buf_put_slice(&says, t->principal);
	buf_putc(&says, '\n');
	buf_put_slice(&says, t->policy);
	return page_token_seal(context_of(t->access_key, a), buf_slice(&says), key, a);
}

bool session_token_open(struct slice token, struct slice access_key,
    const uint8_t key[TOKEN_KEY_LEN], struct arena *a, struct session_token *out)
{
	struct slice says = page_token_open(token, context_of(access_key, a), key, a), line;
	unsigned long long expires;

	if (!says.at)
		return false;
	line = slice_cut(&says, '\n');
	if (!slice_to_u64(slice_cut(&line, ' '), &expires))
		return false;
	*out = (struct session_token){access_key, line, {0}, (int64_t)expires};
	if (says.len)
		out->policy = says;
	return true;
}
