#include "support.h"

#include "protocol/http_fields.h"

static void ranges(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		enum range_kind kind;
		uint64_t first, last;
	} cases[] = {
	    {"bytes=0-0", 100, RANGE_PART, 0, 0},
	    {"bytes=0-99", 100, RANGE_PART, 0, 99},
	    {"bytes=10-", 100, RANGE_PART, 10, 99},
	    {"bytes=99-", 100, RANGE_PART, 99, 99},
	    {"bytes=50-1000", 100, RANGE_PART, 50, 99},
	    {"bytes=0-99999999999999999999999", 100, RANGE_PART, 0, 99},
	    {"bytes=-1", 100, RANGE_PART, 99, 99},
	    {"bytes=-100", 100, RANGE_PART, 0, 99},
	    {"bytes=-5000", 100, RANGE_PART, 0, 99},
	    {"BYTES=5-6", 100, RANGE_PART, 5, 6},
	    {" bytes=5-6 ", 100, RANGE_PART, 5, 6},
	    {"bytes=100-", 100, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=100-200", 100, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=99999999999999999999999-", 100, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=-0", 100, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=-5", 0, RANGE_NONE, 0, 0},
	    {"", 100, RANGE_NONE, 0, 0},
	    {"bytes=", 100, RANGE_NONE, 0, 0},
	    {"bytes=-", 100, RANGE_NONE, 0, 0},
	    {"bytes=5", 100, RANGE_NONE, 0, 0},
	    {"bytes=6-5", 100, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=600-500", 100, RANGE_UNSATISFIABLE, 0, 0},
	    {"bytes=0-1,5-6", 100, RANGE_NONE, 0, 0},
	    {"bytes=a-b", 100, RANGE_NONE, 0, 0},
	    {"bytes=0-1x", 100, RANGE_NONE, 0, 0},
	    {"bytes= 0-1", 100, RANGE_NONE, 0, 0},
	    {"bytes=0 -1", 100, RANGE_NONE, 0, 0},
	    {"bytes=--1", 100, RANGE_NONE, 0, 0},
	    {"items=0-1", 100, RANGE_NONE, 0, 0},
	    {"bytes 0-1", 100, RANGE_NONE, 0, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t first = 0, last = 0;
		if (http_range(exact(*state, cases[i].text), cases[i].size, &first, &last) !=
			cases[i].kind ||
		    first != cases[i].first || last != cases[i].last)
			fail_msg("Range: %s", cases[i].text);
	}
	uint64_t first, last;
	assert_int_equal(http_range(slice_str(NULL), 100, &first, &last), RANGE_NONE);
	assert_int_equal(http_range(slice_str("bytes=1-"), UINT64_MAX, &first, &last), RANGE_PART);
	assert_true(last == UINT64_MAX - 1);
}

static void content_ranges(void **state)
{
	static const char *const good[] = {"5-9", "bytes 5-9", "bytes=5-9", "bytes 5-9/10",
	    "bytes 5-9/*", "Bytes 5-9", " 5-9 ", "5-9/100", "bytes  5-9"};
	static const char *const bad[] = {"", "5", "5-", "-9", "9-5", "5-9-10", "bytes", "bytes ",
	    "bytes5-9", "items 5-9", "5-9/", "5-9/9", "5-9/x", "5-9/**", "a-b", "5-9x",
	    "0-18446744073709551615", "0-99999999999999999999", "5 - 9"};
	uint64_t first, last;

	for (size_t i = 0; i < COUNT(good); i++) {
		if (!http_content_range(exact(*state, good[i]), &first, &last))
			fail_msg("'%s' was refused", good[i]);
		assert_int_equal(first, 5);
		assert_int_equal(last, 9);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (http_content_range(exact(*state, bad[i]), &first, &last))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(http_content_range(slice_str(NULL), &first, &last));
}

static void media_types(void **state)
{
	assert_slice(http_media_type(exact(*state, "a/b")), "a/b");
	assert_slice(http_media_type(exact(*state, " a/b ; charset=utf-8")), "a/b");
	assert_slice(http_media_type(exact(*state, "")), "");
	assert_slice(http_media_type(exact(*state, ";")), "");
	assert_slice(http_media_type(slice_str(NULL)), NULL);
}

static void accepts(void **state)
{
	static const struct {
		const char *accept;
		bool admits;
	} cases[] = {
	    {"", true},
	    {" ", true},
	    {"*/*", true},
	    {"application/*", true},
	    {"application/json", true},
	    {"APPLICATION/JSON", true},
	    {"text/html, application/json;q=0.1", true},
	    {"text/html", false},
	    {"text/*", false},
	    {"application/jso", false},
	    {"application/json2", false},
	    {"application/json;q=0", false},
	    {"application/json;q=0.000", false},
	    {"application/json; q=0.001", true},
	    {"application/json ; Q=0", false},
	    {"*/*, application/json;q=0", false},
	    {"application/json;q=0, */*", false},
	    {"application/*;q=0, */*", false},
	    {"application/*, */*;q=0", true},
	    {"application/json, application/*;q=0", true},
	    {"application/json;q=0, application/json", true},
	    {"application/json;v=\"a,b;q=0\"", true},
	    {"application/json;v=\"a\\\",b\";q=0", false},
	    {"text/html;x=\",application/json", false},
	    {",,application/json,,", true},
	    {",", false},
	    {"*", false},
	    {"*/json", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		if (http_accepts(exact(*state, cases[i].accept),
			exact(*state, "application/json")) != cases[i].admits)
			fail_msg("Accept: %s", cases[i].accept);
	}
	assert_true(http_accepts(slice_str(NULL), slice_str("a/b")));
}

static void percent(void **state)
{
	static const char *const bad[] = {"%", "%1", "a%", "%g0", "%0g", "%00", "a%00b", "%%41"};

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_slice(percent_decode(exact(*state, bad[i]), *state), NULL);
	assert_slice(percent_decode(exact(*state, "a+b"), *state), "a+b");
	assert_slice(percent_decode(exact(*state, "%41%2f%2F%25"), *state), "A//%");
	assert_slice(percent_decode(exact(*state, "%2541"), *state), "%41");
	assert_slice(percent_decode(exact(*state, ""), *state), "");
	assert_slice(percent_decode(slice_str(NULL), *state), NULL);
}

static void queries(void **state)
{
	struct arena *a = *state;
	struct slice q = exact(a, "n=10&last=a%2Fb&&x&e=&bad=%zz&n=20&%6e2=v&=nameless&plus=a+b");

	assert_slice(query_get(q, "n", a), "10");
	assert_slice(query_get(q, "last", a), "a/b");
	assert_slice(query_get(q, "x", a), "");
	assert_slice(query_get(q, "e", a), "");
	assert_slice(query_get(q, "bad", a), "");
	assert_slice(query_get(q, "n2", a), "v");
	assert_slice(query_get(q, "plus", a), "a+b");
	assert_slice(query_get(q, "absent", a), NULL);
	assert_slice(query_get(q, "las", a), NULL);
	assert_slice(query_get(exact(a, ""), "n", a), NULL);
	assert_slice(query_get(slice_str(NULL), "n", a), NULL);
	assert_slice(query_get(exact(a, "mount=sha256:ab=c"), "mount", a), "sha256:ab=c");
	assert_slice(query_get(exact(a, "&n="), "n", a), "");
}

static void forms(void **state)
{
	struct arena *a = *state;
	struct slice f = exact(a, "n+1=a+b%2B%20c&n=+&bad=%zz&n=2&%6b=+%");

	assert_slice(form_get(f, "n 1", a), "a b+ c");
	assert_slice(form_get(f, "n+1", a), NULL);
	assert_slice(form_get(f, "n", a), " ");
	assert_slice(form_get(f, "bad", a), "");
	assert_slice(form_get(f, "k", a), "");
	assert_slice(form_get(slice_str(NULL), "n", a), NULL);
	assert_slice(form_decode(exact(a, "+%2b+"), a), " + ");
	assert_slice(form_decode(exact(a, ""), a), "");
	assert_slice(form_decode(exact(a, "+%2"), a), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(ranges),
	    arena_test(content_ranges),
	    arena_test(media_types),
	    arena_test(accepts),
	    arena_test(percent),
	    arena_test(queries),
	    arena_test(forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
