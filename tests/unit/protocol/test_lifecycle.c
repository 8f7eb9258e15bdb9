/* The cases of testdata/lifecycle, and what they do not say: order, sizes, hostile graphs. */
#include "support.h"

#include "protocol/json.h"
#include "protocol/lifecycle_images.h"

#include <dirent.h>
#include <stdio.h>

enum { CASES_AT_LEAST = 51 };

static const int64_t now_ms = 1767225600000, day_ms = 86400000;

/* ---- testdata/lifecycle ---- */

struct a_case {
	struct arena *arena;
	const char *file;
	struct slice policy_text;
	struct lifecycle_policy policy;
	struct lifecycle_images images;
	const cJSON *expected;
};

static const struct lifecycle_listed *image_named(const struct a_case *c, const char *name)
{
	for (size_t i = 0; i < c->images.count; i++)
		if (slice_is(c->images.at[i].name, name))
			return &c->images.at[i];
	fail_msg("%s: no image is called %s", c->file, name);
	return NULL;
}

/* The image that a member of an expected outcome names, or none. */
static bool names_digest(
    const struct a_case *c, const cJSON *expected, const char *member, const struct digest *digest)
{
	const char *name = json_string(expected, member).at;

	if (!name)
		return digest->algorithm == DIGEST_NONE;
	return digest_eq(digest, &image_named(c, name)->image.digest);
}

static enum lifecycle_decision expected_decision(const cJSON *expected)
{
	if (!expected)
		return LIFECYCLE_KEPT;
	if (json_has(expected, "protected_by"))
		return LIFECYCLE_PROTECTED;
	return json_has(expected, "follows") ? LIFECYCLE_FOLLOWS : LIFECYCLE_ACTED;
}

static void check_outcome(const struct a_case *c, const struct lifecycle_outcome *o)
{
	const struct lifecycle_listed *listed = &c->images.at[o->id];
	const char *name = listed->name.at;
	const cJSON *expected = json_member(c->expected, name);
	const char *action = o->action == LIFECYCLE_EXPIRE ? "expire" : "transition";

	assert_true(digest_eq(&o->digest, &listed->image.digest));
	if (o->decision != expected_decision(expected))
		fail_msg("%s: %s: decision %d", c->file, name, (int)o->decision);
	if (!expected)
		return;
	if (!slice_is(json_string(expected, "action"), action) ||
	    json_int(expected, "rule", 0) != c->policy.rules[o->rule].priority)
		fail_msg("%s: %s: %s by %d", c->file, name, action,
		    (int)c->policy.rules[o->rule].priority);
	assert_true(names_digest(c, expected, "protected_by", &o->index));
	if (o->decision == LIFECYCLE_FOLLOWS)
		assert_true(names_digest(c, expected, "follows", &o->subject));
}

/* Those that go come in the order in which they are expected. */
static void check_order(const struct a_case *c, const struct lifecycle *l)
{
	const cJSON *expected;
	struct lifecycle_outcome o;
	size_t i = 0;

	cJSON_ArrayForEach(expected, c->expected) {
		if (json_has(expected, "protected_by"))
			continue;
		assert_true(i < lifecycle_action_count(l));
		lifecycle_outcome(l, i++, &o);
		if (!slice_is(c->images.at[o.id].name, expected->string))
			fail_msg("%s: %s comes where %s should", c->file,
			    c->images.at[o.id].name.at, expected->string);
	}
	assert_int_equal(i, lifecycle_action_count(l));
}

static void check_outcomes(struct a_case *c)
{
	struct lifecycle *l = lifecycle_new(&c->policy, now_ms);
	struct lifecycle_outcome o;

	lifecycle_images_add(l, &c->images);
	lifecycle_decide(l);
	assert_int_equal(lifecycle_count(l), c->images.count);
	for (size_t i = 0; i < c->images.count; i++) {
		lifecycle_outcome(l, i, &o);
		check_outcome(c, &o);
	}
	check_order(c, l);
	lifecycle_free(l);
}

static void check_refused(struct a_case *c, struct slice refused)
{
	struct error e;

	if (lifecycle_policy_check(c->policy_text, LIFECYCLE_RULES_MAX, c->arena, &c->policy, &e))
		fail_msg("%s: not refused", c->file);
	assert_slice(error_message(&e, c->arena), refused.at);
}

