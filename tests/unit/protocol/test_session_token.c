#include "support.h"

#include "protocol/session_token.h"

static const uint8_t key[TOKEN_KEY_LEN] = {1, 2, 3}, other_key[TOKEN_KEY_LEN] = {1, 2, 4};

#define ID "ASIAABCDEFGHIJKLMNOP"
#define ARN "arn:aws:sts::503561414328:assumed-role/app/one"

static void key_ids(void **state)
{
	static const uint8_t zeros[SESSION_RANDOM_LEN],
	    some[SESSION_RANDOM_LEN] = {0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf};
	char id[SESSION_KEY_ID_LEN];

	(void)state;
	session_key_id(zeros, id);
	assert_memory_equal(id, "ASIAAAAAAAAAAAAAAAAA", SESSION_KEY_ID_LEN);
	session_key_id(some, id); /* five bits a letter, the high ones first */
	assert_memory_equal(id, ID, SESSION_KEY_ID_LEN);
	assert_true(session_key_id_shaped(slice_str(ID)));
	assert_false(session_key_id_shaped(slice_str("AKIAABCDEFGHIJKLMNOP")));
	assert_false(session_key_id_shaped(slice_str("ASIA")));
}

static void secrets(void **state)
{
	char one[SESSION_SECRET_LEN], same[SESSION_SECRET_LEN], other[SESSION_SECRET_LEN];

	(void)state;
	session_secret(slice_str(ID), key, one);
	session_secret(slice_str(ID), key, same);
	assert_memory_equal(one, same, SESSION_SECRET_LEN);
	session_secret(slice_str("ASIAABCDEFGHIJKLMNOQ"), key, other);
	assert_memory_not_equal(one, other, SESSION_SECRET_LEN);
	session_secret(slice_str(ID), other_key, other);
	assert_memory_not_equal(one, other, SESSION_SECRET_LEN);
}

static void opens_what_was_sealed(void **state)
{
	static const char *const policies[] = {NULL, "{\"Statement\": [\n]}\n\n"};

	for (size_t i = 0; i < COUNT(policies); i++) {
		struct session_token t = {
		    slice_str(ID), slice_str(ARN), slice_str(policies[i]), 1767225600123};
		struct slice token = session_token_seal(&t, key, *state);
		struct session_token out;

		assert_true(session_token_open(token, slice_str(ID), key, *state, &out));
		assert_slice(out.access_key, ID);
		assert_slice(out.principal, ARN);
		assert_slice(out.policy, policies[i]);
		assert_true(out.expires_ms == 1767225600123);
	}
}

static void refuses_all_else(void **state)
{
	struct session_token t = {slice_str(ID), slice_str(ARN), {0}, 1}, out;
	struct slice token = session_token_seal(&t, key, *state);
	char *changed = arena_strdup(*state, token);

	assert_false(session_token_open(token, slice_str(ID), other_key, *state, &out));
	assert_false(
	    session_token_open(token, slice_str("ASIAABCDEFGHIJKLMNOQ"), key, *state, &out));
	assert_false(session_token_open(slice_str(NULL), slice_str(ID), key, *state, &out));
	assert_false(session_token_open(slice_str(""), slice_str(ID), key, *state, &out));
	for (size_t i = 0; i < token.len; i++) {
		char kept = changed[i];

		changed[i] = kept == 'A' ? 'B' : 'A';
		assert_false(session_token_open(
		    slice_of(changed, token.len), slice_str(ID), key, *state, &out));
		changed[i] = kept;
		assert_false(session_token_open(
		    exactly(*state, token.at, i), slice_str(ID), key, *state, &out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(key_ids),
	    arena_test(secrets),
	    arena_test(opens_what_was_sealed),
	    arena_test(refuses_all_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
