/*
 * A policy, read from JSON into structs that borrow nothing from it.
 *
 * The reader is strict, as ECR is when a policy is put: an unknown element, a wrong kind of value or a malformed
 * condition refuses the whole. To pass over what is not understood would allow or deny something else than its
 * author meant. What a statement must have depends on whose policy it is (`kind`).
 */
#include "protocol/policy_document.h"

#include "protocol/json.h"
#include "protocol/model.h"
#include "protocol/names.h"

enum { ACTION_MAX = 128 }; /* "ecr:" included */

struct parser {
	struct arena *arena;
	const char **why;
	enum policy_kind kind;
	bool variables; /* they mean something: version 2012-10-17 */
};

static bool fault(struct parser *p, const char *why)
{
	*p->why = why;
	return false;
}

/* A string, or a list of at least one string. */
static bool read_strings(
    struct parser *p, const cJSON *value, const struct slice **out, size_t *count)
{
	size_t room = cJSON_IsArray(value) ? (size_t)cJSON_GetArraySize(value) : 1;
	struct slice *list = arena_array(p->arena, room + 1, sizeof(*list));
	const cJSON *item;

	*out = list;
	*count = 0;
	if (cJSON_IsString(value)) {
		list[(*count)++] = arena_dup(p->arena, slice_str(value->valuestring));
		return true;
	}
	if (!cJSON_IsArray(value) || room == 0)
		return fault(p, "an element is neither a string nor a list of strings");
	cJSON_ArrayForEach(item, value) {
		if (!cJSON_IsString(item))
			return fault(p, "a list has an element that is not a string");
		list[(*count)++] = arena_dup(p->arena, slice_str(item->valuestring));
	}
	return true;
}

/* The value of NAME or NotNAME, of which a statement may have one; NULL with a fault when it has
 * both. */
static bool pick(struct parser *p, const cJSON *statement, const char *name, const char *not_name,
    const cJSON **out, bool *negated)
{
	const cJSON *not_value = json_member(statement, not_name);

	*out = json_member(statement, name);
	*negated = not_value != NULL;
	if (*out && not_value)
		return fault(p, "a statement has an element and its negation");
	if (not_value)
		*out = not_value;
	return true;
}

static bool check_members(struct parser *p, const cJSON *object, const char *const *names)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, object) {
		size_t i = 0;

		while (names[i] && strcmp(member->string, names[i]) != 0)
			i++;
		if (!names[i])
			return fault(p, "an element is not one of a policy's");
	}
	return true;
}

/* ---- principals ---- */

/* IAM's unique ids: AIDA..., AROA... */
static bool unique_id_shaped(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!((s.at[i] >= 'A' && s.at[i] <= 'Z') || (s.at[i] >= '0' && s.at[i] <= '9')))
			return false;
	return s.len >= 16 && s.len <= 128 && s.at[0] == 'A';
}

/* arn:PARTITION:iam::ACCOUNT:..., or sts; an account's id, or its root's ARN, sets out->account */
static bool read_arn(struct slice s, struct policy_principal *out)
{
	struct slice arn = slice_cut(&s, ':'), partition = slice_cut(&s, ':');
	struct slice service = slice_cut(&s, ':'), region = slice_cut(&s, ':');
	struct slice account = slice_cut(&s, ':');
	bool iam = slice_is(service, "iam");

	if (iam && slice_is(s, "root")) {
		out->type = POLICY_ACCOUNT;
		out->account = account;
	}
	return slice_is(arn, "arn") && slice_starts(partition, slice_str("aws")) &&
	    (iam || slice_is(service, "sts")) && region.len == 0 && account_id_valid(account) &&
	    s.len > 0;
}

static bool read_principal(
    enum policy_principal_type type, struct slice name, struct policy_principal *out)
{
	*out = (struct policy_principal){.type = type, .name = name};
	if (type != POLICY_AWS)
		return name.len > 0;
	if (slice_is(name, "*")) {
		out->type = POLICY_EVERYBODY;
		return true;
	}
	if (account_id_valid(name)) {
		out->type = POLICY_ACCOUNT;
		out->account = name;
		return true;
	}
	return read_arn(name, out) || unique_id_shaped(name);
}

static bool add_principals(struct parser *p, enum policy_principal_type type,
    const struct slice *names, size_t count, struct policy_statement *s,
    struct policy_principal *list)
{
	for (size_t i = 0; i < count; i++)
		if (!read_principal(type, names[i], &list[s->principal_count++]))
			return fault(p, "a principal has no form that one can have");
	return true;
}

