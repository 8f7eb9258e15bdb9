/*
 * Conditions of a policy's statement: read once, judged for each request (IAM User Guide, "Condition
 * operators", "Creating a condition with multiple keys or values").
 *
 * Known are String*, Arn*, Bool, BinaryEquals, Numeric*, Date*, IpAddress, NotIpAddress and Null, in any case, with ForAllValues:
 * or ForAnyValue: before and IfExists behind (Null has neither). Dates are W3C's forms of ISO 8601 or
 * seconds since 1970. Pure.
 *
 * How a key's values meet a condition's:
 *	any of the condition's values is enough; a negated operator (StringNotEquals) wants none of them
 *	a key that is absent: false, but true for negated operators, for IfExists and for ForAllValues;
 *	    false for ForAnyValue whatever the operator. With ForAllValues and ForAnyValue one empty value is no
 *	    value
 *	a key with several values and no ForAllValues or ForAnyValue: false
 *	a value with a variable that has no value: matches nothing, and makes a negated operator false
 */
#ifndef DRYDOCK_PROTOCOL_POLICY_CONDITION_H
#define DRYDOCK_PROTOCOL_POLICY_CONDITION_H

#include "protocol/json.h"
#include "protocol/policy_text.h"

enum condition_kind {
	CONDITION_STRING,
	CONDITION_STRING_NOCASE,
	CONDITION_STRING_LIKE,
	CONDITION_ARN,
	CONDITION_BOOL, /* up to here with variables */
	CONDITION_BINARY,
	CONDITION_NUMERIC,
	CONDITION_DATE,
	CONDITION_IP,
	CONDITION_NULL
};
enum condition_compare {
	COMPARE_EQUAL,
	COMPARE_LESS,
	COMPARE_LESS_EQUAL,
	COMPARE_GREATER,
	COMPARE_GREATER_EQUAL
};
enum condition_set { CONDITION_ONE, CONDITION_FOR_ALL, CONDITION_FOR_ANY };

struct policy_address { /* IPv4 as ::ffff:0:0/96 */
	uint8_t bytes[16];
	unsigned prefix;
	bool v4;
};

struct policy_value {
	struct policy_text text; /* as written; of BinaryEquals the bytes */
	union {
		double number;
		int64_t time_ms;
		struct policy_address range;
	};
};

struct policy_condition {
	struct slice operator_name; /* as written */
	enum condition_kind kind;
	enum condition_compare compare; /* of numbers and dates */
	enum condition_set set;
	bool negated, if_exists;
	struct slice key;
	const struct policy_value *values;
	size_t count;
};

/*
 * A statement's Condition, {operator: {key: value or [value...]}}: one entry for each operator and key.
 * False: *why says in words of ours what is wrong. variables: the policy is of version 2012-10-17. What
 * *out holds is in the arena and outlives the tree.
 */
bool policy_conditions_read(const cJSON *tree, bool variables, struct arena *a,
    const struct policy_condition **out, size_t *count, const char **why);

/* True when it is met. scratch: for what variables become. */
bool policy_condition_judge(const struct policy_condition *condition,
    const struct policy_context *context, struct arena *scratch);

#endif
