#include "support.h"

#include "protocol/browser_rules.h"

static const char *const given[] = {"drydock.svc.cluster.local", "ci.example"};
static const struct browser_names names = {given, 2}, none = {NULL, 0};

static void hosts(void **state)
{
	static const struct {
		const char *host;
		bool ours;
	} cases[] = {
	    {"127.0.0.1", true},
	    {"127.0.0.1:5001", true},
	    {"192.168.1.7:80", true},
	    {"[::1]", true},
	    {"[::1]:5001", true},
	    {"[fe80::1]", true},
	    {"localhost", true},
	    {"LOCALHOST:5001", true},
	    {"localhost.", true},
	    {"drydock", true},
	    {"drydock:5001", true},
	    {"a.localhost", true},
	    {"a.b.LocalHost:1", true},
	    {"123456789012.dkr.ecr.us-east-1.amazonaws.com", true},
	    {"123456789012.dkr.ecr.us-east-1.amazonaws.com:5001", true},
	    {"api.ecr.eu-west-1.amazonaws.com", true},
	    {"sts.amazonaws.com:443", true},
	    {"ci.example", true},
	    {"CI.example:5001", true},
	    {"ci.example.", true},
	    {"drydock.svc.cluster.local", true},
	    {"", false},
	    {":5001", false},
	    {".", false},
	    {"evil.example", false},
	    {"evil.example:5001", false},
	    {"evil.example.", false},
	    {".localhost", false},
	    {"localhost.example", false},
	    {"xlocalhost.example", false},
	    {"127.0.0.1.example", false},
	    {"1.2.3.4.5", false},
	    {"127.1", false},
	    {"[evil.example]", false},
	    {"[::1", false},
	    {"[evil.example", false},
	    {"::1.example", false},
	    {"x.ci.example", false},
	    {"ci.example.x", false},
	    {"amazonaws.com", false},
	    {"s3.us-east-1.amazonaws.com", false},
	    {"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		if (browser_host_ours(exact(*state, cases[i].host), &names) != cases[i].ours)
			fail_msg("'%s'", cases[i].host);
	assert_false(browser_host_ours(slice_str("ci.example"), &none));
	assert_false(browser_host_ours(slice_str(NULL), &names));
}

struct browser_case {
	const char *host, *origin, *site;
	bool reads, by_name, secure;
	enum browser_verdict verdict;
};

static const struct browser_case browser_cases[] = {
    /* no browser */
    {"127.0.0.1:5001", NULL, NULL, false, true, false, BROWSER_WELCOME},
    {"", NULL, NULL, false, true, false, BROWSER_WELCOME},
    {"a.service", NULL, NULL, false, false, false, BROWSER_WELCOME},
    {"a.service", NULL, NULL, false, true, false, BROWSER_MISNAMED},
    /* a page of ours */
    {"localhost:5001", "http://localhost:5001", "same-origin", false, true, false, BROWSER_WELCOME},
    {"localhost:5001", "https://localhost:5001", "same-origin", false, true, true, BROWSER_WELCOME},
    {"ci.example", "http://ci.example", NULL, false, true, false, BROWSER_WELCOME},
    {"LocalHost", "http://localhost", NULL, false, true, false, BROWSER_WELCOME},
    {"localhost", NULL, "none", true, true, false, BROWSER_WELCOME},
    /* another's */
    {"localhost:5001", "http://evil.example", NULL, true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", "null", NULL, true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", "", NULL, true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", "http://localhost", NULL, true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", "http://localhost:5001/", NULL, true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", "https://localhost:5001", NULL, true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", "http://localhost:5001", NULL, true, false, true, BROWSER_FOREIGN},
    {"localhost:5001", NULL, "cross-site", true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", "http://localhost:5001", "cross-site", true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", NULL, "", true, false, false, BROWSER_FOREIGN},
    {"localhost:5001", NULL, "Same-Origin", true, false, false, BROWSER_FOREIGN},
    /* of the same site */
    {"localhost:5001", NULL, "same-site", true, true, false, BROWSER_WELCOME},
    {"localhost:5001", NULL, "same-site", false, true, false, BROWSER_FOREIGN},
    /* a name that was made to mean this machine */
    {"evil.example", "http://evil.example", "same-origin", false, true, false, BROWSER_MISNAMED},
    {"evil.example", "http://evil.example", "same-origin", false, false, false, BROWSER_FOREIGN},
    {"evil.example", NULL, "same-origin", true, true, false, BROWSER_MISNAMED},
    {"", "http://", NULL, false, false, false, BROWSER_FOREIGN},
};

static struct slice field(struct arena *a, const char *value)
{
	return value ? exact(a, value) : slice_str(NULL);
}

static void pages(void **state)
{
	for (size_t i = 0; i < COUNT(browser_cases); i++) {
		const struct browser_case *one = &browser_cases[i];
		struct browser_request request = {.secure = one->secure,
		    .reads = one->reads,
		    .by_name = one->by_name,
		    .host = field(*state, one->host),
		    .origin = field(*state, one->origin),
		    .fetch_site = field(*state, one->site)};
		if (browser_judge(&request, &names) != one->verdict)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {arena_test(hosts), arena_test(pages)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
