/* model_check: the first byte picks an operation of either service, the rest is the body. */
#include "fuzz.h"

#include "protocol/model.h"
#include "protocol/names.h"

static const struct model_operation *pick_operation(uint8_t pick)
{
	size_t both = model_ecr.operation_count + model_ecr_public.operation_count;
	size_t n = pick % both;

	if (n < model_ecr.operation_count)
		return &model_ecr.operations[n];
	return &model_ecr_public.operations[n - model_ecr.operation_count];
}

/* What fits has everything that is required, and names that the hand-written checks take too. */
static void check_fit(const struct model_operation *op, const cJSON *body)
{
	for (const struct model_member *m = op->input->members; m->name; m++) {
		const cJSON *member = json_member(body, m->name);
		if (!member || cJSON_IsNull(member)) {
			CHECK(!m->required);
			continue;
		}
		struct slice text = json_string(body, m->name);
		if (strcmp(m->shape->name, "RepositoryName") == 0)
			CHECK(repository_name_valid(text));
		else if (strcmp(m->shape->name, "RegistryId") == 0)
			CHECK(account_id_valid(text));
	}
}

static void check_fault(const struct error *e, struct arena *a)
{
	CHECK(e->code == ERR_INVALID_PARAMETER || e->code == ERR_SERIALIZATION);
	CHECK(e->detail.len > 0);
	CHECK(utf8_valid(error_message(e, a)));
	CHECK(error_message(e, a).len >= e->detail.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len);
	const struct model_operation *op = pick_operation(take_byte(&text));
	struct error e = {0};
	struct arena a;

	cJSON *body = json_parse(text);
	if (!body || !op->input) {
		cJSON_Delete(body);
		return 0;
	}
	arena_init(&a);
	if (model_check(op->input, body, &a, &e))
		check_fit(op, body);
	else
		check_fault(&e, &a);
	cJSON_Delete(body);
	arena_release(&a);
	return 0;
}
