#include "support.h"

#include "protocol/hex.h"

static void digits(void **state)
{
	(void)state;
	assert_int_equal(hex_digit('0'), 0);
	assert_int_equal(hex_digit('9'), 9);
	assert_int_equal(hex_digit('a'), 10);
	assert_int_equal(hex_digit('F'), 15);
	assert_int_equal(hex_digit('g'), -1);
	assert_int_equal(hex_digit('/'), -1);
	assert_int_equal(hex_digit(':'), -1);
	assert_int_equal(hex_digit('\0'), -1);
}

static void there_and_back(void **state)
{
	uint8_t raw[256], back[256];
	char text[512];

	(void)state;
	for (int i = 0; i < 256; i++)
		raw[i] = (uint8_t)i;
	hex_encode(raw, sizeof(raw), text);
	assert_memory_equal(text, "000102", 6);
	assert_memory_equal(text + 506, "fdfeff", 6);
	assert_true(hex_decode_lower(slice_of(text, sizeof(text)), back));
	assert_memory_equal(raw, back, sizeof(raw));
}

static void refuses(void **state)
{
	static const char *const bad[] = {"0", "0g", "g0", "AB", "aB", "00 ", "0x00"};
	uint8_t raw[8];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(hex_decode_lower(slice_str(bad[i]), raw));
	assert_true(hex_decode_lower(slice_str(""), raw));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digits),
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
