/* json_parse and the writer: what is taken is UTF-8, and stays the same when written and read. */
#include "fuzz.h"

#include "protocol/json.h"

static int depth_of(const cJSON *value)
{
	const cJSON *child;
	int deepest = 0;

	cJSON_ArrayForEach(child, value) {
		int depth = depth_of(child);
		if (depth > deepest)
			deepest = depth;
	}
	return deepest + 1;
}

static void write_value(struct json_writer *w, const cJSON *value)
{
	const cJSON *child;

	if (cJSON_IsObject(value)) {
		json_object(w);
		cJSON_ArrayForEach(child, value) {
			json_key(w, child->string);
			write_value(w, child);
		}
		json_object_end(w);
	} else if (cJSON_IsArray(value)) {
		json_array(w);
		cJSON_ArrayForEach(child, value)
			write_value(w, child);
		json_array_end(w);
	} else if (cJSON_IsString(value)) {
		json_str(w, slice_str(value->valuestring));
	} else if (cJSON_IsNumber(value)) {
		char text[40];
		int64_t whole;
		if (json_integer(value, &whole)) {
			json_num(w, whole);
		} else {
			/* 1e999 is JSON, but not what it becomes */
			snprintf(text, sizeof(text), "%.17g", value->valuedouble);
			json_raw(w, slice_str(strchr(text, 'n') ? "0" : text));
		}
	} else if (cJSON_IsBool(value)) {
		json_boolean(w, cJSON_IsTrue(value));
	} else {
		json_raw(w, slice_str("null"));
	}
}

static struct slice write_all(const cJSON *value, struct arena *a)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, a, 64 << 20, 0);
	json_begin(&w, &out);
	write_value(&w, value);
	CHECK(!out.overflow);
	return buf_slice(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len);
	struct arena a;

	cJSON *value = json_parse(text);
	if (!value)
		return 0;
	arena_init(&a);
	CHECK(utf8_valid(text));
	CHECK(depth_of(value) <= JSON_DEPTH_MAX + 1);
	struct slice once = write_all(value, &a);
	cJSON *again = json_parse(once);
	CHECK(again);
	CHECK(slice_eq(once, write_all(again, &a)));
	cJSON_Delete(again);
	cJSON_Delete(value);
	arena_release(&a);
	return 0;
}
