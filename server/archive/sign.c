#include "server/archive/sign.h"

#include "protocol/sigv4_canonical.h"

#include <stdlib.h>
#include <time.h>

static struct slice environment(const char *name)
{
	const char *value = getenv(name);

	return slice_str(value && *value ? value : NULL);
}

bool sign_possible(void)
{
	return environment("AWS_ACCESS_KEY_ID").at && environment("AWS_SECRET_ACCESS_KEY").at;
}

const char *sign_fields(
    const char *host, const char *target, const char *region, struct slice body, struct arena *a)
{
	struct slice token = environment("AWS_SESSION_TOKEN");
	struct slice names = token.at
	    ? slice_str("host;x-amz-date;x-amz-security-token;x-amz-target")
	    : slice_str("host;x-amz-date;x-amz-target");
	char when[32], hash[SIGV4_HASH_LEN], signature[SIGV4_HASH_LEN];
	time_t now = time(NULL);
	struct tm utc;
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	struct sigv4_field fields[] = {{slice_str("host"), slice_str(host)},
	    {slice_str("x-amz-date"), slice_str(when)},
	    {slice_str("x-amz-target"), slice_str(target)},
	    {slice_str("x-amz-security-token"), token}};
	struct sigv4_request request = {.method = slice_str("POST"),
	    .path = slice_str("/"),
	    .fields = fields,
	    .field_count = token.at ? 4 : 3};
	struct slice day = slice_of(when, 8), scope, canonical, to_sign;

	sigv4_hash(body, hash);
	scope = arena_slicef(a, "%.8s/%s/ecr/aws4_request", when, region);
	canonical = sigv4_canonical_request(&request, names, slice_of(hash, SIGV4_HASH_LEN), a);
	to_sign = sigv4_string_to_sign(slice_str(when), scope, canonical, a);
	sigv4_signature(environment("AWS_SECRET_ACCESS_KEY"), day, slice_str(region),
	    slice_str("ecr"), to_sign, signature);
	return arena_printf(a,
	    "X-Amz-Date: %s\r\n%s%.*s%sAuthorization: AWS4-HMAC-SHA256 Credential=%s/%.*s, "
	    "SignedHeaders=%.*s, Signature=%.*s\r\n",
	    when, token.at ? "X-Amz-Security-Token: " : "", (int)token.len,
	    token.at ? token.at : "", token.at ? "\r\n" : "", getenv("AWS_ACCESS_KEY_ID"),
	    SLICE_ARG(scope), SLICE_ARG(names), SIGV4_HASH_LEN, signature);
}
