/* The transport's limits and time-outs, and its way to stop. */
#include "tests/unit/http/toy.h"

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: here\r\n"

/* A head of exactly `len` bytes, made so by a long field; freed by the caller. */
static char *head_of(size_t len)
{
	const char *start = HEAD("GET", "/") "X: ";
	char *head = malloc(len + 1);

	assert_non_null(head);
	memset(head, 'a', len);
	memcpy(head, start, strlen(start));
	memcpy(head + len - 4, "\r\n\r\n", 5);
	return head;
}

static void expect_refused(struct client *c, int status, const char *text)
{
	int finished = toy.finished;

	expect(c, status, text);
	expect_closed(c);
	assert_int_equal(toy.last_status, status);
	assert_true(toy.finished >= finished);
	client_close(c);
}

static void test_head_size(void **state)
{
	struct client c = client_open();
	char *head = head_of(32u << 10);

	(void)state;
	client_say(&c, head);
	expect(&c, 200, "GET /? here");
	free(head);
	head = head_of((32u << 10) + 1);
	client_say(&c, head);
	expect_refused(&c, 431, "the request head is too large\n");
	free(head);
}

/* Asks for a target of `len` bytes. */
static void say_target(struct client *c, size_t len)
{
	char *target = malloc(len + 1);

	assert_non_null(target);
	memset(target, 'a', len);
	target[0] = '/';
	target[len] = '\0';
	client_say(c, "GET ");
	client_say(c, target);
	client_say(c, " HTTP/1.1\r\nHost: here\r\n\r\n");
	free(target);
}

static void test_target_size(void **state)
{
	struct client c = client_open();

	(void)state;
	say_target(&c, 8192);
	expect(&c, 200, NULL);
	say_target(&c, 8193);
	expect_refused(&c, 414, "the request target is too long\n");
	c = client_open();
	say_target(&c, 60000);
	expect_refused(&c, 414, "the request target is too long\n");
}

static void test_field_count(void **state)
{
	struct client c = client_open();

	(void)state;
	for (int count = 100; count <= 101; count++) {
		client_say(&c, HEAD("GET", "/"));
		for (int i = 1; i < count; i++)
			client_say(&c, "X: y\r\n");
		client_say(&c, "\r\n");
		if (count == 100)
			expect(&c, 200, NULL);
	}
	expect_refused(&c, 431, "the request has too many header fields\n");
}

static void test_body_size(void **state)
{
	struct client c = client_open();
	char *body = calloc(1, 65537);
	int started = toy.started, aborted = toy.aborted;

	(void)state;
	client_say(
	    &c, HEAD("PUT", "/echo") "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n");
	expect_refused(&c, 413, "the request body is too large\n");
	assert_int_equal(toy.started, started); /* refused before start */

	c = client_open();
	client_say(&c, HEAD("PUT", "/echo") "Transfer-Encoding: chunked\r\n\r\n10001\r\n");
	client_send(&c, body, 65537);
	expect_refused(&c, 413, "the request body is too large\n");
	assert_int_equal(toy.aborted, aborted + 1);
	free(body);
}

static void test_slow_head(void **state)
{
	struct client c = client_open();

	(void)state;
	for (int i = 0; i < 10 && client_say(&c, i ? "a" : "GET /"); i++)
		usleep(30000);
	expect_refused(&c, 408, "the request head took too long\n");
}

static void test_idle(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("GET", "/") "\r\n");
	expect(&c, 200, NULL);
	expect_closed(&c);
	client_close(&c);
	c = client_open(); /* never says anything */
	expect_closed(&c);
	client_close(&c);
}

static void test_stalled_body(void **state)
{
	struct client c = client_open();
	int aborted = toy.aborted;

	(void)state;
	client_say(&c, HEAD("PUT", "/count") "Content-Length: 10\r\n\r\n1");
	for (int i = 0; i < 5; i++) { /* slow, but it goes on */
		usleep(100000);
		client_say(&c, "1");
	}
	expect_refused(&c, 408, "the request body stalled\n");
	assert_int_equal(toy.aborted, aborted + 1);
}

static void test_slow_reader(void **state)
{
	struct client c = client_open();
	int lost = toy.lost, small = 4096;

	(void)state;
	setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 8; i++)
		client_say(&c, HEAD("GET", "/file") "\r\n");
	toy_until(toy.lost == lost + 1);
	client_close(&c);
}

static void test_waiting_has_no_deadline(void **state)
{
	struct client c = client_open();

	(void)state;
	toy.delay_ms = 700;
	client_say(&c, HEAD("GET", "/wait") "\r\n");
	expect(&c, 200, NULL);
	client_say(&c, HEAD("PUT", "/waitbody") "Content-Length: 2\r\n\r\na");
	usleep(50000);
	client_say(&c, "b");
	expect(&c, 201, "2 195");
	toy.delay_ms = 0;
	client_close(&c);
}

/* Of a refused body only so much, and so long, is taken. */
static void test_linger_is_bounded(void **state)
{
	struct client c = client_open();
	char *bytes = calloc(1, 1u << 20);
	int sent = 0;

	(void)state;
	client_say(&c, HEAD("PUT", "/refuse") "Content-Length: 1000000000000\r\n\r\n");
	while (sent < 200 && client_send(&c, bytes, 1u << 20))
		sent++;
	assert_true(sent < 100);
	client_close(&c);
	c = client_open();
	client_say(&c, HEAD("PUT", "/refuse") "Content-Length: 1000000000000\r\n\r\n");
	expect(&c, 403, NULL);
	for (sent = 0; sent < 200 && client_say(&c, "a"); sent++)
		usleep(10000);
	assert_in_range(sent, 10, 150);
	client_close(&c);
	free(bytes);
}

