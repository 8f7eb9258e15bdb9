/* Collected bodies beyond what memory holds: files, and turns in which they are read. */
#include "tests/unit/http/toy.h"

#include "server/http/loop.h"

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: here\r\n"

static int setup(void **state)
{
	(void)state;
	toy_open((struct http_options){.body_memory_bytes = 1000, .body_turn_bytes = 10000});
	return 0;
}

static int setup_nowhere(void **state)
{
	(void)state;
	toy_open(
	    (struct http_options){.body_memory_bytes = 1000, .body_folder = "/no/such/folder"});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_close();
	return 0;
}

/* A request with a body of len bytes; chunked when `chunk` is not 0. */
static void say_body(struct client *c, const char *head, size_t len, size_t chunk)
{
	char *body = malloc(len), line[64];

	assert_non_null(body);
	for (size_t i = 0; i < len; i++)
		body[i] = (char)toy_byte(i);
	client_say(c, head);
	snprintf(line, sizeof(line),
	    chunk ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: %zu\r\n\r\n", len);
	client_say(c, line);
	for (size_t at = 0; at < len && chunk; at += chunk) {
		size_t n = len - at < chunk ? len - at : chunk;

		snprintf(line, sizeof(line), "%zX\r\n", n);
		client_say(c, line);
		client_send(c, body + at, n);
		client_say(c, "\r\n");
	}
	chunk ? client_say(c, "0\r\n\r\n") : client_send(c, body, len);
	free(body);
}

static void test_round_trip(void **state)
{
	const size_t lengths[] = {1, 999, 1000, 1001, 1999, 2000, 9999, 10001, 65535, 65536};
	const size_t chunks[] = {0, 100, 1000, 1001, 30000};
	struct client c = client_open();

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (size_t j = 0; j < sizeof(chunks) / sizeof(*chunks); j++) {
			struct answer a;

			say_body(&c, HEAD("PUT", "/echo"), lengths[i], chunks[j]);
			a = client_answer(&c, true);
			assert_int_equal(a.status, 200);
			assert_int_equal(a.body_len, lengths[i]);
			for (size_t k = 0; k < lengths[i]; k++)
				assert_int_equal((unsigned char)a.body[k], toy_byte(k));
			answer_free(&a);
		}
	client_close(&c);
}

static void test_too_large_in_chunks(void **state)
{
	struct client c = client_open();

	(void)state;
	say_body(&c, HEAD("PUT", "/echo"), 65537, 1000);
	expect(&c, 413, "the request body is too large\n");
	expect_closed(&c);
	client_close(&c);
}

/* Neither the one whose turn it is nor those that wait hold up a small one. */
static void test_small_ones_pass_by(void **state)
{
	struct client large[4], small = client_open();

	(void)state;
	toy.delay_ms = 400;
	for (int i = 0; i < 4; i++) {
		large[i] = client_open();
		say_body(&large[i], HEAD("PUT", "/wait"), 9000, 0);
	}
	for (int i = 0; i < 8; i++) {
		say_body(&small, HEAD("PUT", "/echo"), 3, 0);
		expect(&small, 200, NULL);
	}
	assert_true(toy.finished < 12);
	for (int i = 0; i < 4; i++) {
		expect(&large[i], 200, "PUT /wait? here");
		client_close(&large[i]);
	}
	client_close(&small);
}

static void test_gone_before_its_turn(void **state)
{
	struct client first = client_open(), gone = client_open(), last = client_open();

	(void)state;
	toy.delay_ms = 300;
	say_body(&first, HEAD("PUT", "/wait"), 9000, 0);
	toy_until(toy.started == 1);
	usleep(50000);
	say_body(&gone, HEAD("PUT", "/wait"), 9000, 0);
	toy_until(toy.started == 2);
	usleep(50000);
	client_reset(&gone);
	say_body(&last, HEAD("PUT", "/wait"), 9000, 0);
	expect(&first, 200, "PUT /wait? here");
	expect(&last, 200, "PUT /wait? here");
	assert_int_equal(toy.aborted, 1);
	assert_int_equal(toy.lost, 1);
	client_close(&first);
	client_close(&last);
}

static void test_stop_lets_them_have_their_turns(void **state)
{
	struct client c[3];

	(void)state;
	toy.delay_ms = 100;
	for (int i = 0; i < 3; i++) {
		c[i] = client_open();
		say_body(&c[i], HEAD("PUT", "/wait"), 9000, 0);
	}
	toy_until(toy.started == 3);
	usleep(20000);
	http_server_stop(toy.server, 5000);
	for (int i = 0; i < 3; i++) {
		expect(&c[i], 200, "PUT /wait? here");
		client_close(&c[i]);
	}
}

static void test_nowhere_to_keep_them(void **state)
{
	struct client c = client_open();

	(void)state;
	say_body(&c, HEAD("PUT", "/echo"), 1000, 0);
	expect(&c, 200, NULL);
	say_body(&c, HEAD("PUT", "/echo"), 1001, 0);
	expect(&c, 500, "the request body could not be kept\n");
	expect_closed(&c);
	assert_int_equal(toy.aborted, 1);
	client_close(&c);
}

/* ---- turns by themselves: who has one is told by its state and by what was posted ---- */

static struct http_loop nobody = {.wake_fd = -1};

static struct turn turn_of(uint64_t bytes)
{
	return (struct turn){.bytes = bytes, .loop = &nobody};
}

static int posted(void)
{
	int count = 0;

	for (struct http_task *task = atomic_exchange(&nobody.posted, NULL); task;
	     task = task->next)
		count++;
	return count;
}

static void test_turns_are_first_come_first_served(void **state)
{
	struct turn a = turn_of(6000), b = turn_of(6000), c = turn_of(1000), d = turn_of(4000);
	struct turns turns;

	(void)state;
	turns_init(&turns, 10000);
	assert_true(turn_take(&turns, &a));
	assert_false(turn_take(&turns, &b));
	assert_false(turn_take(&turns, &c)); /* would fit, but b was here before */
	assert_false(turn_take(&turns, &d));
	assert_int_equal(posted(), 0);
	turn_give(&turns, &a);
	assert_int_equal(posted(), 2);
	assert_true(b.state == TURN_TAKEN && c.state == TURN_TAKEN && d.state == TURN_WAITS);
	turn_give(&turns, &c);
	assert_int_equal(posted(), 1);
	assert_int_equal(turns.taken, 10000);
	turn_give(&turns, &c); /* it has none any more */
	assert_int_equal(turns.taken, 10000);
	turn_give(&turns, &b);
	turn_give(&turns, &d);
	assert_true(turn_take(&turns, &a));
	turn_give(&turns, &a);
	assert_int_equal(posted(), 0);
	turns_release(&turns);
}

static void test_one_larger_than_all_has_its_turn_alone(void **state)
{
	struct turn small = turn_of(1), large = turn_of(50000), other = turn_of(1);
	struct turns turns;

	(void)state;
	turns_init(&turns, 10000);
	assert_true(turn_take(&turns, &small));
	assert_false(turn_take(&turns, &large));
	turn_give(&turns, &small);
	assert_true(large.state == TURN_TAKEN);
	assert_false(turn_take(&turns, &other));
	turn_give(&turns, &large);
	assert_true(other.state == TURN_TAKEN);
	turn_give(&turns, &other);
	assert_int_equal(posted(), 2);
	turns_release(&turns);
}

#define WITH(test, setup) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH(test_round_trip, setup),
	    WITH(test_too_large_in_chunks, setup),
	    WITH(test_small_ones_pass_by, setup),
	    WITH(test_gone_before_its_turn, setup),
	    WITH(test_stop_lets_them_have_their_turns, setup),
	    WITH(test_nowhere_to_keep_them, setup_nowhere),
	    cmocka_unit_test(test_turns_are_first_come_first_served),
	    cmocka_unit_test(test_one_larger_than_all_has_its_turn_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
