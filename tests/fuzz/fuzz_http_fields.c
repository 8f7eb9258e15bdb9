/* The HTTP fields, by the first byte. */
#include "fuzz.h"

#include "protocol/buf.h"
#include "protocol/http_fields.h"

static void range(struct slice input, struct arena *a)
{
	uint64_t size = 0, first = 7, last = 7;

	for (int i = take_byte(&input) % 9; i > 0; i--)
		size = size << 8 | take_byte(&input);
	enum range_kind kind = http_range(input, size, &first, &last);
	if (kind != RANGE_PART) {
		CHECK(first == 7 && last == 7);
		return;
	}
	CHECK(first <= last && last < size);
	uint64_t first_again, last_again;
	struct slice text =
	    arena_slicef(a, "bytes=%llu-%llu", (unsigned long long)first, (unsigned long long)last);
	CHECK(http_range(text, size, &first_again, &last_again) == RANGE_PART);
	CHECK(first == first_again && last == last_again);
}

static void content_range(struct slice input, struct arena *a)
{
	uint64_t first, last, first_again, last_again;

	if (!http_content_range(input, &first, &last))
		return;
	CHECK(first <= last && last < UINT64_MAX);
	struct slice text = arena_slicef(
	    a, "bytes %llu-%llu/*", (unsigned long long)first, (unsigned long long)last);
	CHECK(http_content_range(text, &first_again, &last_again));
	CHECK(first == first_again && last == last_again);
}

static struct slice join(struct slice one, struct slice two, struct slice three, struct arena *a)
{
	struct buf out;

	buf_init(&out, a, SIZE_MAX, 0);
	buf_put_slice(&out, one);
	buf_put_slice(&out, two);
	buf_put_slice(&out, three);
	return buf_slice(&out);
}

static void accept(struct slice input, struct arena *a)
{
	struct slice media_type = http_media_type(slice_cut(&input, '\n'));

	CHECK(http_accepts(input, media_type) || input.len > 0);
	/* in front of all else, the type itself admits itself */
	if (media_type.len && memchr(media_type.at, '/', media_type.len) &&
	    !memchr(media_type.at, ',', media_type.len) &&
	    !memchr(media_type.at, '"', media_type.len)) {
		CHECK(http_accepts(join(media_type, slice_str(","), input, a), media_type));
	}
}

static struct slice percent_encode(struct slice text, struct arena *a)
{
	struct buf out;

	buf_init(&out, a, SIZE_MAX, text.len * 3);
	for (size_t i = 0; i < text.len; i++)
		buf_printf(&out, "%%%02X", (unsigned char)text.at[i]);
	return buf_slice(&out);
}

static void percent(struct slice input, struct arena *a)
{
	struct slice decoded = percent_decode(input, a);

	if (decoded.at) {
		CHECK(decoded.len <= input.len);
		bool plain = input.len == 0 || !memchr(input.at, '%', input.len);
		CHECK(!plain || slice_eq(decoded, input));
	}
	bool has_nul = input.len && memchr(input.at, '\0', input.len);
	decoded = percent_decode(percent_encode(input, a), a);
	CHECK(has_nul ? !decoded.at : slice_eq(decoded, input));
}

static void query(struct slice input, struct arena *a)
{
	struct slice value = query_get(input, "digest", a);

	CHECK(!value.at || value.len <= input.len);
	/* in front of everything it is the first */
	struct slice more = join(slice_str("digest="), slice_str("%41b&"), input, a);
	CHECK(slice_is(query_get(more, "digest", a), "Ab"));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	static void (*const targets[])(struct slice input, struct arena * a) = {
	    range, content_range, accept, percent, query};
	struct slice input = slice_of((const char *)at, len);
	uint8_t pick = take_byte(&input);
	struct arena a;

	arena_init(&a);
	targets[pick % 5](input, &a);
	arena_release(&a);
	return 0;
}
