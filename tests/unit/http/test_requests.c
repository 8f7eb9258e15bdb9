/* The transport, driven over sockets: what well-behaved clients do. */
#include "tests/unit/http/toy.h"

#define HEAD(method, path) method " " path " HTTP/1.1\r\nHost: here\r\n"

static void test_get(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("GET", "/a/b?x=1&y=%20") "\r\n");
	expect(&c, 200, "GET /a/b?x=1&y=%20 here");
	client_say(&c, HEAD("DELETE", "/") "\r\n");
	expect(&c, 200, "DELETE /? here");
	client_close(&c);
}

static void test_head_has_length_and_no_body(void **state)
{
	struct client c = client_open();
	struct answer a;

	(void)state;
	client_say(&c, HEAD("HEAD", "/abc") "\r\n" HEAD("HEAD", "/file") "\r\n");
	a = client_answer(&c, false);
	assert_int_equal(a.status, 200);
	assert_int_equal(strtol(header_at(&a, "Content-Length"), NULL, 10), 15);
	a = client_answer(&c, false);
	assert_int_equal(strtol(header_at(&a, "Content-Length"), NULL, 10), toy.file_len);
	client_say(&c, HEAD("GET", "/x") "\r\n");
	expect(&c, 200, "GET /x? here");
	client_close(&c);
}

static void test_no_content_has_no_length(void **state)
{
	struct client c = client_open();
	struct answer a;

	(void)state;
	client_say(&c, HEAD("GET", "/empty") "\r\n");
	a = client_answer(&c, true);
	assert_int_equal(a.status, 204);
	assert_null(header_at(&a, "Content-Length"));
	assert_non_null(header_at(&a, "Date"));
	client_close(&c);
}

static void test_absolute_target(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c,
	    "GET http://there:80/p?q HTTP/1.1\r\nHost: there:80\r\n\r\n"
	    "GET http://there HTTP/1.1\r\nHost: there\r\n\r\n");
	expect(&c, 200, "GET /p?q there:80");
	expect(&c, 200, "GET /? there");
	client_say(&c, HEAD("OPTIONS", "*") "\r\n");
	expect(&c, 200, "OPTIONS *? here");
	client_close(&c);
}

static void test_pipelined_in_order(void **state)
{
	struct client c = client_open();
	char text[128], want[64];

	(void)state;
	toy.delay_ms = 1;
	for (int i = 0; i < 300; i++) {
		snprintf(
		    text, sizeof(text), HEAD("GET", "/%s%d") "\r\n", i % 30 == 0 ? "wait?" : "", i);
		client_say(&c, text);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(want, sizeof(want), i % 30 ? "GET /%d? here" : "GET /wait?%d here", i);
		expect(&c, 200, want);
	}
	toy.delay_ms = 0;
	client_close(&c);
}

static void test_pipelined_bodies_in_one_packet(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c,
	    HEAD("POST", "/echo") "Content-Length: 3\r\n\r\nabc" HEAD("PUT",
		"/echo") "Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nT: "
			 "1\r\n\r\n" HEAD("POST", "/echo") "Content-Length: 0\r\n\r\n" HEAD(
			     "GET", "/last") "\r\n");
	expect(&c, 200, "abc");
	expect(&c, 200, "def");
	expect(&c, 200, "");
	expect(&c, 200, "GET /last? here");
	client_close(&c);
}

/* Behind a chunked body that fills the loop's buffers come further requests, whole and in part. */
static void test_pipelined_behind_chunked(void **state)
{
	struct client c = client_open();
	size_t body = 200000, requests = 20000;
	char *bytes = calloc(1, body);
	char *tail = calloc(1, requests + 1000), *to = tail;
	int n = 0;

	(void)state;
	client_say(&c, HEAD("PUT", "/count") "Transfer-Encoding: chunked\r\n\r\n30d40\r\n");
	for (; to < tail + requests; n++)
		to += snprintf(to, 200, HEAD("GET", "/%d") "\r\n", n);
	client_send(&c, bytes, body);
	client_say(&c, "\r\n0\r\n\r\n");
	client_send(&c, tail, (size_t)(to - tail));
	expect(&c, 201, "200000 0");
	for (int i = 0; i < n; i++) {
		char want[32];

		snprintf(want, sizeof(want), "GET /%d? here", i);
		expect(&c, 200, want);
	}
	free(bytes);
	free(tail);
	client_close(&c);
}

