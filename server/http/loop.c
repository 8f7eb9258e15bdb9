/* A loop's thread: callbacks posted to it, deadlines, buffers. See loop.h. */
#include "server/http/conn.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define YIELD_TRIES 16

/* ---- time ---- */

int64_t http_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t loop_now(struct http_loop *loop)
{
	return loop->now_us = http_now_us();
}

/* ---- the watchdog ---- */

enum { WATCH_EVERY_US = 1000 };

static int64_t thread_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void loop_watch(struct http_loop *loop, struct http_request *req)
{
	struct loop_counters *counters = &loop->counters;
	int64_t now_us = http_now_us(), cpu_us, turn_us;

	if (now_us - loop->watched_us < WATCH_EVERY_US)
		return;
	cpu_us = thread_cpu_us();
	turn_us = cpu_us - loop->watched_cpu_us;
	loop->watched_us = now_us;
	loop->watched_cpu_us = cpu_us;
	if ((uint64_t)turn_us >
	    atomic_load_explicit(&counters->longest_turn_us, memory_order_relaxed))
		atomic_store_explicit(
		    &counters->longest_turn_us, (uint64_t)turn_us, memory_order_relaxed);
	if (turn_us <= LOOP_BUSY_US)
		return;
	counter_add(&counters->busy_turns, 1);
	if (loop->server->options.busy)
		loop->server->options.busy(req, turn_us);
}

struct slice loop_date(struct http_loop *loop)
{
	struct timespec ts;
	struct tm tm;

