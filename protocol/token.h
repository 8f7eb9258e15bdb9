/*
 * The registry's authorization token: what GetAuthorizationToken gives and docker sends back.
 *
 * A token is base64("AWS:" + password); the password seals account, region, principal and expiry with
 * an HMAC-SHA256 over them, contains no ':' (the AWS CLI splits there) and is URL-safe base64. Pure: the
 * caller brings the key and the time.
 */
#ifndef DRYDOCK_PROTOCOL_TOKEN_H
#define DRYDOCK_PROTOCOL_TOKEN_H

#include "protocol/arena.h"

#include <stdint.h>

enum { TOKEN_KEY_LEN = 32, TOKEN_PRINCIPAL_MAX = 512, TOKEN_POLICY_MAX = 2048 };
#define TOKEN_LIFETIME_MS (12 * 3600 * 1000LL)

struct token {
	struct slice account; /* 12 digits */
	struct slice region;
	struct slice principal; /* an ARN, TOKEN_PRINCIPAL_MAX bytes at most */
	int64_t expires_ms;
	struct slice
	    policy; /* that narrows what the principal may do; absent: none. TOKEN_POLICY_MAX */
};

/*
 * The authorizationToken, in the arena. account and region must be valid ones (names.h), or the token
 * will not open.
 */
struct slice token_seal(const struct token *t, const uint8_t key[TOKEN_KEY_LEN], struct arena *a);

/*
 * A key that follows from another one and a label of its own: what is sealed with one of them does not open with the
 * other. out may not be key.
 */
void token_key_derive(
    const uint8_t key[TOKEN_KEY_LEN], const char *label, uint8_t out[TOKEN_KEY_LEN]);

enum token_fault { TOKEN_OK, TOKEN_ABSENT, TOKEN_GARBLED, TOKEN_FORGED, TOKEN_EXPIRED };
/*
 * Opens the value of an Authorization header ("Basic <token>", scheme in any case). TOKEN_ABSENT:
 * header is the absent slice. The seal is compared in constant time, and before the expiry is looked
 * at; out is filled for TOKEN_OK and TOKEN_EXPIRED, its slices in the arena.
 */
enum token_fault token_open(struct slice header, const uint8_t key[TOKEN_KEY_LEN], int64_t now_ms,
    struct arena *a, struct token *out);

#endif
