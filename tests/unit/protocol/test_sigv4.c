#include "support.h"

#include "protocol/buf.h"
#include "protocol/sigv4.h"

#include <time.h>

#define SIGNATURE "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
#define SCOPE "AKIDEXAMPLE/20150830/us-east-1/ecr/aws4_request"
#define HEADERS "content-type;host;x-amz-date"
#define WHOLE                                                                                      \
	"AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=" HEADERS ", Signature=" SIGNATURE

static void reads(void **state)
{
	struct sigv4_credential c;

	assert_true(sigv4_parse(exact(*state, WHOLE), &c));
	assert_slice(c.access_key, "AKIDEXAMPLE");
	assert_slice(c.date, "20150830");
	assert_slice(c.region, "us-east-1");
	assert_slice(c.service, "ecr");
	assert_slice(c.signed_headers, HEADERS);
	assert_slice(c.signature, SIGNATURE);
}

static void other_spellings(void **state)
{
	static const char *const good[] = {
	    "AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=" HEADERS ",Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256  Signature=" SIGNATURE " , Credential=" SCOPE
	    ",\tSignedHeaders=" HEADERS,
	    " " WHOLE " ",
	    "AWS4-HMAC-SHA256 Credential=test/20150830/x/ecr-public/aws4_request,"
	    "SignedHeaders=host,Signature=" SIGNATURE,
	};
	struct sigv4_credential c;

	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(sigv4_parse(exact(*state, good[i]), &c));
}

#define WITH_HEADERS(list)                                                                         \
	"AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=" list ",Signature=" SIGNATURE