static size_t count_leaves(const cJSON *object)
{
	const cJSON *member;
	size_t n = 0;

	cJSON_ArrayForEach(member, object) {
		n += cJSON_IsArray(member) ? (size_t)cJSON_GetArraySize(member) : 1;
	}
	return n;
}

static bool read_principals(struct parser *p, const cJSON *value, struct policy_statement *s)
{
	static const struct {
		const char *name;
		enum policy_principal_type type;
	} types[] = {{"AWS", POLICY_AWS}, {"Service", POLICY_SERVICE},
	    {"Federated", POLICY_FEDERATED}, {"CanonicalUser", POLICY_CANONICAL}};
	static const char *const names[] = {"AWS", "Service", "Federated", "CanonicalUser", NULL};
	struct policy_principal *list;

	if (!cJSON_IsObject(value) &&
	    !(cJSON_IsString(value) && strcmp(value->valuestring, "*") == 0))
		return fault(p, "a statement's Principal is neither \"*\" nor an object");
	list = arena_array(p->arena, count_leaves(value) + 1, sizeof(*list));
	s->principals = list;
	if (cJSON_IsString(value)) {
		list[s->principal_count++] =
		    (struct policy_principal){.type = POLICY_EVERYBODY, .name = slice_str("*")};
		return true;
	}
	if (!check_members(p, value, names))
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const cJSON *one = json_member(value, types[i].name);
		const struct slice *found;
		size_t count;

		if (one &&
		    (!read_strings(p, one, &found, &count) ||
			!add_principals(p, types[i].type, found, count, s, list)))
			return false;
	}
	return s->principal_count > 0 || fault(p, "a statement's Principal names nobody");
}

/* ---- actions ---- */

static const char *const without_operation[] = {"BatchImportUpstreamImage", "ReplicateImage"};

static bool has_wildcard(struct slice s)
{
	return memchr(s.at, '*', s.len) || memchr(s.at, '?', s.len);
}

bool policy_action_known(struct slice action)
{
	struct slice service = slice_cut(&action, ':');

	if (!action.len && slice_is(service, "*"))
		return true;
	if (!slice_eq_nocase(service, slice_str("ecr")) || !action.len ||
	    action.len > ACTION_MAX - 4)
		return false;
	if (has_wildcard(action))
		return true;
	for (size_t i = 0; i < sizeof(without_operation) / sizeof(without_operation[0]); i++)
		if (slice_eq_nocase(action, slice_str(without_operation[i])))
			return true;
	for (size_t i = 0; i < model_ecr.operation_count; i++)
		if (slice_eq_nocase(action, slice_str(model_ecr.operations[i].name)))
			return true;
	return false;
}

static bool all_of(struct slice s, const char *others)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		bool plain =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && !strchr(others, c))
			return false;
	}
	return s.len > 0;
}

/* "*", or SERVICE:NAME of any service, whose names are not known here */
static bool action_shaped(struct slice action)
{
	struct slice service = slice_cut(&action, ':');

	if (!action.len)
		return slice_is(service, "*");
	return all_of(service, "-*") && all_of(action, "*?");
}

static bool read_actions(struct parser *p, const cJSON *value, struct policy_statement *s)
{
	if (!read_strings(p, value, &s->actions, &s->action_count))
		return false;
	for (size_t i = 0; i < s->action_count; i++) {
		if (p->kind == POLICY_OF_REPOSITORY && !policy_action_known(s->actions[i]))
			return fault(p, "an action is not one of Amazon ECR's");
		if (!action_shaped(s->actions[i]))
			return fault(p, "an action is neither \"*\" nor SERVICE:NAME");
	}
	return true;
}

/* ---- resources ---- */

/* "*", or an ARN with its six parts, wildcards in any. */
static bool resource_shaped(struct slice s)
{
	size_t colons = 0;

	if (slice_is(s, "*"))
		return true;
	for (size_t i = 0; i < s.len; i++)
		colons += s.at[i] == ':';
	return slice_starts(s, slice_str("arn:")) && colons >= 5;
}

static bool read_resources(struct parser *p, const cJSON *value, struct policy_statement *s)
{
	const struct slice *found = NULL;
	struct policy_text *list;

	if (!value)
		return true;
	if (!read_strings(p, value, &found, &s->resource_count))
		return false;
	list = arena_array(p->arena, s->resource_count, sizeof(*list));
	s->resources = list;
	for (size_t i = 0; i < s->resource_count; i++) {
		list[i] = policy_text_of(found[i], p->variables);
		if (p->kind == POLICY_OF_IDENTITY && !resource_shaped(found[i]))
			return fault(p, "a resource is neither \"*\" nor an ARN");
	}
	return true;
}

