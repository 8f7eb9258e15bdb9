#include "protocol/sigv4.h"

#include "protocol/hex.h"

enum { DATE_LEN = 8, SIGNATURE_LEN = 64 };

static struct slice trim(struct slice s)
{
	while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
		s = slice_skip(s, 1);
	while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cuts the part up to the separator off the head of *rest, the separator with it. */
static struct slice take_until(struct slice *rest, char separator)
{
	const char *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	size_t len = end ? (size_t)(end - rest->at) : rest->len;
	struct slice part = slice_of(rest->at, len);

	*rest = slice_skip(*rest, end ? len + 1 : len);
	return part;
}

/* Graphic ASCII, and something of it. */
static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] <= ' ' || s.at[i] > '~')
			return false;
	}
	return s.len > 0;
}

/* KEY/DATE/REGION/SERVICE/aws4_request */
static bool parse_scope(struct slice scope, struct sigv4_credential *out)
{
	out->access_key = take_until(&scope, '/');
	out->date = take_until(&scope, '/');
	out->region = take_until(&scope, '/');
	out->service = take_until(&scope, '/');
	unsigned long long day;
	return is_word(out->access_key) && out->date.len == DATE_LEN &&
	    slice_to_u64(out->date, &day) && is_word(out->region) && is_word(out->service) &&
	    slice_is(scope, "aws4_request");
}

static bool is_signature(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (hex_digit(s.at[i]) < 0)
			return false;
	}
	return s.len == SIGNATURE_LEN;
}

bool sigv4_parse(struct slice authorization, struct sigv4_credential *out)
{
	struct slice rest = trim(authorization), scope = {NULL, 0};
	struct sigv4_credential c = {0};

	if (!slice_is(take_until(&rest, ' '), "AWS4-HMAC-SHA256"))
		return false;
	while (rest.len) {
		struct slice value = trim(take_until(&rest, ','));
		struct slice name = take_until(&value, '='), *field;
		if (slice_is(name, "Credential"))
			field = &scope;
		else if (slice_is(name, "SignedHeaders"))
			field = &c.signed_headers;
		else if (slice_is(name, "Signature"))
			field = &c.signature;
		else
			return false;
		if (field->at || !is_word(value))
			return false; /* said twice, or empty */
		*field = value;
	}
	if (!parse_scope(scope, &c) || !c.signed_headers.at || !is_signature(c.signature))
		return false;
	*out = c;
	return true;
}
