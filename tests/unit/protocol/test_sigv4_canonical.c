/*
 * AWS's published test vectors (testdata/sigv4, see its README): of each signed request, in both forms, the
 * canonical request, the string to sign and the signature.
 */
#include "support.h"

#include "protocol/buf.h"
#include "protocol/http_fields.h"
#include "protocol/sigv4.h"

#include <dirent.h>
#include <stdio.h>

enum { FIELDS_MAX = 32, CASES = 38 };

static const struct slice secret = SLICE("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

/* What stands between "--- name" and the next "---". */
static struct slice section(struct slice text, const char *name, struct arena *a)
{
	const char *head = arena_printf(a, "--- %s\n", name);
	const char *at = memmem(text.at, text.len, head, strlen(head)), *end;

	if (!at)
		fail_msg("there is no section %s", name);
	at += strlen(head);
	end = memmem(at, (size_t)(text.at + text.len - at), "\n---", 4);
	return slice_of(at, (size_t)(end - at));
}

static struct slice cut_line(struct slice *rest)
{
	return slice_cut(rest, '\n');
}

/* "Name:value", continued on lines that begin with a blank. */
static void read_fields(
    struct slice *rest, struct sigv4_field *fields, size_t *count, struct arena *a)
{
	while (rest->len && rest->at[0] != '\n') {
		struct slice line = cut_line(rest);

		if (line.at[0] == ' ') {
			struct sigv4_field *last = &fields[*count - 1];
			last->value =
			    arena_slicef(a, "%.*s\n%.*s", SLICE_ARG(last->value), SLICE_ARG(line));
			continue;
		}
		assert_true(*count < FIELDS_MAX);
		fields[*count].name = slice_cut(&line, ':');
		fields[(*count)++].value = line;
	}
	cut_line(rest);
}

/* A target may have blanks in it: it ends before " HTTP/1.1". */
static struct sigv4_request read_request(struct slice text, struct slice *body, struct arena *a)
{
	struct sigv4_field *fields = arena_array(a, FIELDS_MAX, sizeof(*fields));
	struct slice rest = text, line = cut_line(&rest);
	struct sigv4_request r = {.fields = fields};

	r.method = slice_cut(&line, ' ');
	assert_true(slice_ends(line, slice_str(" HTTP/1.1")));
	line.len -= strlen(" HTTP/1.1");
	r.query = line;
	r.path = slice_cut(&r.query, '?');
	read_fields(&rest, fields, &r.field_count, a);
	*body = rest;
	return r;
}

/* The token that was added to a query after it had been signed. */
static void drop_token(struct sigv4_request *r, struct arena *a)
{
	struct slice rest = r->query;
	struct buf out;

	buf_init(&out, a, SIZE_MAX, rest.len);
	while (rest.len) {
		struct slice one = slice_cut(&rest, '&');
		if (slice_starts(one, slice_str("X-Amz-Security-Token=")))
			continue;
		if (out.len)
			buf_putc(&out, '&');
		buf_put_slice(&out, one);
	}
	r->query = buf_slice(&out);
}

static void check(struct slice text, const char *form, const char *name, struct arena *a)
{
	struct slice context = section(text, "context", a), body, why = {0}, time;
	struct slice signed_request = section(text, arena_printf(a, "%s-signed-request", form), a);
	struct sigv4_request r = read_request(signed_request, &body, a);
	struct sigv4_calculation calculated;
	struct sigv4_credential credential;
	char hash[SIGV4_HASH_LEN];
	enum sigv4_form found;

	r.path_as_sent = memmem(context.at, context.len, "\"normalize\": false", 18) != NULL;
	if (memmem(context.at, context.len, "\"omit_session_token\": true", 26))
		drop_token(&r, a);
	found = sigv4_find(&r, a, &credential, &why);
	assert_int_equal(found, strcmp(form, "header") == 0 ? SIGV4_HEADER : SIGV4_QUERY);
	assert_int_equal(
	    sigv4_read_time(&r, found, &credential, 1440938160000, a, &time, &why), SIGV4_GOOD);
	sigv4_hash(body, hash);
	bool good = sigv4_verify(
	    &r, &credential, time, secret, slice_of(hash, SIGV4_HASH_LEN), a, &calculated);
	struct slice canonical = section(text, arena_printf(a, "%s-canonical-request", form), a);
	struct slice to_sign = section(text, arena_printf(a, "%s-string-to-sign", form), a);
	if (!slice_eq(calculated.canonical_request, canonical) ||
	    !slice_eq(calculated.string_to_sign, to_sign) || !good)
		fail_msg("%s, %s:\n%.*s\nis not\n%.*s", name, form,
		    SLICE_ARG(calculated.canonical_request), SLICE_ARG(canonical));
}

static void vectors(void **state)
{
	DIR *folder = opendir(DRYDOCK_TESTDATA "/sigv4");
	struct dirent *entry;
	int cases = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (!slice_ends(slice_str(entry->d_name), slice_str(".txt")))
			continue;
		struct slice text =
		    testdata(*state, arena_printf(*state, "sigv4/%s", entry->d_name));
		check(text, "header", entry->d_name, *state);
		check(text, "query", entry->d_name, *state);
		cases++;
	}
	closedir(folder);
	assert_int_equal(cases, CASES);
}

