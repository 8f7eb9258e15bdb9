#include "support.h"

#include "protocol/sigv4.h"

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
	};
	struct sigv4_credential c = {.date = slice_str("kept")};

	for (size_t i = 0; i < COUNT(bad); i++) {
		if (sigv4_parse(exact(*state, bad[i]), &c))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(sigv4_parse(slice_str(NULL), &c));
	assert_slice(c.date, "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(reads),
	    arena_test(other_spellings),
	    arena_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