static void refuses(void **state)
{
	static const char *const bad[] = {
	    "",
	    "AWS4-HMAC-SHA256",
	    "AWS4-HMAC-SHA256 ",
	    "aws4-hmac-sha256 Credential=" SCOPE ",SignedHeaders=h,Signature=" SIGNATURE,
	    "Basic QVdTOng=",
	    "Bearer x",
	    "AWS4-HMAC-SHA256 SignedHeaders=h,Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=" SCOPE ",Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=h",
	    "AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=,Signature=" SIGNATURE,
	    WHOLE ", Extra=1",
	    WHOLE ", Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=h,Signature=" SIGNATURE "0",
	    "AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=h,Signature=xyz",
	    "AWS4-HMAC-SHA256 Credential=" SCOPE "/x,SignedHeaders=h,Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 "
	    "Credential=A/20150830/us-east-1/ecr,SignedHeaders=h,Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=/20150830/r/ecr/aws4_request,SignedHeaders=h,"
	    "Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=A/2015083/r/ecr/aws4_request,SignedHeaders=h,"
	    "Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=A/2015083x/r/ecr/aws4_request,SignedHeaders=h,"
	    "Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=A/20150830//ecr/aws4_request,SignedHeaders=h,"
	    "Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=A/20150830/r//aws4_request,SignedHeaders=h,"
	    "Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=A B/20150830/r/ecr/aws4_request,SignedHeaders=h,"
	    "Signature=" SIGNATURE,
	    "AWS4-HMAC-SHA256 Credential=A\x01/20150830/r/ecr/aws4_request,SignedHeaders=h,"
	    "Signature=" SIGNATURE,
	    WITH_HEADERS("host;host"),
	    WITH_HEADERS("x-amz-date;host"),
	    WITH_HEADERS("Host;x-amz-date"),
	    WITH_HEADERS("host;"),
	    WITH_HEADERS(";host"),
	    WITH_HEADERS("host;;x-amz-date"),
	    WITH_HEADERS("a;b;c;b"),
	};
	struct sigv4_credential c = {.date = slice_str("kept")};

	for (size_t i = 0; i < COUNT(bad); i++) {
		if (sigv4_parse(exact(*state, bad[i]), &c))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(sigv4_parse(slice_str(NULL), &c));
	assert_slice(c.date, "kept");
}

/* ---- the two forms ---- */

static const struct sigv4_field headers[] = {
    {SLICE("Host"), SLICE("example.amazonaws.com")},
    {SLICE("X-Amz-Date"), SLICE("20150830T123600Z")},
    {SLICE("Authorization"), SLICE(WHOLE)},
};

static struct sigv4_request request_of(const struct sigv4_field *fields, size_t count)
{
	return (struct sigv4_request){.method = slice_str("POST"),
	    .path = slice_str("/"),
	    .fields = fields,
	    .field_count = count};
}

#define QUERY                                                                                                \
	"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2F"            \
	"sts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature=" SIGNATURE \
	"&X-Amz-Security-Token=a%2Fb"

static void finds_either_form(void **state)
{
	struct sigv4_request r = request_of(headers, COUNT(headers));
	struct sigv4_credential c;
	struct slice why = {0};

	assert_int_equal(sigv4_find(&r, *state, &c, &why), SIGV4_HEADER);
	assert_slice(c.service, "ecr");
	assert_slice(sigv4_token(&r, SIGV4_HEADER, *state), NULL);
	r.query = exact(*state, QUERY);
	assert_int_equal(sigv4_find(&r, *state, &c, &why), SIGV4_HEADER);
	r.field_count = 2;
	assert_int_equal(sigv4_find(&r, *state, &c, &why), SIGV4_QUERY);
	assert_slice(c.service, "sts");
	assert_slice(sigv4_token(&r, SIGV4_QUERY, *state), "a/b");
	r.query = slice_str(NULL);
	assert_int_equal(sigv4_find(&r, *state, &c, &why), SIGV4_ABSENT);
	r.query = exact(*state, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20150830T123600Z");
	assert_int_equal(sigv4_find(&r, *state, &c, &why), SIGV4_INCOMPLETE);
	assert_true(slice_starts(why, slice_str("AWS query-string parameters must include")));
}

/* Who signs is not asked of a query that says two things, in either form; unsigned ones are not judged. */
static void refuses_queries_that_are_not_clear(void **state)
{
	static const char *const queries[] = {
	    QUERY "&Action=a&Action=b", QUERY "&X-Amz-Date=20150830T123600Z", QUERY "&a=%g0"};
	struct sigv4_request r = request_of(headers, COUNT(headers));
	struct sigv4_credential c;

	for (size_t i = 0; i < COUNT(queries); i++)
		for (r.field_count = 2; r.field_count <= COUNT(headers);
		     r.field_count += COUNT(headers) - 2) {
			struct slice why = {0};

			r.query = exact(*state, queries[i]);
			assert_int_equal(sigv4_find(&r, *state, &c, &why), SIGV4_INCOMPLETE);
			assert_true(
			    slice_starts(why, slice_str("A parameter of the query string")));
			assert_null(c.access_key.at);
		}
	r.field_count = 2;
	r.query = exact(*state, "a=1&a=2");
	assert_int_equal(sigv4_find(&r, *state, &c, &(struct slice){0}), SIGV4_ABSENT);
}

static void says_what_is_missing(void **state)
{
	static const struct {
		const char *authorization, *starts;
	} cases[] = {
	    {"Basic x",
		"Authorization header requires 'Credential' parameter. Authorization header requires "
		"'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. (Hashed "
		"with SHA-256 and encoded with Base64) Authorization="},
	    {"AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host",
		"Authorization header requires 'Signature' parameter. (Hashed"},
	    {"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x",
		"Credential must have exactly 5 slash-delimited elements, e.g. "
		"keyid/date/region/service/term, got 'a/b'. (Hashed"},
	    {"AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host, Signature=x",
		"The Authorization header is not of the form"},
	};
	struct sigv4_field fields[] = {headers[1], {slice_str("authorization"), {0}}};
	struct sigv4_request r = request_of(fields, 2);
	struct sigv4_credential c;
	struct slice why;

	for (size_t i = 0; i < COUNT(cases); i++) {
		fields[1].value = exact(*state, cases[i].authorization);
		assert_int_equal(sigv4_find(&r, *state, &c, &why), SIGV4_INCOMPLETE);
		if (!slice_starts(why, slice_str(cases[i].starts)))
			fail_msg("%.*s", SLICE_ARG(why));
	}
}

/* ---- when ---- */

static void times(void **state)
{
	enum { AT_S = 1440938160 };
	static const struct {
		const char *name, *value;
		int64_t now_s;
		enum sigv4_fault fault;
		const char *time, *why;
	} cases[] = {
	    {"x-amz-date", "20150830T123600Z", AT_S, SIGV4_GOOD, "20150830T123600Z", NULL},
	    {"Date", "20150830T123600Z", AT_S, SIGV4_GOOD, "20150830T123600Z", NULL},
	    {"Date", "Sun, 30 Aug 2015 12:36:00 GMT", AT_S, SIGV4_GOOD, "20150830T123600Z", NULL},
	    {"x-amz-date", "20150830T123600Z", AT_S + 900, SIGV4_GOOD, "20150830T123600Z", NULL},
	    {"x-amz-date", "20150830T123600Z", AT_S - 900, SIGV4_GOOD, "20150830T123600Z", NULL},
	    {"x-amz-date", "20150830T123600Z", AT_S + 901, SIGV4_REFUSED, "20150830T123600Z",
		"Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z "
		"(20150830T125101Z - 15 min.)"},
	    {"x-amz-date", "20150830T123600Z", AT_S - 901, SIGV4_REFUSED, "20150830T123600Z",
		"Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z "
		"(20150830T122059Z + 15 min.)"},
	    {"x-amz-date", "20150831T003600Z", AT_S, SIGV4_REFUSED, "20150831T003600Z",
		"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
		"HTTP: '20150830' != '20150831', from '20150831T003600Z'."},
	    {"x-amz-date", "2015-08-30T12:36:00Z", AT_S, SIGV4_MALFORMED, "2015-08-30T12:36:00Z",
		"Date must be in ISO-8601 'basic format'. Got '2015-08-30T12:36:00Z'. See "
		"http://en.wikipedia.org/wiki/ISO_8601"},
	    {"Date", "Sun, 30 Abc 2015 12:36:00 GMT", AT_S, SIGV4_MALFORMED,
		"Sun, 30 Abc 2015 12:36:00 GMT",
		"Date must be in ISO-8601 'basic format'. Got 'Sun, 30 Abc 2015 12:36:00 GMT'. See "
		"http://en.wikipedia.org/wiki/ISO_8601"},
	};
	struct sigv4_credential c;

	assert_true(sigv4_parse(slice_str(WHOLE), &c));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_field one = {slice_str(cases[i].name), exact(*state, cases[i].value)};
		struct sigv4_request r = request_of(&one, 1);
		struct slice time, why = {0};

		assert_int_equal(sigv4_read_time(&r, SIGV4_HEADER, &c, cases[i].now_s * 1000,
				     *state, &time, &why),
		    cases[i].fault);
		assert_slice(time, cases[i].time);
		assert_slice(why, cases[i].why);
	}
}

static void no_time(void **state)
{
	struct sigv4_request r = request_of(headers + 2, 1);
	struct sigv4_credential c;
	struct slice time, why;

	assert_true(sigv4_parse(slice_str(WHOLE), &c));
	assert_int_equal(
	    sigv4_read_time(&r, SIGV4_HEADER, &c, 0, *state, &time, &why), SIGV4_MALFORMED);
	assert_true(slice_starts(why,
	    slice_str(
		"Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
		"header. (Hashed")));
	r.query = slice_str(QUERY);
	assert_int_equal(
	    sigv4_read_time(&r, SIGV4_QUERY, &c, 1440938160000, *state, &time, &why), SIGV4_GOOD);
}

static void presigned_lifetimes(void **state)
{
	static const struct {
		const char *expires;
		int64_t late_s;
		enum sigv4_fault fault;
	} cases[] = {{"60", 60, SIGV4_GOOD}, {"61", 62, SIGV4_REFUSED},
	    {"604800", 604800, SIGV4_GOOD}, {"604801", 0, SIGV4_MALFORMED},
	    {"0", 0, SIGV4_MALFORMED}, {"x", 0, SIGV4_MALFORMED}, {"", 0, SIGV4_MALFORMED}};
	struct sigv4_credential c = {.date = slice_str("20150830")};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_request r = {
		    .query = arena_slicef(*state, "%s&X-Amz-Expires=%s", QUERY, cases[i].expires)};
		struct slice time, why = {0};

		assert_int_equal(sigv4_read_time(&r, SIGV4_QUERY, &c,
				     1440938160000 + cases[i].late_s * 1000, *state, &time, &why),
		    cases[i].fault);
		if (i == 1)
			assert_slice(why,
			    "Signature expired: 20150830T123600Z is now earlier than "
			    "20150830T123601Z (20150830T123702Z - 61 sec.)");
	}
}

