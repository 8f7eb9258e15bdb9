#include "support.h"

#include "protocol/policy_context.h"

static void names_in_any_case(void **state)
{
	static const struct slice one = SLICE("1"), two[] = {SLICE("a"), SLICE("b")};
	static const struct policy_key keys[] = {{SLICE("aws:SourceIp"), &one, 1},
	    {SLICE("aws:TagKeys"), two, 2}, {SLICE("none"), NULL, 0}};
	static const struct policy_key more[] = {
	    {SLICE("AWS:sourceip"), two, 1}, {SLICE("none"), &one, 1}, {SLICE("x"), &one, 1}};
	struct policy_context context = {keys, COUNT(keys), more, COUNT(more)};

	(void)state;
	assert_ptr_equal(policy_context_find(&context, slice_str("AWS:SOURCEIP")), &keys[0]);
	assert_ptr_equal(policy_context_find(&context, slice_str("aws:tagkeys")), &keys[1]);
	assert_ptr_equal(policy_context_find(&context, slice_str("x")), &more[2]);
	assert_null(policy_context_find(&context, slice_str("aws:SourceI")));
	/* the request's own word counts, also that it has none */
	assert_null(policy_context_find(&context, slice_str("none")));
}

static void nothing_to_find(void **state)
{
	struct policy_context context = {NULL, 0, NULL, 0};

	(void)state;
	assert_null(policy_context_find(&context, slice_str("aws:SourceIp")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(names_in_any_case),
	    arena_test(nothing_to_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
