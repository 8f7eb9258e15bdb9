#include "support.h"

#include "protocol/json.h"

#include <stdlib.h>

static bool parses(struct arena *a, struct slice text)
{
	(void)a;
	cJSON *value = json_parse(text);
	bool ok = value != NULL;
	cJSON_Delete(value);
	return ok;
}

static void takes(void **state)
{
	static const char *const good[] = {"{}", "[]", "null", "true", "false", "0", "-0",
	    "-1.5e+10", "1E5", "\"\"", " \t\r\n{} \n", "{\"a\":[1,2,{\"b\":null}]}",
	    "\"\\u00e4\\ud83d\\ude00\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"", "\"\\\\u0000\"",
	    "\"\\\"\"", "[[[[]]]]", "{\"\":1}", "0.0", "[0,-0,1e-7]"};

	for (size_t i = 0; i < COUNT(good); i++) {
		if (!parses(*state, exact(*state, good[i])))
			fail_msg("%s was refused", good[i]);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {"", " ", "{", "}", "[", "]", "{]", "[}", "[1,]", "[,1]",
	    "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}", "{} {}", "{}x", "1 2", "nul",
	    "True", "nullx", "01", "-01", "1.", ".5", "1e", "1e+", "-", "+1", "0x10", "NaN",
	    "Infinity", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"",
	    "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\u0000\"", "\"a\\u0000b\"", "\"a\nb\"",
	    "\"a\tb\"", "\xef\xbb\xbf{}", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
	    "\"\xf4\x90\x80\x80\"", "\"\xc3\"", "{}\x0b", "// {}", "/**/{}", "[1 2]", "{\"a\" 1}",
	    "::::", "{:}", "\"a\":1"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		if (parses(*state, exact(*state, bad[i])))
			fail_msg("%s was taken", bad[i]);
	}
	assert_false(parses(*state, exactly(*state, "{}\0", 3)));
	assert_false(parses(*state, exactly(*state, "\"a\0b\"", 5)));
	assert_false(parses(*state, slice_str(NULL)));
}

static struct slice nested(struct arena *a, int depth)
{
	char *text = arena_alloc(a, (size_t)depth * 2);

	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	return slice_of(text, (size_t)depth * 2);
}

static void depth_is_bounded(void **state)
{
	assert_true(parses(*state, nested(*state, JSON_DEPTH_MAX)));
	assert_false(parses(*state, nested(*state, JSON_DEPTH_MAX + 1)));
	assert_false(parses(*state, nested(*state, 1000000)));
}

/* An array of so many zeroes: with itself one value more. */
static struct slice zeroes(struct arena *a, size_t count)
{
	char *text = arena_alloc(a, count * 2 + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(text + 2 * i, ",0", 2);
	text[0] = '[';
	text[2 * count] = ']';
	return slice_of(text, count * 2 + 1);
}

static void values_are_bounded(void **state)
{
	assert_true(parses(*state, zeroes(*state, JSON_VALUES_MAX - 1)));
	assert_false(parses(*state, zeroes(*state, JSON_VALUES_MAX)));
}

static void utf8(void **state)
{
	static const char *const good[] = {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
	    "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
	    "0123456\xc3\xa4", "01234567\xc3\xa4 01234567"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2",
	    "\xc2\xc0", "\xe0\x9f\xbf", "\xe0\xa0", "\xed\xa0\x80", "\xed\xbf\xbf", "\xef\xbf",
	    "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
	    "0123456\x80", "0123456789abcdef\xc3"};

	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(utf8_valid(exact(*state, good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(utf8_valid(exact(*state, bad[i])));
	assert_true(utf8_valid(slice_str(NULL)));
}

static void members(void **state)
{
	cJSON *v = json_parse(exact(*state,
	    "{\"s\":\"x\",\"n\":5,\"b\":true,\"z\":null,\"o\":{},"
	    "\"s2\":\"\",\"neg\":-7,\"frac\":1.5,\"big\":1e300,"
	    "\"edge\":9007199254740992,\"d\":1,\"d\":2,\"D\":3}"));

	assert_non_null(v);
	assert_slice(json_string(v, "s"), "x");
	assert_slice(json_string(v, "s2"), "");
	assert_slice(json_string(v, "n"), NULL);
	assert_slice(json_string(v, "z"), NULL);
	assert_slice(json_string(v, "absent"), NULL);
	assert_slice(json_string(NULL, "s"), NULL);
	assert_true(json_bool(v, "b", false));
	assert_true(json_bool(v, "n", true));
	assert_false(json_bool(v, "absent", false));
	assert_int_equal(json_int(v, "n", 1), 5);
	assert_int_equal(json_int(v, "neg", 1), -7);
	assert_int_equal(json_int(v, "frac", 1), 1);
	assert_int_equal(json_int(v, "big", 1), 1);
	assert_int_equal(json_int(v, "edge", 1), 9007199254740992);
	assert_int_equal(json_int(v, "s", 1), 1);
	assert_int_equal(json_int(v, "d", 0), 2); /* the last counts */
	assert_true(cJSON_IsObject(json_member(v, "o")));
	assert_null(json_member(json_member(v, "s"), "x"));
	assert_null(json_member(v, "z"));
	assert_true(json_has(v, "z"));
	assert_true(json_has(v, "s"));
	assert_false(json_has(v, "absent"));
	assert_false(json_has(NULL, "s"));
	cJSON_Delete(v);
}

static void writes(void **state)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, *state, 10000, 0);
	json_begin(&w, &out);
	json_object(&w);
	json_put_str(&w, "s", slice_str("a\"b\\c/\n\t\x01\x1f\x7f\xc3\xa4"));
	json_put_str(&w, "absent", slice_str(NULL));
	json_put_cstr(&w, "none", NULL);
	json_put_cstr(&w, "k\"", "v");
	json_put_num(&w, "n", INT64_MIN);
	json_put_bool(&w, "t", true);
	json_put_array(&w, "empty");
	json_array_end(&w);
	json_put_array(&w, "list");
	json_num(&w, 0);
	json_str(&w, slice_str(""));
	json_object(&w);
	json_object_end(&w);
	json_raw(&w, slice_str("[1]"));
	json_boolean(&w, false);
	json_array_end(&w);
	json_put_object(&w, "o");
	json_put_num(&w, "x", INT64_MAX);
	json_object_end(&w);
	json_object_end(&w);
	assert_slice(buf_slice(&out),
	    "{\"s\":\"a\\\"b\\\\c/\\n\\t\\u0001\\u001f\x7f\xc3\xa4\",\"k\\\"\":\"v\","
	    "\"n\":-9223372036854775808,\"t\":true,\"empty\":[],\"list\":[0,\"\",{},[1],false],"
	    "\"o\":{\"x\":9223372036854775807}}");
	assert_true(parses(*state, buf_slice(&out)));
}

static void writes_times(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} times[] = {{1563223656123, "1563223656.123"}, {1563223656000, "1563223656.0"},
	    {1563223656120, "1563223656.12"}, {1563223656007, "1563223656.007"}, {0, "0.0"},
	    {-1500, "-1.5"}, {5, "0.005"}};

	for (size_t i = 0; i < COUNT(times); i++) {
		struct json_writer w;
		struct buf out;
		buf_init(&out, *state, 100, 0);
		json_begin(&w, &out);
		json_time(&w, times[i].ms);
		assert_slice(buf_slice(&out), times[i].text);
	}
}

static void every_character_comes_back(void **state)
{
	for (int c = 1; c < 0x80; c++) {
		char text[3] = {'x', (char)c, '\0'};
		struct json_writer w;
		struct buf out;
		buf_init(&out, *state, 100, 0);
		json_begin(&w, &out);
		json_str(&w, slice_str(text));
		cJSON *v = json_parse(buf_slice(&out));
		assert_true(cJSON_IsString(v));
		assert_string_equal(v->valuestring, text);
		cJSON_Delete(v);
	}
}

/* Nobody can read these bytes: a writer that is full must not look at them. */
static const struct slice out_of_bounds = {(const char *)4096, 1 << 20};

static void stops_when_full(void **state)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, *state, 100, 0);
	json_begin(&w, &out);
	json_array(&w);
	assert_false(json_full(&w));
	json_str(&w, out_of_bounds); /* it cannot fit, whatever it says */
	assert_true(json_full(&w));
	json_str(&w, out_of_bounds);
	json_raw(&w, out_of_bounds);
	json_put_str(&w, "name", out_of_bounds);
	json_num(&w, 1);
	json_time(&w, 1);
	json_array_end(&w);
	assert_true(json_full(&w) && out.len <= 100);
}

