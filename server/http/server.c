/* The server: its socket, its loops, start and stop. See http.h. */
#include "server/http/conn.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 256
#define STACK_BYTES (1u << 20)
#define TICK_MIN_MS 10
#define TICK_MAX_MS 500

unsigned http_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

static void options_complete(struct http_options *o)
{
	o->threads = o->threads ? o->threads : http_cores();
	if (o->threads > THREADS_MAX)
		o->threads = THREADS_MAX;
	o->max_connections = o->max_connections ? o->max_connections : 4096;
	o->head_bytes = o->head_bytes ? o->head_bytes : 32u << 10;
	if (o->head_bytes > PARSE_HEAD_MAX)
		o->head_bytes = PARSE_HEAD_MAX;
	o->target_bytes = o->target_bytes ? o->target_bytes : 8u << 10;
	o->handshake_ms = o->handshake_ms ? o->handshake_ms : 10000;
	o->head_ms = o->head_ms ? o->head_ms : 10000;
	o->idle_ms = o->idle_ms ? o->idle_ms : 75000;
	o->body_ms = o->body_ms ? o->body_ms : 60000;
	o->write_ms = o->write_ms ? o->write_ms : 60000;
	o->least_rate = o->least_rate ? o->least_rate : 256;
	o->yield_ms = o->yield_ms ? o->yield_ms : 5000;
	o->linger_ms = o->linger_ms ? o->linger_ms : 2000;
	o->linger_bytes = o->linger_bytes ? o->linger_bytes : 64u << 20;
	o->body_folder = o->body_folder ? o->body_folder : P_tmpdir;
	o->body_memory_bytes = o->body_memory_bytes ? o->body_memory_bytes : 64u << 10;
	o->memory_bytes = o->memory_bytes ? o->memory_bytes : 256u << 20;
	o->body_turn_bytes = o->body_turn_bytes ? o->body_turn_bytes : o->memory_bytes / 4;
}

/* A quarter of the shortest time-out: so late a deadline may be noticed. */
static int64_t tick_us(const struct http_options *o)
{
	const uint32_t timeouts[] = {
	    o->handshake_ms, o->head_ms, o->idle_ms, o->body_ms, o->write_ms, o->linger_ms};
	uint32_t ms = TICK_MAX_MS * 4;

	for (size_t i = 0; i < sizeof(timeouts) / sizeof(*timeouts); i++)
		ms = timeouts[i] < ms ? timeouts[i] : ms;
	return (ms / 4 < TICK_MIN_MS ? TICK_MIN_MS : ms / 4) * (int64_t)1000;
}

bool server_has_memory(const struct http_server *server)
{
	const struct memory *m = &server->memory;

	return atomic_load_explicit(&m->taken, memory_order_relaxed) <= m->total / 4 * 3 &&
	    atomic_load_explicit(&m->reserve, memory_order_relaxed);
}

/* ---- accepting, on loop 0 ---- */

void server_stop_accepting(struct http_server *server)
{
	listener_stop(&server->plain);
	listener_stop(&server->secure);
	/* After every connection that loop 0 has handed over. */
	for (unsigned i = 1; i < server->thread_count; i++)
		http_post(&server->loops[i], &server->loops[i].drain_task);
}

/* ---- life ---- */

static bool server_listen(struct http_server *server, char *why, size_t why_len)
{
	const struct http_options *o = &server->options;

	return (o->tls_only ||
		   listener_bind(&server->plain, o->host, o->port, "--listen", why, why_len)) &&
	    (!o->tls ||
		listener_bind(
		    &server->secure, o->tls_host, o->tls_port, "--tls-listen", why, why_len));
}

struct http_server *http_server_new(const struct http_options *options, char *why, size_t why_len)
{
	struct http_server *server = calloc(1, sizeof(*server));
	pthread_condattr_t attr;

	if (!server)
		abort();
	server->options = *options;
	options_complete(&server->options);
	server->tick_us = tick_us(&server->options);
	listener_init(&server->plain, server, false);
	listener_init(&server->secure, server, true);
	turns_init(&server->turns, server->options.body_turn_bytes);
	memory_init(&server->memory, server->options.memory_bytes / 8 * 5, RESERVE_BYTES);
	memory_init(&server->connections, server->options.memory_bytes / 8 * 3, RESERVE_BYTES);
	pthread_mutex_init(&server->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &attr);
	pthread_condattr_destroy(&attr);
	server->thread_count = server->options.threads;
	server->loops = calloc(server->thread_count, sizeof(*server->loops));
	if (!server->loops)
		abort();
	for (unsigned i = 0; i < server->thread_count; i++)
		server->loops[i].wake_fd = -1;
	if (server_listen(server, why, why_len)) {
		server->options.host = server->options.tls_host = NULL; /* the caller's */
		return server;
	}
	http_server_free(server);
	return NULL;
}