static void test_too_many_connections(void **state)
{
	struct client c[16], more;
	int before = atomic_load(&toy.started);

	(void)state;
	for (int i = 0; i < 16; i++) {
		c[i] = client_open();
		client_say(&c[i], HEAD("PUT", "/count") "Content-Length: 1\r\n\r\n");
	}
	toy_until(toy.started == before + 16); /* none of them is idle any more */
	more = client_open();
	expect_refused(&more, 503, "too many connections\n");
	for (int i = 0; i < 16; i++) {
		client_say(&c[i], "A");
		expect(&c[i], 201, "1 65");
		client_close(&c[i]);
	}
	usleep(50000);
	more = client_open();
	client_say(&more, HEAD("GET", "/") "\r\n");
	expect(&more, 200, NULL);
	client_close(&more);
}

static void test_chunk_overhead_is_bounded(void **state)
{
	struct client c = client_open();
	bool sent = client_say(&c, HEAD("PUT", "/count") "Transfer-Encoding: chunked\r\n\r\n1;");

	(void)state;
	for (int i = 0; i < 17000 && sent; i++)
		sent = client_say(&c, "a");
	expect(&c, 400, "the chunked body has an extension or trailer that is too long\n");
	client_close(&c);
	c = client_open();
	sent = client_say(&c, HEAD("PUT", "/count") "Transfer-Encoding: chunked\r\n\r\n0\r\n");
	for (int i = 0; i < 17000 / 6 && sent; i++)
		sent = client_say(&c, "X: y\r\n");
	expect(&c, 400, "the chunked body has an extension or trailer that is too long\n");
	client_close(&c);
}

static void test_port_in_use(void **state)
{
	struct http_options options = {.host = "127.0.0.1", .port = toy.port, .route = toy_route};
	char why[256] = "";

	(void)state;
	assert_null(http_server_new(&options, why, sizeof(why)));
	assert_non_null(strstr(why, "is in use"));
	options.host = "example";
	assert_null(http_server_new(&options, why, sizeof(why)));
	assert_non_null(strstr(why, "'example' is not an address"));
}

/* ---- stopping: each test has a server of its own ---- */

static void *stop_now(void *arg)
{
	http_server_stop(toy.server, *(uint32_t *)arg);
	return NULL;
}

static void test_stop_closes_idle_and_finishes_running(void **state)
{
	struct client idle = client_open(), waiting = client_open(), sending = client_open();
	uint32_t grace = 5000;
	int64_t began;
	pthread_t stopper;

	(void)state;
	toy.delay_ms = 200;
	client_say(&idle, HEAD("GET", "/") "\r\n");
	expect(&idle, 200, NULL);
	client_say(&waiting, HEAD("GET", "/wait") "\r\n");
	client_say(&sending, HEAD("PUT", "/count") "Content-Length: 2\r\n\r\nA");
	usleep(50000);
	began = http_now_us();
	pthread_create(&stopper, NULL, stop_now, &grace);
	expect_closed(&idle);
	assert_true(http_now_us() - began < 100000);
	client_say(&sending, "B");
	expect(&sending, 201, "2 131");
	expect_closed(&sending);
	expect(&waiting, 200, NULL);
	expect_closed(&waiting);
	pthread_join(stopper, NULL);
	assert_true(http_now_us() - began < 1000000);
	client_close(&idle);
	client_close(&waiting);
	client_close(&sending);
}

static void test_stop_cuts_what_does_not_finish(void **state)
{
	struct client sending = client_open(), half = client_open(), waiting = client_open();
	int64_t began = http_now_us();
	struct http_counters counters;

	(void)state;
	toy.delay_ms = 400;
	client_say(&sending, HEAD("PUT", "/count") "Content-Length: 2\r\n\r\nA");
	client_say(&half, "GET / HT");
	client_say(&waiting, HEAD("GET", "/wait") "\r\n");
	usleep(50000);
	http_server_stop(toy.server, 100);
	assert_in_range(http_now_us() - began, 300000, 900000); /* the waiting one is waited for */
	assert_int_equal(toy.aborted, 2);
	assert_int_equal(toy.lost, 2);
	http_server_counters(toy.server, &counters);
	assert_int_equal(counters.open, 0);
	client_close(&sending);
	client_close(&half);
	client_close(&waiting);
}

static int setup(void **state)
{
	(void)state;
	toy_open((struct http_options){.max_connections = 16,
	    .head_ms = 200,
	    .idle_ms = 300,
	    .body_ms = 250,
	    .least_rate = 8,
	    .write_ms = 300,
	    .linger_ms = 400});
	return 0;
}

static int setup_default(void **state)
{
	(void)state;
	toy_open((struct http_options){.threads = 3});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_close();
	return 0;
}

#define LIMIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define STOP(test) cmocka_unit_test_setup_teardown(test, setup_default, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LIMIT(test_head_size),
	    LIMIT(test_target_size),
	    LIMIT(test_field_count),
	    LIMIT(test_body_size),
	    LIMIT(test_slow_head),
	    LIMIT(test_idle),
	    LIMIT(test_stalled_body),
	    LIMIT(test_slow_reader),
	    LIMIT(test_waiting_has_no_deadline),
	    LIMIT(test_linger_is_bounded),
	    LIMIT(test_too_many_connections),
	    LIMIT(test_chunk_overhead_is_bounded),
	    LIMIT(test_port_in_use),
	    STOP(test_stop_closes_idle_and_finishes_running),
	    STOP(test_stop_cuts_what_does_not_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