static void stops_within_a_value(void **state)
{
	char quotes[90];
	struct json_writer w;
	struct buf out;

	memset(quotes, '"', sizeof(quotes));
	buf_init(&out, *state, 100, 0);
	json_begin(&w, &out);
	json_str(&w, slice_of(quotes, sizeof(quotes)));
	assert_true(json_full(&w));
}

static size_t allocated;

static void *count_malloc(size_t size)
{
	allocated += size < 16 ? 32 : size + 16; /* with what malloc adds */
	return malloc(size);
}

/* The tree of a text never takes more than was said before it was made. */
static void a_tree_costs_no_more_than_was_said(void **state)
{
	static const char *const units[] = {"0,", "\"\",", "{},", "[[]],", "{\"a\":\"b\",\"c\":1},",
	    "\"0123456789012345678901234567890123456789\",", "\"\\u00e9\","};
	cJSON_Hooks hooks = {.malloc_fn = count_malloc, .free_fn = free};

	cJSON_InitHooks(&hooks);
	for (size_t u = 0; u < COUNT(units); u++) {
		size_t len = strlen(units[u]);
		struct buf b;
		cJSON *tree;

		buf_init(&b, *state, 1 << 20, 0);
		buf_putc(&b, '[');
		for (int i = 0; i < 1000; i++)
			buf_puts(&b, units[u]);
		b.at[b.len - 1] = ']'; /* instead of the last comma */
		allocated = 0;
		tree = json_parse(buf_slice(&b));
		assert_non_null(tree);
		assert_true(allocated <= json_cost(buf_slice(&b)));
		assert_true(json_cost(buf_slice(&b)) <= 5 * 1000 * (144 + len));
		cJSON_Delete(tree);
	}
	cJSON_InitHooks(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(stops_when_full),
	    arena_test(stops_within_a_value),
	    arena_test(takes),
	    arena_test(refuses),
	    arena_test(depth_is_bounded),
	    arena_test(values_are_bounded),
	    arena_test(utf8),
	    arena_test(members),
	    arena_test(writes),
	    arena_test(writes_times),
	    arena_test(every_character_comes_back),
	    arena_test(a_tree_costs_no_more_than_was_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
