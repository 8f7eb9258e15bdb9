/* A body in a file: whole again, or a failure that is said; never a signal. */
#include "server/http/spill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECE = 100000, PIECES = 11 };

static void write_pieces(struct spill *spill, char *piece)
{
	spill_init(spill);
	for (int i = 0; i < PIECES; i++) {
		memset(piece, 'a' + i, PIECE);
		assert_true(spill_write(spill, "/tmp", slice_of(piece, PIECE)));
	}
	assert_int_equal(spill->len, PIECES * PIECE);
}

static void it_comes_back_whole(void **state)
{
	char *piece = malloc(PIECE);
	struct spill spill;
	struct slice all;

	(void)state;
	write_pieces(&spill, piece);
	all = spill_map(&spill);
	assert_int_equal(all.len, PIECES * PIECE);
	for (size_t i = 0; i < all.len; i++)
		assert_int_equal(all.at[i], 'a' + (int)(i / PIECE));
	spill_rest(&spill);
	assert_int_equal(all.at[PIECE], 'b');
	spill_release(&spill);
	free(piece);
}

/* As when the disk does not give back what it was given: touching that would be SIGBUS. */
static void what_cannot_be_read_is_said(void **state)
{
	char *piece = malloc(PIECE);
	struct spill spill;

	(void)state;
	write_pieces(&spill, piece);
	assert_int_equal(ftruncate(spill.fd, PIECE), 0);
	assert_null(spill_map(&spill).at);
	spill_release(&spill);
	free(piece);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_comes_back_whole),
	    cmocka_unit_test(what_cannot_be_read_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
