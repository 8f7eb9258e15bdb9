/*
 * Temporary credentials, as AssumeRole and GetSessionToken give them: an access key, its secret, and a session
 * token that seals whose they are and until when. Nothing is kept: the secret follows from the key's id, and the token is
 * good for that key alone. Pure: the caller brings the data folder's key, the time and the randomness.
 */
#ifndef DRYDOCK_PROTOCOL_SESSION_TOKEN_H
#define DRYDOCK_PROTOCOL_SESSION_TOKEN_H

#include "protocol/token.h"

enum {
	SESSION_RANDOM_LEN = 10,
	SESSION_KEY_ID_LEN = 20, /* "ASIA" and 16 letters and digits */
	SESSION_SECRET_LEN = 40,
};

struct session_token {
	struct slice access_key;
	struct slice principal; /* the ARN that it acts as, TOKEN_PRINCIPAL_MAX bytes at most */
	struct slice policy;    /* what AssumeRole's Policy said; absent: nothing */
	int64_t expires_ms;
};

/* The id of an access key. */
void session_key_id(const uint8_t random[SESSION_RANDOM_LEN], char id[SESSION_KEY_ID_LEN]);
/* True of ids as session_key_id makes them, and as AWS does. */
bool session_key_id_shaped(struct slice id);
void session_secret(
    struct slice access_key, const uint8_t key[TOKEN_KEY_LEN], char secret[SESSION_SECRET_LEN]);

/* In the arena. */
struct slice session_token_seal(
    const struct session_token *t, const uint8_t key[TOKEN_KEY_LEN], struct arena *a);
/*
 * False when it was not sealed with this key, or for another access key. Slices are in the arena; whether it has
 * expired is the caller's to see.
 */
bool session_token_open(struct slice token, struct slice access_key,
    const uint8_t key[TOKEN_KEY_LEN], struct arena *a, struct session_token *out);

#endif
