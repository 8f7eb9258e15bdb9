/*
 * Registry and page tokens, by the first byte: a header as it might come, a token made of the input
 * and then changed, a page token likewise.
 */
#include "fuzz.h"

#include "protocol/base64.h"
#include "protocol/page_token.h"
#include "protocol/session_token.h"
#include "protocol/token.h"

static const uint8_t key[TOKEN_KEY_LEN] = "drydock's fuzz targets use this";

static void any_header(struct slice header, struct arena *a)
{
	struct token t;
	enum token_fault fault = token_open(header, key, 0, a, &t);

	if (fault != TOKEN_OK && fault != TOKEN_EXPIRED)
		return;
	/* only a token of ours opens, and each has one spelling */
	struct slice sealed = token_seal(&t, key, a);
	CHECK(header.len >= 6 + sealed.len);
	CHECK(memmem(header.at, header.len, sealed.at, sealed.len));
}

/* Flips one bit of what is inside the token, and wraps it again. */
static struct slice change(struct slice token, uint8_t where, struct arena *a)
{
	struct slice pair = base64_decode(token, a);
	struct slice sealed = base64url_decode(slice_skip(pair, 4), a);
	char *bytes = (char *)sealed.at;

	bytes[where % sealed.len] ^= (char)(1 << where % 8);
	struct slice password = base64url_encode(sealed, a);
	return base64_encode(arena_slicef(a, "AWS:%.*s", SLICE_ARG(password)), a);
}

static void made_of(struct slice input, struct arena *a)
{
	uint8_t where = take_byte(&input), lifetime = take_byte(&input);
	struct token t = {.account = slice_str("123456789012"), .region = slice_str("eu-west-1")},
		     back;

	t.principal =
	    slice_of(input.at, input.len < TOKEN_PRINCIPAL_MAX ? input.len : TOKEN_PRINCIPAL_MAX);
	t.expires_ms = lifetime;
	if (where & 1)
		t.policy = t.principal;
	struct slice token = token_seal(&t, key, a);
	struct slice header = arena_slicef(a, "Basic %.*s", SLICE_ARG(token));
	enum token_fault fault = token_open(header, key, 100, a, &back);
	CHECK(fault == (lifetime > 100 ? TOKEN_OK : TOKEN_EXPIRED));
	CHECK(slice_eq(t.policy, back.policy));
	CHECK(slice_eq(t.principal, back.principal) && slice_eq(t.region, back.region));
	CHECK(slice_eq(t.account, back.account) && t.expires_ms == back.expires_ms);
	token = change(token, where, a);
	header = arena_slicef(a, "Basic %.*s", SLICE_ARG(token));
	CHECK(token_open(header, key, 100, a, &back) == TOKEN_FORGED);
}

/* Temporary credentials: good for their own access key alone. */
static void session(struct slice input, struct arena *a)
{
	struct session_token t = {.access_key = slice_str("ASIA0000000000000001"), .expires_ms = 7},
			     back;

	t.principal = slice_cut(&input, '\n');
	if (input.len)
		t.policy = input;
	struct slice token = session_token_seal(&t, key, a);
	CHECK(session_token_open(token, t.access_key, key, a, &back));
	CHECK(slice_eq(back.principal, t.principal) && slice_eq(back.policy, t.policy));
	CHECK(back.expires_ms == 7);
	CHECK(!session_token_open(token, slice_str("ASIA0000000000000002"), key, a, &back));
	CHECK(!session_token_open(input, t.access_key, key, a, &back));
}

static void page(struct slice input, struct arena *a)
{
	struct slice context = slice_cut(&input, '\n');
	struct slice token = page_token_seal(context, input, key, a);
	struct slice position = page_token_open(token, context, key, a);

	CHECK(position.at && slice_eq(position, input));
	CHECK(!page_token_open(token, slice_str("another"), key, a).at ||
	    slice_is(context, "another"));
	/* nobody makes one: the input itself is none */
	CHECK(!page_token_open(input, context, key, a).at);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice input = slice_of((const char *)at, len);
	uint8_t pick = take_byte(&input);
	struct arena a;

	arena_init(&a);
	if (pick % 4 == 1)
		made_of(input, &a);
	else if (pick % 4 == 2)
		page(input, &a);
	else if (pick % 4 == 3)
		session(input, &a);
	else
		any_header(input, &a);
	arena_release(&a);
	return 0;
}
