#include "support.h"

#include "protocol/base64.h"
#include "protocol/token.h"

static const uint8_t key[TOKEN_KEY_LEN] = {1, 2, 3}, other_key[TOKEN_KEY_LEN] = {1, 2, 4};

enum { NOW = 1000000 };

static struct token sample(void)
{
	return (struct token){
	    .account = slice_str("123456789012"),
	    .region = slice_str("eu-west-1"),
	    .principal = slice_str("arn:aws:iam::123456789012:user/ann"),
	    .expires_ms = NOW + TOKEN_LIFETIME_MS,
	};
}

static struct slice header_of(struct arena *a, struct slice token)
{
	return exact(a, arena_printf(a, "Basic %.*s", SLICE_ARG(token)));
}

static enum token_fault open_text(struct arena *a, const char *header)
{
	struct token t;

	return token_open(exact(a, header), key, NOW, a, &t);
}

static void there_and_back(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	struct slice header = header_of(a, token_seal(&t, key, a));

	assert_int_equal(token_open(header, key, NOW, a, &back), TOKEN_OK);
	assert_slice(back.account, "123456789012");
	assert_slice(back.region, "eu-west-1");
	assert_slice(back.principal, "arn:aws:iam::123456789012:user/ann");
	assert_int_equal(back.expires_ms, t.expires_ms);
}

/* The AWS CLI does decoded.split(':') and wants two parts. */
static void the_password_has_no_colon(void **state)
{
	struct arena *a = *state;
	struct token t = sample();
	struct slice pair = base64_decode(token_seal(&t, key, a), a);

	assert_true(slice_starts(pair, slice_str("AWS:")));
	assert_null(memchr(pair.at + 4, ':', pair.len - 4));
}

static void expires(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back = {0};
	struct slice header = header_of(a, token_seal(&t, key, a));

	assert_int_equal(token_open(header, key, t.expires_ms - 1, a, &back), TOKEN_OK);
	assert_int_equal(token_open(header, key, t.expires_ms, a, &back), TOKEN_EXPIRED);
	assert_slice(back.account, "123456789012");
	t.expires_ms = -5;
	header = header_of(a, token_seal(&t, key, a));
	assert_int_equal(token_open(header, key, 0, a, &back), TOKEN_EXPIRED);
	assert_int_equal(back.expires_ms, -5);
}

static void another_key_is_forged_even_when_expired(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	struct slice header = header_of(a, token_seal(&t, other_key, a));

	assert_int_equal(token_open(header, key, NOW, a, &back), TOKEN_FORGED);
	assert_int_equal(token_open(header, key, t.expires_ms + 1, a, &back), TOKEN_FORGED);
}

static void every_changed_byte_is_refused(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	struct slice pair = base64_decode(token_seal(&t, key, a), a);
	struct slice sealed = base64url_decode(slice_skip(pair, 4), a);

	for (size_t i = 0; i < sealed.len; i++) {
		((char *)sealed.at)[i] ^= 0x20;
		struct slice password = base64url_encode(sealed, a);
		struct slice changed = arena_slicef(a, "AWS:%.*s", SLICE_ARG(password));
		struct slice header = header_of(a, base64_encode(changed, a));
		assert_int_equal(token_open(header, key, NOW, a, &back), TOKEN_FORGED);
		((char *)sealed.at)[i] ^= 0x20;
	}
}

static void every_truncation_is_refused(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	struct slice token = token_seal(&t, key, a);

	for (size_t len = 0; len < token.len; len++) {
		struct slice header = header_of(a, slice_of(token.at, len));
		assert_int_not_equal(token_open(header, key, NOW, a, &back), TOKEN_OK);
	}
}

static void forms_of_the_header(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	struct slice token = token_seal(&t, key, a);
	const char *text = arena_strdup(a, token);

	assert_int_equal(open_text(a, arena_printf(a, "basic %s", text)), TOKEN_OK);
	assert_int_equal(open_text(a, arena_printf(a, "BASIC  %s ", text)), TOKEN_OK);
	assert_int_equal(open_text(a, arena_printf(a, "Bearer %s", text)), TOKEN_GARBLED);
	assert_int_equal(open_text(a, text), TOKEN_GARBLED);
	assert_int_equal(open_text(a, ""), TOKEN_GARBLED);
	assert_int_equal(open_text(a, "Basic"), TOKEN_GARBLED);
	assert_int_equal(open_text(a, "Basic "), TOKEN_GARBLED);
	assert_int_equal(open_text(a, "Basic !!!!"), TOKEN_GARBLED);
	assert_int_equal(open_text(a, "Basic QVdTOg=="), TOKEN_GARBLED);     /* AWS: */
	assert_int_equal(open_text(a, "Basic dXNlcjpwYXNz"), TOKEN_GARBLED); /* user:pass */
	assert_int_equal(open_text(a, "Basic QVdTOnBhc3M="), TOKEN_GARBLED); /* AWS:pass */
	assert_int_equal(token_open(slice_str(NULL), key, NOW, a, &back), TOKEN_ABSENT);
	char *huge = arena_alloc(a, 1 << 20);
	memset(huge, 'A', 1 << 20);
	memcpy(huge, "Basic ", 6);
	assert_int_equal(token_open(slice_of(huge, 1 << 20), key, NOW, a, &back), TOKEN_GARBLED);
}

