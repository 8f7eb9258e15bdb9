/* policy_document_parse, and what is asked of a policy afterwards. */
#include "fuzz.h"

#include "protocol/json.h"
#include "protocol/policy_document.h"

static void check_statement(const struct policy_statement *s)
{
	CHECK(s->principal_count > 0 && s->action_count > 0);
	for (size_t i = 0; i < s->principal_count; i++) {
		CHECK(s->principals[i].name.len > 0);
		CHECK(s->principals[i].type != POLICY_EVERYBODY ||
		    slice_is(s->principals[i].name, "*"));
	}
	for (size_t i = 0; i < s->action_count; i++)
		CHECK(policy_action_known(s->actions[i]));
	if (s->condition.at) {
		cJSON *condition = json_parse(s->condition);
		CHECK(cJSON_IsObject(condition));
		cJSON_Delete(condition);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len);
	struct slice me = SLICE("arn:aws:iam::000000000000:user/me"),
		     account = SLICE("000000000000");
	struct policy_document policy;
	const char *why = NULL;
	struct arena a;
	bool some_deny = false;

	arena_init(&a);
	if (policy_document_parse(text, &a, &policy, &why)) {
		CHECK(policy.count > 0);
		for (size_t i = 0; i < policy.count; i++) {
			check_statement(&policy.statements[i]);
			some_deny |= !policy.statements[i].allow;
		}
		CHECK(some_deny || !policy_denies(&policy, me, account, slice_str("ecr:PutImage")));
		policy_denies(&policy, me, account, slice_str("ecr:SetRepositoryPolicy"));
	} else {
		CHECK(why != NULL);
	}
	arena_release(&a);
	return 0;
}
