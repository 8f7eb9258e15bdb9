#include "support.h"

#include "protocol/base64.h"
#include "protocol/page_token.h"

static const uint8_t key[TOKEN_KEY_LEN] = {1, 2, 3}, other_key[TOKEN_KEY_LEN] = {1, 2, 4};

static void there_and_back(void **state)
{
	static const char *const positions[] = {"", "a", "team/app\tv1", "\xff\xfe"};
	struct arena *a = *state;
	struct slice context = slice_str("ListImages 000000000000 team/app");

	for (size_t i = 0; i < COUNT(positions); i++) {
		struct slice token = page_token_seal(context, slice_str(positions[i]), key, a);
		assert_slice(page_token_open(token, context, key, a), positions[i]);
	}
	struct slice token = page_token_seal(slice_str(""), slice_str("p"), key, a);
	assert_slice(page_token_open(token, slice_str(""), key, a), "p");
}

static void belongs_to_its_context(void **state)
{
	struct arena *a = *state;
	struct slice token = page_token_seal(slice_str("ab"), slice_str("cd"), key, a);

	assert_slice(page_token_open(token, slice_str("a"), key, a), NULL);
	assert_slice(page_token_open(token, slice_str("abc"), key, a), NULL);
	assert_slice(page_token_open(token, slice_str(""), key, a), NULL);
	assert_slice(page_token_open(token, slice_str("ab"), other_key, a), NULL);
}

/* One seal fits one split of the same bytes into context and position. */
static void the_split_is_sealed(void **state)
{
	struct arena *a = *state;
	struct slice token = page_token_seal(slice_str("ab"), slice_str("cd"), key, a);
	struct slice bytes = base64url_decode(token, a);
	struct slice moved = arena_dup(a, slice_of(bytes.at, bytes.len + 1));

	memcpy((char *)moved.at + bytes.len - 2, "bcd", 3);
	token = base64url_encode(moved, a);
	assert_slice(page_token_open(token, slice_str("a"), key, a), NULL);
}

static void cannot_be_made_or_changed(void **state)
{
	struct arena *a = *state;
	struct slice context = slice_str("x"),
		     token = page_token_seal(context, slice_str("cd"), key, a);

	for (size_t len = 0; len < token.len; len++)
		assert_slice(page_token_open(slice_of(token.at, len), context, key, a), NULL);
	for (size_t i = 0; i < token.len; i++) {
		struct slice changed = arena_dup(a, token);
		((char *)changed.at)[i] = changed.at[i] == 'A' ? 'B' : 'A';
		assert_slice(page_token_open(changed, context, key, a), NULL);
	}
	assert_slice(page_token_open(slice_str("v1.0"), context, key, a), NULL);
	assert_slice(page_token_open(slice_str("!"), context, key, a), NULL);
	assert_slice(page_token_open(slice_str(NULL), context, key, a), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(there_and_back),
	    arena_test(belongs_to_its_context),
	    arena_test(the_split_is_sealed),
	    arena_test(cannot_be_made_or_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
