#include "support.h"

#include "protocol/buf.h"
#include "protocol/lifecycle_policy.h"

#define DAYS "\"countType\":\"sinceImagePushed\",\"countUnit\":\"days\",\"countNumber\":14"
#define EXPIRE "\"action\":{\"type\":\"expire\"}"
#define RULE(priority, selection)                                                                  \
	"{\"rulePriority\":" priority ",\"selection\":{" selection "}," EXPIRE "}"
#define TAGGED(list) "\"tagStatus\":\"tagged\"," list "," DAYS

static bool parse(struct arena *a, const char *text, struct lifecycle_policy *p, struct slice *why)
{
	return lifecycle_policy_parse(exact(a, text), LIFECYCLE_RULES_MAX, a, p, why);
}

static void reads_every_member(void **state)
{
	struct lifecycle_policy p;
	struct slice why;

	assert_true(parse(*state,
	    "{\"rules\":[{\"rulePriority\":7,\"description\":\"old ones\",\"selection\":{"
	    "\"tagStatus\":\"tagged\",\"tagPatternList\":[\"v*\",\"a\",\"v*\"],"
	    "\"countType\":\"sinceImagePulled\",\"countUnit\":\"days\",\"countNumber\":30},"
	    "\"action\":{\"type\":\"transition\",\"targetStorageClass\":\"archive\"}}]}",
	    &p, &why));
	assert_int_equal(p.count, 1);
	assert_int_equal(p.rules[0].priority, 7);
	assert_slice(p.rules[0].description, "old ones");
	assert_int_equal(p.rules[0].tags, LIFECYCLE_TAGGED);
	assert_int_equal(p.rules[0].match_count, 2);
	assert_slice(p.rules[0].matches[0], "a");
	assert_slice(p.rules[0].matches[1], "v*");
	assert_false(p.rules[0].prefixes);
	assert_int_equal(p.rules[0].storage_class, LIFECYCLE_STANDARD);
	assert_int_equal(p.rules[0].count_type, LIFECYCLE_SINCE_PULLED);
	assert_int_equal(p.rules[0].count, 30);
	assert_int_equal(p.rules[0].action, LIFECYCLE_TRANSITION);
}

static void sorts_by_priority(void **state)
{
	struct lifecycle_policy p;
	struct slice why;

	assert_true(parse(*state,
	    "{\"rules\":[" RULE("50", "\"tagStatus\":\"any\"," DAYS) "," RULE(
		"7", TAGGED("\"tagPrefixList\":[\"x\"]")) "," RULE("9",
		"\"tagStatus\":\"untagged\"," DAYS) "]}",
	    &p, &why));
	assert_int_equal(p.count, 3);
	assert_int_equal(p.rules[0].priority, 7);
	assert_true(p.rules[0].prefixes);
	assert_slice(p.rules[0].description, NULL);
	assert_int_equal(p.rules[1].priority, 9);
	assert_int_equal(p.rules[1].tags, LIFECYCLE_UNTAGGED);
	assert_int_equal(p.rules[2].priority, 50);
	assert_int_equal(p.rules[2].tags, LIFECYCLE_ANY);
}

/* The functional tests have the whole table; here are those that look at JSON more closely. */
static const struct {
	const char *text, *why;
} refused[] = {
    {"", "Could not map policyString into LifecyclePolicy."},
    {"{\"rules\":[]} ]", "Could not map policyString into LifecyclePolicy."},
    {"{}", "object has missing required properties ([\"rules\"])"},
    {"{\"rules\":null}",
	"instance type (null) does not match any allowed primitive type (allowed: [\"array\"])"},
    {"{\"rules\":[1]}",
	"instance type (integer) does not match any allowed primitive type (allowed: "
	"[\"object\"])"},
    {"{\"rules\":[{}]}",
	"object has missing required properties ([\"action\",\"rulePriority\",\"selection\"])"},
    {"{\"rules\":[" RULE("1", "\"tagStatus\":\"\\\"\"," DAYS) "]}",
	"instance value (\"\\\"\") not found in enum (possible values: "
	"[\"any\",\"tagged\",\"untagged\"])"},
    {"{\"rules\":[" RULE("1", TAGGED("\"tagPrefixList\":[\"\"]")) "]}",
	"string \"\" is too short (length: 0, required minimum: 1)"},
    {"{\"rules\":[" RULE("1", TAGGED("\"tagPrefixList\":[null]")) "]}",
	"instance type (null) does not match any allowed primitive type (allowed: [\"string\"])"},
    {"{\"rules\":[" RULE("1e300", "\"tagStatus\":\"any\"," DAYS) "]}",
	"instance type (number) does not match any allowed primitive type (allowed: "
	"[\"integer\"])"},
    {"{\"rules\":[" RULE("-1", "\"tagStatus\":\"any\"," DAYS) "]}",
	"numeric instance is lower than the required minimum (minimum: 1, found: -1)"},
};

