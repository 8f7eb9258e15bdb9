/*
 * Conditions: read into numbers, times and address ranges once, compared for each request.
 *
 * Operators are rows of a table. An IPv4 address is kept as the IPv6 address that stands for it, so that one
 * comparison of bits serves both. Variables are expanded when a request is there, and only where text is compared.
 */
#include "protocol/policy_condition.h"

#include "protocol/base64.h"
#include "protocol/timestamp.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { NUMBER_TEXT_MAX = 64, ARN_PARTS = 6 };

struct reader {
	struct arena *arena;
	bool variables;
	const char **why;
};

static bool fault(struct reader *r, const char *why)
{
	*r->why = why;
	return false;
}

/* ---- operators ---- */

static const struct operator
{
	struct slice name;
	enum condition_kind kind;
	bool negated;
	enum condition_compare compare;
}
operators[] = {
    {SLICE("StringEquals"), CONDITION_STRING, false, COMPARE_EQUAL},
    {SLICE("StringNotEquals"), CONDITION_STRING, true, COMPARE_EQUAL},
    {SLICE("StringEqualsIgnoreCase"), CONDITION_STRING_NOCASE, false, COMPARE_EQUAL},
    {SLICE("StringNotEqualsIgnoreCase"), CONDITION_STRING_NOCASE, true, COMPARE_EQUAL},
    {SLICE("StringLike"), CONDITION_STRING_LIKE, false, COMPARE_EQUAL},
    {SLICE("StringNotLike"), CONDITION_STRING_LIKE, true, COMPARE_EQUAL},
    {SLICE("ArnEquals"), CONDITION_ARN, false, COMPARE_EQUAL},
    {SLICE("ArnLike"), CONDITION_ARN, false, COMPARE_EQUAL},
    {SLICE("ArnNotEquals"), CONDITION_ARN, true, COMPARE_EQUAL},
    {SLICE("ArnNotLike"), CONDITION_ARN, true, COMPARE_EQUAL},
    {SLICE("Bool"), CONDITION_BOOL, false, COMPARE_EQUAL},
    {SLICE("BinaryEquals"), CONDITION_BINARY, false, COMPARE_EQUAL},
    {SLICE("NumericEquals"), CONDITION_NUMERIC, false, COMPARE_EQUAL},
    {SLICE("NumericNotEquals"), CONDITION_NUMERIC, true, COMPARE_EQUAL},
    {SLICE("NumericLessThan"), CONDITION_NUMERIC, false, COMPARE_LESS},
    {SLICE("NumericLessThanEquals"), CONDITION_NUMERIC, false, COMPARE_LESS_EQUAL},
    {SLICE("NumericGreaterThan"), CONDITION_NUMERIC, false, COMPARE_GREATER},
    {SLICE("NumericGreaterThanEquals"), CONDITION_NUMERIC, false, COMPARE_GREATER_EQUAL},
    {SLICE("DateEquals"), CONDITION_DATE, false, COMPARE_EQUAL},
    {SLICE("DateNotEquals"), CONDITION_DATE, true, COMPARE_EQUAL},
    {SLICE("DateLessThan"), CONDITION_DATE, false, COMPARE_LESS},
    {SLICE("DateLessThanEquals"), CONDITION_DATE, false, COMPARE_LESS_EQUAL},
    {SLICE("DateGreaterThan"), CONDITION_DATE, false, COMPARE_GREATER},
    {SLICE("DateGreaterThanEquals"), CONDITION_DATE, false, COMPARE_GREATER_EQUAL},
    {SLICE("IpAddress"), CONDITION_IP, false, COMPARE_EQUAL},
    {SLICE("NotIpAddress"), CONDITION_IP, true, COMPARE_EQUAL},
    {SLICE("Null"), CONDITION_NULL, false, COMPARE_EQUAL},
};

static bool cut_head(struct slice *s, struct slice head)
{
	if (s->len < head.len || !slice_eq_nocase(slice_of(s->at, head.len), head))
		return false;
	*s = slice_skip(*s, head.len);
	return true;
}

static bool cut_tail(struct slice *s, struct slice tail)
{
	if (s->len < tail.len || !slice_eq_nocase(slice_skip(*s, s->len - tail.len), tail))
		return false;
	s->len -= tail.len;
	return true;
}

