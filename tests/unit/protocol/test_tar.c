#include "support.h"

#include "protocol/tar.h"

#include <stdio.h>

static void there_and_back(void **state)
{
	static const uint64_t sizes[] = {0, 1, 512, 077777777777, 0100000000000, INT64_MAX};
	uint8_t header[TAR_HEADER_MAX];
	struct tar_entry entry;
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t len = tar_header_write(header, "blobs/x", sizes[i]);
		struct tar_extra extra = {0};

		assert_true(tar_header_read(header, &entry, &why));
		if (len > TAR_BLOCK) {
			assert_int_equal(entry.kind, TAR_PAX);
			assert_true(tar_extra_read(TAR_PAX,
			    slice_of((char *)header + TAR_BLOCK, entry.size), &extra, &why));
			assert_true(tar_header_read(header + 2 * TAR_BLOCK, &entry, &why));
			tar_extra_apply(&extra, &entry);
		}
		assert_int_equal(entry.kind, TAR_FILE);
		assert_string_equal(entry.name, "blobs/x");
		assert_true(entry.size == sizes[i]);
	}
}

static void long_names(void **state)
{
	char name[142];
	uint8_t header[TAR_HEADER_MAX];
	struct tar_extra extra = {0};
	struct tar_entry entry;
	const char *why;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(tar_header_write(header, name, 5), TAR_HEADER_MAX);
	assert_true(tar_header_read(header, &entry, &why));
	assert_true(tar_extra_read(
	    TAR_PAX, slice_of((char *)header + TAR_BLOCK, entry.size), &extra, &why));
	assert_string_equal(extra.name, name);
	assert_false(extra.has_size);
}

static void refuses_headers(void **state)
{
	uint8_t header[TAR_HEADER_MAX];
	struct tar_entry entry;
	const char *why = NULL;

	(void)state;
	tar_header_write(header, "a", 1);
	header[0] ^= 1;
	assert_false(tar_header_read(header, &entry, &why));
	assert_non_null(strstr(why, "checksum"));
	memset(header, 0, TAR_BLOCK);
	assert_true(tar_block_empty(header));
	assert_false(tar_header_read(header, &entry, &why));
}

static void refuses_records(void **state)
{
	static const char *const bad[] = {"1", "5 a=b\n", "6 ab\n\n", "99 path=x\n", "0 path=x\n",
	    "7 a=bc", "11 size=1x\n", "28 size=99999999999999999999\n",
	    "25 GNU.sparse.major=1\n\n"};
	struct tar_extra extra = {0};
	const char *why;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(tar_extra_read(TAR_PAX, slice_str(bad[i]), &extra, &why));
	assert_true(tar_extra_read(TAR_PAX, slice_str("10 path=x\n6 a=b\n"), &extra, &why));
	assert_string_equal(extra.name, "x");
}

static void names(void **state)
{
	static const char *const bad[] = {
	    "", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", "./"};
	char good[] = "./a//b/./c/", name[32];

	(void)state;
	assert_true(tar_name_clean(good));
	assert_string_equal(good, "a/b/c");
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(name, sizeof(name), "%s", bad[i]);
		assert_false(tar_name_clean(name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(long_names),
	    cmocka_unit_test(refuses_headers),
	    cmocka_unit_test(refuses_records),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
