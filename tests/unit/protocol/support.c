#include "support.h"

#include <stdio.h>

int arena_setup(void **state)
{
	struct arena *a = malloc(sizeof(*a));

	assert_non_null(a);
	arena_init(a);
	*state = a;
	return 0;
}

int arena_teardown(void **state)
{
	arena_release(*state);
	free(*state);
	return 0;
}

struct slice exactly(struct arena *a, const char *text, size_t len)
{
	char *at = arena_alloc(a, len);

	if (len)
		memcpy(at, text, len);
	return slice_of(at, len);
}

struct slice exact(struct arena *a, const char *text)
{
	return exactly(a, text, strlen(text));
}

void assert_slice(struct slice s, const char *expected)
{
	if (!s.at && !expected)
		return;
	if (!s.at || !expected || !slice_is(s, expected))
		fail_msg("got '%.*s'%s, expected '%s'%s", (int)s.len, s.at ? s.at : "",
		    s.at ? "" : " (absent)", expected ? expected : "", expected ? "" : " (absent)");
}

struct slice testdata(struct arena *a, const char *name)
{
	FILE *in = fopen(arena_printf(a, "%s/%s", DRYDOCK_TESTDATA, name), "rb");

	if (!in)
		fail_msg("testdata/%s cannot be read", name);
	fseek(in, 0, SEEK_END);
	long len = ftell(in);
	rewind(in);
	char *at = arena_alloc(a, (size_t)len);
	assert_int_equal(fread(at, 1, (size_t)len, in), len);
	fclose(in);
	return slice_of(at, (size_t)len);
}