static void test_split_at_every_byte(void **state)
{
	const char *text = "\r\n" HEAD("POST",
	    "/echo") "X-Empty:\r\nX-Blank:  \t\r\nX-Long: a b  c\t\r\n"
		     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5;e=\"q\"\r\ndefgh\r\n0\r\n"
		     "Trailer: yes\r\n\r\n";
	struct client c = client_open();

	(void)state;
	for (size_t at = 1; at < strlen(text); at++) {
		client_send(&c, text, at);
		usleep(300);
		client_send(&c, text + at, strlen(text) - at);
		expect(&c, 200, "abcdefgh");
	}
	for (size_t at = 0; at < strlen(text); at++) {
		client_send(&c, text + at, 1);
		usleep(50);
	}
	expect(&c, 200, "abcdefgh");
	client_close(&c);
}

/* Sends len bytes of the toy pattern, chunked in sizes of 1 to most (0: plain); checks the sum. */
static void put_and_check(struct client *c, const char *path, size_t len, size_t most)
{
	unsigned char *bytes = malloc(len + 1);
	char text[256];
	uint64_t sum = 0;
	size_t at = 0, n;

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		sum += bytes[i] = toy_byte(i);
	snprintf(text, sizeof(text), "PUT %s HTTP/1.1\r\nHost: here\r\n%s: %.0zu%s\r\n\r\n", path,
	    most ? "Transfer-Encoding" : "Content-Length", most ? 0 : len, most ? "chunked" : "");
	client_say(c, text);
	if (!most)
		client_send(c, bytes, len);
	for (; most && at < len; at += n) {
		n = 1 + (at * 2654435761u >> 7) % most;
		n = n < len - at ? n : len - at;
		snprintf(text, sizeof(text), "%zx\r\n", n);
		client_say(c, text);
		client_send(c, bytes + at, n);
		client_say(c, "\r\n");
	}
	if (most)
		client_say(c, "0\r\n\r\n");
	snprintf(text, sizeof(text), "%zu %llu", len, (unsigned long long)sum);
	expect(c, 201, text);
	free(bytes);
}

static void test_bodies_of_all_kinds(void **state)
{
	const size_t lengths[] = {1, 2, 4095, 4096, 4097, 65536, 262143, 262144, 262145, 3000000};
	struct client c = client_open();

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		put_and_check(&c, "/count", lengths[i], 0);
		put_and_check(&c, "/waitbody", lengths[i], 0);
		put_and_check(&c, "/count", lengths[i], 1000000);
		put_and_check(&c, "/waitbody", lengths[i], 70000);
	}
	put_and_check(&c, "/count", 30000, 3);
	put_and_check(&c, "/waitbody", 5000, 100);
	client_close(&c);
}

static void test_collected_bodies(void **state)
{
	const size_t lengths[] = {1, 3900, 4096, 5000, 65535, 65536};
	struct client c = client_open();
	char head[128], *body = malloc(65536);
	struct answer a;

	(void)state;
	for (size_t i = 0; i < 65536; i++)
		body[i] = (char)toy_byte(i);
	for (size_t i = 0; i < 2 * sizeof(lengths) / sizeof(*lengths); i++) {
		size_t len = lengths[i / 2];

		snprintf(head, sizeof(head), HEAD("PUT", "/echo") "%s%zu\r\n\r\n",
		    i % 2 ? "Content-Length: " : "Transfer-Encoding: chunked\r\nX: ", len);
		client_say(&c, head);
		for (size_t at = 0; at < len && i % 2 == 0; at += 1000) {
			size_t n = len - at < 1000 ? len - at : 1000;

			snprintf(head, sizeof(head), "%zX\r\n", n);
			client_say(&c, head);
			client_send(&c, body + at, n);
			client_say(&c, "\r\n");
		}
		i % 2 ? client_send(&c, body, len) : client_say(&c, "0\r\n\r\n");
		a = client_answer(&c, true);
		assert_int_equal(a.body_len, len);
		assert_memory_equal(a.body, body, len);
		answer_free(&a);
	}
	free(body);
	client_close(&c);
}

