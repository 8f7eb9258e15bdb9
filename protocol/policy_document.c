#include "protocol/policy_document.h"

#include "protocol/json.h"
#include "protocol/model.h"
#include "protocol/names.h"
#include "protocol/wildcard.h"

enum { ACTION_MAX = 128 }; /* "ecr:" included */

struct parser {
	struct arena *arena;
	const char **why;
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

/* arn:PARTITION:iam::ACCOUNT:..., or sts */
static bool arn_shaped(struct slice s)
{
	struct slice arn = slice_cut(&s, ':'), partition = slice_cut(&s, ':');
	struct slice service = slice_cut(&s, ':'), region = slice_cut(&s, ':');
	struct slice account = slice_cut(&s, ':');

	return slice_is(arn, "arn") && slice_starts(partition, slice_str("aws")) &&
	    (slice_is(service, "iam") || slice_is(service, "sts")) && region.len == 0 &&
	    account_id_valid(account) && s.len > 0;
}

static bool principal_well_formed(enum policy_principal_type type, struct slice name)
{
	if (type != POLICY_AWS)
		return name.len > 0;
	return slice_is(name, "*") || account_id_valid(name) || arn_shaped(name) ||
	    unique_id_shaped(name);
}

static bool add_principals(struct parser *p, enum policy_principal_type type,
    const struct slice *names, size_t count, struct policy_statement *s,
    struct policy_principal *list)
{
	for (size_t i = 0; i < count; i++) {
		if (!principal_well_formed(type, names[i]))
			return fault(p, "a principal has no form that one can have");
		list[s->principal_count++] = (struct policy_principal){
		    slice_is(names[i], "*") && type == POLICY_AWS ? POLICY_EVERYBODY : type,
		    names[i]};
	}
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
		    (struct policy_principal){POLICY_EVERYBODY, slice_str("*")};
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

static bool read_actions(struct parser *p, const cJSON *value, struct policy_statement *s)
{
	if (!read_strings(p, value, &s->actions, &s->action_count))
		return false;
	for (size_t i = 0; i < s->action_count; i++)
		if (!policy_action_known(s->actions[i]))
			return fault(p, "an action is not one of Amazon ECR's");
	return true;
}

/* ---- statements ---- */

static bool scalar(const cJSON *value)
{
	return cJSON_IsString(value) || cJSON_IsNumber(value) || cJSON_IsBool(value);
}

/* {operator: {key: value or [value...]}} */
static bool check_condition(struct parser *p, const cJSON *condition)
{
	const cJSON *operator, * key, *value;

	if (!cJSON_IsObject(condition))
		return fault(p, "a statement's Condition is not an object");
	cJSON_ArrayForEach(operator, condition) {
		if (!cJSON_IsObject(operator))
			return fault(p, "an operator of a Condition is not an object");
		cJSON_ArrayForEach(key, operator) {
			if (!scalar(key) && !cJSON_IsArray(key))
				return fault(
				    p, "a key of a Condition has no value or list of values");
			cJSON_ArrayForEach(value, key) {
				if (!scalar(value))
					return fault(
					    p, "a value of a Condition is not a plain one");
			}
		}
	}
	return true;
}

static struct slice print(struct parser *p, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);
	struct slice copy = arena_dup(p->arena, slice_str(text));

	cJSON_free(text);
	return copy;
}

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
	if (!principal || !action)
		return fault(p, "a statement has no Principal or no Action");
	if (!read_principals(p, principal, s) || !read_actions(p, action, s) ||
	    (resource && !read_strings(p, resource, &s->resources, &s->resource_count)))
		return false;
	condition = json_member(value, "Condition");
	if (condition && !check_condition(p, condition))
		return false;
	if (condition)
		s->condition = print(p, condition);
	return true;
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

bool policy_document_parse(
    struct slice text, struct arena *a, struct policy_document *out, const char **why)
{
	struct parser p = {a, why};
	cJSON *tree = json_parse(text);
	bool good;

	*out = (struct policy_document){.count = 0};
	good = read_document(&p, tree, out);
	cJSON_Delete(tree);
	return good;
}

/* ---- looking at one ---- */

static struct slice lower(struct slice s, char text[ACTION_MAX])
{
	size_t len = s.len < ACTION_MAX ? s.len : ACTION_MAX;

	for (size_t i = 0; i < len; i++)
		text[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (char)(s.at[i] + 32) : s.at[i];
	return slice_of(text, len);
}

bool policy_statement_has_action(const struct policy_statement *s, struct slice action)
{
	char wanted[ACTION_MAX], pattern[ACTION_MAX];
	bool found = false;

	for (size_t i = 0; i < s->action_count && !found; i++)
		found = wildcard_match(lower(s->actions[i], pattern), lower(action, wanted));
	return found != s->not_action;
}

static bool is_meant(const struct policy_principal *p, struct slice principal, struct slice account)
{
	if (p->type == POLICY_EVERYBODY)
		return true;
	if (p->type != POLICY_AWS)
		return false;
	if (slice_eq(p->name, account) || slice_eq(p->name, principal))
		return true;
	/* arn:aws:iam::ACCOUNT:root stands for everybody of the account */
	return slice_ends(p->name, slice_str(":root")) && p->name.len > account.len + 5 &&
	    slice_eq(slice_of(p->name.at + p->name.len - 5 - account.len, account.len), account);
}

static bool statement_has_principal(
    const struct policy_statement *s, struct slice principal, struct slice account)
{
	bool found = false;

	for (size_t i = 0; i < s->principal_count && !found; i++)
		found = is_meant(&s->principals[i], principal, account);
	return found != s->not_principal;
}

bool policy_denies(const struct policy_document *policy, struct slice principal,
    struct slice account, struct slice action)
{
	for (size_t i = 0; i < policy->count; i++) {
		const struct policy_statement *s = &policy->statements[i];

		if (!s->allow && !s->condition.at && policy_statement_has_action(s, action) &&
		    statement_has_principal(s, principal, account))
			return true;
	}
	return false;
}