	if (loop->now_us >= loop->date_until_us) {
		clock_gettime(CLOCK_REALTIME, &ts);
		gmtime_r(&ts.tv_sec, &tm);
		strftime(loop->date, sizeof(loop->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		loop->date_until_us = loop->now_us + 1000000 - ts.tv_nsec / 1000;
	}
	return slice_of(loop->date, 29);
}

/* ---- what other threads post ---- */

void http_post(struct http_loop *loop, struct http_task *task)
{
	struct http_task *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
	const uint64_t one = 1;

	do
		task->next = head;
	while (!atomic_compare_exchange_weak_explicit(
	    &loop->posted, &head, task, memory_order_release, memory_order_relaxed));
	/* Can only fail when the counter is full: then the loop is awake in any case. */
	if (!head && write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void run_posted(struct http_loop *loop)
{
	struct http_task *newest, *oldest = NULL;

	newest = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
	while (newest) {
		struct http_task *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest) {
		struct http_task *task = oldest;

		oldest = task->next;
		task->run(task);
	}
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct http_loop *loop = arg;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	loop_now(loop);
	run_posted(loop);
	loop_watch(loop, NULL);
}

/* ---- connections and their deadlines ---- */

static bool any_linked(const struct http_loop *loop)
{
	for (enum conn_kind kind = 0; kind < CONNS_KINDS; kind++)
		if (loop->conns[kind].first)
			return true;
	return false;
}

static void tick_arm(struct http_loop *loop)
{
	struct timeval tv = {
	    .tv_sec = loop->server->tick_us / 1000000, .tv_usec = loop->server->tick_us % 1000000};

	event_add(&loop->tick, &tv);
}

static void buffers_free(struct http_loop *loop)
{
	while (loop->buffers) {
		struct loop_buffer *buffer = loop->buffers;

		loop->buffers = buffer->next;
		free(buffer);
	}
	loop->buffer_count = 0;
}

/* After a peak, what was freed goes back to the system: glibc would keep it. False: that is still to come. */
static bool give_memory_back(struct http_server *server)
{
	size_t most = memory_peak(&server->memory) + memory_peak(&server->connections);
	size_t peak = atomic_load(&server->peak);

	memory_restore(&server->memory, RESERVE_BYTES);
	memory_restore(&server->connections, RESERVE_BYTES);
	if (!memory_has_reserve(&server->memory) || !memory_has_reserve(&server->connections))
		return false;
	if (most >= peak) {
		atomic_store(&server->peak, most);
		return most < TRIM_BYTES;
	}
	if (peak - most < TRIM_BYTES)
		return peak < TRIM_BYTES;
	atomic_store(&server->peak, most);
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	return most < TRIM_BYTES;
}

/*
 * Looks at every connection: for some thousand of them that is cheaper, a few times a second, than
 * to move a timer with each read and write.
 */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct http_loop *loop = arg;
	int64_t now = loop_now(loop);
	struct conn *next;

	(void)fd;
	(void)what;
	for (enum conn_kind kind = CONNS_IDLE; kind <= CONNS_MOVING; kind++)
		for (struct conn *c = loop->conns[kind].first; c; c = next) {
			next = c->next;
			if (now >= c->deadline_us)
				conn_late(c);
			else
				conn_slim(c);
		}
	buffers_free(loop);
	if (!give_memory_back(loop->server) || any_linked(loop))
		tick_arm(loop);
	loop_watch(loop, NULL);
}

static void end_when_drained(struct http_loop *loop)
{
	if (loop->draining && !any_linked(loop))
		event_base_loopbreak(loop->base);
}

/* ---- their order, and who gives way ---- */

static void list_publish(struct conn_list *list, int change)
{
	unsigned count = atomic_load_explicit(&list->count, memory_order_relaxed);

	atomic_store_explicit(&list->count, count + (unsigned)change, memory_order_relaxed);
	atomic_store_explicit(
	    &list->since_us, list->first ? list->first->since_us : INT64_MAX, memory_order_relaxed);
}

static void list_append(struct http_loop *loop, struct conn *conn, enum conn_kind kind)
{
	struct conn_list *list = &loop->conns[kind];

	conn->kind = kind;
	conn->since_us = loop->now_us;
	conn->next = NULL;
	conn->prev = list->last;
	*list->last = conn;
	list->last = &conn->next;
	list_publish(list, 1);
}

static void list_remove(struct http_loop *loop, struct conn *conn)
{
	struct conn_list *list = &loop->conns[conn->kind];

	*conn->prev = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	else
		list->last = conn->prev;
	list_publish(list, -1);
}

void loop_link(struct http_loop *loop, struct conn *conn)
{
	list_append(loop, conn, CONNS_IDLE);
	if (!event_pending(&loop->tick, EV_TIMEOUT, NULL))
		tick_arm(loop);
}

void loop_unlink(struct http_loop *loop, struct conn *conn)
{
	list_remove(loop, conn);
	end_when_drained(loop);
}

void loop_place(struct http_loop *loop, struct conn *conn, enum conn_kind kind)
{
	list_remove(loop, conn);
	list_append(loop, conn, kind);
}

/* The time before which one that moves must last have got anywhere to give way. */
static int64_t still_since(const struct http_loop *loop)
{
	return loop->now_us - (int64_t)loop->server->options.yield_ms * 1000;
}

/*
 * The connection that has been idle longest ends, else the one that got nowhere for longest. Idle ones of which
 * the socket has bytes are about to be served; that the first YIELD_TRIES all are is hardly ever so.
 */
static bool yield_one(struct http_loop *loop)
{
	struct conn *c = loop->conns[CONNS_IDLE].first, *next;

	loop_now(loop);
	for (int tries = 0; c && tries < YIELD_TRIES; c = next, tries++) {
		next = c->next;
		if (conn_yield(c)) {
			counter_add(&loop->counters.displaced, 1);
			return true;
		}
	}
	c = loop->conns[CONNS_MOVING].first;
	if (!c || c->since_us > still_since(loop))
		return false;
	counter_add(&loop->counters.displaced, 1);
	conn_cut(c);
	return true;
}

static void run_yield(struct http_task *task)
{
	struct http_loop *loop =
	    (struct http_loop *)((char *)task - offsetof(struct http_loop, yield_task));

	do
		yield_one(loop);
	while (atomic_fetch_sub(&loop->yields, 1) > 1);
}

static unsigned count_of(const struct http_loop *loop, enum conn_kind kind)
{
	return atomic_load_explicit(&loop->conns[kind].count, memory_order_relaxed);
}

/* Connections that were handed to the loop and have not begun: idle ones, once they do. */
static unsigned count_coming(const struct http_loop *loop)
{
	unsigned open = atomic_load_explicit(&loop->open, memory_order_relaxed), begun = 0;

	for (enum conn_kind kind = 0; kind < CONNS_KINDS; kind++)
		begun += count_of(loop, kind);
	return open > begun ? open - begun : 0;
}

/*
 * Since when the loop has one that may give way, beside those that were asked to already; INT64_MAX: it has none.
 */
static int64_t stillest(const struct http_loop *loop, enum conn_kind kind, int64_t now_us)
{
	unsigned count = count_of(loop, kind), yields = atomic_load(&loop->yields);

	if (count > yields)
		return atomic_load_explicit(&loop->conns[kind].since_us, memory_order_relaxed);
	return kind == CONNS_IDLE && count + count_coming(loop) > yields ? now_us : INT64_MAX;
}

bool loop_displace(struct http_server *server)
{
	int64_t oldest = INT64_MAX, bound = INT64_MAX - 1, now = loop_now(&server->loops[0]);
	struct http_loop *best = NULL;

	for (enum conn_kind kind = CONNS_IDLE; kind <= CONNS_MOVING && !best; kind++) {
		for (unsigned i = 0; i < server->thread_count; i++) {
			int64_t since = stillest(&server->loops[i], kind, now);

			if (since <= bound && since < oldest) {
				oldest = since;
				best = &server->loops[i];
			}
		}
		bound = still_since(&server->loops[0]);
	}
	if (!best)
		return false;
	if (best->index == 0)
		return yield_one(best);
	if (atomic_fetch_add(&best->yields, 1) == 0)
		http_post(best, &best->yield_task);
	return true;
}

/* ---- the end ---- */

static void run_drain(struct http_task *task)
{
	struct http_loop *loop =
	    (struct http_loop *)((char *)task - offsetof(struct http_loop, drain_task));
	struct conn *next;

	loop->draining = true;
	if (loop->index == 0)
		server_stop_accepting(loop->server);
	for (enum conn_kind kind = 0; kind < CONNS_KINDS; kind++)
		for (struct conn *c = loop->conns[kind].first; c; c = next) {
			next = c->next;
			conn_drain(c);
		}
	end_when_drained(loop);
}

static void run_cut(struct http_task *task)
{
	struct http_loop *loop =
	    (struct http_loop *)((char *)task - offsetof(struct http_loop, cut_task));
	struct conn *next;

	for (enum conn_kind kind = 0; kind < CONNS_KINDS; kind++)
		for (struct conn *c = loop->conns[kind].first; c; c = next) {
			next = c->next;
			conn_cut(c);
		}
}

/* ---- buffers ---- */

struct loop_buffer *loop_buffer_take(struct http_loop *loop)
{
	struct loop_buffer *buffer = loop->buffers;

	memory_count(&loop->server->memory, sizeof(*buffer)); /* what is lent, not what is kept */
	if (buffer) {
		loop->buffers = buffer->next;
		loop->buffer_count--;
	} else {
		buffer = memory_realloc(&loop->server->memory, NULL, sizeof(*buffer));
		if (!buffer)
			abort();
	}
	buffer->at = buffer->len = 0;
	return buffer;
}

void loop_buffer_give(struct http_loop *loop, struct loop_buffer *buffer)
{
	memory_give(&loop->server->memory, sizeof(*buffer));
	if (loop->buffer_count >= LOOP_BUFFERS_KEPT) {
		free(buffer);
		return;
	}
	buffer->next = loop->buffers;
	loop->buffers = buffer;
	loop->buffer_count++;
}

/* ---- life ---- */

bool loop_init(struct http_loop *loop, struct http_server *server, unsigned index)
{
	struct event_config *config = event_config_new();

	loop->server = server;
	loop->index = index;
	loop->handshakes_end = &loop->handshakes;
	loop->drain_task.run = run_drain;
	loop->cut_task.run = run_cut;
	loop->yield_task.run = run_yield;
	for (enum conn_kind kind = 0; kind < CONNS_KINDS; kind++) {
		loop->conns[kind].last = &loop->conns[kind].first;
		atomic_init(&loop->conns[kind].since_us, INT64_MAX);
	}
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		loop->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (!loop->base || loop->wake_fd < 0)
		return false;
	event_assign(&loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
	event_assign(&loop->tick, loop->base, -1, 0, on_tick, loop);
	return event_add(&loop->wake, NULL) == 0;
}

static void count_ready(struct http_server *server)
{
	pthread_mutex_lock(&server->mutex);
	server->ready++;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

static void count_ended(struct http_server *server)
{
	pthread_mutex_lock(&server->mutex);
	server->running--;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

void *loop_main(void *arg)
{
	struct http_loop *loop = arg;
	struct http_server *server = loop->server;
	const struct http_options *options = &server->options;

	loop_now(loop);
	if (options->loop_start)
		loop->user = options->loop_start(loop);
	loop->watched_us = http_now_us();
	loop->watched_cpu_us = thread_cpu_us();
	count_ready(server);
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
	run_posted(loop);
	if (options->loop_stop)
		options->loop_stop(loop, loop->user);
	count_ended(server);
	return NULL;
}

void loop_release(struct http_loop *loop)
{
	buffers_free(loop);
	if (loop->base) {
		event_del(&loop->wake);
		event_del(&loop->tick);
		event_base_free(loop->base);
	}
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
}

void *http_loop_user(const struct http_loop *loop)
{
	return loop->user;
}

unsigned http_loop_index(const struct http_loop *loop)
{
	return loop->index;
}

struct http_server *http_loop_server(const struct http_loop *loop)
{
	return loop->server;
}
