#include "support.h"

#include "protocol/policy_condition.h"

static const struct slice none[1],
    name = SLICE("team/app"), address = SLICE("203.0.113.9"),
    address6 = SLICE("2001:DB8:1234:5678::1"), mapped = SLICE("::ffff:203.0.113.9"),
    seven = SLICE("7"), yes = SLICE("true"), now = SLICE("2026-03-01T12:00:00Z"),
    arn = SLICE("arn:aws:sns:us-east-1:999999999999:store/abc:1:finance/x"), empty = SLICE(""),
    tags[] = {SLICE("team"), SLICE("cost")};
static const struct policy_key keys[] = {
    {SLICE("name"), &name, 1},
    {SLICE("ip"), &address, 1},
    {SLICE("ip6"), &address6, 1},
    {SLICE("mapped"), &mapped, 1},
    {SLICE("number"), &seven, 1},
    {SLICE("yes"), &yes, 1},
    {SLICE("now"), &now, 1},
    {SLICE("arn"), &arn, 1},
    {SLICE("empty"), &empty, 1},
    {SLICE("tags"), tags, 2},
    {SLICE("none"), none, 0},
};
static const struct policy_context context = {keys, COUNT(keys), NULL, 0};

static bool read_text(struct arena *a, const char *text, const struct policy_condition **out,
    size_t *count, const char **why)
{
	cJSON *tree = json_parse(slice_str(text));
	bool good;

	assert_non_null(tree);
	good = policy_conditions_read(tree, true, a, out, count, why);
	cJSON_Delete(tree);
	return good;
}

static bool judge(struct arena *a, const char *text)
{
	const struct policy_condition *conditions;
	const char *why = "";
	bool met = true;
	size_t count;

	if (!read_text(a, text, &conditions, &count, &why))
		fail_msg("%s: %s", text, why);
	for (size_t i = 0; i < count; i++)
		met = met && policy_condition_judge(&conditions[i], &context, a);
	return met;
}

struct sample {
	const char *text;
	bool met;
};

static void judge_all(struct arena *a, const struct sample *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (judge(a, cases[i].text) != cases[i].met)
			fail_msg("%s: not %d", cases[i].text, cases[i].met);
}

static void strings(void **state)
{
	static const struct sample cases[] = {
	    {"{}", true},
	    {"{\"StringEquals\":{\"name\":\"team/app\"}}", true},
	    {"{\"StringEquals\":{\"NAME\":\"team/app\"}}", true},
	    {"{\"stringequals\":{\"name\":\"team/app\"}}", true},
	    {"{\"StringEquals\":{\"name\":\"Team/app\"}}", false},
	    {"{\"StringEquals\":{\"name\":\"team/*\"}}", false},
	    {"{\"StringEquals\":{\"name\":[\"x\",\"team/app\"]}}", true},
	    {"{\"StringEquals\":{\"name\":[]}}", false},
	    {"{\"StringNotEquals\":{\"name\":[]}}", true},
	    {"{\"StringNotEquals\":{\"name\":[\"x\",\"team/app\"]}}", false},
	    {"{\"StringNotEquals\":{\"name\":[\"x\",\"y\"]}}", true},
	    {"{\"StringEqualsIgnoreCase\":{\"name\":\"TEAM/APP\"}}", true},
	    {"{\"StringNotEqualsIgnoreCase\":{\"name\":\"TEAM/APP\"}}", false},
	    {"{\"StringLike\":{\"name\":\"team/*\"}}", true},
	    {"{\"StringLike\":{\"name\":\"team/a?\"}}", false},
	    {"{\"StringNotLike\":{\"name\":[\"team/?\",\"x*\"]}}", true},
	    {"{\"StringNotLike\":{\"name\":\"team/???\"}}", false},
	    {"{\"BinaryEquals\":{\"name\":\"dGVhbS9hcHA=\"}}", true},
	    {"{\"BinaryEquals\":{\"name\":[\"dGVhbQ==\",\"\"]}}", false},
	    {"{\"BinaryEquals\":{\"absent\":\"\"}}", false},
	    {"{\"BinaryEqualsIfExists\":{\"absent\":\"\"}}", true},
	    {"{\"StringEquals\":{\"number\":7,\"yes\":true}}", true},
	    {"{\"StringEquals\":{\"name\":\"team/app\"},\"Bool\":{\"yes\":\"false\"}}", false},
	};

	judge_all(*state, cases, COUNT(cases));
}