static void test_continue_when_start_says_go(void **state)
{
	struct client c = client_open();

	(void)state;
	for (int i = 0; i < 2; i++) {
		client_say(
		    &c, HEAD("PUT", "/count") "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
		expect(&c, 100, "");
		client_say(&c, "AB");
		expect(&c, 201, "2 131");
		client_say(&c,
		    HEAD("PUT", "/waitstart") "Expect: 100-Continue\r\n"
					      "Transfer-Encoding: chunked\r\n\r\n");
		expect(&c, 100, "");
		client_say(&c, "2\r\nAB\r\n0\r\n\r\n");
		expect(&c, 200, "AB");
	}
	/* No need for it when the body is already there, or when there is none. */
	client_say(&c, HEAD("PUT", "/echo") "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nCD");
	expect(&c, 200, "CD");
	client_say(&c, HEAD("PUT", "/echo") "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n");
	expect(&c, 200, "");
	client_close(&c);
}

static void test_refusal_before_continue(void **state)
{
	struct client c = client_open();
	int started = toy.started;

	(void)state;
	client_say(
	    &c, HEAD("PUT", "/refuse") "Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n");
	expect(&c, 403, "refused in start\n");
	expect_closed(&c);
	assert_int_equal(toy.started, started + 1);
	client_close(&c);
}

/* The client is still sending when the answer comes; it reads it all the same. */
static void test_refused_body_is_drained(void **state)
{
	struct client c = client_open();
	char *bytes = calloc(1, 8u << 20);

	(void)state;
	client_say(&c, HEAD("PUT", "/refuse") "Content-Length: 8388608\r\n\r\n");
	assert_true(client_send(&c, bytes, 8u << 20));
	expect(&c, 403, "refused in start\n");
	expect_closed(&c);
	free(bytes);
	client_close(&c);
}

static void test_small_refused_body_keeps_the_connection(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("PUT", "/refuse") "Content-Length: 10\r\n\r\n01234");
	expect(&c, 403, "refused in start\n");
	client_say(&c, "56789" HEAD("GET", "/next") "\r\n");
	expect(&c, 200, "GET /next? here");
	client_close(&c);
}

static void test_file(void **state)
{
	struct client c = client_open();
	struct answer a;

	(void)state;
	client_say(&c, HEAD("GET", "/file") "\r\n" HEAD("GET", "/after") "\r\n");
	a = client_answer(&c, true);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.body_len, toy.file_len);
	for (uint64_t i = 0; i < toy.file_len; i++)
		if ((unsigned char)a.body[i] != toy_byte(i))
			fail_msg("byte %llu differs", (unsigned long long)i);
	answer_free(&a);
	expect(&c, 200, "GET /after? here");
	client_close(&c);
}

static void test_file_shorter_than_promised(void **state)
{
	struct client c = client_open();
	int lost = toy.lost;

	(void)state;
	toy.file_len += 100;
	client_say(&c, HEAD("GET", "/file") "\r\n");
	while (client_fill(&c))
		;
	assert_true(c.len >= toy.file_len - 100 && c.len < toy.file_len + 200);
	toy_until(toy.lost == lost + 1);
	toy.file_len -= 100;
	client_close(&c);
}

static void test_http_1_0(void **state)
{
	struct client c = client_open();
	struct answer a;

	(void)state;
	client_say(&c, "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	a = client_answer(&c, true);
	assert_string_equal(a.body, "GET /old? ");
	assert_memory_equal(header_at(&a, "Connection"), "keep-alive\r\n", 12);
	answer_free(&a);
	client_say(&c, "GET /old HTTP/1.0\r\n\r\n");
	a = client_answer(&c, true);
	assert_memory_equal(header_at(&a, "Connection"), "close\r\n", 7);
	answer_free(&a);
	expect_closed(&c);
	client_close(&c);
}

static void test_connection_close(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(
	    &c, HEAD("GET", "/bye") "Connection: foo, Close\r\n\r\n" HEAD("GET", "/no") "\r\n");
	expect(&c, 200, "GET /bye? here");
	expect_closed(&c);
	client_close(&c);
}

static void test_upgrade_is_not_taken_up(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c,
	    HEAD("GET", "/h2c") "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
				"HTTP2-Settings: AAMAAABk\r\n\r\n");
	expect(&c, 200, "GET /h2c? here");
	client_say(&c,
	    HEAD("POST", "/echo") "Connection: Upgrade\r\nUpgrade: websocket\r\n"
				  "Content-Length: 2\r\n\r\nhi");
	expect(&c, 200, "hi");
	client_close(&c);
}

/* The client has said all and only listens: it gets its answer. */
static void test_half_close(void **state)
{
	struct client c = client_open();

	(void)state;
	toy.delay_ms = 30;
	client_say(&c, HEAD("GET", "/wait") "\r\n");
	shutdown(c.fd, SHUT_WR);
	expect(&c, 200, "GET /wait? here");
	expect_closed(&c);
	toy.delay_ms = 0;
	client_close(&c);
}

static void test_client_leaves_while_waiting(void **state)
{
	int started = toy.started, aborted = toy.aborted, lost = toy.lost;
	struct client c = client_open();

	(void)state;
	toy.delay_ms = 50;
	client_say(&c, HEAD("GET", "/wait") "\r\n");
	toy_until(toy.started == started + 1);
	client_reset(&c);
	toy_until(toy.aborted == aborted + 1 && toy.lost == lost + 1);
	toy.delay_ms = 0;
}

static void test_client_leaves_within_body(void **state)
{
	int aborted = toy.aborted, finished = toy.finished;
	unsigned long long pieces = toy.pieces;
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("PUT", "/count") "Content-Length: 100\r\n\r\n12345");
	toy_until(toy.pieces > pieces);
	client_reset(&c);
	toy_until(toy.aborted == aborted + 1 && toy.finished == finished + 1);
	c = client_open();
	client_say(&c, HEAD("PUT", "/count") "Content-Length: 100\r\n\r\n12345");
	shutdown(c.fd, SHUT_WR);
	expect(&c, 400, "the request body is incomplete\n");
	assert_int_equal(toy.aborted, aborted + 2);
	client_close(&c);
}