static void refuses(void **state)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct lifecycle_policy p;
		struct slice why = {NULL, 0};

		assert_false(parse(*state, refused[i].text, &p, &why));
		assert_slice(why, refused[i].why);
	}
}

static void fewer_rules_when_told(void **state)
{
	static const char two[] = "{\"rules\":[" RULE("1",
	    "\"tagStatus\":\"untagged\"," DAYS) "," RULE("2", "\"tagStatus\":\"any\"," DAYS) "]}";
	struct lifecycle_policy p;
	struct slice why;

	assert_true(lifecycle_policy_parse(slice_str(two), 2, *state, &p, &why));
	assert_false(lifecycle_policy_parse(slice_str(two), 1, *state, &p, &why));
	assert_slice(
	    why, "array is too long: must have at most 1 elements but instance has 2 elements");
}

/* A quota may be raised, but not beyond what the engine can tell apart. */
static void no_more_than_most(void **state)
{
	struct lifecycle_policy p;
	struct slice why = {NULL, 0};

	for (int count = LIFECYCLE_RULES_MOST; count <= LIFECYCLE_RULES_MOST + 1; count++) {
		struct buf b;

		buf_init(&b, *state, SIZE_MAX, 0);
		buf_puts(&b, "{\"rules\":[");
		for (int i = 1; i <= count; i++)
			buf_printf(&b,
			    "%s{\"rulePriority\":%d,\"selection\":{\"tagStatus\":\"tagged\"," DAYS
			    ",\"tagPrefixList\":[\"%d\"]}," EXPIRE "}",
			    i > 1 ? "," : "", i, i);
		buf_puts(&b, "]}");
		assert_int_equal(lifecycle_policy_parse(buf_slice(&b), 1000, *state, &p, &why),
		    count == LIFECYCLE_RULES_MOST);
	}
	assert_slice(
	    why, "array is too long: must have at most 64 elements but instance has 65 elements");
}

enum { TEXT_MAX = 30720 };

/* As long as ECR takes one, with as many rules: n log n, and nothing cut off. */
static void the_longest(void **state)
{
	struct lifecycle_policy p;
	struct slice why = {NULL, 0};
	struct buf b;

	buf_init(&b, *state, TEXT_MAX, TEXT_MAX);
	buf_puts(&b, "{\"rules\":[");
	for (int i = LIFECYCLE_RULES_MAX; i > 0; i--) {
		buf_printf(&b,
		    "%s{\"rulePriority\":%d,\"selection\":{\"tagStatus\":\"tagged\"," DAYS
		    ",\"tagPatternList\":[\"%d*",
		    i < LIFECYCLE_RULES_MAX ? "," : "", i, i);
		for (int k = 0; k < 400; k++)
			buf_putc(&b, 'a');
		buf_puts(&b, "*\"]}," EXPIRE "}");
	}
	buf_puts(&b, "]}");
	while (b.len < TEXT_MAX)
		buf_putc(&b, ' ');
	assert_false(b.overflow);
	assert_true(lifecycle_policy_parse(
	    exactly(*state, b.at, b.len), LIFECYCLE_RULES_MAX, *state, &p, &why));
	assert_int_equal(p.count, LIFECYCLE_RULES_MAX);
	for (size_t i = 0; i < p.count; i++) {
		assert_int_equal(p.rules[i].priority, i + 1);
		assert_int_equal(p.rules[i].matches[0].len, 403 + (i + 1 >= 10));
	}
}

/* Brackets all the way, alone and where a value is looked at. */
static void deep_nesting(void **state)
{
	static const char *const before[] = {"", "{\"rules\":", "{\"rules\":[{\"action\":",
	    "{\"rules\":[{\"rulePriority\":1,\"action\":{\"type\":\"expire\"},\"selection\":"};

	for (size_t i = 0; i < COUNT(before); i++) {
		for (int k = 0; k < 2; k++) {
			struct lifecycle_policy p;
			struct slice why = {NULL, 0};
			struct buf b;

			buf_init(&b, *state, TEXT_MAX, TEXT_MAX);
			buf_puts(&b, before[i]);
			while (b.len + 5 <= TEXT_MAX)
				buf_puts(&b, k ? "[" : "{\"a\":");
			assert_false(lifecycle_policy_parse(
			    buf_slice(&b), LIFECYCLE_RULES_MAX, *state, &p, &why));
			assert_slice(why, "Could not map policyString into LifecyclePolicy.");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(reads_every_member),
	    arena_test(sorts_by_priority),
	    arena_test(refuses),
	    arena_test(fewer_rules_when_told),
	    arena_test(no_more_than_most),
	    arena_test(the_longest),
	    arena_test(deep_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
