/* Who may hold a connection: the least rates, and who gives way when there are too many. */
#include "tests/unit/http/toy.h"

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: here\r\n"
#define LIMIT 8

static struct http_counters counters(void)
{
	struct http_counters n;

	http_server_counters(toy.server, &n);
	return n;
}

/* Returns when the loop, too, is done with it. */
static void expect_served(struct client *c)
{
	uint64_t requests = counters().requests;

	client_say(c, HEAD("GET", "/") "\r\n");
	expect(c, 200, "GET /? here");
	toy_until(counters().requests > requests);
	usleep(1000);
}

/* ---- at the limit ---- */

static void open_all(struct client c[LIMIT], const char *says)
{
	for (int i = 0; i < LIMIT; i++) {
		unsigned open = counters().open;

		c[i] = client_open();
		client_say(&c[i], says);
		toy_until(counters().open == open + 1);
	}
}

static void close_all(struct client c[LIMIT])
{
	for (int i = 0; i < LIMIT; i++)
		client_close(&c[i]);
}

static void test_idle_longest_gives_way(void **state)
{
	struct client c[LIMIT], more[2];

	(void)state;
	open_all(c, "");
	for (int i = 0; i < LIMIT; i++)
		expect_served(&c[i]);
	expect_served(&c[0]);
	for (int i = 0; i < 2; i++) {
		more[i] = client_open();
		expect_served(&more[i]);
	}
	assert_int_equal(counters().displaced, 2);
	expect_closed(&c[1]);
	expect_closed(&c[2]);
	expect_served(&c[0]);
	for (int i = 3; i < LIMIT; i++)
		expect_served(&c[i]);
	expect_served(&more[0]);
	expect_served(&more[1]);
	client_close(&more[0]);
	client_close(&more[1]);
	close_all(c);
}

/* One that never said anything is idle, too; what is in the midst of something is not. */
static void test_the_silent_give_way_before_the_busy(void **state)
{
	struct client c[LIMIT], busy, more;

	(void)state;
	busy = client_open();
	client_say(&busy, HEAD("PUT", "/count") "Content-Length: 1\r\n\r\n");
	toy_until(toy.started == 1);
	for (int i = 0; i < 50; i++) {
		c[i % LIMIT] = client_open();
		if (i >= LIMIT - 1)
			client_close(&c[(i + 1) % LIMIT]);
		usleep(1000);
	}
	more = client_open();
	expect_served(&more);
	client_say(&busy, "A");
	expect(&busy, 201, "1 65");
	client_close(&busy);
	client_close(&more);
	for (int i = 43; i < 50; i++)
		client_close(&c[i % LIMIT]);
}

static void test_hundreds_come_and_all_are_served(void **state)
{
	struct client c[400];

	(void)state;
	for (int i = 0; i < 400; i++) {
		c[i] = client_open();
		expect_served(&c[i]);
		assert_in_range(counters().open, 1, LIMIT + 1);
	}
	assert_in_range(counters().displaced, 400 - LIMIT - 1, 400 - LIMIT);
	for (int i = 0; i < 400; i++)
		client_close(&c[i]);
}

/* Bytes that are too few to be a body's rate do not make it busy. */
static void test_the_stalled_give_way_after_a_while(void **state)
{
	struct client c[LIMIT], more = {0};
	int aborted = toy.aborted;

	(void)state;
	open_all(c, HEAD("PUT", "/count") "Content-Length: 1000000\r\n\r\n");
	toy_until(toy.started == LIMIT);
	more = client_open();
	expect(&more, 503, "too many connections\n");
	expect_closed(&more);
	client_close(&more);
	for (int tick = 0; tick < 20; tick++) {
		for (int i = 0; i < LIMIT; i++)
			client_say(&c[i], "a");
		usleep(20000);
	}
	toy_until(counters().open == LIMIT); /* the one that was refused has gone */
	more = client_open();
	expect_served(&more);
	toy_until(toy.aborted == aborted + 1);
	expect_closed(&c[0]);
	client_say(&c[1], "a");
	client_close(&more);
	close_all(c);
}

static void test_a_head_that_stalls_gives_way(void **state)
{
	struct client c[LIMIT], more;

	(void)state;
	open_all(c, "GET / HT");
	usleep(400000);
	more = client_open();
	expect_served(&more);
	expect_closed(&c[0]);
	client_close(&more);
	close_all(c);
}

/* The application has what it is given for as long as it likes. */
static void test_what_is_being_answered_never_gives_way(void **state)
{
	struct client c[LIMIT], more;

	(void)state;
	toy.delay_ms = 800;
	open_all(c, HEAD("GET", "/wait") "\r\n");
	toy_until(toy.started == LIMIT);
	usleep(400000);
	more = client_open();
	toy.delay_ms = 0;
	expect(&more, 503, "too many connections\n");
	for (int i = 0; i < LIMIT; i++)
		expect(&c[i], 200, NULL);
	assert_int_equal(counters().displaced, 0);
	client_close(&more);
	close_all(c);
}