static void variables(void **state)
{
	static const struct sample cases[] = {
	    {"{\"StringEquals\":{\"name\":\"${NAME}\"}}", true},
	    {"{\"StringLike\":{\"name\":\"${name}*\"}}", true},
	    {"{\"StringEquals\":{\"name\":\"${absent}\"}}", false},
	    {"{\"StringEquals\":{\"name\":[\"${absent}\",\"team/app\"]}}", true},
	    {"{\"StringNotEquals\":{\"name\":\"${absent}\"}}", false},
	    {"{\"StringNotEquals\":{\"name\":\"${absent, 'x'}\"}}", true},
	    {"{\"StringEqualsIfExists\":{\"absent\":\"${absent}\"}}", true},
	    {"{\"Bool\":{\"yes\":\"${yes}\"}}", true},
	    {"{\"ArnEquals\":{\"arn\":\"${arn}\"}}", true},
	};

	judge_all(*state, cases, COUNT(cases));
}

static void arns(void **state)
{
	static const struct sample cases[] = {
	    /* the IAM User Guide's own case: StringLike reaches across colons, ArnLike does not */
	    {"{\"StringLike\":{\"arn\":\"arn:aws:sns:*:1:finance/*\"}}", true},
	    {"{\"ArnLike\":{\"arn\":\"arn:aws:sns:*:1:finance/*\"}}", false},
	    {"{\"ArnLike\":{\"arn\":\"arn:aws:sns:*:999999999999:store/*\"}}", true},
	    {"{\"ArnEquals\":{\"arn\":\"arn:*:s?s:us-*:*:*\"}}", true},
	    {"{\"ArnNotLike\":{\"arn\":\"arn:aws:sqs:*:*:*\"}}", true},
	    {"{\"ArnNotEquals\":{\"arn\":[\"arn:aws:sqs:*:*:*\",\"*\"]}}", false},
	    {"{\"ArnLike\":{\"name\":\"*\"}}", false},
	    {"{\"ArnNotLike\":{\"name\":\"*\"}}", true},
	};

	judge_all(*state, cases, COUNT(cases));
}

static void numbers_and_dates(void **state)
{
	static const struct sample cases[] = {
	    {"{\"NumericEquals\":{\"number\":\"7.0\"}}", true},
	    {"{\"NumericEquals\":{\"number\":[1,7]}}", true},
	    {"{\"NumericNotEquals\":{\"number\":[1,7]}}", false},
	    {"{\"NumericLessThan\":{\"number\":7}}", false},
	    {"{\"NumericLessThanEquals\":{\"number\":7}}", true},
	    {"{\"NumericGreaterThan\":{\"number\":\"6.9\"}}", true},
	    {"{\"NumericGreaterThanEquals\":{\"number\":\"7.1\"}}", false},
	    {"{\"NumericEquals\":{\"name\":7}}", false},
	    {"{\"NumericNotEquals\":{\"name\":7}}", true},
	    {"{\"DateEquals\":{\"now\":\"2026-03-01T13:00:00+01:00\"}}", true},
	    {"{\"DateEquals\":{\"now\":\"1772366400\"}}", true},
	    {"{\"DateEquals\":{\"now\":1772366400}}", true},
	    {"{\"DateNotEquals\":{\"now\":\"2026\"}}", true},
	    {"{\"DateGreaterThan\":{\"now\":\"2026-03\"}}", true},
	    {"{\"DateLessThan\":{\"now\":\"2026-03-01\"}}", false},
	    {"{\"DateLessThanEquals\":{\"now\":\"2026-03-01T12:00Z\"}}", true},
	    {"{\"DateGreaterThanEquals\":{\"now\":\"2026-03-01T12:00:00.5Z\"}}", false},
	    {"{\"DateLessThan\":{\"name\":\"2026\"}}", false},
	};

	judge_all(*state, cases, COUNT(cases));
}

