/* The principal's policies out of the file that drydock serve --iam reads. */
#include "protocol/iam_config.h"
#include "server/policy/explain.h"

/* What the file calls the principal's policies: {NAME: DOCUMENT}, in the order in which they were read. */
static const cJSON *policies_of(
    struct question *q, const cJSON *tree, const struct iam_principal *who)
{
	const cJSON *accounts = json_member(tree, "accounts");
	const cJSON *account = json_member(accounts, arena_strdup(&q->arena, who->account));
	const cJSON *list = json_member(account, who->kind == PRINCIPAL_ROLE ? "roles" : "users");

	if (!who->name.at)
		return NULL; /* the root has none */
	return json_member(json_member(list, arena_strdup(&q->arena, who->name)), "policies");
}

static bool take_policies(
    struct question *q, const cJSON *tree, const struct iam_principal *who, struct err *err)
{
	const cJSON *member;
	size_t i = 0;

	cJSON_ArrayForEach(member, policies_of(q, tree, who)) {
		struct loaded_policy *policy = &q->identity[q->identity_count];

		if (i == who->policy_count || q->identity_count == EXPLAIN_POLICIES_MAX)
			return explain_fail(
			    err, "there are more than %d identity policies", EXPLAIN_POLICIES_MAX);
		policy->document = *who->policies[i++];
		policy->tree = cJSON_Duplicate(member, true);
		policy->from = arena_printf(&q->arena, "\"%s\" in %s", member->string, q->iam_file);
		q->identity_documents[q->identity_count++] = &policy->document;
	}
	return true;
}

bool question_load_iam(struct question *q, struct slice text, struct err *err)
{
	const struct principal asked = q->who;
	const struct iam_principal *who;
	struct iam_config config;
	struct slice why;
	cJSON *tree;
	bool good;

	if (!iam_config_parse(text, &q->arena, &config, &why))
		return explain_fail(err, "--iam %.200s: %.*s", q->iam_file, SLICE_ARG(why));
	if (!iam_config_resolve(&config, asked.arn, &q->arena, &q->who)) {
		q->who = asked;
		return asked.kind == PRINCIPAL_ROOT ||
		    explain_fail(err, "nobody in %.200s is %.200s", q->iam_file, q->principal);
	}
	who = iam_config_find(&config, q->who.role_arn.at ? q->who.role_arn : q->who.arn);
	tree = json_parse(text);
	good = take_policies(q, tree, who, err);
	cJSON_Delete(tree);
	return good;
}
