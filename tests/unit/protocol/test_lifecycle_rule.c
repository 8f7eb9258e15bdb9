#include "support.h"

#include "protocol/lifecycle_rule.h"

static const int64_t now_ms = 1767225600000, day_ms = 86400000;

static struct lifecycle_rule patterns(const struct slice *matches, size_t count)
{
	return (struct lifecycle_rule){.tags = LIFECYCLE_TAGGED,
	    .matches = matches,
	    .match_count = count,
	    .storage_class = LIFECYCLE_STANDARD};
}

static void classes(void **state)
{
	struct lifecycle_rule standard = {.storage_class = LIFECYCLE_STANDARD};
	struct lifecycle_rule archive = {.storage_class = LIFECYCLE_ARCHIVE};
	static const bool in_standard[] = {true, false, false}, in_archive[] = {false, true, false};

	(void)state;
	for (int status = LIFECYCLE_ACTIVE; status <= LIFECYCLE_ACTIVATING; status++) {
		struct lifecycle_image image = {.status = (enum lifecycle_status)status};

		assert_int_equal(lifecycle_rule_selects(&standard, &image), in_standard[status]);
		assert_int_equal(lifecycle_rule_selects(&archive, &image), in_archive[status]);
	}
}

static void tag_statuses(void **state)
{
	static const bool tagged[] = {true, true, false}, untagged[] = {true, false, true};
	static const struct slice star[] = {SLICE("*")};

	(void)state;
	for (int status = LIFECYCLE_ANY; status <= LIFECYCLE_UNTAGGED; status++) {
		struct lifecycle_rule rule = patterns(star, status == LIFECYCLE_TAGGED);
		struct lifecycle_image with = {.tags = SLICE("v1\0")},
				       without = {.tags = SLICE("")};
		struct lifecycle_image absent = {.id = 0};

		rule.tags = (enum lifecycle_tags)status;
		assert_int_equal(lifecycle_rule_selects(&rule, &with), tagged[status]);
		assert_int_equal(lifecycle_rule_selects(&rule, &without), untagged[status]);
		assert_int_equal(lifecycle_rule_selects(&rule, &absent), untagged[status]);
	}
}