static void test_client_leaves_within_file(void **state)
{
	int lost = toy.lost;
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("GET", "/file") "\r\n" HEAD("GET", "/file") "\r\n");
	assert_int_equal(poll(&(struct pollfd){.fd = c.fd, .events = POLLIN}, 1, 5000), 1);
	client_reset(&c);
	toy_until(toy.lost == lost + 1);
}

static void test_many_connections_at_once(void **state)
{
	struct client c[64];
	struct http_counters counters;

	(void)state;
	toy.delay_ms = 1;
	for (int i = 0; i < 64; i++) {
		c[i] = client_open();
		client_say(&c[i], HEAD("PUT", "/waitbody") "Content-Length: 4\r\n\r\nab");
	}
	for (int i = 0; i < 64; i++)
		client_say(&c[i], "cd" HEAD("GET", "/wait") "\r\n");
	for (int i = 0; i < 64; i++) {
		expect(&c[i], 201, "4 394");
		expect(&c[i], 200, "GET /wait? here");
	}
	http_server_counters(toy.server, &counters);
	assert_true(counters.open >= 64 && counters.requests >= 128);
	for (int i = 0; i < 64; i++)
		client_close(&c[i]);
	toy.delay_ms = 0;
}

static long memory_kb(const char *what)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, what, strlen(what)) == 0)
			kb = strtol(line + strlen(what), NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* An application that finds no handler for a request is a fault of ours: the client is told, the server lives. */
static void test_routed_to_no_handler(void **state)
{
	struct client c = client_open();

	(void)state;
	client_say(&c, HEAD("PUT", "/lost") "Content-Length: 3\r\n\r\nabc");
	expect(&c, 500, "no handler was found for the request\n");
	expect_closed(&c);
	assert_int_equal(toy.last_status, 500);
	client_close(&c);
	c = client_open();
	client_say(&c, HEAD("GET", "/") "\r\n");
	expect(&c, 200, NULL);
	client_close(&c);
}

/* 256 MiB in, plain and as one chunk, with a slow consumer: the server's memory does not follow. */
static void test_memory_is_flat(void **state)
{
	const char *framings[] = {
	    "Content-Length: 268435456\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n10000000\r\n"};
	char *bytes = calloc(1, 1u << 20);
	struct client c = client_open();
	long before = memory_kb("VmHWM:");

	(void)state;
	for (int i = 0; i < 2; i++) {
		client_say(&c, HEAD("PUT", "/waitbody"));
		client_say(&c, framings[i]);
		for (int n = 0; n < 256; n++)
			client_send(&c, bytes, 1u << 20);
		if (i == 1)
			client_say(&c, "\r\n0\r\n\r\n");
		expect(&c, 201, "268435456 0");
	}
	assert_in_range(memory_kb("VmHWM:") - before, 0, 8192);
	free(bytes);
	client_close(&c);
}

static int setup(void **state)
{
	(void)state;
	toy_open((struct http_options){0});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_get),
	    cmocka_unit_test(test_head_has_length_and_no_body),
	    cmocka_unit_test(test_no_content_has_no_length),
	    cmocka_unit_test(test_absolute_target),
	    cmocka_unit_test(test_pipelined_in_order),
	    cmocka_unit_test(test_pipelined_bodies_in_one_packet),
	    cmocka_unit_test(test_pipelined_behind_chunked),
	    cmocka_unit_test(test_split_at_every_byte),
	    cmocka_unit_test(test_bodies_of_all_kinds),
	    cmocka_unit_test(test_collected_bodies),
	    cmocka_unit_test(test_continue_when_start_says_go),
	    cmocka_unit_test(test_refusal_before_continue),
	    cmocka_unit_test(test_refused_body_is_drained),
	    cmocka_unit_test(test_small_refused_body_keeps_the_connection),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_file_shorter_than_promised),
	    cmocka_unit_test(test_http_1_0),
	    cmocka_unit_test(test_connection_close),
	    cmocka_unit_test(test_upgrade_is_not_taken_up),
	    cmocka_unit_test(test_half_close),
	    cmocka_unit_test(test_client_leaves_while_waiting),
	    cmocka_unit_test(test_client_leaves_within_body),
	    cmocka_unit_test(test_client_leaves_within_file),
	    cmocka_unit_test(test_many_connections_at_once),
	    cmocka_unit_test(test_routed_to_no_handler),
	    cmocka_unit_test(test_memory_is_flat),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
