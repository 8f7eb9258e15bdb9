/*
 * Paging tokens: where the next page starts, sealed so that nobody can make or change one.
 *
 * A token is URL-safe base64 of an HMAC over (context, position) and the position. The context names the
 * operation and everything that must be the same on the next call (registry, repository, filters), so
 * that a token of another list is refused. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_PAGE_TOKEN_H
#define DRYDOCK_PROTOCOL_PAGE_TOKEN_H

#include "protocol/arena.h"
#include "protocol/token.h"

/* The token, in the arena. */
struct slice page_token_seal(
    struct slice context, struct slice position, const uint8_t key[TOKEN_KEY_LEN], struct arena *a);
/* The position it holds, in the arena; the absent slice when it is not a token of this context. */
struct slice page_token_open(
    struct slice token, struct slice context, const uint8_t key[TOKEN_KEY_LEN], struct arena *a);

#endif
