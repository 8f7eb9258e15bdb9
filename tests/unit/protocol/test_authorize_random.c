/*
 * Random requests and policies, always the same ones, decided by authorize and by the naive evaluator, which know
 * nothing of each other. What they disagree on is printed, and can become a file of testdata/policies/.
 */
#include "naive_policy.h"
#include "policy_case.h"

#include <stdio.h>

enum { CASES = 25000, VALUES_MAX = 3 };

/* ---- chance ---- */

static uint64_t seed = 20251017;

static unsigned roll(unsigned sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % sides);
}

struct words {
	const char *const *at;
	size_t count;
};
#define WORDS(...)                                                                                 \
	{                                                                                          \
		(const char *const[]){__VA_ARGS__},                                                \
		    sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)              \
	}

static const char *pick(struct words words)
{
	return words.at[roll((unsigned)words.count)];
}

/* One word, or a list of up to VALUES_MAX. */
static cJSON *pick_some(struct words words)
{
	unsigned count = roll(VALUES_MAX + 1);
	cJSON *list;

	if (count == 0)
		return cJSON_CreateString(pick(words));
	list = cJSON_CreateArray();
	for (unsigned i = 0; i < count; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(pick(words)));
	return list;
}

/* ---- what there is ---- */

#define A "123456789012"
#define B "223456789012"
#define REPOSITORY "arn:aws:ecr:us-east-1:" A ":repository/"

static const struct words callers = WORDS("arn:aws:iam::" A ":root",
    "arn:aws:iam::" A ":user/carlos", "arn:aws:iam::" A ":user/team/carlos",
    "arn:aws:sts::" A ":assumed-role/ci/run", "arn:aws:iam::" B ":root",
    "arn:aws:iam::" B ":user/carlos", "arn:aws:sts::" B ":assumed-role/ci/run");
static const struct words named = WORDS("*", A, B, "arn:aws:iam::" A ":root",
    "arn:aws:iam::" B ":root", "arn:aws:iam::" A ":user/carlos",
    "arn:aws:iam::" A ":user/team/carlos", "arn:aws:iam::" B ":user/carlos",
    "arn:aws:iam::" A ":role/ci", "arn:aws:sts::" A ":assumed-role/ci/run",
    "arn:aws:iam::" B ":role/ci", "arn:aws:sts::" A ":assumed-role/ci/other");
static const struct words actions =
    WORDS("ecr:PutImage", "ecr:BatchGetImage", "ecr:GetLifecyclePolicy");
static const struct words action_patterns = WORDS("*", "ecr:*", "ecr:Put*", "ECR:putimage",
    "ecr:*Image", "ecr:?utImage", "ecr:Get*", "ecr:BatchGetImage", "ecr:*a*e*");
static const struct words other_actions = WORDS("s3:*", "sts:AssumeRole", "ecr:Put*", "*", "ecr:*");
static const struct words resources = WORDS(
    REPOSITORY "team/app", REPOSITORY "carlos/app", REPOSITORY "a*b", REPOSITORY "axb/app", "*");
static const struct words resource_patterns = WORDS("*", "arn:aws:ecr:*:*:repository/*",
    REPOSITORY "team/*", REPOSITORY "te?m/app", "arn:aws:ecr:*:*:repository/${aws:username}/*",
    "arn:*:ecr:*:" A ":repository/*/app", REPOSITORY "${aws:PrincipalTag/team}/app",
    REPOSITORY "a${*}b", REPOSITORY "${aws:nothing, 'team'}/a??", REPOSITORY "a*${*}*",
    "arn:aws:ecr:eu-*:*:repository/*");

