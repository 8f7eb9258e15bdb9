#include "support.h"

#include "protocol/base64.h"

/* RFC 4648 section 10 */
static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

static void rfc_vectors(void **state)
{
	struct arena *a = *state;

	for (size_t i = 0; i < COUNT(vectors); i++) {
		size_t len;
		assert_slice(base64_encode(exact(a, vectors[i][0]), a), vectors[i][1]);
		assert_slice(base64_decode(exact(a, vectors[i][1]), a), vectors[i][0]);
		assert_true(base64_decoded_len(exact(a, vectors[i][1]), &len));
		assert_int_equal(len, strlen(vectors[i][0]));
	}
}

static void refuses_in_the_ordinary_alphabet(void **state)
{
	static const char *const bad[] = {"Z", "Zg",
	    "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm9v\n", "Zm 9v", "Zm9-", "Zm9_",
	    "Zg==Zg==", "=Zg=", "Zm9v="};
	struct arena *a = *state;
	size_t len;

	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_slice(base64_decode(exact(a, bad[i]), a), NULL);
		assert_false(base64_decoded_len(exact(a, bad[i]), &len));
	}
}

static void url_alphabet(void **state)
{
	static const char *const bad[] = {"Z", "Zg==", "Zh", "++++", "////", "Zm9v="};
	struct arena *a = *state;

	assert_slice(base64_encode(slice_str("\xfb\xff\xfe"), a), "+//+");
	assert_slice(base64url_encode(slice_str("\xfb\xff\xfe"), a), "-__-");
	assert_slice(base64url_encode(slice_str("f"), a), "Zg");
	assert_slice(base64url_decode(exact(a, "-__-"), a), "\xfb\xff\xfe");
	assert_slice(base64url_decode(exact(a, "Zm8"), a), "fo");
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_slice(base64url_decode(exact(a, bad[i]), a), NULL);
}

static void every_length_and_byte(void **state)
{
	struct arena *a = *state;
	char bytes[300];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct slice source = exactly(a, bytes, len);
		struct slice back = base64_decode(base64_encode(source, a), a);
		assert_true(slice_eq(source, back));
		back = base64url_decode(base64url_encode(source, a), a);
		assert_true(slice_eq(source, back));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(rfc_vectors),
	    arena_test(refuses_in_the_ordinary_alphabet),
	    arena_test(url_alphabet),
	    arena_test(every_length_and_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