static void the_user_must_be_aws(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	struct slice pair = base64_decode(token_seal(&t, key, a), a);
	struct slice wrong = arena_slicef(a, "aws:%.*s", SLICE_ARG(slice_skip(pair, 4)));

	assert_int_equal(
	    token_open(header_of(a, base64_encode(wrong, a)), key, NOW, a, &back), TOKEN_GARBLED);
}

static void carries_a_policy(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	char policy[TOKEN_POLICY_MAX];

	assert_int_equal(
	    token_open(header_of(a, token_seal(&t, key, a)), key, NOW, a, &back), TOKEN_OK);
	assert_slice(back.policy, NULL);
	memset(policy, '{', sizeof(policy));
	t.policy = slice_of(policy, sizeof(policy));
	assert_int_equal(
	    token_open(header_of(a, token_seal(&t, key, a)), key, NOW, a, &back), TOKEN_OK);
	assert_true(slice_eq(back.policy, t.policy));
	assert_true(slice_eq(back.principal, t.principal));
}

static void longest_principal(void **state)
{
	struct arena *a = *state;
	struct token t = sample(), back;
	char principal[TOKEN_PRINCIPAL_MAX + 100];

	memset(principal, 'p', sizeof(principal));
	t.region = slice_str("abcdefghijklmnopqrstuvwxy");
	t.principal = slice_of(principal, TOKEN_PRINCIPAL_MAX);
	assert_int_equal(
	    token_open(header_of(a, token_seal(&t, key, a)), key, NOW, a, &back), TOKEN_OK);
	assert_int_equal(back.principal.len, TOKEN_PRINCIPAL_MAX);
	t.principal = slice_of(principal, sizeof(principal));
	assert_int_equal(
	    token_open(header_of(a, token_seal(&t, key, a)), key, NOW, a, &back), TOKEN_OK);
	assert_int_equal(back.principal.len, TOKEN_PRINCIPAL_MAX);
	t.principal = slice_str(NULL);
	assert_int_equal(
	    token_open(header_of(a, token_seal(&t, key, a)), key, NOW, a, &back), TOKEN_OK);
	assert_int_equal(back.principal.len, 0);
}

/* A key that is derived opens what it sealed, and nothing else; another label, or another key, gives another one. */
static void derived_keys(void **state)
{
	struct arena *a = *state;
	uint8_t one[TOKEN_KEY_LEN], same[TOKEN_KEY_LEN], two[TOKEN_KEY_LEN], three[TOKEN_KEY_LEN];
	struct token t = sample(), back;

	token_key_derive(key, "one", one);
	token_key_derive(key, "one", same);
	token_key_derive(key, "two", two);
	token_key_derive(other_key, "one", three);
	assert_memory_equal(one, same, TOKEN_KEY_LEN);
	struct slice plain = header_of(a, token_seal(&t, key, a));
	struct slice derived = header_of(a, token_seal(&t, one, a));
	assert_int_equal(token_open(derived, same, NOW, a, &back), TOKEN_OK);
	assert_int_equal(token_open(plain, one, NOW, a, &back), TOKEN_FORGED);
	assert_int_equal(token_open(derived, key, NOW, a, &back), TOKEN_FORGED);
	assert_int_equal(token_open(derived, two, NOW, a, &back), TOKEN_FORGED);
	assert_int_equal(token_open(derived, three, NOW, a, &back), TOKEN_FORGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(there_and_back),
	    arena_test(the_password_has_no_colon),
	    arena_test(expires),
	    arena_test(derived_keys),
	    arena_test(another_key_is_forged_even_when_expired),
	    arena_test(every_changed_byte_is_refused),
	    arena_test(every_truncation_is_refused),
	    arena_test(forms_of_the_header),
	    arena_test(the_user_must_be_aws),
	    arena_test(longest_principal),
	    arena_test(carries_a_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