/* ---- what ---- */

static void coverage(void **state)
{
	static const struct {
		const char *signed_headers, *why;
	} cases[] = {
	    {"host;x-amz-date", NULL},
	    {"content-type;host;x-amz-date;x-amz-target", NULL},
	    {"x-amz-date",
		"'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
	    {"host", "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization."},
	    {"hosts;host;x-amz-dat",
		"'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization."},
	};
	struct sigv4_request r = request_of(headers, COUNT(headers));

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_credential c = {
		    .signed_headers = exact(*state, cases[i].signed_headers)};
		struct slice why = {0};

		assert_int_equal(sigv4_covers(&r, &c, *state, &why), cases[i].why == NULL);
		assert_slice(why, cases[i].why);
	}
}

static void every_bit_counts(void **state)
{
	struct sigv4_request r = request_of(headers, COUNT(headers));
	struct slice time = slice_str("20150830T123600Z"), secret = slice_str("secret");
	struct sigv4_calculation calculated;
	char hash[SIGV4_HASH_LEN], signature[SIGV4_HASH_LEN];
	struct sigv4_credential c;

	assert_true(sigv4_parse(slice_str(WHOLE), &c));
	sigv4_hash(slice_str("{}"), hash);
	struct slice body = slice_of(hash, SIGV4_HASH_LEN);
	assert_false(sigv4_verify(&r, &c, time, secret, body, *state, &calculated));
	sigv4_signature(secret, c.date, c.region, c.service, calculated.string_to_sign, signature);
	c.signature = slice_of(signature, SIGV4_HASH_LEN);
	assert_true(sigv4_verify(&r, &c, time, secret, body, *state, &calculated));
	for (size_t i = 0; i < SIGV4_HASH_LEN; i++) {
		signature[i] ^= 1;
		assert_false(sigv4_verify(&r, &c, time, secret, body, *state, &calculated));
		signature[i] ^= 1;
	}
	hash[0] ^= 1;
	assert_false(sigv4_verify(&r, &c, time, secret, body, *state, &calculated));
}