static void every_entry_some_tag(void **state)
{
	static const struct slice matches[] = {SLICE("a*"), SLICE("b")};
	struct lifecycle_rule rule = patterns(matches, 2);
	static const struct {
		struct slice tags;
		bool by_pattern, by_prefix;
	} cases[] = {
	    {SLICE("a\0b\0"), true, false},
	    {SLICE("b\0alpha\0"), true, false},
	    {SLICE("alpha\0beta\0"), false, false},
	    {SLICE("a*\0bb\0"), false, true},
	    {SLICE("b\0"), false, false},
	    {SLICE("A\0b\0"), false, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lifecycle_image image = {
		    .tags = exactly(*state, cases[i].tags.at, cases[i].tags.len)};

		rule.prefixes = false;
		assert_int_equal(lifecycle_rule_selects(&rule, &image), cases[i].by_pattern);
		rule.prefixes = true;
		assert_int_equal(lifecycle_rule_selects(&rule, &image), cases[i].by_prefix);
	}
}

static bool is_due(enum lifecycle_count type, int64_t count, const struct lifecycle_image *image)
{
	struct lifecycle_rule rule = {.count_type = type, .count = count};

	return lifecycle_rule_is_due(&rule, image, now_ms);
}

static void strictly_more(void **state)
{
	struct lifecycle_image image = {.pushed_ms = now_ms - 14 * day_ms};

	(void)state;
	assert_false(is_due(LIFECYCLE_SINCE_PUSHED, 14, &image));
	assert_true(is_due(LIFECYCLE_SINCE_PUSHED, 13, &image));
	image.pushed_ms--;
	assert_true(is_due(LIFECYCLE_SINCE_PUSHED, 14, &image));
	assert_false(is_due(LIFECYCLE_COUNT_MORE_THAN, 1, &image));
	assert_false(is_due(LIFECYCLE_SINCE_TRANSITIONED, 1, &image));
	image.archived_ms = now_ms - 2 * day_ms;
	assert_true(is_due(LIFECYCLE_SINCE_TRANSITIONED, 1, &image));
	assert_false(is_due(LIFECYCLE_SINCE_TRANSITIONED, 2, &image));
}

static void restored_and_pulled(void **state)
{
	struct lifecycle_image image = {.pushed_ms = now_ms - 400 * day_ms};

	(void)state;
	assert_true(is_due(LIFECYCLE_SINCE_PULLED, 399, &image));
	image.pulled_ms = now_ms - 300 * day_ms;
	assert_true(is_due(LIFECYCLE_SINCE_PULLED, 299, &image));
	assert_false(is_due(LIFECYCLE_SINCE_PULLED, 300, &image));
	assert_true(is_due(LIFECYCLE_SINCE_PUSHED, 399, &image));
	image.activated_ms = now_ms - 100 * day_ms;
	assert_false(is_due(LIFECYCLE_SINCE_PULLED, 100, &image));
	assert_false(is_due(LIFECYCLE_SINCE_PUSHED, 100, &image));
	assert_true(is_due(LIFECYCLE_SINCE_PUSHED, 99, &image));
	image.pulled_ms = now_ms - 10 * day_ms;
	assert_false(is_due(LIFECYCLE_SINCE_PULLED, 10, &image));
	assert_true(is_due(LIFECYCLE_SINCE_PULLED, 9, &image));
}

/* Times and counts at the ends of their types. */
static void extremes(void **state)
{
	struct lifecycle_image old = {.pushed_ms = INT64_MIN}, future = {.pushed_ms = INT64_MAX};
	struct lifecycle_image pushed = {.pushed_ms = 1};

	(void)state;
	assert_false(is_due(LIFECYCLE_SINCE_PUSHED, 1, &old));
	assert_false(is_due(LIFECYCLE_SINCE_PUSHED, 1, &future));
	assert_false(is_due(LIFECYCLE_SINCE_PUSHED, INT64_MAX, &pushed));
	assert_false(is_due(LIFECYCLE_SINCE_PUSHED, INT64_C(1) << 53, &pushed));
	assert_true(is_due(LIFECYCLE_SINCE_PUSHED, 1, &pushed));
}

/*
 * All that a policy can hold against all that an image can: each entry fits only the last tag, and each
 * other one nearly. It must end within a second or so, sanitizers and all.
 */
static void hostile_patterns(void **state)
{
	enum { PATTERNS = 220, TAGS = 1000, TAG = 128 };
	struct slice *matches = arena_array(*state, PATTERNS, sizeof(*matches));
	struct lifecycle_rule rule = patterns(matches, PATTERNS);
	char *tags = arena_alloc(*state, TAGS * (TAG + 1));
	struct lifecycle_image image = {.tags = {tags, TAGS * (TAG + 1)}};

	memset(tags, 'a', image.tags.len);
	for (size_t i = 0; i < TAGS; i++)
		tags[i * (TAG + 1) + TAG] = '\0';
	tags[image.tags.len - 2] = 'c';
	for (size_t i = 0; i < PATTERNS; i++) {
		char *text = arena_alloc(*state, TAG);

		memset(text, 'a', TAG);
		text[0] = text[10] = text[20] = '*';
		text[40 + i % 80] = 'c';
		text[41 + i % 80] = '*';
		matches[i] = slice_of(text, 42 + i % 80);
	}
	assert_true(lifecycle_rule_selects(&rule, &image));
	tags[image.tags.len - 2] = 'a';
	assert_false(lifecycle_rule_selects(&rule, &image));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(classes),
	    cmocka_unit_test(tag_statuses),
	    arena_test(every_entry_some_tag),
	    cmocka_unit_test(strictly_more),
	    cmocka_unit_test(restored_and_pulled),
	    cmocka_unit_test(extremes),
	    arena_test(hostile_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
