/*
 * Signature Version 4, step by step: which form the request has, its parts, its time and scope, and last the
 * signature, compared in constant time.
 *
 * The steps are apart because the head is judged before the body is there, which is signed as well. Each refuses
 * in AWS's words. SignedHeaders must be sorted and without doubles, so that a small head cannot ask for much work.
 */
#include "protocol/sigv4.h"

#include "protocol/base64.h"
#include "protocol/buf.h"
#include "protocol/digest.h"
#include "protocol/hex.h"
#include "protocol/http_fields.h"
#include "protocol/timestamp.h"

#include <openssl/crypto.h>

enum { DATE_LEN = 8, TIME_LEN = 16, EXPIRES_MAX_S = 604800 };

static const struct slice algorithm = SLICE("AWS4-HMAC-SHA256");

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
	return s.len == SIGV4_HASH_LEN;
}

/*
 * "host;x-amz-date": lower-case names, sorted, each once (IAM User Guide, "SignedHeaders"). So a header of a few KiB
 * cannot ask for the same field thousands of times.
 */
static bool is_header_list(struct slice list)
{
	struct slice rest = list, before = {NULL, 0};

	if (!is_word(list) || slice_ends(list, slice_str(";")))
		return false;
	while (rest.len) {
		struct slice name = slice_cut(&rest, ';');

		if (!name.len || (before.at && slice_cmp(before, name) >= 0))
			return false;
		for (size_t i = 0; i < name.len; i++)
			if (name.at[i] >= 'A' && name.at[i] <= 'Z')
				return false;
		before = name;
	}
	return true;
}

bool sigv4_parse(struct slice authorization, struct sigv4_credential *out)
{
	struct slice rest = slice_trim(authorization), scope = {NULL, 0};
	struct sigv4_credential c = {0};

	if (!slice_eq(slice_cut(&rest, ' '), algorithm))
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
	if (!parse_scope(scope, &c) || !is_header_list(c.signed_headers) ||
	    !is_signature(c.signature))
		return false;
	*out = c;
	return true;
}

static struct slice field(const struct sigv4_request *request, const char *name)
{
	for (size_t i = 0; i < request->field_count; i++)
		if (slice_eq_nocase(request->fields[i].name, slice_str(name)))
			return request->fields[i].value;
	return (struct slice){0};
}

/* ---- which form, and what is wrong with it ---- */

/* "Credential" of "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..."; absent when it is not there. */
static struct slice part(struct slice authorization, const char *wanted)
{
	struct slice rest = slice_trim(authorization);

	slice_cut(&rest, ' ');
	while (rest.len) {
		struct slice value = slice_trim(slice_cut(&rest, ','));
		struct slice name = slice_cut(&value, '=');

		if (slice_is(name, wanted) && value.len)
			return value;
	}
	return (struct slice){0};
}

static bool five_parts(struct slice scope)
{
	size_t slashes = 0;

	for (size_t i = 0; i < scope.len; i++)
		slashes += scope.at[i] == '/';
	return slashes == 4;
}

/* "(Hashed with SHA-256 and encoded with Base64) Authorization=...": AWS does not repeat it as it came. */
static void put_hashed(struct buf *out, struct slice authorization)
{
	struct digest digest;

	digest_compute(DIGEST_SHA256, authorization, &digest);
	buf_puts(out, "(Hashed with SHA-256 and encoded with Base64) Authorization=");
	buf_put_slice(
	    out, base64_encode(slice_of((const char *)digest.raw, SIGV4_HASH_LEN / 2), out->arena));
}

/* What AWS says of a header that sigv4_parse does not take. */
static struct slice header_fault(
    const struct sigv4_request *request, struct slice authorization, struct arena *a)
{
	static const char *const wanted[] = {"Credential", "Signature", "SignedHeaders"};
	struct slice scope = part(authorization, "Credential");
	struct buf out;

	buf_init(&out, a, 4096, 256);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!part(authorization, wanted[i]).at)
			buf_printf(
			    &out, "Authorization header requires '%s' parameter. ", wanted[i]);
	if (!field(request, "x-amz-date").at && !field(request, "date").at)
		buf_puts(&out,
		    "Authorization header requires existence of either a 'X-Amz-Date' or "
		    "a 'Date' header. ");
	if (!out.len && !five_parts(scope))
		buf_printf(&out,
		    "Credential must have exactly 5 slash-delimited elements, e.g. "
		    "keyid/date/region/service/term, got '%.*s'. ",
		    (int)(scope.len < 512 ? scope.len : 512), scope.at);
	if (!out.len)
		buf_puts(&out,
		    "The Authorization header is not of the form 'AWS4-HMAC-SHA256 "
		    "Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=..., "
		    "Signature=...'. ");
	put_hashed(&out, authorization);
	return buf_slice(&out);
}

