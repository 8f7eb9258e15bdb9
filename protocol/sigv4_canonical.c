/*
 * The canonical request is written into one buffer of 1 MiB at most.
 *
 * The query is decoded, encoded AWS's way and sorted, since clients encode in different ways and sign this one.
 * sigv4_query_clear() says whether it has one meaning only: sorting hides which of two parameters of a name came
 * first.
 */
#include "protocol/sigv4_canonical.h"

#include "protocol/buf.h"
#include "protocol/digest.h"
#include "protocol/hex.h"
#include "protocol/http_fields.h"

#include <openssl/hmac.h>
#include <stdlib.h>

enum { CANONICAL_MAX = 1 << 20, RAW_LEN = 32, SECRET_MAX = 256 };

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    c == '-' || c == '.' || c == '_' || c == '~';
}

/* UriEncode of the documentation. */
static void put_encoded(struct buf *out, struct slice s, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.at[i];

		if (is_unreserved((char)c) || (keep_slash && c == '/')) {
			buf_putc(out, (char)c);
			continue;
		}
		buf_putc(out, '%');
		buf_putc(out, digits[c >> 4]);
		buf_putc(out, digits[c & 15]);
	}
}

/* ---- the path ---- */

/* RFC 3986's "remove dot segments", and no empty ones: "/a//b/../c" -> "/a/c". */
static struct slice normalize(struct slice path, struct arena *a)
{
	struct slice rest = path, segment = {0};
	struct buf out;

	buf_init(&out, a, path.len + 2, path.len + 2);
	while (rest.len) {
		segment = slice_cut(&rest, '/');
		if (slice_is(segment, "..")) {
			while (out.len && out.at[--out.len] != '/')
				continue;
		} else if (segment.len && !slice_is(segment, ".")) {
			buf_putc(&out, '/');
			buf_put_slice(&out, segment);
		}
	}
	if (out.len == 0 || slice_ends(path, slice_str("/")))
		buf_putc(&out, '/');
	return buf_slice(&out);
}

static void put_path(struct buf *out, const struct sigv4_request *request)
{
	struct slice path = request->path.len ? request->path : slice_str("/");

	put_encoded(out, request->path_as_sent ? path : normalize(path, out->arena), true);
}

/* ---- the query ---- */

struct parameter {
	struct slice name, value; /* encoded */
};

/* Decoded and encoded again; absent when an escape of it is none. */
static struct slice recode(struct slice text, struct arena *a)
{
	struct slice plain = form_decode(text, a);
	struct buf out;

	if (text.len && !plain.at)
		return (struct slice){0};
	buf_init(&out, a, CANONICAL_MAX, text.len + 1);
	put_encoded(&out, plain, false);
	return buf_slice(&out);
}

static int compare_parameters(const void *left, const void *right)
{
	const struct parameter *a = left, *b = right;
	int order = slice_cmp(a->name, b->name);

	return order ? order : slice_cmp(a->value, b->value);
}

/* In order of their encoded names; a malformed word is absent. */
static struct parameter *sorted_query(struct slice query, struct arena *a, size_t *count)
{
	struct parameter *list = arena_array(a, query.len / 2 + 2, sizeof(*list));

	*count = 0;
	while (query.len) {
		struct slice value = slice_cut(&query, '&');
		struct slice name = slice_cut(&value, '=');

		if (name.len || value.len)
			list[(*count)++] = (struct parameter){recode(name, a), recode(value, a)};
	}
	qsort(list, *count, sizeof(*list), compare_parameters);
	return list;
}

bool sigv4_query_clear(struct slice query, struct arena *a)
{
	size_t count;
	struct parameter *list = sorted_query(query, a, &count);

	for (size_t i = 0; i < count; i++)
		if (!list[i].name.at || !list[i].value.at ||
		    (i && slice_eq(list[i].name, list[i - 1].name)))
			return false;
	return true;
}

