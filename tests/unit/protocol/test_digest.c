#include "support.h"

#include "protocol/digest.h"

#define EMPTY_256 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                    \
	"sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a8"  \
	"36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void assert_digest(const struct digest *d, const char *expected)
{
	char text[DIGEST_TEXT_MAX];

	assert_slice(digest_format(d, text), expected);
	assert_string_equal(text, expected);
}

static void computes(void **state)
{
	struct digest d;

	(void)state;
	digest_compute(DIGEST_SHA256, slice_str(""), &d);
	assert_digest(&d, EMPTY_256);
	digest_compute(DIGEST_SHA256, slice_str(NULL), &d);
	assert_digest(&d, EMPTY_256);
	digest_compute(DIGEST_SHA256, slice_str("abc"), &d);
	assert_digest(&d, ABC_256);
	digest_compute(DIGEST_SHA512, slice_str("abc"), &d);
	assert_digest(&d, ABC_512);
}

static void parses_and_formats(void **state)
{
	static const char *const texts[] = {EMPTY_256, ABC_256, ABC_512};
	struct digest d;

	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(digest_parse(exact(*state, texts[i]), &d), DIGEST_OK);
		assert_digest(&d, texts[i]);
	}
}

static void refuses(void **state)
{
	static const char *const malformed[] = {"", "sha256", "sha256:", ":", ":abc", "sha256:abc",
	    EMPTY_256 "0", EMPTY_256 "00", "sha256 :abc", "SHA256:abc", " " EMPTY_256,
	    EMPTY_256 " ",
	    "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
	    "sha256:z3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "md5+:abc",
	    "+md5:abc", "md5++b64:abc", "md5:", "md5:a/b", "md5:a:b", "../x:abc"};
	static const char *const unsupported[] = {"md5:d41d8cd98f00b204e9800998ecf8427e",
	    "sha384:abc", "sha256+b64u:LCa0a2j_xo", "a.b_c-d:=x"};
	struct digest d = {.algorithm = 77};

	for (size_t i = 0; i < COUNT(malformed); i++)
		assert_int_equal(digest_parse(exact(*state, malformed[i]), &d), DIGEST_MALFORMED);
	for (size_t i = 0; i < COUNT(unsupported); i++)
		assert_int_equal(
		    digest_parse(exact(*state, unsupported[i]), &d), DIGEST_UNSUPPORTED);
	assert_int_equal(digest_parse(exactly(*state, "sha256\0:abc", 11), &d), DIGEST_MALFORMED);
	assert_int_equal(digest_parse(slice_str(NULL), &d), DIGEST_MALFORMED);
	assert_int_equal(d.algorithm, 77); /* untouched */
}

static void compares(void **state)
{
	struct digest a, b, none = {0};

	(void)state;
	digest_compute(DIGEST_SHA256, slice_str("a"), &a);
	digest_compute(DIGEST_SHA256, slice_str("a"), &b);
	assert_true(digest_eq(&a, &b));
	b.raw[31] ^= 1;
	assert_false(digest_eq(&a, &b));
	digest_compute(DIGEST_SHA512, slice_str("a"), &b);
	assert_false(digest_eq(&a, &b));
	assert_false(digest_eq(&a, &none));
	assert_true(digest_eq(&none, &none));
}

static void keys(void **state)
{
	static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_SHA512};
	uint8_t key[DIGEST_KEY_MAX];
	struct digest d, back;

	(void)state;
	for (size_t i = 0; i < COUNT(algorithms); i++) {
		digest_compute(algorithms[i], slice_str("x"), &d);
		size_t len = digest_to_key(&d, key);
		assert_int_equal(len, 1 + digest_raw_len(algorithms[i]));
		assert_true(digest_from_key(key, len, &back));
		assert_true(digest_eq(&d, &back));
		assert_false(digest_from_key(key, len - 1, &back));
		assert_false(digest_from_key(key, 0, &back));
		key[0] = 9;
		assert_false(digest_from_key(key, len, &back));
		key[0] = DIGEST_NONE;
		assert_false(digest_from_key(key, 1, &back));
	}
}

static void names_algorithms(void **state)
{
	char text[DIGEST_TEXT_MAX];
	struct digest none = {0};

	(void)state;
	assert_int_equal(digest_algorithm_named(slice_str("sha256")), DIGEST_SHA256);
	assert_int_equal(digest_algorithm_named(slice_str("sha512")), DIGEST_SHA512);
	assert_int_equal(digest_algorithm_named(slice_str("sha25")), DIGEST_NONE);
	assert_int_equal(digest_algorithm_named(slice_str("")), DIGEST_NONE);
	assert_int_equal(digest_raw_len(DIGEST_NONE), 0);
	assert_int_equal(digest_raw_len((enum digest_algorithm)200), 0);
	assert_slice(digest_format(&none, text), "");
}

static void hashes_in_pieces(void **state)
{
	struct hasher *h = hasher_new(DIGEST_SHA256);
	struct digest d;

	(void)state;
	hasher_peek(h, &d);
	assert_digest(&d, EMPTY_256);
	hasher_update(h, "ab", 2);
	hasher_update(h, NULL, 0);
	hasher_peek(h, &d);
	hasher_update(h, "c", 1);
	hasher_peek(h, &d);
	assert_digest(&d, ABC_256);
	hasher_peek(h, &d); /* looking changes nothing */
	assert_digest(&d, ABC_256);
	hasher_free(h);
	hasher_free(NULL);

	h = hasher_new(DIGEST_SHA512);
	hasher_update(h, "abc", 3);
	hasher_peek(h, &d);
	assert_digest(&d, ABC_512);
	hasher_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(computes),
	    arena_test(parses_and_formats),
	    arena_test(refuses),
	    cmocka_unit_test(compares),
	    cmocka_unit_test(keys),
	    cmocka_unit_test(names_algorithms),
	    cmocka_unit_test(hashes_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