/* Each kind of key with what a request says of it, and what policies ask of it by which operators. */
static const struct field {
	struct words keys, said, operators, asked;
} fields[] = {
    {WORDS("aws:PrincipalTag/team", "aws:ResourceTag/team", "ecr:ResourceTag/team"),
	WORDS("team", "Team", "carlos", "a*b", ""),
	WORDS("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase",
	    "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"),
	WORDS("team", "TEAM", "t*", "?eam", "carlos", "${aws:PrincipalTag/team}", "${aws:username}",
	    "a${*}b", "", "*", "${aws:nothing}", "${aws:TagKeys}", "${aws:nothing, 'team'}")},
    {WORDS("aws:TagKeys"), WORDS("team", "cost", "Cost", "stage"),
	WORDS("ForAllValues:StringEquals", "ForAnyValue:StringEquals", "ForAllValues:StringNotLike",
	    "ForAnyValue:StringNotLike", "StringEquals", "StringNotEquals",
	    "ForAllValues:StringLike", "ForAnyValue:StringEqualsIgnoreCase"),
	WORDS("team", "cost", "c*", "s????", "${aws:PrincipalTag/team}")},
    {WORDS("aws:PrincipalArn"), WORDS("arn:aws:iam::" A ":user/x", "odd"),
	WORDS("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringLike", "StringNotLike"),
	WORDS("*", "arn:aws:iam::" A ":*", "arn:aws:*::*:role/ci", "arn:aws:iam::*:user/*",
	    "arn:aws:iam::" A ":user/${aws:username}", "arn:*:iam:*:*:root")},
    {WORDS("aws:SourceIp"), WORDS("203.0.113.9", "10.1.2.3", "2001:db8:1234:5678::1"),
	WORDS("IpAddress", "NotIpAddress"),
	WORDS("203.0.113.0/24", "10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "2001:db8::/32",
	    "203.0.113.8/31", "::/0")},
    {WORDS("aws:SecureTransport", "aws:MultiFactorAuthPresent"), WORDS("true", "false"),
	WORDS("Bool"), WORDS("true", "false", "True")},
    {WORDS("aws:MultiFactorAuthAge", "s3:max-keys"), WORDS("1", "7", "7.50", "-2", "many"),
	WORDS("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
	    "NumericGreaterThan", "NumericGreaterThanEquals"),
	WORDS("7", "7.5", "1e1", "-3")},
    {WORDS("aws:CurrentTime", "aws:TokenIssueTime"),
	WORDS("2026-03-01T12:00:00Z", "2025-12-31T23:59:59Z", "1772366400"),
	WORDS("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals",
	    "DateGreaterThan", "DateGreaterThanEquals"),
	WORDS("2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026", "2026-02", "2026-03-02",
	    "1772366400", "2026-03-01T11:30Z")},
    {WORDS("aws:PrincipalType", "aws:PrincipalAccount", "aws:username"), WORDS("User", "carlos"),
	WORDS("StringEquals", "StringNotEquals", "StringLike"),
	WORDS("User", "AssumedRole", "Account", A, B, "car*", "*")},
    {WORDS("aws:TagKeys", "aws:SourceIp", "aws:username", "aws:PrincipalTag/team"), WORDS("team"),
	WORDS("Null"), WORDS("true", "false")},
};

/* ---- making policies ---- */

static void add_condition(cJSON *conditions)
{
	const struct field *f = &fields[roll(COUNT(fields))];
	const char *name = pick(f->operators);
	bool null = strcmp(name, "Null") == 0;
	char operator[64];
	cJSON *keys;

	snprintf(operator, sizeof(operator), "%s%s", name, !null && roll(5) == 0 ? "IfExists" : "");
	keys = cJSON_GetObjectItem(conditions, operator);
	if (!keys)
		keys = cJSON_AddObjectToObject(conditions, operator);
	name = pick(f->keys);
	if (!cJSON_GetObjectItem(keys, name))
		cJSON_AddItemToObject(
		    keys, name, null ? cJSON_CreateString(pick(f->asked)) : pick_some(f->asked));
}

static void add_principal(cJSON *s)
{
	cJSON *principal;

	if (roll(4) == 0) {
		cJSON_AddStringToObject(s, "Principal", "*");
		return;
	}
	principal = cJSON_AddObjectToObject(s, roll(6) ? "Principal" : "NotPrincipal");
	cJSON_AddItemToObject(principal, roll(12) ? "AWS" : "Service", pick_some(named));
}

static cJSON *make_statement(enum policy_kind kind)
{
	bool identity = kind == POLICY_OF_IDENTITY;
	cJSON *s = cJSON_CreateObject(), *conditions;

	cJSON_AddStringToObject(s, "Effect", roll(4) ? "Allow" : "Deny");
	if (!identity)
		add_principal(s);
	cJSON_AddItemToObject(s, roll(6) ? "Action" : "NotAction",
	    pick_some(identity && roll(4) == 0 ? other_actions : action_patterns));
	if (identity || (kind != POLICY_OF_TRUST && roll(2)))
		cJSON_AddItemToObject(
		    s, roll(6) ? "Resource" : "NotResource", pick_some(resource_patterns));
	if (roll(2) == 0)
		return s;
	conditions = cJSON_AddObjectToObject(s, "Condition");
	for (unsigned i = roll(3); i < 3; i++)
		add_condition(conditions);
	return s;
}

static cJSON *make_policy(enum policy_kind kind)
{
	cJSON *policy = cJSON_CreateObject(), *list;

	if (roll(8))
		cJSON_AddStringToObject(policy, "Version", roll(8) ? "2012-10-17" : "2008-10-17");
	list = cJSON_AddArrayToObject(policy, "Statement");
	for (unsigned i = roll(3); i < 3; i++)
		cJSON_AddItemToArray(list, make_statement(kind));
	return policy;
}