static void addresses(void **state)
{
	static const struct sample cases[] = {
	    {"{\"IpAddress\":{\"ip\":\"203.0.113.0/24\"}}", true},
	    {"{\"IpAddress\":{\"ip\":\"203.0.113.9\"}}", true},
	    {"{\"IpAddress\":{\"ip\":\"203.0.113.8\"}}", false},
	    {"{\"IpAddress\":{\"ip\":\"203.0.113.8/31\"}}", true},
	    {"{\"IpAddress\":{\"ip\":\"203.0.113.10/31\"}}", false},
	    {"{\"IpAddress\":{\"ip\":\"203.0.113.77/24\"}}", true},
	    {"{\"IpAddress\":{\"ip\":\"0.0.0.0/0\"}}", true},
	    {"{\"IpAddress\":{\"ip\":\"::/0\"}}", false},
	    {"{\"IpAddress\":{\"ip6\":\"0.0.0.0/0\"}}", false},
	    {"{\"IpAddress\":{\"ip6\":\"::/0\"}}", true},
	    {"{\"IpAddress\":{\"ip6\":[\"203.0.113.0/24\",\"2001:DB8:1234:5678::/64\"]}}", true},
	    {"{\"IpAddress\":{\"ip6\":\"2001:db8:1234:5679::/64\"}}", false},
	    {"{\"IpAddress\":{\"mapped\":\"203.0.113.0/24\"}}", true},
	    {"{\"IpAddress\":{\"ip\":\"::ffff:203.0.113.0/120\"}}", true},
	    {"{\"NotIpAddress\":{\"ip\":\"203.0.113.0/24\"}}", false},
	    {"{\"NotIpAddress\":{\"ip\":[\"10.0.0.0/8\",\"192.168.0.0/16\"]}}", true},
	    {"{\"IpAddress\":{\"name\":\"203.0.113.0/24\"}}", false},
	};

	judge_all(*state, cases, COUNT(cases));
}

static void absent_keys(void **state)
{
	static const struct sample cases[] = {
	    {"{\"StringEquals\":{\"absent\":\"x\"}}", false},
	    {"{\"StringEquals\":{\"none\":\"x\"}}", false},
	    {"{\"StringNotEquals\":{\"absent\":\"x\"}}", true},
	    {"{\"NotIpAddress\":{\"absent\":\"::/0\"}}", true},
	    {"{\"ArnNotLike\":{\"absent\":\"*\"}}", true},
	    {"{\"NumericNotEquals\":{\"absent\":1}}", true},
	    {"{\"DateLessThan\":{\"absent\":\"2026\"}}", false},
	    {"{\"StringEqualsIfExists\":{\"absent\":\"x\"}}", true},
	    {"{\"StringEqualsIfExists\":{\"name\":\"x\"}}", false},
	    {"{\"StringNotEqualsIfExists\":{\"absent\":\"x\"}}", true},
	    {"{\"Null\":{\"absent\":\"true\"}}", true},
	    {"{\"Null\":{\"absent\":\"false\"}}", false},
	    {"{\"Null\":{\"name\":true}}", false},
	    {"{\"Null\":{\"name\":\"FALSE\"}}", true},
	    {"{\"Null\":{\"name\":[true,false]}}", true},
	    {"{\"Null\":{\"empty\":false}}", true},
	    {"{\"StringEquals\":{\"empty\":\"\"}}", true},
	};

	judge_all(*state, cases, COUNT(cases));
}

static void sets(void **state)
{
	static const struct sample cases[] = {
	    {"{\"ForAllValues:StringEquals\":{\"tags\":[\"team\",\"cost\",\"x\"]}}", true},
	    {"{\"ForAllValues:StringEquals\":{\"tags\":[\"team\",\"x\"]}}", false},
	    {"{\"ForAnyValue:StringEquals\":{\"tags\":[\"team\",\"x\"]}}", true},
	    {"{\"ForAnyValue:StringLike\":{\"tags\":\"x*\"}}", false},
	    {"{\"ForAllValues:StringNotEquals\":{\"tags\":\"x\"}}", true},
	    {"{\"ForAllValues:StringNotEquals\":{\"tags\":[\"x\",\"cost\"]}}", false},
	    {"{\"ForAnyValue:StringNotEquals\":{\"tags\":[\"x\",\"cost\"]}}", true},
	    {"{\"ForAnyValue:StringNotEquals\":{\"tags\":[\"team\",\"cost\"]}}", false},
	    {"{\"forallvalues:stringlike\":{\"tags\":[\"t*\",\"c*\"]}}", true},
	    {"{\"ForAllValues:StringEquals\":{\"absent\":\"x\"}}", true},
	    {"{\"ForAnyValue:StringEquals\":{\"absent\":\"x\"}}", false},
	    {"{\"ForAnyValue:StringNotEquals\":{\"absent\":\"x\"}}", false},
	    {"{\"ForAnyValue:StringEqualsIfExists\":{\"absent\":\"x\"}}", true},
	    {"{\"ForAllValues:StringEquals\":{\"empty\":\"x\"}}", true},
	    {"{\"ForAnyValue:StringEquals\":{\"empty\":\"\"}}", false},
	    {"{\"ForAllValues:StringEquals\":{\"name\":\"team/app\"}}", true},
	    /* several values want a set operator */
	    {"{\"StringEquals\":{\"tags\":\"team\"}}", false},
	    {"{\"StringNotEquals\":{\"tags\":\"x\"}}", false},
	};

	judge_all(*state, cases, COUNT(cases));
}