/* ---- statements ---- */

static bool read_effect(struct parser *p, const cJSON *statement, struct policy_statement *s)
{
	struct slice effect = json_string(statement, "Effect");
	const cJSON *sid = json_member(statement, "Sid");

	s->allow = slice_is(effect, "Allow");
	if (!s->allow && !slice_is(effect, "Deny"))
		return fault(p, "a statement's Effect is neither Allow nor Deny");
	if (sid && !cJSON_IsString(sid))
		return fault(p, "a statement's Sid is not a string");
	s->sid = arena_dup(p->arena, json_string(statement, "Sid"));
	return true;
}

/* What a statement must and must not have depends on whose policy it is. */
static bool elements_fit(
    struct parser *p, const cJSON *principal, const cJSON *action, const cJSON *resource)
{
	if (!action)
		return fault(p, "a statement has no Action");
	if (p->kind == POLICY_OF_IDENTITY) {
		if (principal)
			return fault(p, "a statement of an identity's policy has a Principal");
		return resource || fault(p, "a statement has no Resource");
	}
	if (!principal)
		return fault(p, "a statement has no Principal");
	return !resource || p->kind != POLICY_OF_TRUST ||
	    fault(p, "a statement of a trust policy has a Resource");
}

static bool read_statement(struct parser *p, const cJSON *value, struct policy_statement *s)
{
	static const char *const names[] = {"Sid", "Effect", "Principal", "NotPrincipal", "Action",
	    "NotAction", "Resource", "NotResource", "Condition", NULL};
	const cJSON *principal, *action, *resource, *condition;

	if (!cJSON_IsObject(value))
		return fault(p, "a statement is not an object");
	if (!check_members(p, value, names) || !read_effect(p, value, s) ||
	    !pick(p, value, "Principal", "NotPrincipal", &principal, &s->not_principal) ||
	    !pick(p, value, "Action", "NotAction", &action, &s->not_action) ||
	    !pick(p, value, "Resource", "NotResource", &resource, &s->not_resource))
		return false;
	if (!elements_fit(p, principal, action, resource) ||
	    (principal && !read_principals(p, principal, s)) || !read_actions(p, action, s) ||
	    !read_resources(p, resource, s))
		return false;
	condition = json_member(value, "Condition");
	return !condition ||
	    policy_conditions_read(
		condition, p->variables, p->arena, &s->conditions, &s->condition_count, p->why);
}

static bool read_version(struct parser *p, const cJSON *tree, struct policy_document *out)
{
	const cJSON *version = json_member(tree, "Version"), *id = json_member(tree, "Id");

	out->version = slice_str("2008-10-17");
	if (id && !cJSON_IsString(id))
		return fault(p, "Id is not a string");
	if (!version ||
	    (cJSON_IsString(version) && strcmp(version->valuestring, "2008-10-17") == 0))
		return true;
	out->version = slice_str("2012-10-17");
	p->variables = true;
	if (!cJSON_IsString(version) || strcmp(version->valuestring, "2012-10-17") != 0)
		return fault(p, "Version is neither 2008-10-17 nor 2012-10-17");
	return true;
}

static bool read_document(struct parser *p, const cJSON *tree, struct policy_document *out)
{
	static const char *const names[] = {"Version", "Id", "Statement", NULL};
	const cJSON *statements = json_member(tree, "Statement"), *statement;
	size_t count = cJSON_IsArray(statements) ? (size_t)cJSON_GetArraySize(statements) : 1;

	if (!cJSON_IsObject(tree))
		return fault(p, "the policy is not a JSON object");
	if (!check_members(p, tree, names) || !read_version(p, tree, out))
		return false;
	if (!statements || count == 0)
		return fault(p, "the policy has no Statement");
	out->statements = arena_array(p->arena, count, sizeof(*out->statements));
	if (!cJSON_IsArray(statements))
		return read_statement(p, statements, &out->statements[out->count++]);
	cJSON_ArrayForEach(statement, statements) {
		if (!read_statement(p, statement, &out->statements[out->count++]))
			return false;
	}
	return true;
}

bool policy_document_parse(struct slice text, enum policy_kind kind, struct arena *a,
    struct policy_document *out, const char **why)
{
	struct parser p = {.arena = a, .why = why, .kind = kind};
	cJSON *tree = json_parse(text);
	bool good;

	*out = (struct policy_document){.count = 0};
	good = read_document(&p, tree, out);
	cJSON_Delete(tree);
	return good;
}