static void put_query(struct buf *out, struct slice query)
{
	size_t count;
	struct parameter *list = sorted_query(query, out->arena, &count);
	bool first = true;

	for (size_t i = 0; i < count; i++) {
		if (slice_is(list[i].name, "X-Amz-Signature"))
			continue;
		if (!first)
			buf_putc(out, '&');
		buf_put_slice(out, list[i].name);
		buf_putc(out, '=');
		buf_put_slice(out, list[i].value);
		first = false;
	}
}

/* ---- the fields ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Trimmed, runs of blanks made one. */
static void put_value(struct buf *out, struct slice value)
{
	bool gap = false, some = false;

	for (size_t i = 0; i < value.len; i++) {
		if (is_blank(value.at[i])) {
			gap = some;
			continue;
		}
		if (gap)
			buf_putc(out, ' ');
		buf_putc(out, value.at[i]);
		gap = false;
		some = true;
	}
}

static void put_field(struct buf *out, const struct sigv4_request *request, struct slice name)
{
	bool first = true;

	buf_put_slice(out, name);
	buf_putc(out, ':');
	for (size_t i = 0; i < request->field_count; i++) {
		if (!slice_eq_nocase(request->fields[i].name, name))
			continue;
		if (!first)
			buf_putc(out, ',');
		put_value(out, request->fields[i].value);
		first = false;
	}
	buf_putc(out, '\n');
}

struct slice sigv4_canonical_request(const struct sigv4_request *request,
    struct slice signed_headers, struct slice body_hash, struct arena *a)
{
	struct slice names = signed_headers;
	struct buf out;

	buf_init(&out, a, CANONICAL_MAX, 1024);
	buf_put_slice(&out, request->method);
	buf_putc(&out, '\n');
	put_path(&out, request);
	buf_putc(&out, '\n');
	put_query(&out, request->query);
	buf_putc(&out, '\n');
	while (names.len && !out.overflow)
		put_field(&out, request, slice_cut(&names, ';'));
	buf_putc(&out, '\n');
	buf_put_slice(&out, signed_headers);
	buf_putc(&out, '\n');
	buf_put_slice(&out, body_hash);
	return buf_slice(&out);
}

/* ---- the signature ---- */

void sigv4_hash(struct slice bytes, char out[SIGV4_HASH_LEN])
{
	struct digest digest;

	digest_compute(DIGEST_SHA256, bytes, &digest);
	hex_encode(digest.raw, RAW_LEN, out);
}

struct slice sigv4_string_to_sign(
    struct slice time, struct slice scope, struct slice canonical_request, struct arena *a)
{
	char hash[SIGV4_HASH_LEN];

	sigv4_hash(canonical_request, hash);
	return arena_slicef(a, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%.*s", SLICE_ARG(time),
	    SLICE_ARG(scope), SIGV4_HASH_LEN, hash);
}

static void hmac(const void *key, size_t key_len, struct slice text, uint8_t out[RAW_LEN])
{
	unsigned len = RAW_LEN;

	if (!HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text.at, text.len, out, &len))
		abort(); /* only memory can fail it */
}

void sigv4_signature(struct slice secret, struct slice date, struct slice region,
    struct slice service, struct slice string_to_sign, char out[SIGV4_HASH_LEN])
{
	uint8_t first[RAW_LEN], second[RAW_LEN];
	char key[4 + SECRET_MAX] = "AWS4";
	size_t len = secret.len < SECRET_MAX ? secret.len : SECRET_MAX;

	memcpy(key + 4, secret.at, len);
	hmac(key, 4 + len, date, first);
	hmac(first, RAW_LEN, region, second);
	hmac(second, RAW_LEN, service, first);
	hmac(first, RAW_LEN, slice_str("aws4_request"), second);
	hmac(second, RAW_LEN, string_to_sign, first);
	hex_encode(first, RAW_LEN, out);
}
