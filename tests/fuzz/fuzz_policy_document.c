/* policy_document_parse, for each kind of policy: what it says of the elements it has read. */
#include "fuzz.h"

#include "protocol/policy_document.h"

static void check_conditions(const struct policy_statement *s)
{
	for (size_t i = 0; i < s->condition_count; i++) {
		const struct policy_condition *c = &s->conditions[i];

		CHECK(c->operator_name.len > 0 && c->key.at);
		CHECK(c->kind != CONDITION_NULL || (c->set == CONDITION_ONE && !c->if_exists));
		for (size_t j = 0; j < c->count; j++) {
			CHECK(c->values[j].text.text.at);
			CHECK(c->kind != CONDITION_IP || c->values[j].range.prefix <= 128);
		}
	}
}

static void check_statement(const struct policy_statement *s, enum policy_kind kind)
{
	CHECK(s->action_count > 0);
	CHECK((s->principal_count > 0) == (kind != POLICY_OF_IDENTITY));
	CHECK(kind != POLICY_OF_IDENTITY || s->resource_count > 0);
	CHECK(kind != POLICY_OF_TRUST || s->resource_count == 0);
	for (size_t i = 0; i < s->principal_count; i++) {
		CHECK(s->principals[i].name.len > 0);
		CHECK(s->principals[i].type != POLICY_EVERYBODY ||
		    slice_is(s->principals[i].name, "*"));
		CHECK((s->principals[i].type == POLICY_ACCOUNT) ==
		    (s->principals[i].account.at != NULL));
	}
	for (size_t i = 0; i < s->action_count; i++)
		CHECK(kind != POLICY_OF_REPOSITORY || policy_action_known(s->actions[i]));
	check_conditions(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len);
	struct policy_document policy;
	const char *why;
	struct arena a;

	for (int kind = POLICY_OF_REPOSITORY; kind <= POLICY_OF_TRUST; kind++) {
		why = NULL;
		arena_init(&a);
		if (policy_document_parse(text, (enum policy_kind)kind, &a, &policy, &why)) {
			CHECK(policy.count > 0);
			for (size_t i = 0; i < policy.count; i++)
				check_statement(&policy.statements[i], (enum policy_kind)kind);
		} else {
			CHECK(why != NULL);
		}
		arena_release(&a);
	}
	return 0;
}
