#include "protocol/sigv4.h"

#include "protocol/hex.h"

enum { DATE_LEN = 8, SIGNATURE_LEN = 64 };

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
	out->access_key = slice_cut(&scope, '/');
	out->date = slice_cut(&scope, '/');
	out->region = slice_cut(&scope, '/');
	out->service = slice_cut(&scope, '/');
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
	struct slice rest = slice_trim(authorization), scope = {NULL, 0};
	struct sigv4_credential c = {0};

	if (!slice_is(slice_cut(&rest, ' '), "AWS4-HMAC-SHA256"))
		return false;
	while (rest.len) {
		struct slice value = slice_trim(slice_cut(&rest, ','));
		struct slice name = slice_cut(&value, '='), *field;
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
