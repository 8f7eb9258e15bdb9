#include "support.h"

#include "protocol/buf.h"

static void collects(void **state)
{
	struct buf b;

	buf_init(&b, *state, 1000, 0);
	assert_slice(buf_slice(&b), "");
	buf_puts(&b, "a");
	buf_putc(&b, 'b');
	buf_put_slice(&b, slice_str("cd"));
	buf_put_slice(&b, slice_str(NULL));
	buf_put(&b, "\0e", 2);
	buf_printf(&b, "%s%d", "f", 12);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.at, "abcd\0ef12", 9);
	assert_false(b.overflow);
}

static void fills_to_its_maximum_and_no_further(void **state)
{
	struct buf b;

	buf_init(&b, *state, 10, 0);
	buf_puts(&b, "12345");
	buf_printf(&b, "%d", 67890);
	assert_slice(buf_slice(&b), "1234567890");
	assert_false(b.overflow);
	buf_put(&b, "", 0);
	assert_false(b.overflow);
	buf_putc(&b, 'x');
	assert_true(b.overflow);
	assert_slice(buf_slice(&b), "1234567890");
}

static void starves_when_memory_is_short(void **state)
{
	struct memory memory;
	struct arena a;
	struct buf b;
	char piece[1000];

	(void)state;
	memset(piece, 'x', sizeof(piece));
	memory_init(&memory, 1u << 20, 0);
	arena_init_counted(&a, &memory);
	buf_init(&b, &a, 16u << 20, 0);
	b.may_starve = true;
	while (!b.overflow)
		buf_put(&b, piece, sizeof(piece));
	assert_true(b.starved);
	assert_true(b.len > 400000 && b.len <= 1u << 20);
	assert_true(memory.taken <= 1u << 20);
	arena_release(&a);
	assert_int_equal(memory.taken, 0);
	memory_release(&memory);

	buf_init(&b, *state, 4, 0);
	b.may_starve = true;
	buf_puts(&b, "12345");
	assert_true(b.overflow && !b.starved);
}

static void overflow_drops_all_that_follows(void **state)
{
	struct buf b;

	buf_init(&b, *state, 4, 100);
	buf_puts(&b, "12345");
	assert_true(b.overflow);
	buf_puts(&b, "1");
	assert_int_equal(b.len, 0);
	assert_null(buf_reserve(&b, 1));

	buf_init(&b, *state, 4, 0);
	buf_printf(&b, "%s", "12345");
	assert_true(b.overflow);
}

static void reserves_without_counting(void **state)
{
	struct buf b;

	buf_init(&b, *state, 5000, 16);
	for (size_t i = 0; i < 5000; i += 50) {
		char *room = buf_reserve(&b, 50);
		assert_non_null(room);
		memset(room, 'x', 50);
		assert_int_equal(b.len, i);
		b.len += 50;
	}
	assert_null(buf_reserve(&b, 1));
	assert_true(b.overflow);
}

static void grows_by_doubling(void **state)
{
	struct buf b;
	size_t allocations = 0, cap = 0;

	buf_init(&b, *state, 1 << 20, 0);
	for (int i = 0; i < 1 << 20; i++) {
		buf_putc(&b, (char)i);
		if (b.cap != cap) {
			cap = b.cap;
			allocations++;
		}
	}
	assert_false(b.overflow);
	assert_in_range(allocations, 1, 14);
	for (int i = 0; i < 1 << 20; i++)
		assert_int_equal(b.at[i], (char)i);
}

static void prints_long_texts(void **state)
{
	struct buf b;

	buf_init(&b, *state, 3000, 0);
	buf_printf(&b, "%01500d|%01499d", 1, 2);
	assert_false(b.overflow);
	assert_int_equal(b.len, 3000);
	assert_int_equal(b.at[1499], '1');
	assert_int_equal(b.at[2999], '2');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(collects),
	    arena_test(fills_to_its_maximum_and_no_further),
	    arena_test(starves_when_memory_is_short),
	    arena_test(overflow_drops_all_that_follows),
	    arena_test(reserves_without_counting),
	    arena_test(grows_by_doubling),
	    arena_test(prints_long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
