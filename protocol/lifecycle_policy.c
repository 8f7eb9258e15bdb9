/*
 * One walk over the JSON tree, which stops at the first fault, then the rules that concern several
 * rules.
 *
 * Texts seen of ECR: "Only one rule can select Untagged ...", "Rule for tagStatus=ANY ...", "Must
 * specify tagPrefixList or ...", "instance failed to match exactly one schema ..." (whose further
 * lines are not known). Those of the schema validator (missing and unknown properties, types,
 * enumerations, bounds) have its own form. The rest is ours: FAULT_OURS marks it.
 */
#include "protocol/lifecycle_policy.h"

#include "protocol/model.h"

#include <stdlib.h>

#define FAULT_OURS(p, ...) fault(p, __VA_ARGS__)
#define NO_SCHEMA "instance failed to match exactly one schema (matched 0 out of 2)"

struct parser {
	struct arena *arena;
	struct slice *why;
};

static bool fault(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fault(struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	*p->why = slice_str(arena_vprintf(p->arena, format, args));
	va_end(args);
	return false;
}

/* ---- what the schema validator says ---- */

static const char *type_name(const cJSON *value)
{
	int64_t n;

	if (cJSON_IsObject(value))
		return "object";
	if (cJSON_IsArray(value))
		return "array";
	if (cJSON_IsString(value))
		return "string";
	if (cJSON_IsBool(value))
		return "boolean";
	if (cJSON_IsNumber(value))
		return json_integer(value, &n) ? "integer" : "number";
	return "null";
}

static bool check_type(struct parser *p, const cJSON *value, const char *type)
{
	if (strcmp(type_name(value), type) == 0)
		return true;
	return fault(p,
	    "instance type (%s) does not match any allowed primitive type (allowed: [\"%s\"])",
	    type_name(value), type);
}

/* names: NULL-terminated and sorted. */
static bool check_required(struct parser *p, const cJSON *object, const char *const *names)
{
	struct json_writer w;
	struct buf missing;
	size_t count = 0;

	buf_init(&missing, p->arena, 1024, 64);
	json_begin(&w, &missing);
	json_array(&w);
	for (; *names; names++) {
		if (json_has(object, *names))
			continue;
		json_str(&w, slice_str(*names));
		count++;
	}
	json_array_end(&w);
	return count == 0 ||
	    fault(
		p, "object has missing required properties (%.*s)", SLICE_ARG(buf_slice(&missing)));
}

static bool is_known(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static bool check_unknown(struct parser *p, const cJSON *object, const char *const *names)
{
	const cJSON *member;
	struct json_writer w;
	struct buf text;

	cJSON_ArrayForEach(member, object) {
		if (is_known(member->string, names))
			continue;
		buf_init(&text, p->arena, SIZE_MAX, 64);
		json_begin(&w, &text);
		json_str(&w, slice_str(member->string));
		return fault(p,
		    "object instance has properties which are not allowed by the schema: [%.*s]",
		    SLICE_ARG(buf_slice(&text)));
	}
	return true;
}

static bool check_object(
    struct parser *p, const cJSON *value, const char *const *required, const char *const *known)
{
	return check_type(p, value, "object") && check_required(p, value, required) &&
	    check_unknown(p, value, known);
}

static int index_of(struct slice value, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (slice_is(value, names[i]))
			return i;
	return -1;
}

/* The index of a string among names (NULL-terminated and sorted), into *out. */
static bool read_enum(struct parser *p, const cJSON *value, const char *const *names, int *out)
{
	struct json_writer w;
	struct buf text;

	if (!check_type(p, value, "string"))
		return false;
	*out = index_of(slice_str(value->valuestring), names);
	if (*out >= 0)
		return true;
	buf_init(&text, p->arena, SIZE_MAX, 128);
	buf_puts(&text, "instance value (");
	json_begin(&w, &text);
	json_str(&w, slice_str(value->valuestring));
	buf_puts(&text, ") not found in enum (possible values: ");
	json_begin(&w, &text);
	json_array(&w);
	for (; *names; names++)
		json_str(&w, slice_str(*names));
	json_array_end(&w);
	buf_putc(&text, ')');
	*p->why = buf_slice(&text);
	return false;
}

static bool read_positive(struct parser *p, const cJSON *value, int64_t *out)
{
	if (!check_type(p, value, "integer") || !json_integer(value, out))
		return false;
	if (*out >= 1)
		return true;
	return fault(p,
	    "numeric instance is lower than the required minimum (minimum: 1, found: %lld)",
	    (long long)*out);
}

/* The member as it stands, null included. */
static const cJSON *member_of(const cJSON *object, const char *name)
{
	const cJSON *member, *found = NULL;

	cJSON_ArrayForEach(member, object) {
		if (strcmp(member->string, name) == 0)
			found = member;
	}
	return found;
}

/* ---- lists of tags ---- */

static int compare_slices(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static size_t unique(struct slice *list, size_t count)
{
	size_t kept = 0;

	qsort(list, count, sizeof(*list), compare_slices);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !slice_eq(list[kept - 1], list[i]))
			list[kept++] = list[i];
	return kept;
}

static size_t count_stars(struct slice s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.at[i] == '*';
	return n;
}

static bool read_entry(struct parser *p, const cJSON *item, bool prefix, struct slice *out)
{
	if (!check_type(p, item, "string"))
		return false;
	*out = arena_dup(p->arena, slice_str(item->valuestring));
	if (out->len == 0)
		return fault(p, "string \"\" is too short (length: 0, required minimum: 1)");
	if (!prefix && count_stars(*out) > LIFECYCLE_WILDCARDS_MAX)
		return FAULT_OURS(p, "Entries of tagPatternList can have at most %d wildcards (*).",
		    LIFECYCLE_WILDCARDS_MAX);
	return true;
}

static bool read_list(
    struct parser *p, const cJSON *list, bool prefixes, struct lifecycle_rule *rule)
{
	struct slice *matches;
	const cJSON *item;
	size_t n = 0;

	if (!check_type(p, list, "array"))
		return false;
	matches = arena_array(p->arena, (size_t)cJSON_GetArraySize(list) + 1, sizeof(*matches));
	cJSON_ArrayForEach(item, list) {
		if (!read_entry(p, item, prefixes, &matches[n++]))
			return false;
	}
	rule->matches = matches;
	rule->match_count = unique(matches, n);
	rule->prefixes = prefixes;
	return true;
}

static bool read_tags(struct parser *p, const cJSON *selection, struct lifecycle_rule *rule)
{
	static const char *const statuses[] = {"any", "tagged", "untagged", NULL};
	const cJSON *prefixes = member_of(selection, "tagPrefixList");
	const cJSON *patterns = member_of(selection, "tagPatternList");
	int status;

	if (!read_enum(p, member_of(selection, "tagStatus"), statuses, &status) ||
	    (prefixes && !read_list(p, prefixes, true, rule)) ||
	    (patterns && !read_list(p, patterns, false, rule)))
		return false;
	rule->tags = (enum lifecycle_tags)status;
	if (rule->tags != LIFECYCLE_TAGGED && (prefixes || patterns))
		return FAULT_OURS(p,
		    "tagPrefixList and tagPatternList can only be specified when "
		    "tagStatus=TAGGED.");
	if (prefixes && patterns)
		return FAULT_OURS(
		    p, "Only one of tagPrefixList and tagPatternList can be specified.");
	if (rule->tags == LIFECYCLE_TAGGED && rule->match_count == 0)
		return fault(
		    p, "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.");
	return true;
}

/* ---- one rule ---- */

/* countType and the unit that goes with it, one of the schemas of a selection. */
static bool read_count(struct parser *p, const cJSON *selection, struct lifecycle_rule *rule)
{
	static const char *const types[] = {"imageCountMoreThan", "sinceImagePulled",
	    "sinceImagePushed", "sinceImageTransitioned", NULL};
	int type = index_of(json_string(selection, "countType"), types);
	bool days = slice_is(json_string(selection, "countUnit"), "days");

	if (!read_positive(p, member_of(selection, "countNumber"), &rule->count))
		return false;
	if (type < 0 ||
	    (type == LIFECYCLE_COUNT_MORE_THAN ? json_has(selection, "countUnit") : !days))
		return fault(p, NO_SCHEMA);
	rule->count_type = (enum lifecycle_count)type;
	return true;
}

static bool read_selection(struct parser *p, const cJSON *selection, struct lifecycle_rule *rule)
{
	static const char *const required[] = {"countNumber", "countType", "tagStatus", NULL};
	static const char *const known[] = {"countNumber", "countType", "countUnit", "storageClass",
	    "tagPatternList", "tagPrefixList", "tagStatus", NULL};
	static const char *const classes[] = {"archive", "standard", NULL};
	int class = LIFECYCLE_STANDARD;

	if (!check_object(p, selection, required, known))
		return false;
	if (json_has(selection, "storageClass") &&
	    !read_enum(p, member_of(selection, "storageClass"), classes, &class))
		return false;
	rule->storage_class = (enum lifecycle_class) class;
	return read_tags(p, selection, rule) && read_count(p, selection, rule);
}

static bool read_action(struct parser *p, const cJSON *action, struct lifecycle_rule *rule)
{
	static const char *const required[] = {"type", NULL};
	static const char *const known[] = {"targetStorageClass", "type", NULL};
	static const char *const types[] = {"expire", "transition", NULL};
	const cJSON *target;
	int type;

	if (!check_object(p, action, required, known) ||
	    !read_enum(p, member_of(action, "type"), types, &type))
		return false;
	target = member_of(action, "targetStorageClass");
	rule->action = (enum lifecycle_action)type;
	if (rule->action == LIFECYCLE_EXPIRE
		? target != NULL
		: !slice_is(json_string(action, "targetStorageClass"), "archive"))
		return fault(p, NO_SCHEMA);
	return true;
}

/* The matrix of ecr-behaviour 4.1: which counts go with which storage class and action. */
static bool check_matrix(struct parser *p, const struct lifecycle_rule *rule)
{
	bool transitioned = rule->count_type == LIFECYCLE_SINCE_TRANSITIONED;

	if (transitioned && rule->storage_class != LIFECYCLE_ARCHIVE)
		return FAULT_OURS(p,
		    "countType=sinceImageTransitioned can only be used with storageClass=archive.");
	if (!transitioned && rule->storage_class == LIFECYCLE_ARCHIVE)
		return FAULT_OURS(p,
		    "storageClass=archive can only be used with countType=sinceImageTransitioned.");
	if (transitioned && rule->action != LIFECYCLE_EXPIRE)
		return FAULT_OURS(p,
		    "countType=sinceImageTransitioned can only be used with action type expire.");
	if (rule->count_type == LIFECYCLE_SINCE_PULLED && rule->action != LIFECYCLE_TRANSITION)
		return FAULT_OURS(
		    p, "countType=sinceImagePulled can only be used with action type transition.");
	if (transitioned && rule->count < LIFECYCLE_ARCHIVE_DAYS_MIN)
		return FAULT_OURS(p,
		    "countNumber must be at least %d when countType=sinceImageTransitioned.",
		    LIFECYCLE_ARCHIVE_DAYS_MIN);
	return true;
}

static bool read_rule(struct parser *p, const cJSON *object, struct lifecycle_rule *rule)
{
	static const char *const required[] = {"action", "rulePriority", "selection", NULL};
	static const char *const known[] = {
	    "action", "description", "rulePriority", "selection", NULL};
	const cJSON *description;

	if (!check_object(p, object, required, known))
		return false;
	description = member_of(object, "description");
	if (!read_positive(p, member_of(object, "rulePriority"), &rule->priority) ||
	    (description && !check_type(p, description, "string")))
		return false;
	rule->description = arena_dup(p->arena, json_string(object, "description"));
	return read_selection(p, member_of(object, "selection"), rule) &&
	    read_action(p, member_of(object, "action"), rule) && check_matrix(p, rule);
}

/* ---- the rules together, by priority ---- */

static int compare_rules(const void *a, const void *b)
{
	const struct lifecycle_rule *one = a, *other = b;

	return (one->priority > other->priority) - (one->priority < other->priority);
}

static bool same_tags(const struct lifecycle_rule *one, const struct lifecycle_rule *other)
{
	if (one->prefixes != other->prefixes || one->match_count != other->match_count)
		return false;
	for (size_t i = 0; i < one->match_count; i++)
		if (!slice_eq(one->matches[i], other->matches[i]))
			return false;
	return true;
}

/* Two rules for one storage class; `later` has the higher number. */
static bool check_pair(
    struct parser *p, const struct lifecycle_rule *rule, const struct lifecycle_rule *later)
{
	if (rule->tags == LIFECYCLE_ANY)
		return fault(
		    p, "Rule for tagStatus=ANY must have the lowest priority per storage class");
	if (rule->tags != later->tags)
		return true;
	if (rule->tags == LIFECYCLE_UNTAGGED)
		return fault(p, "Only one rule can select Untagged images per storage class.");
	if (same_tags(rule, later))
		return FAULT_OURS(
		    p, "Rules must have unique tagPrefixList or tagPatternList per storage class.");
	return true;
}

static bool check_together(struct parser *p, const struct lifecycle_policy *policy)
{
	for (size_t i = 0; i + 1 < policy->count; i++)
		if (policy->rules[i].priority == policy->rules[i + 1].priority)
			return FAULT_OURS(p, "Rules must have unique priorities.");
	for (size_t i = 0; i < policy->count; i++)
		for (size_t j = i + 1; j < policy->count; j++)
			if (policy->rules[i].storage_class == policy->rules[j].storage_class &&
			    !check_pair(p, &policy->rules[i], &policy->rules[j]))
				return false;
	return true;
}

static bool read_policy(
    struct parser *p, const cJSON *tree, size_t rules_max, struct lifecycle_policy *out)
{
	static const char *const names[] = {"rules", NULL};
	const cJSON *rules, *rule;
	size_t count;

	if (!cJSON_IsObject(tree))
		return fault(p, "Could not map policyString into LifecyclePolicy.");
	if (!check_required(p, tree, names) || !check_unknown(p, tree, names))
		return false;
	rules = member_of(tree, "rules");
	if (!check_type(p, rules, "array"))
		return false;
	count = (size_t)cJSON_GetArraySize(rules);
	if (count == 0)
		return fault(p,
		    "array is too short: must have at least 1 elements but instance has 0 "
		    "elements");
	if (count > rules_max)
		return fault(p,
		    "array is too long: must have at most %zu elements but instance has %zu "
		    "elements",
		    rules_max, count);
	out->rules = arena_array(p->arena, count, sizeof(*out->rules));
	cJSON_ArrayForEach(rule, rules) {
		if (!read_rule(p, rule, &out->rules[out->count++]))
			return false;
	}
	qsort(out->rules, out->count, sizeof(*out->rules), compare_rules);
	return check_together(p, out);
}

bool lifecycle_policy_parse(struct slice text, size_t rules_max, struct arena *a,
    struct lifecycle_policy *out, struct slice *why)
{
	struct parser p = {a, why};
	cJSON *tree = json_parse(text);
	bool good;

	if (rules_max > LIFECYCLE_RULES_MOST)
		rules_max = LIFECYCLE_RULES_MOST;
	*out = (struct lifecycle_policy){NULL, 0};
	good = read_policy(&p, tree, rules_max, out);
	cJSON_Delete(tree);
	return good;
}

/* By ECR's model, as the API does it. */
static bool check_length(struct slice text, struct arena *a, struct error *out)
{
	const struct model_operation *op = model_find(&model_ecr, slice_str("PutLifecyclePolicy"));
	cJSON *input = cJSON_CreateObject();
	bool good;

	cJSON_AddStringToObject(input, "repositoryName", "any");
	cJSON_AddStringToObject(input, "lifecyclePolicyText", arena_strdup(a, text));
	good = model_check(op->input, input, a, out);
	cJSON_Delete(input);
	return good;
}

bool lifecycle_policy_check(struct slice text, size_t rules_max, struct arena *a,
    struct lifecycle_policy *policy, struct error *out)
{
	struct slice why;

	/* what is no UTF-8 has no length, and is not JSON either */
	if (utf8_valid(text) && !check_length(text, a, out))
		return false;
	if (lifecycle_policy_parse(text, rules_max, a, policy, &why))
		return true;
	*out = (struct error){.code = ERR_INVALID_PARAMETER,
	    .member = SLICE("LifecyclePolicyText"),
	    .detail = arena_slicef(a, "Lifecycle policy validation failure: %.*s", SLICE_ARG(why))};
	return false;
}