static void check_case(struct a_case *c, const cJSON *tree)
{
	char *printed = cJSON_Print(json_member(tree, "policy"));
	struct slice text = json_string(tree, "policy_text");
	struct error e;

	c->policy_text = text.at ? text : arena_dup(c->arena, slice_str(printed));
	free(printed);
	c->expected = json_member(tree, "expected");
	if (json_has(tree, "refused")) {
		check_refused(c, json_string(tree, "refused"));
		return;
	}
	assert_non_null(c->expected);
	if (!lifecycle_policy_check(c->policy_text, LIFECYCLE_RULES_MAX, c->arena, &c->policy, &e))
		fail_msg("%s: %.*s", c->file, SLICE_ARG(error_message(&e, c->arena)));
	check_outcomes(c);
}

static void check_file(struct arena *a, const char *file)
{
	struct a_case c = {.arena = a, .file = file};
	struct slice why = {NULL, 0}, text = testdata(a, arena_printf(a, "lifecycle/%s", file));
	cJSON *tree = json_parse(text);

	assert_non_null(tree);
	if (json_has(tree, "images") && !lifecycle_images_parse(text, now_ms, a, &c.images, &why))
		fail_msg("%s: %.*s", file, SLICE_ARG(why));
	check_case(&c, tree);
	cJSON_Delete(tree);
}

static void testdata_cases(void **state)
{
	DIR *folder = opendir(DRYDOCK_TESTDATA "/lifecycle");
	struct dirent *entry;
	int count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		if (!slice_ends(slice_str(entry->d_name), slice_str(".json")))
			continue;
		check_file(*state, entry->d_name);
		arena_reset(*state);
		count++;
	}
	closedir(folder);
	assert_true(count >= CASES_AT_LEAST);
}

/* ---- graphs that no honest client makes ---- */

static const struct lifecycle_policy *everything(struct arena *a)
{
	struct lifecycle_policy *p = arena_zalloc(a, sizeof(*p));

	p->rules = arena_array(a, 1, sizeof(*p->rules));
	p->rules[0] = (struct lifecycle_rule){.priority = 1,
	    .tags = LIFECYCLE_ANY,
	    .storage_class = LIFECYCLE_STANDARD,
	    .count_type = LIFECYCLE_SINCE_PUSHED,
	    .count = 1};
	p->count = 1;
	return p;
}

static struct digest digest_number(uint64_t n)
{
	struct digest d = {.algorithm = DIGEST_SHA256};

	/* all alike but at their ends: a table that hashed their heads would crawl */
	for (int i = 0; i < 8; i++)
		d.raw[31 - i] = (uint8_t)(n >> 8 * i);
	return d;
}

static void add_old(struct lifecycle *l, uint64_t number, const struct digest *subject)
{
	struct lifecycle_image image = {.id = (int64_t)number,
	    .digest = digest_number(number),
	    .pushed_ms = now_ms - 2 * day_ms};

	if (subject)
		image.subject = *subject;
	lifecycle_add(l, &image);
}

static void add_child(struct lifecycle *l, uint64_t index, uint64_t child)
{
	struct digest one = digest_number(index), other = digest_number(child);

	lifecycle_add_child(l, &one, &other);
}

static enum lifecycle_decision decision_of(const struct lifecycle *l, int64_t id)
{
	struct lifecycle_outcome o;

	for (size_t i = 0; i < lifecycle_count(l); i++) {
		lifecycle_outcome(l, i, &o);
		if (o.id == id)
			return o.decision;
	}
	fail_msg("%d is not there", (int)id);
	return LIFECYCLE_KEPT;
}