/* "ForAllValues:StringLikeIfExists" */
static bool read_operator(struct slice name, struct policy_condition *c)
{
	static const struct slice all = SLICE("ForAllValues:"), any = SLICE("ForAnyValue:"),
				  tail = SLICE("IfExists");

	if (cut_head(&name, all))
		c->set = CONDITION_FOR_ALL;
	else if (cut_head(&name, any))
		c->set = CONDITION_FOR_ANY;
	c->if_exists = cut_tail(&name, tail);
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		const struct operator* o = & operators[i];

		if (!slice_eq_nocase(o->name, name))
			continue;
		c->kind = o->kind;
		c->negated = o->negated;
		c->compare = o->compare;
		return c->kind != CONDITION_NULL || (c->set == CONDITION_ONE && !c->if_exists);
	}
	return false;
}

/* ---- values ---- */

/* Decimal, with a sign, a fraction and an exponent where it likes; nothing else that strtod takes. */
static bool read_number(struct slice s, double *out)
{
	char text[NUMBER_TEXT_MAX], *end;

	if (s.len == 0 || s.len >= sizeof(text))
		return false;
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	if (strspn(text, "+-.0123456789eE") != s.len)
		return false;
	*out = strtod(text, &end);
	return *end == '\0' && *out - *out == 0; /* not infinite */
}

/* "203.0.113.0/24", "2001:db8::/32"; without a prefix, which a request's own have not, one address. */
static bool read_address(struct slice s, bool with_prefix, struct policy_address *out)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct slice rest = s, address = slice_cut(&rest, '/');
	bool has_prefix = address.len < s.len;
	unsigned long long prefix = 128;
	char text[INET6_ADDRSTRLEN];
	unsigned most = 128;

	if (address.len >= sizeof(text) || (has_prefix && !with_prefix))
		return false;
	memcpy(text, address.at, address.len);
	text[address.len] = '\0';
	if (inet_pton(AF_INET, text, out->bytes + sizeof(mapped)) == 1) {
		memcpy(out->bytes, mapped, sizeof(mapped));
		most = 32;
	} else if (inet_pton(AF_INET6, text, out->bytes) != 1) {
		return false;
	}
	if (has_prefix && (rest.len > 3 || !slice_to_u64(rest, &prefix) || prefix > most))
		return false;
	if (has_prefix)
		prefix += 128 - most;
	out->prefix = (unsigned)prefix;
	out->v4 = memcmp(out->bytes, mapped, sizeof(mapped)) == 0 && prefix >= 96;
	return true;
}

static bool is_boolean(struct slice s)
{
	return slice_eq_nocase(s, slice_str("true")) || slice_eq_nocase(s, slice_str("false"));
}

/* The parts between the first five colons, and what is behind them. */
static bool split_arn(struct slice s, struct slice parts[ARN_PARTS])
{
	for (size_t i = 0; i + 1 < ARN_PARTS; i++) {
		size_t len = s.len;

		parts[i] = slice_cut(&s, ':');
		if (parts[i].len == len)
			return false;
	}
	parts[ARN_PARTS - 1] = s;
	return true;
}

static bool is_arn_pattern(struct slice s)
{
	struct slice parts[ARN_PARTS];

	return slice_is(s, "*") || (slice_starts(s, slice_str("arn:")) && split_arn(s, parts));
}

static bool read_value(
    struct reader *r, const struct policy_condition *c, struct slice text, struct policy_value *out)
{
	/* what bytes, numbers, dates and addresses say stands as it is written */
	bool variables = r->variables && c->kind <= CONDITION_BOOL;

	out->text = policy_text_of(text, variables);
	switch (c->kind) {
	case CONDITION_ARN:
		return out->text.variables || is_arn_pattern(text) ||
		    fault(r, "a value of an ARN's operator is no ARN");
	case CONDITION_BOOL:
		return out->text.variables || is_boolean(text) ||
		    fault(r, "a value of Bool is neither true nor false");
	case CONDITION_BINARY:
		out->text.text = base64_decode(text, r->arena);
		return out->text.text.at || fault(r, "a value of BinaryEquals is not base64");
	case CONDITION_NULL:
		return is_boolean(text) || fault(r, "a value of Null is neither true nor false");
	case CONDITION_NUMERIC:
		return read_number(text, &out->number) ||
		    fault(r, "a value of a number's operator is no number");
	case CONDITION_DATE:
		return timestamp_parse_w3c(text, &out->time_ms) ||
		    fault(r, "a value of a date's operator is no date");
	case CONDITION_IP:
		return read_address(text, true, &out->range) ||
		    fault(r, "a value of an address's operator is no address or range");
	default:
		return true;
	}
}

