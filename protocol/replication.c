/*
 * A replication configuration's JSON, read into rules. It was checked when it was put, so what is not as it should
 * be counts as not there. A rule without filters speaks of every repository.
 */
#include "protocol/replication.h"

#include "protocol/json.h"

static void read_destinations(struct arena *a, const cJSON *list, struct replication_rule *rule)
{
	size_t count = (size_t)cJSON_GetArraySize(list);
	struct replication_destination *to = arena_array(a, count + 1, sizeof(*to));
	const cJSON *item;

	rule->destinations = to;
	cJSON_ArrayForEach(item, list) {
		to[rule->destination_count].account = arena_dup(a, json_string(item, "registryId"));
		to[rule->destination_count++].region = arena_dup(a, json_string(item, "region"));
	}
}

static void read_filters(struct arena *a, const cJSON *list, struct replication_rule *rule)
{
	size_t count = (size_t)cJSON_GetArraySize(list);
	struct slice *prefixes = arena_array(a, count + 1, sizeof(*prefixes));
	const cJSON *item;

	rule->prefixes = prefixes;
	cJSON_ArrayForEach(item, list)
		prefixes[rule->prefix_count++] = arena_dup(a, json_string(item, "filter"));
}

bool replication_parse(struct slice text, struct arena *a, struct replication_rules *out)
{
	cJSON *tree = json_parse(text);
	const cJSON *list = json_member(tree, "rules"), *item;
	struct replication_rule *rules =
	    arena_array(a, (size_t)cJSON_GetArraySize(list) + 1, sizeof(*rules));
	bool good = cJSON_IsArray(list);

	*out = (struct replication_rules){.at = rules};
	cJSON_ArrayForEach(item, list) {
		read_destinations(a, json_member(item, "destinations"), &rules[out->count]);
		read_filters(a, json_member(item, "repositoryFilters"), &rules[out->count++]);
	}
	cJSON_Delete(tree);
	return good;
}

bool replication_rule_matches(const struct replication_rule *rule, struct slice repository)
{
	for (size_t i = 0; i < rule->prefix_count; i++)
		if (slice_starts(repository, rule->prefixes[i]))
			return true;
	return rule->prefix_count == 0;
}
