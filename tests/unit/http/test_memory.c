/* What clients can make the server keep, and what becomes of it when that is much. */
#include "tests/unit/http/toy.h"

#include "server/http/loop.h"

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: here\r\n"
#define MIB (1u << 20)

static int setup(void **state)
{
	(void)state;
	toy_open((struct http_options){.memory_bytes = 64 * MIB});
	return 0;
}

static int setup_little(void **state)
{
	(void)state;
	toy_open((struct http_options){.memory_bytes = 2 * MIB, .threads = 1});
	return 0;
}

static int setup_nowhere(void **state)
{
	(void)state;
	toy_open((struct http_options){.memory_bytes = 8 * MIB, .body_folder = "/no/such/folder"});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_close(); /* which sees that all that was taken was given back */
	return 0;
}

static size_t taken(void)
{
	return atomic_load(&toy.server->memory.taken) + atomic_load(&toy.server->connections.taken);
}

static void expect_large(struct client *c)
{
	struct answer a = client_answer(c, true);

	assert_int_equal(a.status, 200);
	assert_int_equal(a.body_len, TOY_LARGE);
	for (size_t i = 0; i < TOY_LARGE; i++)
		if ((unsigned char)a.body[i] != toy_byte(i))
			fail_msg("byte %zu is wrong", i);
	answer_free(&a);
}

/* Eight replies of 8 MiB are begun; a few remain in memory for the length of a tick, and then none does. */
static void test_unread_replies_go_to_files(void **state)
{
	struct client readers[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		readers[i] = client_open();
		client_say(&readers[i], HEAD("GET", "/large") "\r\n");
		client_fill(&readers[i]);
	}
	toy_until(taken() < MIB);
	assert_int_equal(toy.kept, 8);
	assert_int_equal(toy.finished, 0);
	/* Every byte comes, and the connection is good for more. */
	for (int i = 0; i < 8; i++) {
		expect_large(&readers[i]);
		client_say(&readers[i], HEAD("GET", "/empty") "\r\n");
		expect(&readers[i], 204, NULL);
		client_close(&readers[i]);
	}
	assert_int_equal(toy.lost, 0);
}

static void test_what_the_kernel_takes_costs_no_file(void **state)
{
	struct client c = client_open();
	char body[60000];

	(void)state;
	memset(body, 'x', sizeof(body));
	for (int i = 0; i < 20; i++) {
		client_say(&c, HEAD("PUT", "/echo") "Content-Length: 60000\r\n\r\n");
		client_send(&c, body, sizeof(body));
		expect(&c, 200, NULL);
	}
	client_close(&c);
	assert_int_equal(toy.kept, 0);
}

static void test_no_room_for_the_file(void **state)
{
	struct client lost = client_open(), other = client_open();

	(void)state;
	client_say(&lost, HEAD("GET", "/large") "\r\n");
	toy_until(toy.lost == 1);
	toy_until(taken() < (1u << 20)); /* what it held comes back a moment after it was lost */
	client_say(&other, HEAD("GET", "/empty") "\r\n");
	expect(&other, 204, NULL);
	client_close(&lost);
	client_close(&other);
	assert_int_equal(toy.kept, 0);
}

/* Behind a chunked body that is complete there is the next request, and more, which came in one read. */
static void test_what_follows_an_unread_reply_is_not_kept(void **state)
{
	static const char end[] = "1\r\nx\r\n0\r\n\r\n" HEAD("PUT", "/echo");
	char more[50000];
	struct client readers[8];

	(void)state;
	memset(more, 'x', sizeof(more));
	memcpy(more, end, sizeof(end) - 1);
	for (int i = 0; i < 8; i++) {
		readers[i] = client_open();
		client_say(&readers[i], HEAD("PUT", "/large") "Transfer-Encoding: chunked\r\n\r\n");
		usleep(20000);
		client_send(&readers[i], more, sizeof(more));
	}
	toy_until(toy.kept == 8);
	toy_until(taken() < LOOP_BUFFER_BYTES); /* each held one */
	for (int i = 0; i < 8; i++) {
		expect_large(&readers[i]);
		client_close(&readers[i]);
	}
}

