/* lifecycle_policy_parse: what it accepts keeps every rule of the grammar, and is accepted again.
 */
#include "fuzz.h"

#include "protocol/lifecycle_policy.h"

static void check_matches(const struct lifecycle_rule *r)
{
	CHECK((r->tags == LIFECYCLE_TAGGED) == (r->match_count > 0));
	for (size_t i = 0; i < r->match_count; i++) {
		size_t stars = 0;

		CHECK(r->matches[i].len > 0);
		CHECK(i == 0 || slice_cmp(r->matches[i - 1], r->matches[i]) < 0);
		for (size_t j = 0; j < r->matches[i].len; j++)
			stars += r->matches[i].at[j] == '*';
		CHECK(r->prefixes || stars <= LIFECYCLE_WILDCARDS_MAX);
	}
}

static void check_rule(const struct lifecycle_rule *r)
{
	bool archive = r->storage_class == LIFECYCLE_ARCHIVE;
	bool transitioned = r->count_type == LIFECYCLE_SINCE_TRANSITIONED;

	CHECK(r->priority >= 1 && r->count >= 1);
	CHECK(archive == transitioned);
	CHECK(!transitioned ||
	    (r->action == LIFECYCLE_EXPIRE && r->count >= LIFECYCLE_ARCHIVE_DAYS_MIN));
	CHECK(r->count_type != LIFECYCLE_SINCE_PULLED || r->action == LIFECYCLE_TRANSITION);
	check_matches(r);
}

static void check_policy(const struct lifecycle_policy *p)
{
	size_t untagged[2] = {0, 0};

	CHECK(p->count >= 1 && p->count <= LIFECYCLE_RULES_MAX);
	for (size_t i = 0; i < p->count; i++) {
		const struct lifecycle_rule *r = &p->rules[i];

		check_rule(r);
		CHECK(i == 0 || p->rules[i - 1].priority < r->priority);
		CHECK(r->tags != LIFECYCLE_UNTAGGED || untagged[r->storage_class]++ == 0);
		for (size_t j = i + 1; j < p->count && r->tags == LIFECYCLE_ANY; j++)
			CHECK(p->rules[j].storage_class != r->storage_class);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len), why = {NULL, 0};
	struct lifecycle_policy policy;
	struct arena a;

	arena_init(&a);
	if (lifecycle_policy_parse(text, LIFECYCLE_RULES_MAX, &a, &policy, &why)) {
		check_policy(&policy);
		/* fewer rules may be allowed, and then nothing else changes */
		CHECK(lifecycle_policy_parse(text, policy.count, &a, &policy, &why));
		CHECK(policy.count == 1 ||
		    !lifecycle_policy_parse(text, policy.count - 1, &a, &policy, &why));
	} else {
		CHECK(why.len > 0);
	}
	arena_release(&a);
	return 0;
}
