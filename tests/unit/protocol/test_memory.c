#include "support.h"

#include "protocol/memory.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

/* AddressSanitizer's malloc is to fail as others do. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void grants_what_there_is(void **state)
{
	struct memory m;

	(void)state;
	memory_init(&m, 1000, 0);
	assert_true(memory_take(&m, 400));
	assert_true(memory_take(&m, 600));
	assert_false(memory_take(&m, 1));
	assert_true(memory_take(&m, 0));
	memory_give(&m, 600);
	assert_false(memory_take(&m, SIZE_MAX));
	assert_false(memory_take(&m, 601));
	assert_true(memory_take(&m, 600));
	memory_count(&m, 500);
	assert_int_equal(m.taken, 1500);
	memory_give(&m, 500);
	assert_false(memory_take(&m, 1));
	memory_release(&m);
}

static void says_how_far_it_is(void **state)
{
	struct memory m;

	(void)state;
	memory_init(&m, 1000, 0);
	memory_count(&m, 125);
	assert_false(memory_beyond(&m, 8));
	memory_count(&m, 1);
	assert_true(memory_beyond(&m, 8));
	assert_false(memory_beyond(&m, 2));
	memory_give(&m, 120);
	assert_int_equal(memory_peak(&m), 126);
	assert_int_equal(memory_peak(&m), 6);
	memory_release(&m);
}

static void has_no_bounds_without_a_total(void **state)
{
	struct memory none = {0};

	(void)state;
	assert_true(memory_take(&none, SIZE_MAX / 2));
	assert_false(memory_beyond(&none, 100));
	memory_give(&none, SIZE_MAX / 2);
	assert_true(memory_take(NULL, 1));
	assert_false(memory_beyond(NULL, 1));
	memory_count(NULL, 1);
	memory_give(NULL, 1);
}

static void *take_all(void *arg)
{
	uintptr_t taken = 0;

	while (memory_take(arg, 1))
		taken++;
	return (void *)taken;
}

static void is_exact_between_threads(void **state)
{
	enum { TOTAL = 200000 };
	pthread_t threads[4];
	struct memory m;
	size_t sum = 0;
	void *taken;

	(void)state;
	memory_init(&m, TOTAL, 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_all, &m), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &taken), 0);
		sum += (uintptr_t)taken;
	}
	assert_int_equal(sum, TOTAL);
	memory_release(&m);
}

/* What no system gives: the first time the reserve is given up, and then nothing is granted until it is back. */
static void gives_up_its_reserve_before_it_fails(void **state)
{
	struct memory m;
	char *at;

	(void)state;
	memory_init(&m, 1000, 4096);
	at = memory_realloc(&m, NULL, 10);
	assert_non_null(at);
	assert_non_null(m.reserve);
	assert_null(memory_realloc(&m, at, SIZE_MAX / 4));
	assert_null(m.reserve);
	assert_false(memory_take(&m, 1));
	assert_true(memory_beyond(&m, 1));
	memory_restore(&m, 4096);
	assert_true(memory_take(&m, 1));
	assert_false(memory_beyond(&m, 1));
	free(at);
	memory_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(grants_what_there_is),
	    cmocka_unit_test(says_how_far_it_is),
	    cmocka_unit_test(has_no_bounds_without_a_total),
	    cmocka_unit_test(is_exact_between_threads),
	    cmocka_unit_test(gives_up_its_reserve_before_it_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