static void circles_stay(void **state)
{
	struct lifecycle *l = lifecycle_new(everything(*state), now_ms);
	struct digest two = digest_number(2), three = digest_number(3), five = digest_number(5);

	add_child(l, 0, 1);
	add_child(l, 1, 0);
	add_child(l, 4, 4);
	add_child(l, 1, 6);
	for (uint64_t n = 0; n < 2; n++)
		add_old(l, n, NULL);
	add_old(l, 2, &three);
	add_old(l, 3, &two);
	add_old(l, 4, NULL);
	add_old(l, 5, &five);
	add_old(l, 6, NULL);
	add_old(l, 7, NULL);
	lifecycle_decide(l);
	assert_int_equal(decision_of(l, 0), LIFECYCLE_PROTECTED);
	assert_int_equal(decision_of(l, 1), LIFECYCLE_PROTECTED);
	assert_int_equal(decision_of(l, 2), LIFECYCLE_KEPT);
	assert_int_equal(decision_of(l, 3), LIFECYCLE_KEPT);
	assert_int_equal(decision_of(l, 4), LIFECYCLE_PROTECTED);
	assert_int_equal(decision_of(l, 5), LIFECYCLE_KEPT);
	assert_int_equal(decision_of(l, 6), LIFECYCLE_PROTECTED);
	assert_int_equal(decision_of(l, 7), LIFECYCLE_ACTED);
	assert_int_equal(lifecycle_action_count(l), 1);
	lifecycle_free(l);
}

/* A chain as deep as there are images, the innermost oldest: it must neither recurse nor crawl. */
static void deep_chains(void **state)
{
	enum { DEPTH = 100000 };
	struct lifecycle *l = lifecycle_new(everything(*state), now_ms);
	struct lifecycle_outcome o;

	for (uint64_t n = 0; n < DEPTH; n++) {
		struct digest before = digest_number(n - 1);

		if (n % 2 == 1)
			add_child(l, n - 1, n);
		add_old(l, n, n > 0 && n % 2 == 0 ? &before : NULL);
	}
	lifecycle_decide(l);
	assert_int_equal(lifecycle_action_count(l), DEPTH);
	for (size_t i = 0; i < DEPTH; i++) {
		lifecycle_outcome(l, i, &o);
		assert_int_equal(o.id, i);
	}
	lifecycle_free(l);
}

/* One child that many name, many that one names, names of what is not there. */
static void wide_graphs(void **state)
{
	enum { WIDTH = 20000 };
	struct lifecycle *l = lifecycle_new(everything(*state), now_ms);
	struct lifecycle_outcome o;

	for (uint64_t n = 1; n < WIDTH; n++) {
		add_child(l, n, 0);
		add_child(l, n, 0);
		add_child(l, 1, n + 1);
		add_child(l, n, WIDTH + n);
		add_child(l, WIDTH + n, n);
	}
	for (uint64_t n = 0; n < WIDTH; n++)
		add_old(l, n, NULL);
	lifecycle_decide(l);
	assert_int_equal(lifecycle_action_count(l), WIDTH);
	lifecycle_outcome(l, 0, &o);
	assert_int_equal(o.id, 1);
	lifecycle_outcome(l, WIDTH - 1, &o);
	assert_int_equal(o.id, 0);
	lifecycle_free(l);
}

static void nothing_at_all(void **state)
{
	struct lifecycle *l = lifecycle_new(everything(*state), now_ms);

	add_child(l, 1, 2);
	lifecycle_decide(l);
	assert_int_equal(lifecycle_count(l), 0);
	assert_int_equal(lifecycle_action_count(l), 0);
	lifecycle_free(l);
	lifecycle_free(NULL);
}

/* The order in which images come does not matter, and the kept come oldest first. */
static void order_of_the_kept(void **state)
{
	struct lifecycle *l = lifecycle_new(everything(*state), now_ms);
	struct lifecycle_image image = {.pushed_ms = now_ms};
	struct lifecycle_outcome o;

	for (int64_t id = 0; id < 4; id++) {
		image.id = id;
		image.digest = digest_number(100 - (uint64_t)id / 2 * 2 + (uint64_t)id % 2);
		image.pushed_ms = now_ms - id / 2;
		lifecycle_add(l, &image);
	}
	lifecycle_decide(l);
	for (size_t i = 0; i < 4; i++) {
		static const int64_t order[] = {2, 3, 0, 1};

		lifecycle_outcome(l, i, &o);
		assert_int_equal(o.id, order[i]);
		assert_int_equal(o.decision, LIFECYCLE_KEPT);
		assert_int_equal(o.claimed_by, 0);
		assert_int_equal(o.selected, 1);
		assert_int_equal(o.marked, 0);
	}
	lifecycle_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(testdata_cases),
	    arena_test(circles_stay),
	    arena_test(deep_chains),
	    arena_test(wide_graphs),
	    arena_test(nothing_at_all),
	    arena_test(order_of_the_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
