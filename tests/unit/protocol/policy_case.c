#include "policy_case.h"

static const struct policy_document *read_policy(
    const cJSON *tree, enum policy_kind kind, struct arena *a)
{
	struct policy_document *policy = arena_zalloc(a, sizeof(*policy));
	const char *why = "";
	char *text;

	if (!tree)
		return NULL;
	text = cJSON_PrintUnformatted(tree);
	if (!policy_document_parse(slice_str(text), kind, a, policy, &why))
		fail_msg("%s: %s", text, why);
	cJSON_free(text);
	return policy;
}

static void read_identity(const cJSON *list, struct arena *a, struct principal *who)
{
	size_t room = (size_t)cJSON_GetArraySize(list);
	const struct policy_document **policies = arena_array(a, room + 1, sizeof(*policies));
	const cJSON *one;

	cJSON_ArrayForEach(one, list) {
		policies[who->identity_count++] = read_policy(one, POLICY_OF_IDENTITY, a);
	}
	who->identity = policies;
}

static struct policy_key read_key(const cJSON *member, struct arena *a)
{
	size_t room = cJSON_IsArray(member) ? (size_t)cJSON_GetArraySize(member) : 1;
	struct slice *values = arena_array(a, room + 1, sizeof(*values));
	struct policy_key key = {arena_dup(a, slice_str(member->string)), values, 0};
	const cJSON *value;

	if (cJSON_IsString(member))
		values[key.count++] = arena_dup(a, slice_str(member->valuestring));
	cJSON_ArrayForEach(value, member) {
		values[key.count++] = arena_dup(a, slice_str(value->valuestring));
	}
	return key;
}

static void read_context(const cJSON *tree, struct arena *a, struct authorize_request *request)
{
	size_t room = (size_t)cJSON_GetArraySize(tree);
	struct policy_key *keys = arena_array(a, room + 1, sizeof(*keys));
	const cJSON *member;

	cJSON_ArrayForEach(member, tree) {
		keys[request->key_count++] = read_key(member, a);
	}
	request->keys = keys;
}

void policy_case_read(const cJSON *tree, struct arena *a, struct policy_case *out)
{
	struct authorize_request *r = &out->request;
	struct slice arn = arena_dup(a, json_string(tree, "principal"));

	*out = (struct policy_case){.request = {.principal = &out->who}};
	if (!principal_of_arn(arn, a, &out->who))
		fail_msg("%.*s is no principal", SLICE_ARG(arn));
	out->who.user_id = arena_dup(a, json_string(tree, "user_id"));
	read_identity(json_member(tree, "identity"), a, &out->who);
	out->who.session = read_policy(json_member(tree, "session"), POLICY_OF_IDENTITY, a);
	r->action = arena_dup(a, json_string(tree, "action"));
	r->resource = arena_dup(a, json_string(tree, "resource"));
	r->resource_account = arena_dup(a, json_string(tree, "account"));
	r->resource_must_allow = json_has(tree, "trust");
	r->repository_policy = r->resource_must_allow
	    ? read_policy(json_member(tree, "trust"), POLICY_OF_TRUST, a)
	    : read_policy(json_member(tree, "repository"), POLICY_OF_REPOSITORY, a);
	r->registry_policy = read_policy(json_member(tree, "registry"), POLICY_OF_REPOSITORY, a);
	read_context(json_member(tree, "context"), a, r);
}
