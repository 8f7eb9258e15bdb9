#include "support.h"

static void absent_and_empty_differ(void **state)
{
	(void)state;
	assert_null(slice_str(NULL).at);
	assert_non_null(slice_str("").at);
	assert_true(slice_eq(slice_str(NULL), slice_str("")));
	assert_true(slice_starts(slice_str(NULL), slice_str("")));
	assert_true(slice_ends(slice_str(NULL), slice_str(NULL)));
	assert_null(slice_skip(slice_str(NULL), 0).at);
}

static void literal_initialises(void **state)
{
	static const struct slice word = SLICE("word");

	(void)state;
	assert_int_equal(word.len, 4);
	assert_true(slice_is(word, "word"));
	assert_false(slice_is(word, "words"));
}

static void compares_ends(void **state)
{
	struct slice s = slice_str("registry");

	(void)state;
	assert_true(slice_starts(s, slice_str("reg")));
	assert_false(slice_starts(s, slice_str("registry/")));
	assert_true(slice_ends(s, slice_str("istry")));
	assert_false(slice_ends(s, slice_str("aregistry")));
	assert_slice(slice_skip(s, 8), "");
	assert_slice(slice_skip(s, 3), "istry");
}

static void ignores_case_of_ascii_only(void **state)
{
	(void)state;
	assert_true(slice_eq_nocase(slice_str("Content-Type"), slice_str("cONTENT-tYPE")));
	assert_false(slice_eq_nocase(slice_str("a"), slice_str("ab")));
	assert_false(slice_eq_nocase(slice_str("@"), slice_str("`")));
	assert_false(slice_eq_nocase(slice_str("["), slice_str("{")));
	assert_false(slice_eq_nocase(slice_str("\xc4"), slice_str("\xe4")));
}

static void orders(void **state)
{
	(void)state;
	assert_true(slice_cmp(slice_str("a"), slice_str("b")) < 0);
	assert_true(slice_cmp(slice_str("b"), slice_str("a")) > 0);
	assert_true(slice_cmp(slice_str("a"), slice_str("aa")) < 0);
	assert_true(slice_cmp(slice_str("aa"), slice_str("a")) > 0);
	assert_true(slice_cmp(slice_str("\xff"), slice_str("a")) > 0);
	assert_int_equal(slice_cmp(slice_str(NULL), slice_str("")), 0);
	assert_int_equal(slice_cmp(slice_str("x"), slice_str("x")), 0);
}

static void reads_numbers(void **state)
{
	static const char *const bad[] = {
	    "", "-1", "+1", " 1", "1 ", "1a", "0x1", "10000000000000000000"};
	unsigned long long n = 7;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(slice_to_u64(slice_str(bad[i]), &n));
	assert_int_equal(n, 7);
	assert_false(slice_to_u64(slice_str(NULL), &n));
	assert_true(slice_to_u64(slice_str("0"), &n));
	assert_int_equal(n, 0);
	assert_true(slice_to_u64(slice_str("0042"), &n));
	assert_int_equal(n, 42);
	assert_true(slice_to_u64(slice_str("9999999999999999999"), &n));
	assert_true(n == 9999999999999999999ull);
}

static void trims(void **state)
{
	(void)state;
	assert_slice(slice_trim(slice_str(" \t a b\t ")), "a b");
	assert_slice(slice_trim(slice_str(" \t ")), "");
	assert_slice(slice_trim(slice_str("\na")), "\na");
	assert_slice(slice_trim(slice_str(NULL)), NULL);
}

static void cuts(void **state)
{
	struct slice rest = slice_str("a,,bc"), none = slice_str(NULL);

	(void)state;
	assert_slice(slice_cut(&rest, ','), "a");
	assert_slice(slice_cut(&rest, ','), "");
	assert_slice(slice_cut(&rest, ','), "bc");
	assert_slice(rest, "");
	assert_slice(slice_cut(&rest, ','), "");
	assert_slice(slice_cut(&none, ','), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(absent_and_empty_differ),
	    cmocka_unit_test(literal_initialises),
	    cmocka_unit_test(compares_ends),
	    cmocka_unit_test(ignores_case_of_ascii_only),
	    cmocka_unit_test(orders),
	    cmocka_unit_test(reads_numbers),
	    cmocka_unit_test(trims),
	    cmocka_unit_test(cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
