#include "support.h"

#include "protocol/timestamp.h"

static const struct {
	const char *text;
	int64_t unix_ms;
} times[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1970-01-01T00:00:00.001Z", 1},
    {"2000-02-29T12:34:56Z", 951827696000},
    {"2026-01-01T00:00:00.250Z", 1767225600250},
    {"2100-03-01T00:00:00Z", 4107542400000},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
};

static void there_and_back(void **state)
{
	char text[TIMESTAMP_TEXT_MAX];
	int64_t ms;

	for (size_t i = 0; i < COUNT(times); i++) {
		assert_true(timestamp_parse(exact(*state, times[i].text), &ms));
		assert_int_equal(ms, times[i].unix_ms);
		assert_slice(timestamp_format(ms, text), times[i].text);
	}
}

static void every_day(void **state)
{
	char text[TIMESTAMP_TEXT_MAX];
	int64_t back;

	(void)state;
	for (int64_t day = 0; day < 366 * 430; day++) {
		int64_t ms = day * 86400000 + day % 86400 * 1000;
		assert_true(timestamp_parse(timestamp_format(ms, text), &back));
		assert_int_equal(back, ms);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {"", "2026-01-01", "2026-01-01T00:00:00",
	    "2026-1-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	    "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
	    "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
	    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00",
	    "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+01:00Z", "1970-01-01T00:30:00+01:00",
	    "9999-12-31T23:30:00-01:00", "2026-01-01T00:00:00ZZ", "2026-01-01 00:00:00Z",
	    "1969-12-31T23:59:59Z", "2026-01-01t00:00:00Z", "2026-01-01T-1:00:00Z"};
	int64_t ms = 5;

	for (size_t i = 0; i < COUNT(bad); i++) {
		if (timestamp_parse(exact(*state, bad[i]), &ms))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_int_equal(ms, 5);
}

static void fractions(void **state)
{
	int64_t ms;

	assert_true(timestamp_parse(exact(*state, "1970-01-01T00:00:00.5Z"), &ms));
	assert_int_equal(ms, 500);
	assert_true(timestamp_parse(exact(*state, "1970-01-01T00:00:00.123456789Z"), &ms));
	assert_int_equal(ms, 123);
}

static void forms_of_w3c(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_ms;
	} good[] = {
	    {"1970", 0},
	    {"2026", 1767225600000},
	    {"2026-02", 1769904000000},
	    {"2026-02-03", 1770076800000},
	    {"2026-02-03T04:05Z", 1770091500000},
	    {"2026-02-03T04:05:06Z", 1770091506000},
	    {"2026-02-03T04:05:06.75Z", 1770091506750},
	    {"2026-02-03T04:05:06+02:30", 1770082506000},
	    {"2026-02-03T04:05-01:00", 1770095100000},
	    {"0", 0},
	    {"1770091506", 1770091506000},
	    {"999999999999", 999999999999000},
	};
	static const char *const bad[] = {"", "1969", "0000", "-1", "1e9", "1770091506.5",
	    "9999999999999", "2026-", "2026-1", "2026-13", "2026-00", "2026-02-30", "2026-02-03T",
	    "2026-02-03T04", "2026-02-03T04Z", "2026-02-03T04:05", "2026-02-03T04:60Z",
	    "2026-02-03T24:00Z", "2026-02-03T04:05:06", "2026-02-03T04:05:06+0230",
	    "2026-02-03T04:05:06+24:00", "2026-02-03T04:05:06Zx", "2026-02-03 04:05Z", "2026x",
	    "2026-02x"};
	int64_t ms;

	for (size_t i = 0; i < COUNT(good); i++) {
		if (!timestamp_parse_w3c(exact(*state, good[i].text), &ms))
			fail_msg("'%s' was not taken", good[i].text);
		assert_int_equal(ms, good[i].unix_ms);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		if (timestamp_parse_w3c(exact(*state, bad[i]), &ms))
			fail_msg("'%s' was taken", bad[i]);
}

static void offsets(void **state)
{
	int64_t ms;

	assert_true(timestamp_parse(exact(*state, "1970-01-01T01:00:00+01:00"), &ms));
	assert_int_equal(ms, 0);
	assert_true(timestamp_parse(exact(*state, "2025-12-31T14:30:00.250-09:30"), &ms));
	assert_int_equal(ms, 1767225600250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(there_and_back),
	    cmocka_unit_test(every_day),
	    arena_test(refuses),
	    arena_test(fractions),
	    arena_test(forms_of_w3c),
	    arena_test(offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
