/*
 * Scanning filters: one without a star is looked for anywhere in the name, one with a star must match all of it. A
 * repository's own setting counts with basic scanning only.
 */
#include "protocol/scan_filter.h"

#include "protocol/json.h"
#include "protocol/wildcard.h"

bool scan_filter_matches(struct slice filter, struct slice repository)
{
	if (memchr(filter.at, '*', filter.len))
		return wildcard_match(filter, repository);
	return memmem(repository.at, repository.len, filter.at, filter.len) != NULL;
}

static bool rule_applies(const cJSON *rule, struct slice repository)
{
	const cJSON *filter;

	if (slice_is(json_string(rule, "scanFrequency"), "MANUAL"))
		return false;
	cJSON_ArrayForEach(filter, json_member(rule, "repositoryFilters")) {
		struct slice text = json_string(filter, "filter");

		if (text.at && scan_filter_matches(text, repository))
			return true;
	}
	return false;
}

bool scan_follows_push(struct slice configuration, bool of_repository, struct slice repository)
{
	cJSON *parsed = configuration.at ? json_parse(configuration) : NULL;
	bool enhanced = slice_is(json_string(parsed, "scanType"), "ENHANCED");
	bool follows = of_repository && !enhanced;
	const cJSON *rule;

	cJSON_ArrayForEach(rule, json_member(parsed, "rules"))
		follows = follows || rule_applies(rule, repository);
	cJSON_Delete(parsed);
	return follows;
}