/* AWS General Reference, "Examples of how to derive a signing key": by a signature made with it. */
static void long_secret_is_cut_nowhere(void **state)
{
	char one[SIGV4_HASH_LEN], other[SIGV4_HASH_LEN], text[200];

	(void)state;
	memset(text, 'k', sizeof(text));
	sigv4_signature(slice_of(text, 200), slice_str("20150830"), slice_str("r"), slice_str("s"),
	    slice_str("x"), one);
	sigv4_signature(slice_of(text, 199), slice_str("20150830"), slice_str("r"), slice_str("s"),
	    slice_str("x"), other);
	assert_memory_not_equal(one, other, SIGV4_HASH_LEN);
}

/* Rules that no vector shows. */
static void canonical_text(void **state)
{
	static const struct sigv4_field fields[] = {{SLICE("HOST"), SLICE("h")},
	    {SLICE("X-a"), SLICE(" 1\t 2 ")}, {SLICE("x-A"), SLICE("3")}};
	static const struct {
		const char *path, *query, *expected;
	} cases[] = {
	    {"/", NULL, "GET\n/\n\n"},
	    {"", "", "GET\n/\n\n"},
	    {"/a%2Fb/%zz", "b=2&a=%7E&b=1&a", "GET\n/a%252Fb/%25zz\na=&a=~&b=1&b=2\n"},
	    {"/../../a/./b/..", "a=%2Bzz&&=&x+y=1", "GET\n/a\na=%2Bzz&x%20y=1\n"},
	    {"/a", "P-3=1&P=2&X-Amz-Signature=no", "GET\n/a\nP=2&P-3=1\n"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_request r = {.method = slice_str("GET"),
		    .path = exact(*state, cases[i].path),
		    .query = cases[i].query ? exact(*state, cases[i].query) : slice_str(NULL),
		    .fields = fields,
		    .field_count = COUNT(fields)};
		struct slice text = sigv4_canonical_request(
		    &r, slice_str("host;missing;x-a"), slice_str("UNSIGNED-PAYLOAD"), *state);
		const char *expected = arena_printf(*state,
		    "%shost:h\nmissing:\nx-a:1 2,3\n\nhost;missing;x-a\nUNSIGNED-PAYLOAD",
		    cases[i].expected);
		assert_slice(text, expected);
	}
}

/* What the signature, which sorts them, and a reader by name could take for different things. */
static void queries_that_are_clear(void **state)
{
	static const struct {
		const char *query;
		bool clear;
	} cases[] = {
	    {NULL, true},
	    {"", true},
	    {"a=1&b=2&A=3&&", true},
	    {"a&b=&c=%2b+", true},
	    {"a=1&a=1", false},
	    {"a=1&b=2&a=3", false},
	    {"a=1&%61=2", false},
	    {"x+y=1&x%20y=2", false},
	    {"X-Amz-Signature=1&X-Amz-Signature=2", false},
	    {"a=%zz", false},
	    {"%=1", false},
	    {"a=%00", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice query =
		    cases[i].query ? exact(*state, cases[i].query) : slice_str(NULL);

		if (sigv4_query_clear(query, *state) != cases[i].clear)
			fail_msg("'%s'", cases[i].query);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(vectors),
	    arena_test(canonical_text),
	    arena_test(queries_that_are_clear),
	    arena_test(long_secret_is_cut_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