static enum sigv4_form find_in_query(const struct sigv4_request *request, struct arena *a,
    struct sigv4_credential *out, struct slice *why)
{
	struct slice named = form_get(request->query, "X-Amz-Algorithm", a);
	struct sigv4_credential c = {0};

	if (!named.at)
		return SIGV4_ABSENT;
	c.signed_headers = form_get(request->query, "X-Amz-SignedHeaders", a);
	c.signature = form_get(request->query, "X-Amz-Signature", a);
	if (slice_eq(named, algorithm) &&
	    parse_scope(form_get(request->query, "X-Amz-Credential", a), &c) &&
	    is_header_list(c.signed_headers) && is_signature(c.signature)) {
		*out = c;
		return SIGV4_QUERY;
	}
	*why = slice_str(
	    "AWS query-string parameters must include 'X-Amz-Algorithm', "
	    "'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders' and 'X-Amz-Date', "
	    "each of its form. Re-examine the query-string parameters.");
	return SIGV4_INCOMPLETE;
}

enum sigv4_form sigv4_find(const struct sigv4_request *request, struct arena *a,
    struct sigv4_credential *out, struct slice *why)
{
	struct slice authorization = field(request, "authorization");

	*out = (struct sigv4_credential){0};
	if (!sigv4_query_clear(request->query, a) &&
	    (authorization.at || form_get(request->query, "X-Amz-Algorithm", a).at)) {
		*why =
		    slice_str("A parameter of the query string is given twice, or has a malformed "
			      "escape.");
		return SIGV4_INCOMPLETE;
	}
	if (!authorization.at)
		return find_in_query(request, a, out, why);
	if (sigv4_parse(authorization, out))
		return SIGV4_HEADER;
	*why = header_fault(request, authorization, a);
	return SIGV4_INCOMPLETE;
}

struct slice sigv4_token(const struct sigv4_request *request, enum sigv4_form form, struct arena *a)
{
	if (form == SIGV4_QUERY)
		return form_get(request->query, "X-Amz-Security-Token", a);
	return field(request, "x-amz-security-token");
}

/* ---- when ---- */

/* "20150830T123600Z" */
static bool parse_time(struct slice text, struct arena *a, int64_t *unix_ms)
{
	const char *t = text.at;

	if (text.len != TIME_LEN || t[8] != 'T' || t[15] != 'Z')
		return false;
	return timestamp_parse(arena_slicef(a, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", t, t + 4, t + 6,
				   t + 9, t + 11, t + 13),
	    unix_ms);
}

/* The reverse; whole seconds. */
static struct slice format_time(int64_t unix_ms, struct arena *a)
{
	char text[TIMESTAMP_TEXT_MAX];
	const char *t = timestamp_format(unix_ms - unix_ms % 1000, text).at;

	return arena_slicef(
	    a, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", t, t + 5, t + 8, t + 11, t + 14, t + 17);
}

/* "Mon, 09 Sep 2011 23:36:00 GMT" -> "20110909T233600Z"; what has not this form stays as it is. */
static struct slice basic_form(struct slice date, struct arena *a)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const char *t = date.at;

	if (date.len != 29 || t[3] != ',' || !slice_ends(date, slice_str(" GMT")))
		return date;
	for (int i = 0; i < 12; i++)
		if (memcmp(months + 3 * i, t + 8, 3) == 0)
			return arena_slicef(a, "%.4s%02d%.2sT%.2s%.2s%.2sZ", t + 12, i + 1, t + 5,
			    t + 17, t + 20, t + 23);
	return date;
}

static struct slice find_time(
    const struct sigv4_request *request, enum sigv4_form form, struct arena *a)
{
	struct slice time = field(request, "x-amz-date"), date = field(request, "date");

	if (form == SIGV4_QUERY)
		return form_get(request->query, "X-Amz-Date", a);
	return time.at || !date.at ? time : basic_form(date, a);
}

/* How long it is good for; false when X-Amz-Expires is none. */
static bool read_lifetime(
    const struct sigv4_request *request, enum sigv4_form form, struct arena *a, int64_t *ms)
{
	struct slice text = {0};
	unsigned long long seconds;

	*ms = SIGV4_SKEW_MS;
	if (form == SIGV4_QUERY)
		text = form_get(request->query, "X-Amz-Expires", a);
	if (!text.at)
		return true;
	if (!slice_to_u64(text, &seconds) || seconds < 1 || seconds > EXPIRES_MAX_S)
		return false;
	*ms = (int64_t)seconds * 1000;
	return true;
}

