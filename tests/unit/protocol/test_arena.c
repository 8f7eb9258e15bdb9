#include "support.h"

static void allocations_are_aligned_and_apart(void **state)
{
	struct arena *a = *state;
	uint8_t *last = NULL;

	for (size_t len = 0; len < 300; len++) {
		uint8_t *at = arena_alloc(a, len);
		assert_non_null(at);
		assert_int_equal((uintptr_t)at % 16, 0);
		memset(at, (int)len, len);
		for (size_t i = 0; i + 1 < len; i++)
			assert_int_equal(last[i], (uint8_t)(len - 1));
		last = at;
	}
}

static void contents_survive_growth(void **state)
{
	struct arena *a = *state;
	unsigned *numbers[2000];

	for (unsigned i = 0; i < COUNT(numbers); i++) {
		numbers[i] = arena_alloc(a, 64);
		numbers[i][0] = i;
		numbers[i][15] = ~i;
	}
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		assert_int_equal(numbers[i][0], i);
		assert_int_equal(numbers[i][15], ~i);
	}
}

static void reset_keeps_the_first_chunk_only(void **state)
{
	struct arena *a = *state;
	char *first = arena_alloc(a, 10);

	for (int i = 0; i < 100; i++)
		arena_alloc(a, 4096);
	arena_reset(a);
	assert_ptr_equal(arena_alloc(a, 10), first);
}

static void reset_gives_a_large_first_chunk_back(void **state)
{
	struct arena *a = *state;

	memset(arena_alloc(a, 4 << 20), 1, 4 << 20);
	arena_reset(a);
	assert_null(a->chunk);
	arena_reset(a);
	assert_non_null(arena_alloc(a, 1));
}

static void release_may_be_repeated(void **state)
{
	struct arena *a = *state;

	arena_release(a);
	arena_release(a);
	assert_non_null(arena_alloc(a, 1));
}

static void zeroes(void **state)
{
	struct arena *a = *state;

	memset(arena_alloc(a, 256), 0xff, 256);
	arena_reset(a);
	char *z = arena_zalloc(a, 256);
	uint64_t *array = arena_array(a, 32, sizeof(*array));
	for (int i = 0; i < 256; i++)
		assert_int_equal(z[i], 0);
	for (int i = 0; i < 32; i++)
		assert_int_equal(array[i], 0);
	assert_non_null(arena_array(a, 0, 8));
}

static void copies(void **state)
{
	struct arena *a = *state;
	struct slice source = exactly(a, "ab\0cd", 5), copy = arena_dup(a, source);

	assert_int_equal(copy.len, 5);
	assert_memory_equal(copy.at, "ab\0cd", 6); /* with a NUL behind it */
	assert_ptr_not_equal(copy.at, source.at);
	assert_null(arena_dup(a, slice_str(NULL)).at);
	assert_slice(arena_dup(a, slice_str("")), "");
	assert_string_equal(arena_strdup(a, slice_str(NULL)), "");
}

static void prints(void **state)
{
	struct arena *a = *state;
	struct slice long_text;

	assert_string_equal(arena_printf(a, "%s-%d", "stem", 7), "stem-7");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	long_text = arena_slicef(a, "%01000d", 1);
	assert_int_equal(long_text.len, 1000);
	assert_int_equal(long_text.at[999], '1');
	assert_int_equal(long_text.at[1000], '\0');
}

static void a_large_one_grows_and_leaves_nothing_behind(void **state)
{
	struct arena *a = *state;
	size_t len = 1000;
	unsigned char *at = arena_extend(a, NULL, 0, len, true);

	memset(at, 7, len);
	while (len < 8u << 20) {
		at = arena_extend(a, at, len, len * 2, true);
		memset(at + len, 7, len);
		len *= 2;
		arena_alloc(a, 100); /* whatever else is allocated meanwhile */
	}
	for (size_t i = 0; i < len; i++)
		assert_int_equal(at[i], 7);
	/* doubling by copies would hold twice as much */
	assert_true(a->held >= len && a->held < len + (1u << 20));
	arena_give(a, at);
	assert_true(a->held < 1u << 20);
	arena_give(a, arena_alloc(a, 10));
	arena_give(a, NULL);
}

static void an_account_is_kept(void **state)
{
	struct memory memory;
	struct arena a;
	char *at;

	(void)state;
	memory_init(&memory, 4u << 20, 0);
	arena_init_counted(&a, &memory);
	assert_int_equal(memory.taken, 0);
	at = arena_extend(&a, NULL, 0, 3u << 20, true);
	assert_non_null(at);
	assert_int_equal(memory.taken, a.held);
	assert_true(memory.taken >= 3u << 20);
	memcpy(at, "kept", 5);
	assert_null(arena_extend(&a, at, 3u << 20, 5u << 20, true));
	assert_null(arena_extend(&a, NULL, 0, 2u << 20, true));
	assert_string_equal(at, "kept");
	/* what cannot be refused is counted, and nothing more is granted */
	memset(arena_alloc(&a, 2u << 20), 0, 2u << 20);
	assert_int_equal(memory.taken, a.held);
	assert_false(memory_take(&memory, 1));
	arena_reset(&a);
	assert_int_equal(memory.taken, a.held);
	assert_non_null(arena_extend(&a, NULL, 0, 3u << 20, true));
	arena_release(&a);
	assert_int_equal(memory.taken, 0);
	assert_ptr_equal(a.memory, &memory);
	memory_release(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(allocations_are_aligned_and_apart),
	    arena_test(contents_survive_growth),
	    arena_test(reset_keeps_the_first_chunk_only),
	    arena_test(reset_gives_a_large_first_chunk_back),
	    arena_test(release_may_be_repeated),
	    arena_test(zeroes),
	    arena_test(copies),
	    arena_test(prints),
	    arena_test(a_large_one_grows_and_leaves_nothing_behind),
	    arena_test(an_account_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
