/* sigv4_parse: its parts lie within the header, and written out in order they parse to the same. */
#include "fuzz.h"

#include "protocol/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice header = slice_of((const char *)at, len);
	struct sigv4_credential c, again;
	struct arena a;

	if (!sigv4_parse(header, &c))
		return 0;
	CHECK(is_within(c.access_key, header) && is_within(c.signature, header));
	CHECK(c.date.len == 8 && c.signature.len == 64 && c.region.len && c.service.len);
	arena_init(&a);
	struct slice text = arena_slicef(&a,
	    "AWS4-HMAC-SHA256 Credential=%.*s/%.*s/%.*s/%.*s/aws4_request, SignedHeaders=%.*s, "
	    "Signature=%.*s",
	    SLICE_ARG(c.access_key), SLICE_ARG(c.date), SLICE_ARG(c.region), SLICE_ARG(c.service),
	    SLICE_ARG(c.signed_headers), SLICE_ARG(c.signature));
	CHECK(sigv4_parse(text, &again));
	CHECK(slice_eq(c.access_key, again.access_key) && slice_eq(c.date, again.date));
	CHECK(slice_eq(c.region, again.region) && slice_eq(c.service, again.service));
	CHECK(slice_eq(c.signed_headers, again.signed_headers));
	CHECK(slice_eq(c.signature, again.signature));
	arena_release(&a);
	return 0;
}
