#include "support.h"

#include "protocol/names.h"

static void repositories(void **state)
{
	static const char *const good[] = {"ab", "a1", "team/app", "a.b", "a_b", "a__b", "a-b",
	    "a------b", "a/b/c/d", "0/1", "a.b_c__d-e/f", "library/nginx"};
	static const char *const bad[] = {"", "a", "A", "ab/", "/ab", "a//b", "a..b", "a___b",
	    "-ab", "ab-", "a_-b", "a-_b", "a._b", ".ab", "ab.", "_ab", "a/.b", "a/-b", "aB", "a b",
	    "a:b", "a@b", "../etc", "a/../b", "\xc3\xa4\xc3\xb6", "ab\n"};

	for (size_t i = 0; i < COUNT(good); i++) {
		if (!repository_name_valid(exact(*state, good[i])))
			fail_msg("'%s' was refused", good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (repository_name_valid(exact(*state, bad[i])))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(repository_name_valid(exactly(*state, "a\0b", 3)));
	assert_false(repository_name_valid(slice_str(NULL)));
}

static void repository_length(void **state)
{
	char name[300];

	memset(name, 'a', sizeof(name));
	assert_true(repository_name_valid(exactly(*state, name, REPOSITORY_NAME_MAX)));
	assert_false(repository_name_valid(exactly(*state, name, REPOSITORY_NAME_MAX + 1)));
	assert_true(repository_name_valid(exactly(*state, name, REPOSITORY_NAME_MIN)));
}

static void tags(void **state)
{
	static const char *const good[] = {
	    "a", "_", "latest", "v1.0", "V1-rc.2", "0", "a.-b", "A_"};
	static const char *const bad[] = {
	    "", ".a", "-a", "a+b", "a b", "a/b", "a:b", "\xc3\xa4", "a\n", "*"};
	char tag[200];

	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(tag_valid(exact(*state, good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(tag_valid(exact(*state, bad[i])));
	memset(tag, 'x', sizeof(tag));
	assert_true(tag_valid(exactly(*state, tag, TAG_MAX)));
	assert_false(tag_valid(exactly(*state, tag, TAG_MAX + 1)));
	assert_false(tag_valid(slice_str(NULL)));
}

static void accounts_and_regions(void **state)
{
	(void)state;
	assert_true(account_id_valid(slice_str("000000000000")));
	assert_false(account_id_valid(slice_str("00000000000")));
	assert_false(account_id_valid(slice_str("0000000000000")));
	assert_false(account_id_valid(slice_str("00000000000a")));
	assert_true(region_valid(slice_str("us-east-1")));
	assert_true(region_valid(slice_str("xx")));
	assert_false(region_valid(slice_str("x")));
	assert_false(region_valid(slice_str("US-EAST-1")));
	assert_false(region_valid(slice_str("us_east_1")));
	assert_false(region_valid(slice_str("abcdefghijklmnopqrstuvwxyz")));
}

static void partitions(void **state)
{
	(void)state;
	assert_string_equal(partition_of_region(slice_str("eu-west-1")), "aws");
	assert_string_equal(partition_of_region(slice_str("cn-north-1")), "aws-cn");
	assert_string_equal(partition_of_region(slice_str("us-gov-west-1")), "aws-us-gov");
	assert_string_equal(partition_of_region(slice_str("cn")), "aws");
	assert_string_equal(dns_suffix_of_region(slice_str("eu-west-1")), "amazonaws.com");
	assert_string_equal(dns_suffix_of_region(slice_str("cn-north-1")), "amazonaws.com.cn");
	assert_string_equal(dns_suffix_of_region(slice_str("us-gov-west-1")), "amazonaws.com");
}

static void uuids(void **state)
{
	static const char *const bad[] = {"", "01234567-89ab-cdef-0123-456789abcde",
	    "01234567-89ab-cdef-0123-456789abcdef0", "0123456789abcdef0123456789abcdef0123",
	    "01234567-89ab-cdef-0123-456789abcdeg", "01234567089ab-cdef-0123-456789abcdef",
	    "0123456-789ab-cdef-0123-456789abcdef", "{1234567-89ab-cdef-0123-456789abcdef"};
	uint8_t id[16] = {9};
	char text[UUID_TEXT_LEN + 1];

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(uuid_parse(exact(*state, bad[i]), id));
	assert_int_equal(id[0], 9);
	assert_true(uuid_parse(exact(*state, "01234567-89AB-cdef-0123-456789ABCDEF"), id));
	assert_int_equal(id[0], 0x01);
	assert_int_equal(id[15], 0xef);
	uuid_format(id, text);
	assert_string_equal(text, "01234567-89ab-cdef-0123-456789abcdef");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(repositories),
	    arena_test(repository_length),
	    arena_test(tags),
	    cmocka_unit_test(accounts_and_regions),
	    cmocka_unit_test(partitions),
	    arena_test(uuids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
