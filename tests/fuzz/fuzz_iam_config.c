/* iam_config_parse: what it takes can be looked up, each key has an owner that is among the principals. */
#include "fuzz.h"

#include "protocol/iam_config.h"

static void check(const struct iam_config *config, struct arena *a)
{
	for (size_t i = 0; i < config->principal_count; i++) {
		const struct iam_principal *p = &config->principals[i];
		struct principal as;

		CHECK(iam_config_find(config, p->arn) == p);
		iam_principal_as(p, slice_str("one"), a, &as);
		CHECK(slice_eq(as.account, p->account) && as.identity_count == p->policy_count);
		struct principal again;
		CHECK(iam_config_resolve(config, as.arn, a, &again));
		CHECK(slice_eq(again.arn, as.arn) && slice_eq(again.user_id, as.user_id));
	}
	for (size_t i = 0; i < config->key_count; i++) {
		const struct iam_key *key = &config->keys[i];

		CHECK(iam_config_key(config, key->id) == key);
		CHECK(iam_config_find(config, key->owner->arn) == key->owner);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice why = {0};
	struct iam_config config;
	struct arena a;

	arena_init(&a);
	if (iam_config_parse(slice_of((const char *)at, len), &a, &config, &why))
		check(&config, &a);
	else
		CHECK(why.len > 0 && config.key_count == 0);
	arena_release(&a);
	return 0;
}
