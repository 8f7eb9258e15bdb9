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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_posts_run_once_and_in_order),
	    cmocka_unit_test(test_hooks_on_each_thread),
	    cmocka_unit_test(test_connections_are_spread),
	    cmocka_unit_test(test_never_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
