/* Posting to loops from other threads, and when the application's hooks are called. */
#include "tests/unit/http/toy.h"

#define POSTERS 4
#define POSTS 20000

struct numbered {
	struct http_task task;
	unsigned poster, number;
};

static unsigned next_number[POSTERS]; /* touched by the loop alone until `ran` says the end */
static atomic_uint ran, out_of_order;

static void run_numbered(struct http_task *task)
{
	struct numbered *n = (struct numbered *)(void *)task;

	if (next_number[n->poster] != n->number)
		out_of_order++;
	next_number[n->poster]++;
	ran++;
}

static void *post_many(void *arg)
{
	struct numbered *tasks = arg;

	for (unsigned i = 0; i < POSTS; i++)
		http_post(http_server_loop(toy.server, 1), &tasks[i].task);
	return NULL;
}

static void test_posts_run_once_and_in_order(void **state)
{
	struct numbered *tasks = calloc(POSTERS * POSTS, sizeof(*tasks));
	pthread_t threads[POSTERS];

	(void)state;
	assert_non_null(tasks);
	toy_open((struct http_options){0});
	for (unsigned i = 0; i < POSTERS * POSTS; i++)
		tasks[i] = (struct numbered){{NULL, run_numbered}, i / POSTS, i % POSTS};
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_create(&threads[i], NULL, post_many, &tasks[i * POSTS]);
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	toy_until(ran == POSTERS * POSTS);
	assert_int_equal(out_of_order, 0);
	toy_close();
	free(tasks);
}

static atomic_uint starts, stops, stopped_wrongly;
static _Thread_local struct http_loop *mine;

static void *note_start(struct http_loop *loop)
{
	starts++;
	mine = loop;
	return loop;
}

static void note_stop(struct http_loop *loop, void *user)
{
	stops++;
	if (user != loop || mine != loop || http_loop_user(loop) != loop)
		stopped_wrongly++;
}

static void test_hooks_on_each_thread(void **state)
{
	(void)state;
	toy_open(
	    (struct http_options){.threads = 3, .loop_start = note_start, .loop_stop = note_stop});
	assert_int_equal(starts, 3);
	assert_int_equal(http_server_threads(toy.server), 3);
	toy_close();
	assert_int_equal(stops, 3);
	assert_int_equal(stopped_wrongly, 0);
}

static void test_connections_are_spread(void **state)
{
	struct client c[9];
	unsigned index[3] = {0};

	(void)state;
	toy_open((struct http_options){.threads = 3});
	for (int i = 0; i < 9; i++) {
		struct answer a;

		c[i] = client_open();
		client_say(&c[i], "GET /loop HTTP/1.1\r\nHost: here\r\n\r\n");
		a = client_answer(&c[i], true);
		index[a.body[0] - '0']++;
		answer_free(&a);
	}
	for (int i = 0; i < 9; i++)
		client_close(&c[i]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(index[i], 3);
	toy_close();
}

static void test_never_started(void **state)
{
	struct http_options options = {.host = "::1", .threads = 1, .route = toy_route};
	char why[256];
	struct http_server *server = http_server_new(&options, why, sizeof(why));

	(void)state;
	if (server) /* a machine without IPv6 says why */
		assert_int_not_equal(http_server_port(server), 0);
	http_server_free(server);
}

static atomic_uint busy_turns;
static char busy_path[64];

static void note_busy(struct http_request *req, int64_t cpu_us)
{
	assert_non_null(req);
	assert_true(cpu_us > LOOP_BUSY_US);
	snprintf(busy_path, sizeof(busy_path), "%.*s", SLICE_ARG(req->raw_path));
	busy_turns++;
}

static void get_empty(struct client *c, const char *path)
{
	struct answer a;
	char request[128];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: here\r\n\r\n", path);
	client_say(c, request);
	a = client_answer(c, true);
	assert_int_equal(a.status, 204);
	answer_free(&a);
}

/* CPU time counts, not how long it took: a loaded machine makes no loop busy. */
static void test_a_busy_turn_is_noticed(void **state)
{
	struct http_counters n;
	struct client c;

	(void)state;
	toy_open((struct http_options){.threads = 1, .busy = note_busy});
	c = client_open();
	get_empty(&c, "/sleep");
	get_empty(&c, "/empty");
	assert_int_equal(busy_turns, 0);
	get_empty(&c, "/spin");
	get_empty(&c, "/empty");
	assert_int_equal(busy_turns, 1);
	assert_string_equal(busy_path, "/spin");
	http_server_counters(toy.server, &n);
	assert_int_equal(n.busy_turns, 1);
	assert_true(n.longest_turn_us > LOOP_BUSY_US);
	client_close(&c);
	toy_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_posts_run_once_and_in_order),
	    cmocka_unit_test(test_hooks_on_each_thread),
	    cmocka_unit_test(test_connections_are_spread),
	    cmocka_unit_test(test_never_started),
	    cmocka_unit_test(test_a_busy_turn_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