/* Strings, numbers and true and false, as text. */
static bool value_text(struct reader *r, const cJSON *value, struct slice *out)
{
	char *text = NULL;

	if (cJSON_IsString(value)) {
		*out = arena_dup(r->arena, slice_str(value->valuestring));
		return true;
	}
	if (!cJSON_IsNumber(value) && !cJSON_IsBool(value))
		return fault(r, "a value of a Condition is not a plain one");
	text = cJSON_PrintUnformatted(value);
	*out = arena_dup(r->arena, slice_str(text));
	cJSON_free(text);
	return true;
}

static bool read_values(struct reader *r, const cJSON *tree, struct policy_condition *c)
{
	size_t room = cJSON_IsArray(tree) ? (size_t)cJSON_GetArraySize(tree) : 1;
	struct policy_value *list = arena_array(r->arena, room + 1, sizeof(*list));
	const cJSON *value;
	struct slice text;

	c->values = list;
	if (cJSON_IsObject(tree) || cJSON_IsNull(tree))
		return fault(r, "a key of a Condition has no value or list of values");
	if (!cJSON_IsArray(tree))
		return value_text(r, tree, &text) && read_value(r, c, text, &list[c->count++]);
	cJSON_ArrayForEach(value, tree) {
		if (!value_text(r, value, &text) || !read_value(r, c, text, &list[c->count++]))
			return false;
	}
	return true;
}

static size_t count_keys(const cJSON *tree)
{
	const cJSON *operator;
	size_t n = 0;

	cJSON_ArrayForEach(operator, tree) {
		n += (size_t)cJSON_GetArraySize(operator);
	}
	return n;
}

bool policy_conditions_read(const cJSON *tree, bool variables, struct arena *a,
    const struct policy_condition **out, size_t *count, const char **why)
{
	struct reader r = {a, variables, why};
	struct policy_condition *list = arena_array(a, count_keys(tree) + 1, sizeof(*list));
	const cJSON *operator, * key;

	*out = list;
	*count = 0;
	if (!cJSON_IsObject(tree))
		return fault(&r, "a statement's Condition is not an object");
	cJSON_ArrayForEach(operator, tree) {
		struct policy_condition read = {
		    .operator_name = arena_dup(a, slice_str(operator->string))};

		if (!read_operator(read.operator_name, &read))
			return fault(&r, "an operator of a Condition is not one of a policy's");
		if (!cJSON_IsObject(operator))
			return fault(&r, "an operator of a Condition is not an object");
		cJSON_ArrayForEach(key, operator) {
			struct policy_condition *c = &list[(*count)++];

			*c = read;
			c->key = arena_dup(a, slice_str(key->string));
			if (!read_values(&r, key, c))
				return false;
		}
	}
	return true;
}

/* ---- judging ---- */

static bool compare(enum condition_compare how, int order)
{
	switch (how) {
	case COMPARE_LESS:
		return order < 0;
	case COMPARE_LESS_EQUAL:
		return order <= 0;
	case COMPARE_GREATER:
		return order > 0;
	case COMPARE_GREATER_EQUAL:
		return order >= 0;
	default:
		return order == 0;
	}
}

static bool number_matches(enum condition_compare how, double wanted, struct slice said)
{
	double number;

	return read_number(said, &number) && compare(how, (number > wanted) - (number < wanted));
}

static bool time_matches(enum condition_compare how, int64_t wanted_ms, struct slice said)
{
	int64_t ms;

	return timestamp_parse_w3c(said, &ms) && compare(how, (ms > wanted_ms) - (ms < wanted_ms));
}

static bool address_matches(const struct policy_address *range, struct slice said)
{
	struct policy_address one;
	size_t whole = range->prefix / 8;
	unsigned bits = range->prefix % 8;

	if (!read_address(said, false, &one) || one.v4 != range->v4 ||
	    memcmp(one.bytes, range->bytes, whole) != 0)
		return false;
	return bits == 0 || (one.bytes[whole] ^ range->bytes[whole]) >> (8 - bits) == 0;
}