/* The same with little behind it: that is answered. */
static void test_a_small_request_that_follows_is_answered(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("PUT", "/large") "Transfer-Encoding: chunked\r\n\r\n");
	usleep(50000);
	client_say(&c, "1\r\nx\r\n0\r\n\r\n" HEAD("GET", "/empty") "\r\n");
	toy_until(toy.kept == 1);
	expect_large(&c);
	expect(&c, 204, NULL);
	client_close(&c);
}

/* ---- with 2 MiB in all ---- */

static void test_small_bodies_go_to_files_when_they_are_many(void **state)
{
	struct client clients[40];
	struct answer a;
	char body[60000];

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)toy_byte(i);
	for (int i = 0; i < 40; i++) {
		clients[i] = client_open();
		client_say(&clients[i], HEAD("PUT", "/echo") "Content-Length: 60000\r\n\r\n");
		client_send(&clients[i], body, sizeof(body) - 1);
	}
	toy_until(toy.started == 40);
	/* What the first few hold, and 40 connections with their heads: 2.4 MB of bodies do not fit. */
	toy_until(taken() < 900 * 1024);
	for (int i = 0; i < 40; i++) {
		client_send(&clients[i], body + sizeof(body) - 1, 1);
		a = client_answer(&clients[i], true);
		assert_int_equal(a.status, 200);
		assert_int_equal(a.body_len, sizeof(body));
		assert_memory_equal(a.body, body, sizeof(body));
		answer_free(&a);
		client_close(&clients[i]);
	}
}

static void test_large_heads_are_refused_when_they_are_many(void **state)
{
	struct client clients[60];
	char fill[20000];
	int refused = 0;

	(void)state;
	memset(fill, 'x', sizeof(fill));
	for (int i = 0; i < 60; i++) {
		clients[i] = client_open();
		client_say(&clients[i], HEAD("GET", "/empty") "X: ");
		client_send(&clients[i], fill, sizeof(fill));
		usleep(1000);
	}
	for (int i = 0; i < 60; i++) {
		struct answer a;

		client_say(&clients[i], "\r\n\r\n");
		a = client_answer(&clients[i], true);
		assert_true(a.status == 204 || a.status == 503);
		if (a.status == 503)
			assert_string_equal(strndupa(header_at(&a, "Retry-After"), 1), "1");
		refused += a.status == 503;
		answer_free(&a);
		client_close(&clients[i]);
	}
	assert_true(refused > 20 && refused < 60);
	clients[0] = client_open();
	client_say(&clients[0], HEAD("GET", "/empty") "X: ");
	client_send(&clients[0], fill, sizeof(fill));
	client_say(&clients[0], "\r\n\r\n");
	expect(&clients[0], 204, NULL);
	client_close(&clients[0]);
}

static void test_requests_are_refused_when_there_is_nothing_left(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("GET", "/empty") "\r\n");
	expect(&c, 204, NULL);
	memory_count(&toy.server->memory, 2 * MIB);
	client_say(&c, HEAD("GET", "/empty") "\r\n");
	expect(&c, 503, "too many requests hold memory at this moment: try again\n");
	expect_closed(&c);
	client_close(&c);
	memory_give(&toy.server->memory, 2 * MIB);
	/* and so are connections */
	memory_count(&toy.server->connections, MIB);
	c = client_open();
	expect_closed(&c);
	client_close(&c);
	memory_give(&toy.server->connections, MIB);
	c = client_open();
	client_say(&c, HEAD("GET", "/empty") "\r\n");
	expect(&c, 204, NULL);
	client_close(&c);
}

int main(void)
{
#define UNDER(set, test) cmocka_unit_test_setup_teardown(test, set, teardown)
	const struct CMUnitTest tests[] = {
	    UNDER(setup, test_unread_replies_go_to_files),
	    UNDER(setup, test_what_the_kernel_takes_costs_no_file),
	    UNDER(setup_nowhere, test_no_room_for_the_file),
	    UNDER(setup, test_what_follows_an_unread_reply_is_not_kept),
	    UNDER(setup, test_a_small_request_that_follows_is_answered),
	    UNDER(setup_little, test_small_bodies_go_to_files_when_they_are_many),
	    UNDER(setup_little, test_large_heads_are_refused_when_they_are_many),
	    UNDER(setup_little, test_requests_are_refused_when_there_is_nothing_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
