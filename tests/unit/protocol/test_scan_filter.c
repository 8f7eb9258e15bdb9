#include "support.h"

#include "protocol/scan_filter.h"

/* ECR user guide, "Using filters": what each filter matches of these repositories. */
static const char *const repositories[] = {
    "prod", "repo-prod", "prod-repo", "repo-prod-repo", "prodrepo"};
static const struct {
	const char *filter, *matched;
} truth[] = {
    {"prod", "YYYYY"},
    {"*prod", "YYNNN"},
    {"prod*", "YNYNY"},
    {"*prod*", "YYYYY"},
    {"prod*repo", "NNYNY"},
};

static void filters_match_as_documented(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(truth) / sizeof(truth[0]); i++) {
		for (size_t j = 0; j < sizeof(repositories) / sizeof(repositories[0]); j++) {
			bool matches = scan_filter_matches(
			    slice_str(truth[i].filter), slice_str(repositories[j]));
			assert_int_equal(matches, truth[i].matched[j] == 'Y');
		}
	}
}

#define RULE(type, frequency)                                                                      \
	"{\"scanType\":\"" type "\",\"rules\":[{\"scanFrequency\":\"" frequency                    \
	"\",\"repositoryFilters\":[{\"filter\":\"prod\",\"filterType\":\"WILDCARD\"}]}]}"

static void rules_and_the_repository_decide(void **state)
{
	struct slice none = {0}, app = SLICE("app"), prod = SLICE("prod/app");
	(void)state;
	assert_false(scan_follows_push(none, false, app));
	assert_true(scan_follows_push(none, true, app));
	assert_true(scan_follows_push(slice_str(RULE("BASIC", "SCAN_ON_PUSH")), false, prod));
	assert_false(scan_follows_push(slice_str(RULE("BASIC", "SCAN_ON_PUSH")), false, app));
	assert_false(scan_follows_push(slice_str(RULE("BASIC", "MANUAL")), false, prod));
	assert_true(scan_follows_push(slice_str(RULE("ENHANCED", "CONTINUOUS_SCAN")), false, prod));
	assert_false(scan_follows_push(slice_str(RULE("ENHANCED", "SCAN_ON_PUSH")), true, app));
	assert_false(scan_follows_push(slice_str("not JSON"), false, prod));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(filters_match_as_documented),
	    cmocka_unit_test(rules_and_the_repository_decide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