static struct slice judge_time(
    struct slice time, int64_t at_ms, int64_t now_ms, int64_t lifetime_ms, struct arena *a)
{
	struct slice now = format_time(now_ms, a);
	bool minutes = lifetime_ms % 60000 == 0;

	if (at_ms < now_ms - lifetime_ms)
		return arena_slicef(a,
		    "Signature expired: %.*s is now earlier than %.*s (%.*s - %lld %s.)",
		    SLICE_ARG(time), SLICE_ARG(format_time(now_ms - lifetime_ms, a)),
		    SLICE_ARG(now), (long long)(lifetime_ms / (minutes ? 60000 : 1000)),
		    minutes ? "min" : "sec");
	if (at_ms > now_ms + SIGV4_SKEW_MS)
		return arena_slicef(a,
		    "Signature not yet current: %.*s is still later than %.*s (%.*s + 15 min.)",
		    SLICE_ARG(time), SLICE_ARG(format_time(now_ms + SIGV4_SKEW_MS, a)),
		    SLICE_ARG(now));
	return (struct slice){0};
}

enum sigv4_fault sigv4_read_time(const struct sigv4_request *request, enum sigv4_form form,
    const struct sigv4_credential *credential, int64_t now_ms, struct arena *a, struct slice *time,
    struct slice *why)
{
	int64_t at_ms, lifetime_ms;

	*time = find_time(request, form, a);
	if (!time->at && form == SIGV4_HEADER) {
		*why = header_fault(request, field(request, "authorization"), a);
		return SIGV4_MALFORMED;
	}
	if (!time->at || !parse_time(*time, a, &at_ms)) {
		*why = arena_slicef(a,
		    "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
		    "http://en.wikipedia.org/wiki/ISO_8601",
		    (int)(time->len < 64 ? time->len : 64), time->at ? time->at : "");
		return SIGV4_MALFORMED;
	}
	if (!read_lifetime(request, form, a, &lifetime_ms)) {
		*why = slice_str("X-Amz-Expires must be a number of seconds from 1 to 604800");
		return SIGV4_MALFORMED;
	}
	if (!slice_eq(credential->date, slice_of(time->at, DATE_LEN))) {
		*why = arena_slicef(a,
		    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
		    "from HTTP: '%.*s' != '%.8s', from '%.*s'.",
		    SLICE_ARG(credential->date), time->at, SLICE_ARG(*time));
		return SIGV4_REFUSED;
	}
	*why = judge_time(*time, at_ms, now_ms, lifetime_ms, a);
	return why->at ? SIGV4_REFUSED : SIGV4_GOOD;
}

/* ---- what ---- */

static bool is_signed(const struct sigv4_credential *credential, struct slice name)
{
	struct slice rest = credential->signed_headers;

	while (rest.len)
		if (slice_eq_nocase(slice_cut(&rest, ';'), name))
			return true;
	return false;
}

bool sigv4_covers(const struct sigv4_request *request, const struct sigv4_credential *credential,
    struct arena *a, struct slice *why)
{
	static const struct slice prefix = SLICE("x-amz-");

	if (!is_signed(credential, slice_str("host"))) {
		*why = slice_str("'Host' or ':authority' must be a 'SignedHeader' in the AWS "
				 "Authorization.");
		return false;
	}
	for (size_t i = 0; i < request->field_count; i++) {
		struct slice name = request->fields[i].name;

		if (name.len > prefix.len &&
		    slice_eq_nocase(slice_of(name.at, prefix.len), prefix) &&
		    !is_signed(credential, name)) {
			*why = arena_slicef(a,
			    "'%.*s' must be a 'SignedHeader' in the AWS Authorization.",
			    SLICE_ARG(name));
			return false;
		}
	}
	return true;
}

bool sigv4_verify(const struct sigv4_request *request, const struct sigv4_credential *credential,
    struct slice time, struct slice secret, struct slice body_hash, struct arena *a,
    struct sigv4_calculation *out)
{
	struct slice scope =
	    arena_slicef(a, "%.*s/%.*s/%.*s/aws4_request", SLICE_ARG(credential->date),
		SLICE_ARG(credential->region), SLICE_ARG(credential->service));
	char signature[SIGV4_HASH_LEN];

	out->canonical_request =
	    sigv4_canonical_request(request, credential->signed_headers, body_hash, a);
	out->string_to_sign = sigv4_string_to_sign(time, scope, out->canonical_request, a);
	sigv4_signature(secret, credential->date, credential->region, credential->service,
	    out->string_to_sign, signature);
	return CRYPTO_memcmp(signature, credential->signature.at, SIGV4_HASH_LEN) == 0;
}
