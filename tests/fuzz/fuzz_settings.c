/*
 * The settings that are kept as JSON and read again at each push: replication rules, scanning rules, creation
 * templates. Input: a repository's name, a line feed, the text.
 */
#include "fuzz.h"

#include "protocol/creation_template.h"
#include "protocol/replication.h"
#include "protocol/scan_filter.h"

static bool has_prefix(const struct replication_rule *rule, struct slice name)
{
	for (size_t i = 0; i < rule->prefix_count; i++)
		if (slice_starts(name, rule->prefixes[i]))
			return true;
	return false;
}

static void check_replication(struct slice text, struct slice name, struct arena *a)
{
	struct replication_rules rules;

	if (!replication_parse(text, a, &rules))
		return;
	for (size_t i = 0; i < rules.count; i++) {
		const struct replication_rule *rule = &rules.at[i];

		CHECK(replication_rule_matches(rule, name) ==
		    (rule->prefix_count == 0 || has_prefix(rule, name)));
		for (size_t j = 0; j < rule->destination_count; j++)
			CHECK(rule->destinations[j].account.len <= text.len);
	}
}

static void check_template(struct slice text, struct arena *a)
{
	struct creation_template template;

	if (!creation_template_parse(text, a, &template))
		return;
	CHECK(!template.lifecycle_policy.at || template.lifecycle_policy.len > 0);
	CHECK(template.tag_count <= text.len);
	for (size_t i = 0; i < template.tag_count; i++)
		CHECK(template.tags[i].key.len <= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len), name = slice_cut(&text, '\n');
	struct arena a;

	arena_init(&a);
	check_replication(text, name, &a);
	check_template(text, &a);
	/* A repository's own wish to be scanned is only taken back by a registry that scans otherwise. */
	if (scan_follows_push(text, false, name))
		CHECK(scan_follows_push(text, true, name));
	arena_release(&a);
	return 0;
}