static void malformed(void **state)
{
	static const char *const bad[] = {"[]", "\"x\"", "{\"StringEquals\":[]}",
	    "{\"StringEquals\":\"x\"}", "{\"StringSame\":{\"a\":\"b\"}}",
	    "{\"IfExists\":{\"a\":\"b\"}}", "{\"ForAllValues:\":{\"a\":\"b\"}}",
	    "{\"ForSomeValues:StringEquals\":{\"a\":\"b\"}}",
	    "{\"StringEqualsIfExistsIfExists\":{\"a\":\"b\"}}",
	    "{\"NullIfExists\":{\"a\":\"true\"}}", "{\"ForAnyValue:Null\":{\"a\":\"true\"}}",
	    "{\"Null\":{\"a\":\"maybe\"}}", "{\"Bool\":{\"a\":\"yes\"}}", "{\"Bool\":{\"a\":1}}",
	    "{\"StringEquals\":{\"a\":{}}}", "{\"StringEquals\":{\"a\":null}}",
	    "{\"StringEquals\":{\"a\":[null]}}", "{\"StringEquals\":{\"a\":[[\"b\"]]}}",
	    "{\"BinaryEquals\":{\"a\":\"team/app!\"}}", "{\"BinaryEquals\":{\"a\":\"dGVhbQ\"}}",
	    "{\"NumericEquals\":{\"a\":\"\"}}", "{\"NumericEquals\":{\"a\":\"x\"}}",
	    "{\"NumericEquals\":{\"a\":\"0x10\"}}", "{\"NumericEquals\":{\"a\":\"inf\"}}",
	    "{\"NumericEquals\":{\"a\":\"1e999\"}}", "{\"NumericEquals\":{\"a\":\"1 \"}}",
	    "{\"NumericEquals\":{\"a\":\"--1\"}}", "{\"NumericEquals\":{\"a\":\"${n}\"}}",
	    "{\"DateEquals\":{\"a\":\"yesterday\"}}", "{\"DateEquals\":{\"a\":\"2026-13\"}}",
	    "{\"DateEquals\":{\"a\":\"2026-01-01T00:00:00\"}}",
	    "{\"IpAddress\":{\"a\":\"203.0.113\"}}", "{\"IpAddress\":{\"a\":\"203.0.113.0/33\"}}",
	    "{\"IpAddress\":{\"a\":\"::/129\"}}", "{\"IpAddress\":{\"a\":\"203.0.113.0/\"}}",
	    "{\"IpAddress\":{\"a\":\"203.0.113.*\"}}", "{\"IpAddress\":{\"a\":\"203.0.113.0/ 8\"}}",
	    "{\"ArnLike\":{\"a\":\"role/x\"}}", "{\"ArnEquals\":{\"a\":\"arn:aws:iam::1\"}}"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		const struct policy_condition *out;
		const char *why = NULL;
		size_t count;

		if (read_text(*state, bad[i], &out, &count, &why))
			fail_msg("%s was taken", bad[i]);
		assert_non_null(why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(strings),
	    arena_test(variables),
	    arena_test(arns),
	    arena_test(numbers_and_dates),
	    arena_test(addresses),
	    arena_test(absent_keys),
	    arena_test(sets),
	    arena_test(malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
