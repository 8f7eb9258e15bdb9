/*
 * A whole request, target and fields, through what reads signatures: nothing may be read too far; a signature
 * made of what was calculated is taken, another is not.
 */
#include "fuzz.h"

#include "protocol/sigv4.h"

enum { FIELDS_MAX = 16 };

static void check_signature(
    const struct sigv4_request *r, struct sigv4_credential *c, struct slice time, struct arena *a)
{
	struct slice secret = SLICE("secret"), body = SLICE("UNSIGNED-PAYLOAD");
	struct sigv4_calculation calculated;
	char signature[SIGV4_HASH_LEN];

	CHECK(!sigv4_verify(r, c, time, secret, body, a, &calculated));
	sigv4_signature(
	    secret, c->date, c->region, c->service, calculated.string_to_sign, signature);
	c->signature = slice_of(signature, SIGV4_HASH_LEN);
	CHECK(sigv4_verify(r, c, time, secret, body, a, &calculated));
	signature[5] ^= 1;
	CHECK(!sigv4_verify(r, c, time, secret, body, a, &calculated));
}

/* "METHOD PATH?QUERY\nNAME:VALUE\n..." */
int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice rest = slice_of((const char *)at, len), line, why = {0}, time;
	struct sigv4_field fields[FIELDS_MAX];
	struct sigv4_request r = {.fields = fields, .path_as_sent = take_byte(&rest) & 1};
	struct sigv4_credential c;
	enum sigv4_form form;
	struct arena a;

	line = slice_cut(&rest, '\n');
	r.method = slice_cut(&line, ' ');
	r.path = slice_cut(&line, '?');
	r.query = line;
	while (rest.len && r.field_count < FIELDS_MAX) {
		line = slice_cut(&rest, '\n');
		fields[r.field_count].name = slice_cut(&line, ':');
		fields[r.field_count++].value = line;
	}
	arena_init(&a);
	form = sigv4_find(&r, &a, &c, &why);
	CHECK((form == SIGV4_INCOMPLETE) == (why.at != NULL));
	if (form == SIGV4_HEADER || form == SIGV4_QUERY) {
		enum sigv4_fault fault =
		    sigv4_read_time(&r, form, &c, 1440938160000, &a, &time, &why);
		CHECK((fault == SIGV4_GOOD) == (why.at == NULL));
		why = (struct slice){0};
		CHECK(sigv4_covers(&r, &c, &a, &why) == (why.at == NULL));
		sigv4_token(&r, form, &a);
		if (fault == SIGV4_GOOD)
			check_signature(&r, &c, time, &a);
	}
	arena_release(&a);
	return 0;
}
