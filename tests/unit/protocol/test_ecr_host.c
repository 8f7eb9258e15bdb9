#include "support.h"

#include "protocol/ecr_host.h"

static void names(void **state)
{
	static const struct {
		const char *host, *account, *region, *name;
	} cases[] = {
	    {"123456789012.dkr.ecr.us-east-1.amazonaws.com", "123456789012", "us-east-1",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com"},
	    {"123456789012.dkr.ecr.us-east-1.amazonaws.com:5001", "123456789012", "us-east-1",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com"},
	    {"123456789012.DKR.ECR.us-east-1.AmazonAWS.com", "123456789012", "us-east-1",
		"123456789012.DKR.ECR.us-east-1.AmazonAWS.com"},
	    {"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "123456789012", "cn-north-1",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"},
	    {"123456789012.dkr-ecr.eu-west-1.on.aws", "123456789012", "eu-west-1",
		"123456789012.dkr-ecr.eu-west-1.on.aws"},
	    {"123456789012.dkr.ecr.eu-west-1.on.aws", "123456789012", "eu-west-1",
		"123456789012.dkr.ecr.eu-west-1.on.aws"},
	    {"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "123456789012",
		"us-gov-west-1", "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com"},
	    {"000000000000.dkr.ecr.eu-central-1.localhost:5001", "000000000000", "eu-central-1",
		"000000000000.dkr.ecr.eu-central-1.localhost"},
	    {"api.ecr.us-east-1.amazonaws.com", NULL, "us-east-1",
		"api.ecr.us-east-1.amazonaws.com"},
	    {"api.ecr.us-east-1.localhost:80", NULL, "us-east-1", "api.ecr.us-east-1.localhost"},
	    {"ecr.us-east-1.api.aws", NULL, "us-east-1", "ecr.us-east-1.api.aws"},
	    {"ecr-fips.us-east-1.amazonaws.com", NULL, "us-east-1",
		"ecr-fips.us-east-1.amazonaws.com"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct ecr_host h;
		if (!ecr_host_parse(exact(*state, cases[i].host), &h))
			fail_msg("'%s' was refused", cases[i].host);
		assert_slice(h.account, cases[i].account);
		assert_slice(h.region, cases[i].region);
		assert_slice(h.name, cases[i].name);
	}
}

static void others(void **state)
{
	static const char *const bad[] = {"", "localhost", "localhost:5001", "127.0.0.1:5001",
	    "[::1]:80", "amazonaws.com", ".amazonaws.com", "dkr.ecr.us-east-1.amazonaws.com",
	    "12345678901.dkr.ecr.us-east-1.amazonaws.com",
	    "1234567890123.dkr.ecr.us-east-1.amazonaws.com", "123456789012.dkr.ecr..amazonaws.com",
	    "123456789012.dkr.ecr.amazonaws.com", "123456789012.dkr.ecr.us.east.amazonaws.com",
	    "123456789012.dkr.ecr.US-EAST-1.amazonaws.com",
	    "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.org",
	    "x.123456789012.dkr.ecr.us-east-1.amazonaws.com",
	    "123456789012.dkr.ecr.us-east-1.amazonaws.com:x",
	    "123456789012.dkr.ecr.us-east-1.amazonaws.com:",
	    "123456789012.dkr.ecr.us-east-1.amazonaws.com:70000", "api.ecr.amazonaws.com",
	    "sts.us-east-1.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com."};
	struct ecr_host h = {.name = slice_str("kept")};

	for (size_t i = 0; i < COUNT(bad); i++) {
		if (ecr_host_parse(exact(*state, bad[i]), &h))
			fail_msg("'%s' was taken", bad[i]);
	}
	assert_false(ecr_host_parse(slice_str(NULL), &h));
	assert_slice(h.name, "kept");
}

static void served(void **state)
{
	static const char *const good[] = {"503561414328.dkr.ecr.us-east-1.amazonaws.com",
	    "503561414328.dkr-ecr.us-east-1.on.aws", "api.ecr.eu-west-1.amazonaws.com",
	    "ecr.eu-west-1.api.aws", "api.ecr.cn-north-1.amazonaws.com.cn",
	    "503561414328.dkr.ecr.us-east-1.localhost", "sts.amazonaws.com",
	    "sts.us-east-1.amazonaws.com", "sts-fips.us-east-1.amazonaws.com",
	    "sts.cn-north-1.amazonaws.com.cn", "sts.us-east-1.api.aws", "sts.us-east-1.localhost"};
	static const char *const bad[] = {"", "localhost", "amazonaws.com", "sts", "sts.",
	    "s3.us-east-1.amazonaws.com", "sts.localhost", "sts.on.aws", "sts.us-east-1.on.aws",
	    "sts.us.east.amazonaws.com", "x.sts.us-east-1.amazonaws.com", "sts.amazonaws.com.",
	    "STS.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com:443",
	    "503561414328.dkr.ecr.us-east-1.amazonaws.com:443",
	    "503561414328.DKR.ecr.us-east-1.amazonaws.com", "sts.amazonaws.com.cn",
	    "*.amazonaws.com", "503561414328.dkr.ecr.us-east-1.amazonaws.com.evil.org"};

	for (size_t i = 0; i < COUNT(good); i++)
		if (!aws_host_served(exact(*state, good[i])))
			fail_msg("'%s' was refused", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (aws_host_served(exact(*state, bad[i])))
			fail_msg("'%s' was taken", bad[i]);
	assert_false(aws_host_served(slice_str(NULL)));
}

static void sts_names(void **state)
{
	static const struct {
		const char *host, *region;
	} cases[] = {
	    {"sts.amazonaws.com", "us-east-1"},
	    {"STS.AmazonAWS.com:443", "us-east-1"},
	    {"sts.eu-west-1.amazonaws.com", "eu-west-1"},
	    {"sts-fips.us-east-2.amazonaws.com:8443", "us-east-2"},
	    {"sts.cn-north-1.amazonaws.com.cn", "cn-north-1"},
	    {"sts.eu-west-1.localhost:5001", "eu-west-1"},
	    {"sts.amazonaws.com.example", NULL},
	    {"sts..amazonaws.com", NULL},
	    {"xsts.eu-west-1.amazonaws.com", NULL},
	    {"api.ecr.eu-west-1.amazonaws.com", NULL},
	    {"sts.eu-west-1.amazonaws.com:x", NULL},
	    {"localhost", NULL},
	    {"", NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice region = {0};

		assert_int_equal(
		    sts_host_parse(exact(*state, cases[i].host), &region), cases[i].region != NULL);
		assert_slice(region, cases[i].region);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(names),
	    arena_test(others),
	    arena_test(served),
	    arena_test(sts_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