static bool loops_init(struct http_server *server)
{
	for (unsigned i = 0; i < server->thread_count; i++)
		if (!loop_init(&server->loops[i], server, i))
			return false;
	return listener_start(&server->plain, server->loops[0].base) &&
	    listener_start(&server->secure, server->loops[0].base);
}

/* With all signals blocked, which the threads inherit. The number started is server->running. */
static int threads_create(struct http_server *server)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int error = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_mutex_lock(&server->mutex);
	while (error == 0 && server->running < server->thread_count) {
		struct http_loop *loop = &server->loops[server->running];

		error = pthread_create(&loop->thread, &attr, loop_main, loop);
		server->running += error == 0;
	}
	while (server->ready < server->running)
		pthread_cond_wait(&server->changed, &server->mutex);
	pthread_mutex_unlock(&server->mutex);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

bool http_server_start(struct http_server *server, char *why, size_t why_len)
{
	int error;

	if (!loops_init(server)) {
		snprintf(why, why_len, "cannot make an event loop: %s", strerror(errno));
		return false;
	}
	error = threads_create(server);
	server->started = server->running > 0;
	if (error == 0)
		return true;
	snprintf(why, why_len, "cannot start %u threads: %s; choose fewer with --threads",
	    server->thread_count, strerror(error));
	server->thread_count = server->running;
	http_server_stop(server, 0);
	return false;
}

/* Waits until the loops have ended, but not beyond the deadline. */
static bool wait_ended(struct http_server *server, uint32_t ms)
{
	struct timespec until;
	bool ended;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000 + (until.tv_nsec + (ms % 1000) * 1000000L) / 1000000000L;
	until.tv_nsec = (until.tv_nsec + (ms % 1000) * 1000000L) % 1000000000L;
	pthread_mutex_lock(&server->mutex);
	while (server->running > 0 && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&server->changed, &server->mutex, &until);
	ended = server->running == 0;
	pthread_mutex_unlock(&server->mutex);
	return ended;
}

void http_server_stop(struct http_server *server, uint32_t grace_ms)
{
	if (!server->started)
		return;
	server->started = false;
	http_post(&server->loops[0], &server->loops[0].drain_task);
	if (!wait_ended(server, grace_ms))
		for (unsigned i = 0; i < server->thread_count; i++)
			http_post(&server->loops[i], &server->loops[i].cut_task);
	for (unsigned i = 0; i < server->thread_count; i++)
		pthread_join(server->loops[i].thread, NULL);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	listener_stop(&server->plain);
	listener_stop(&server->secure);
	for (unsigned i = 0; i < server->options.threads; i++)
		loop_release(&server->loops[i]);
	free(server->loops);
	turns_release(&server->turns);
	assert(atomic_load(&server->memory.taken) == 0);
	assert(atomic_load(&server->connections.taken) == 0);
	memory_release(&server->memory);
	memory_release(&server->connections);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->plain.port;
}

uint16_t http_server_tls_port(const struct http_server *server)
{
	return server->secure.port;
}

unsigned http_server_threads(const struct http_server *server)
{
	return server->thread_count;
}

struct http_loop *http_server_loop(struct http_server *server, unsigned index)
{
	return &server->loops[index];
}

void *http_server_user(const struct http_server *server)
{
	return server->options.user;
}

void http_server_counters(struct http_server *server, struct http_counters *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < server->thread_count; i++) {
		struct http_loop *loop = &server->loops[i];
		struct loop_counters *c = &loop->counters;
		uint64_t longest;

		out->connections += atomic_load_explicit(&c->connections, memory_order_relaxed);
		out->displaced += atomic_load_explicit(&c->displaced, memory_order_relaxed);
		out->handshakes_failed +=
		    atomic_load_explicit(&c->handshakes_failed, memory_order_relaxed);
		out->requests += atomic_load_explicit(&c->requests, memory_order_relaxed);
		out->refused += atomic_load_explicit(&c->refused, memory_order_relaxed);
		out->aborted += atomic_load_explicit(&c->aborted, memory_order_relaxed);
		out->bytes_in += atomic_load_explicit(&c->bytes_in, memory_order_relaxed);
		out->bytes_out += atomic_load_explicit(&c->bytes_out, memory_order_relaxed);
		out->busy_turns += atomic_load_explicit(&c->busy_turns, memory_order_relaxed);
		longest = atomic_load_explicit(&c->longest_turn_us, memory_order_relaxed);
		if (longest > out->longest_turn_us)
			out->longest_turn_us = longest;
		out->open += atomic_load_explicit(&loop->open, memory_order_relaxed);
	}
}