/* Each of the six parts by itself: a star does not reach across a colon. */
static bool arn_matches(struct slice pattern, struct slice said)
{
	struct slice wanted[ARN_PARTS], parts[ARN_PARTS];
	bool same = true;

	if (!split_arn(said, parts))
		return false;
	if (slice_is(pattern, "*"))
		return true;
	if (!split_arn(pattern, wanted))
		return false;
	for (size_t i = 0; i < ARN_PARTS; i++)
		same = same && policy_pattern_match(wanted[i], parts[i]);
	return same;
}

/* One value of the request's against one of the policy's, whose text is expanded already. */
static bool value_matches(const struct policy_condition *c, const struct policy_value *value,
    struct slice text, struct slice said)
{
	switch (c->kind) {
	case CONDITION_STRING:
	case CONDITION_BINARY:
		return slice_eq(text, said);
	case CONDITION_STRING_NOCASE:
	case CONDITION_BOOL:
		return slice_eq_nocase(text, said);
	case CONDITION_STRING_LIKE:
		return policy_pattern_match(text, said);
	case CONDITION_ARN:
		return arn_matches(text, said);
	case CONDITION_NUMERIC:
		return number_matches(c->compare, value->number, said);
	case CONDITION_DATE:
		return time_matches(c->compare, value->time_ms, said);
	case CONDITION_IP:
		return address_matches(&value->range, said);
	default:
		return false;
	}
}

struct expanded {
	const struct slice *texts; /* absent: a variable has no value */
	bool unresolved;           /* some are */
};

static struct expanded expand(
    const struct policy_condition *c, const struct policy_context *context, struct arena *scratch)
{
	bool pattern = c->kind == CONDITION_STRING_LIKE || c->kind == CONDITION_ARN;
	struct slice *texts = arena_array(scratch, c->count + 1, sizeof(*texts)), variable;
	struct expanded out = {texts, false};

	for (size_t i = 0; i < c->count; i++) {
		if (policy_text_expand(&c->values[i].text, context,
			pattern ? POLICY_TEXT_PATTERN : POLICY_TEXT_PLAIN, scratch, &texts[i],
			&variable))
			continue;
		texts[i] = slice_of(NULL, 0);
		out.unresolved = true;
	}
	return out;
}

/* The operator with one value of the request's: any of the policy's, or, negated, none of them. */
static bool said_meets(
    const struct policy_condition *c, const struct expanded *values, struct slice said)
{
	bool found = false;

	if (c->negated && values->unresolved)
		return false;
	for (size_t i = 0; i < c->count && !found; i++)
		found =
		    values->texts[i].at && value_matches(c, &c->values[i], values->texts[i], said);
	return found != c->negated;
}

static bool null_meets(const struct policy_condition *c, bool absent)
{
	bool met = false;

	for (size_t i = 0; i < c->count; i++)
		met |=
		    slice_eq_nocase(c->values[i].text.text, slice_str(absent ? "true" : "false"));
	return met;
}

static bool absent_meets(const struct policy_condition *c)
{
	if (c->if_exists || c->set == CONDITION_FOR_ALL)
		return true;
	return c->set == CONDITION_ONE && c->negated;
}

/* IAM User Guide: for set operators, what "resolves to a null data set, such as an empty string" */
static bool is_empty_set(const struct policy_key *key)
{
	return key->count == 1 && key->values[0].len == 0;
}

bool policy_condition_judge(
    const struct policy_condition *c, const struct policy_context *context, struct arena *scratch)
{
	const struct policy_key *key = policy_context_find(context, c->key);
	bool for_all = c->set == CONDITION_FOR_ALL;
	struct expanded values;

	if (c->kind == CONDITION_NULL)
		return null_meets(c, !key);
	if (!key || (c->set != CONDITION_ONE && is_empty_set(key)))
		return absent_meets(c);
	if (c->set == CONDITION_ONE && key->count != 1)
		return false;
	values = expand(c, context, scratch);
	for (size_t i = 0; i < key->count; i++)
		if (said_meets(c, &values, key->values[i]) != for_all)
			return !for_all;
	return for_all;
}