/* ---- making requests ---- */

static cJSON *make_context(void)
{
	cJSON *context = cJSON_CreateObject(), *list;

	for (size_t i = 0; i < COUNT(fields) - 1; i++) {
		const struct field *f = &fields[i];
		const char *key = pick(f->keys);

		if (roll(strncmp(key, "aws:Principal", 13) == 0 && !strchr(key, '/') ? 12 : 2))
			continue;
		if (strcmp(key, "aws:TagKeys") != 0) {
			cJSON_AddStringToObject(context, key, pick(f->said));
			continue;
		}
		list = cJSON_AddArrayToObject(context, key);
		for (unsigned j = roll(4); j < 3; j++)
			cJSON_AddItemToArray(list, cJSON_CreateString(pick(f->said)));
	}
	return context;
}

static cJSON *make_case(void)
{
	cJSON *c = cJSON_CreateObject(), *identity;
	bool token = roll(16) == 0;

	cJSON_AddStringToObject(c, "principal", pick(callers));
	cJSON_AddStringToObject(c, "action", token ? "ecr:GetAuthorizationToken" : pick(actions));
	cJSON_AddStringToObject(c, "resource", token ? "*" : pick(resources));
	cJSON_AddStringToObject(c, "account", roll(5) ? A : B);
	cJSON_AddItemToObject(c, "context", make_context());
	identity = cJSON_AddArrayToObject(c, "identity");
	for (unsigned i = roll(3); i < 2; i++)
		cJSON_AddItemToArray(identity, make_policy(POLICY_OF_IDENTITY));
	if (roll(3) == 0)
		cJSON_AddItemToObject(c, "session", make_policy(POLICY_OF_IDENTITY));
	if (roll(16) == 0)
		cJSON_AddItemToObject(c, "trust", make_policy(POLICY_OF_TRUST));
	else if (roll(3))
		cJSON_AddItemToObject(c, "repository", make_policy(POLICY_OF_REPOSITORY));
	if (roll(4) == 0)
		cJSON_AddItemToObject(c, "registry", make_policy(POLICY_OF_REPOSITORY));
	return c;
}

/* ---- holding them against each other ---- */

static enum naive_outcome outcome_of(const struct authorize_decision *d)
{
	static const enum naive_outcome denied[] = {
	    [AUTHORIZE_IDENTITY] = NAIVE_DENIED_BY_IDENTITY,
	    [AUTHORIZE_SESSION] = NAIVE_DENIED_BY_SESSION,
	    [AUTHORIZE_REPOSITORY] = NAIVE_DENIED_BY_RESOURCE,
	    [AUTHORIZE_REGISTRY] = NAIVE_DENIED_BY_RESOURCE,
	};
	static const enum naive_outcome lacking[] = {
	    [AUTHORIZE_IDENTITY] = NAIVE_NO_IDENTITY_ALLOW,
	    [AUTHORIZE_SESSION] = NAIVE_NO_SESSION_ALLOW,
	    [AUTHORIZE_REPOSITORY] = NAIVE_NO_RESOURCE_ALLOW,
	    [AUTHORIZE_REGISTRY] = NAIVE_NO_RESOURCE_ALLOW,
	};

	if (d->allowed)
		return NAIVE_ALLOWED;
	return d->explicit_deny ? denied[d->source] : lacking[d->source];
}

static enum naive_outcome check_case(const cJSON *tree, unsigned number)
{
	struct authorize_decision d;
	enum naive_outcome naive;
	struct policy_case c;
	struct arena a;

	arena_init(&a);
	policy_case_read(tree, &a, &c);
	authorize(&c.request, &a, &d);
	naive = naive_decide(tree);
	if (outcome_of(&d) != naive)
		fail_msg(
		    "case %u: %d, naive %d\n%s", number, outcome_of(&d), naive, cJSON_Print(tree));
	arena_release(&a);
	return naive;
}

static void both_agree(void **state)
{
	unsigned seen[NAIVE_OUTCOME_COUNT] = {0};

	(void)state;
	for (unsigned i = 0; i < CASES; i++) {
		cJSON *tree = make_case();

		seen[check_case(tree, i)]++;
		cJSON_Delete(tree);
	}
	for (size_t i = 0; i < NAIVE_OUTCOME_COUNT; i++) {
		print_message("outcome %zu: %u cases\n", i, seen[i]);
		assert_true(seen[i] > CASES / 100); /* every one is really met */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(both_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