/* ---- what it costs ---- */

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* CPU time of verifying a request that signs so many names and has a hundred fields; the least of a few. */
static int64_t cost_of(struct arena *a, size_t names)
{
	struct sigv4_field fields[100];
	struct sigv4_credential c;
	struct sigv4_calculation right;
	struct sigv4_request r;
	struct slice why;
	int64_t least = INT64_MAX;
	struct buf list;

	buf_init(&list, a, 1 << 20, 0);
	for (size_t i = 0; i < names; i++)
		buf_printf(&list, "%s%05zu", i ? ";" : "", i);
	for (size_t i = 0; i < COUNT(fields); i++)
		fields[i] = (struct sigv4_field){
		    arena_slicef(a, "%05zu", i), arena_slicef(a, "value of %zu", i)};
	fields[0] = (struct sigv4_field){slice_str("Authorization"),
	    arena_slicef(a,
		"AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=%.*s,Signature=" SIGNATURE,
		SLICE_ARG(buf_slice(&list)))};
	r = request_of(fields, COUNT(fields));
	for (int i = 0; i < 5; i++) {
		int64_t began = cpu_ns();

		assert_int_equal(sigv4_find(&r, a, &c, &why), SIGV4_HEADER);
		assert_false(sigv4_covers(&r, &c, a, &why));
		sigv4_verify(&r, &c, slice_str("20150830T123600Z"), slice_str("secret"),
		    slice_str("00"), a, &right);
		if (cpu_ns() - began < least)
			least = cpu_ns() - began;
	}
	return least;
}

/* The same of a request that names one field so many times, whose value grows as well. */
static int64_t cost_of_doubles(struct arena *a, size_t names)
{
	char *value = arena_alloc(a, 2 * names);
	struct sigv4_field fields[2] = {{.name = slice_str("a"), .value = {value, 2 * names}}};
	struct sigv4_request r = request_of(fields, COUNT(fields));
	struct sigv4_credential c;
	struct sigv4_calculation right;
	struct slice why;
	int64_t least = INT64_MAX;
	struct buf list;

	memset(value, 'x', 2 * names);
	buf_init(&list, a, 1 << 20, 0);
	for (size_t i = 0; i < names; i++)
		buf_puts(&list, "a;");
	buf_puts(&list, "host");
	fields[1] = (struct sigv4_field){slice_str("Authorization"),
	    arena_slicef(a,
		"AWS4-HMAC-SHA256 Credential=" SCOPE ",SignedHeaders=%.*s,Signature=" SIGNATURE,
		SLICE_ARG(buf_slice(&list)))};
	for (int i = 0; i < 5; i++) {
		int64_t began = cpu_ns();

		if (sigv4_find(&r, a, &c, &why) == SIGV4_HEADER)
			sigv4_verify(&r, &c, slice_str("20150830T123600Z"), slice_str("secret"),
			    slice_str("00"), a, &right);
		if (cpu_ns() - began < least)
			least = cpu_ns() - began;
	}
	return least;
}

/* Four times the head costs about four times as much, not sixteen times. */
static void work_grows_with_the_head(void **state)
{
	int64_t few = cost_of(*state, 1000), many = cost_of(*state, 4000);

	assert_true(many < 9 * few);
	few = cost_of_doubles(*state, 1000);
	many = cost_of_doubles(*state, 4000);
	assert_true(many < 9 * few);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(reads),
	    arena_test(other_spellings),
	    arena_test(refuses),
	    arena_test(finds_either_form),
	    arena_test(refuses_queries_that_are_not_clear),
	    arena_test(says_what_is_missing),
	    arena_test(times),
	    arena_test(no_time),
	    arena_test(presigned_lifetimes),
	    arena_test(coverage),
	    arena_test(work_grows_with_the_head),
	    arena_test(every_bit_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