static void test_a_fast_upload_is_not_cut_by_those_who_come(void **state)
{
	struct client busy = client_open(), c[60];
	char *bytes = calloc(1, 1u << 20);

	(void)state;
	client_say(&busy, HEAD("PUT", "/count") "Content-Length: 62914560\r\n\r\n");
	for (int i = 0; i < 60; i++) {
		client_send(&busy, bytes, 1u << 20);
		c[i] = client_open();
		expect_served(&c[i]);
		usleep(10000);
	}
	expect(&busy, 201, "62914560 0");
	for (int i = 0; i < 60; i++)
		client_close(&c[i]);
	client_close(&busy);
	free(bytes);
}

/* ---- least rates: 1000 bytes in 250 ms, 1200 in 300 ---- */

static void test_empty_lines_are_no_head(void **state)
{
	(void)state;
	for (int after = 0; after < 2; after++) {
		struct client c = client_open();
		int lines = 0;

		if (after)
			expect_served(&c);
		while (lines < 100 && client_say(&c, "\r\n")) {
			usleep(30000);
			lines++;
		}
		assert_in_range(lines, 2, 99);
		client_close(&c);
	}
}

/* Says first, then again and again, until it is answered. */
static void expect_too_slow(const char *first, const char *again)
{
	struct client c = client_open();
	int aborted = toy.aborted;

	client_say(&c, first);
	for (int i = 0; i < 100 && toy.aborted == aborted; i++) {
		client_say(&c, again);
		usleep(20000);
	}
	assert_int_equal(toy.aborted, aborted + 1);
	expect(&c, 408, "the request body stalled\n");
	client_close(&c);
}

static void test_bodies_that_trickle(void **state)
{
	(void)state;
	expect_too_slow(HEAD("PUT", "/count") "Content-Length: 1000000\r\n\r\n", "a");
	expect_too_slow(HEAD("PUT", "/echo") "Content-Length: 1000\r\n\r\n", "a");
	expect_too_slow(HEAD("PUT", "/count") "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n");
	expect_too_slow(HEAD("PUT", "/count") "Transfer-Encoding: chunked\r\n\r\n1;", "a");
	expect_too_slow(HEAD("PUT", "/count") "Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", "a");
	expect_too_slow(HEAD("PUT", "/waitbody") "Content-Length: 1000000\r\n\r\n", "a");
}

static void test_a_slow_body_that_is_one(void **state)
{
	struct client c = client_open();
	char bytes[2000] = {0};

	(void)state;
	client_say(&c, HEAD("PUT", "/count") "Content-Length: 80000\r\n\r\n");
	for (int i = 0; i < 40; i++) {
		client_send(&c, bytes, sizeof(bytes));
		usleep(20000);
	}
	expect(&c, 201, "80000 0");
	client_close(&c);
}

/* Asks for the file some times, and reads every 20 ms what is there, which is not much at a time. */
static uint64_t read_slowly(int times, int buffer, uint64_t most)
{
	struct client c = client_open();
	int lost = toy.lost;
	uint64_t got = 0;
	char bytes[65536];
	ssize_t n;

	setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	while (times--)
		client_say(&c, HEAD("GET", "/file") "\r\n");
	while (got < most && toy.lost == lost && (n = recv(c.fd, bytes, sizeof(bytes), 0)) > 0) {
		got += (uint64_t)n;
		usleep(20000);
	}
	client_close(&c);
	return got;
}

/* It goes on all the time, but not at the 300,000 bytes in 300 ms that this server wants. */
static void test_readers_that_trickle(void **state)
{
	int lost = toy.lost;

	(void)state;
	read_slowly(8, 4096, 300000);
	assert_int_equal(toy.lost, lost + 1);
}

static void test_a_slow_reader_that_is_one(void **state)
{
	int lost = toy.lost;

	(void)state;
	toy.file_len = 1u << 20;
	assert_in_range(read_slowly(4, 65536, 4u << 20), 4u << 20, (4u << 20) + 4096);
	assert_int_equal(toy.lost, lost);
}

static int setup_full(void **state)
{
	(void)state;
	toy_open((struct http_options){.max_connections = LIMIT, .yield_ms = 300});
	return 0;
}

static int setup_rates(void **state)
{
	(void)state;
	toy_open((struct http_options){.head_ms = 200,
	    .idle_ms = 300,
	    .body_ms = 250,
	    .write_ms = 300,
	    .linger_ms = 400,
	    .least_rate = 4000});
	return 0;
}

static int setup_replies(void **state)
{
	(void)state;
	toy_open((struct http_options){.write_ms = 300, .least_rate = 1000000});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_close();
	return 0;
}

#define FULL(test) cmocka_unit_test_setup_teardown(test, setup_full, teardown)
#define RATE(test) cmocka_unit_test_setup_teardown(test, setup_rates, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FULL(test_idle_longest_gives_way),
	    FULL(test_the_silent_give_way_before_the_busy),
	    FULL(test_hundreds_come_and_all_are_served),
	    FULL(test_the_stalled_give_way_after_a_while),
	    FULL(test_a_head_that_stalls_gives_way),
	    FULL(test_what_is_being_answered_never_gives_way),
	    FULL(test_a_fast_upload_is_not_cut_by_those_who_come),
	    RATE(test_empty_lines_are_no_head),
	    RATE(test_bodies_that_trickle),
	    RATE(test_a_slow_body_that_is_one),
	    cmocka_unit_test_setup_teardown(test_readers_that_trickle, setup_replies, teardown),
	    RATE(test_a_slow_reader_that_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
