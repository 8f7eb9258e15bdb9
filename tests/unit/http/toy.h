/*
 * What the transport's tests share: a server with toy handlers, and a client that says exactly the
 * bytes it is told.
 *
 *	ANY /...            says method, path, query and host
 *	ANY /echo           the body back, up to 64 KiB, collected
 *	ANY /count          counts and sums the pieces of a body of any length
 *	ANY /wait           answers when another thread has said so
 *	ANY /waitstart      the same, in start, before the body
 *	ANY /waitbody       each piece is summed by another thread
 *	ANY /refuse         403 in start
 *	ANY /file           the file toy.file, or as much of it as toy.file_len says
 *	ANY /large          a reply of TOY_LARGE bytes, made in the arena
 *	ANY /empty          204
 *	ANY /loop           the index of the loop
 *	ANY /spin           204, after more CPU time than a turn of a loop may take
 *	ANY /sleep          204, after as long a time without any
 *	ANY /lost           is routed to no handler
 */
#ifndef DRYDOCK_TESTS_UNIT_HTTP_TOY_H
#define DRYDOCK_TESTS_UNIT_HTTP_TOY_H

#include "server/http/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the server ---- */

struct toy {
	struct http_server *server;
	uint16_t port;
	int file;            /* of file_len bytes; its byte i is toy_byte(i) */
	uint64_t file_len;   /* as promised in replies */
	atomic_int delay_ms; /* of the other thread */
	atomic_int started, aborted, finished, lost, last_status, kept;
	atomic_ullong pieces;
	pthread_t worker;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct toy_job *jobs, **jobs_end;
	bool stopping;
};

static struct toy toy;

/* One request's job for the other thread; lives in the request's arena. */
struct toy_job {
	struct http_task task;
	struct toy_job *next;
	struct http_request *req;
	struct slice piece;
	uint64_t sum, count;
};

static inline unsigned char toy_byte(uint64_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static void *toy_worker(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&toy.mutex);
	while (!toy.stopping || toy.jobs) {
		struct toy_job *job = toy.jobs;

		if (!job) {
			pthread_cond_wait(&toy.changed, &toy.mutex);
			continue;
		}
		toy.jobs = job->next;
		if (!toy.jobs)
			toy.jobs_end = &toy.jobs;
		pthread_mutex_unlock(&toy.mutex);
		if (toy.delay_ms)
			usleep((useconds_t)toy.delay_ms * 1000);
		for (size_t i = 0; i < job->piece.len; i++)
			job->sum += (unsigned char)job->piece.at[i];
		job->count += job->piece.len;
		http_post(job->req->loop, &job->task);
		pthread_mutex_lock(&toy.mutex);
	}
	pthread_mutex_unlock(&toy.mutex);
	return NULL;
}

static void toy_resume(struct http_task *task)
{
	http_resume(((struct toy_job *)(void *)task)->req);
}

static enum http_step toy_hand_over(
    struct http_request *req, struct slice piece, http_step_fn *resume)
{
	struct toy_job *job = req->user;

	if (!job) {
		job = arena_zalloc(req->arena, sizeof(*job));
		job->req = req;
		job->task.run = toy_resume;
		req->user = job;
	}
	job->piece = piece;
	job->next = NULL;
	req->resume = resume;
	pthread_mutex_lock(&toy.mutex);
	*toy.jobs_end = job;
	toy.jobs_end = &job->next;
	pthread_cond_signal(&toy.changed);
	pthread_mutex_unlock(&toy.mutex);
	return HTTP_WAIT;
}

static enum http_step toy_go(struct http_request *req)
{
	(void)req;
	return HTTP_GO;
}

static enum http_step toy_start(struct http_request *req)
{
	(void)req;
	toy.started++;
	return HTTP_GO;
}

static void toy_abort(struct http_request *req)
{
	(void)req;
	toy.aborted++;
}

static enum http_step say_end(struct http_request *req)
{
	http_reply(req, 200);
	http_reply_header(req, "Content-Type", slice_str("text/plain"));
	http_reply_body(req, req->method_name);
	http_reply_body(req,
	    arena_slicef(
		req->arena, " %.*s?%.*s ", SLICE_ARG(req->raw_path), SLICE_ARG(req->query)));
	http_reply_body(req, req->host);
	return HTTP_DONE;
}

static enum http_step echo_end(struct http_request *req)
{
	http_reply(req, 200);
	http_reply_body(req, req->body);
	return HTTP_DONE;
}

struct toy_count {
	uint64_t sum, count;
};

static enum http_step count_start(struct http_request *req)
{
	toy.started++;
	req->user = arena_zalloc(req->arena, sizeof(struct toy_count));
	return HTTP_GO;
}

static enum http_step count_body(struct http_request *req, struct slice piece)
{
	struct toy_count *count = req->user;

	toy.pieces++;
	for (size_t i = 0; i < piece.len; i++)
		count->sum += (unsigned char)piece.at[i];
	count->count += piece.len;
	return HTTP_GO;
}

static enum http_step say_sum(struct http_request *req, uint64_t count, uint64_t sum)
{
	http_reply(req, 201);
	http_reply_body(req,
	    arena_slicef(
		req->arena, "%llu %llu", (unsigned long long)count, (unsigned long long)sum));
	return HTTP_DONE;
}

static enum http_step count_end(struct http_request *req)
{
	struct toy_count *count = req->user;

	return say_sum(req, count->count, count->sum);
}

static enum http_step wait_end(struct http_request *req)
{
	return toy_hand_over(req, (struct slice){NULL, 0}, say_end);
}

static enum http_step waitstart_start(struct http_request *req)
{
	toy.started++;
	return toy_hand_over(req, (struct slice){NULL, 0}, toy_go);
}

static enum http_step waitbody_body(struct http_request *req, struct slice piece)
{
	return toy_hand_over(req, piece, toy_go);
}

static enum http_step waitbody_end(struct http_request *req)
{
	struct toy_job *job = req->user;

	return say_sum(req, job ? job->count : 0, job ? job->sum : 0);
}

static enum http_step refuse_start(struct http_request *req)
{
	toy.started++;
	return http_reply_text(req, 403, "refused in start");
}

static enum http_step file_end(struct http_request *req)
{
	http_reply(req, 200);
	http_reply_file(req, dup(toy.file), 0, toy.file_len);
	return HTTP_DONE;
}

#define TOY_LARGE (8u << 20) /* twice what the kernel keeps for a client that reads nothing */

static enum http_step large_end(struct http_request *req)
{
	char *at = arena_alloc(req->arena, TOY_LARGE);

	for (size_t i = 0; i < TOY_LARGE; i++)
		at[i] = (char)toy_byte(i);
	req->user = at; /* of the arena, as an application's own state is */
	http_reply(req, 200);
	http_reply_body(req, slice_of(at, 1000));
	http_reply_body(req, slice_of(at + 1000, TOY_LARGE - 1000));
	return HTTP_DONE;
}

/* What is kept of a request is a text, in `finished` found by its pointer. */
static void toy_keep(struct http_request *req, struct arena *kept)
{
	req->user = arena_strdup(kept, slice_str("kept"));
	toy.kept++;
}

static enum http_step loop_end(struct http_request *req)
{
	http_reply(req, 200);
	http_reply_body(req, arena_slicef(req->arena, "%u", http_loop_index(req->loop)));
	return HTTP_DONE;
}

static enum http_step empty_end(struct http_request *req)
{
	return http_reply(req, 204);
}

static int64_t toy_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static enum http_step spin_end(struct http_request *req)
{
	int64_t until_us = toy_cpu_us() + LOOP_BUSY_US + 10000;

	while (toy_cpu_us() < until_us)
		continue;
	return http_reply(req, 204);
}

static enum http_step sleep_end(struct http_request *req)
{
	usleep(LOOP_BUSY_US + 10000);
	return http_reply(req, 204);
}

static const struct {
	const char *path;
	struct http_handler handler;
} toy_routes[] = {
    {"/echo", {.body_max = 65536, .start = toy_start, .end = echo_end, .abort = toy_abort}},
    {"/count",
	{.body_max = 1ull << 40,
	    .start = count_start,
	    .body = count_body,
	    .end = count_end,
	    .abort = toy_abort}},
    {"/wait", {.body_max = 65536, .start = toy_start, .end = wait_end, .abort = toy_abort}},
    {"/waitstart",
	{.body_max = 65536, .start = waitstart_start, .end = echo_end, .abort = toy_abort}},
    {"/waitbody",
	{.body_max = 1ull << 40,
	    .start = toy_start,
	    .body = waitbody_body,
	    .end = waitbody_end,
	    .abort = toy_abort}},
    {"/refuse", {.body_max = 1ull << 40, .start = refuse_start, .end = say_end}},
    {"/file", {.end = file_end}},
    {"/large", {.body_max = 65536, .end = large_end}},
    {"/empty", {.end = empty_end}},
    {"/loop", {.end = loop_end}},
    {"/spin", {.end = spin_end}},
    {"/sleep", {.end = sleep_end}},
};

static const struct http_handler toy_say = {.body_max = 1024, .end = say_end};

static const struct http_handler *toy_route(struct http_request *req)
{
	if (slice_is(req->raw_path, "/lost"))
		return NULL;
	for (size_t i = 0; i < sizeof(toy_routes) / sizeof(*toy_routes); i++)
		if (slice_is(req->raw_path, toy_routes[i].path))
			return &toy_routes[i].handler;
	return &toy_say;
}

static void toy_finished(struct http_request *req)
{
	assert_true(req->ended_us >= req->started_us);
	toy.last_status = req->reply.status;
	toy.lost += req->aborted;
	toy.finished++;
}

/* A file of len bytes that nobody else sees. */
static inline int toy_file(uint64_t len)
{
	char path[] = "/tmp/drydock_toy_XXXXXX";
	int fd = mkstemp(path);
	unsigned char bytes[4096];

	assert_true(fd >= 0);
	unlink(path);
	for (uint64_t at = 0; at < len; at += sizeof(bytes)) {
		size_t n = len - at < sizeof(bytes) ? (size_t)(len - at) : sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = toy_byte(at + i);
		assert_int_equal(write(fd, bytes, n), n);
	}
	return fd;
}

static inline void toy_open(struct http_options options)
{
	char why[256] = "";

	memset(&toy, 0, sizeof(toy));
	toy.jobs_end = &toy.jobs;
	toy.file_len = 5u << 20;
	toy.file = toy_file(toy.file_len);
	pthread_mutex_init(&toy.mutex, NULL);
	pthread_cond_init(&toy.changed, NULL);
	assert_int_equal(pthread_create(&toy.worker, NULL, toy_worker, NULL), 0);
	options.host = "127.0.0.1";
	options.threads = options.threads ? options.threads : 2;
	options.route = toy_route;
	options.finished = toy_finished;
	options.keep = toy_keep;
	toy.server = http_server_new(&options, why, sizeof(why));
	assert_string_equal(why, "");
	assert_non_null(toy.server);
	assert_true(http_server_start(toy.server, why, sizeof(why)));
	toy.port = http_server_port(toy.server);
}

static inline void toy_close(void)
{
	http_server_stop(toy.server, 5000);
	http_server_free(toy.server);
	pthread_mutex_lock(&toy.mutex);
	toy.stopping = true;
	pthread_cond_signal(&toy.changed);
	pthread_mutex_unlock(&toy.mutex);
	pthread_join(toy.worker, NULL);
	close(toy.file);
}

/* Waits until an atomic has a value, but not for ever. */
#define toy_until(condition)                                                                       \
	do {                                                                                       \
		for (int tries_ = 0; tries_ < 5000 && !(condition); tries_++)                      \
			usleep(1000);                                                              \
		assert_true(condition);                                                            \
	} while (0)

/* ---- the client ---- */

struct client {
	int fd;
	char *at; /* received and not yet looked at */
	size_t len, cap;
};

struct answer {
	int status; /* 0: closed without one */
	char head[4096];
	char *body; /* freed by answer_free */
	size_t body_len;
};

static inline struct client client_open(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(toy.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	struct timeval limit = {.tv_sec = 20};
	int one = 1;

	assert_true(c.fd >= 0);
	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(c.fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
	assert_int_equal(connect(c.fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return c;
}

static inline void client_close(struct client *c)
{
	close(c->fd);
	free(c->at);
}

/* Closes with a reset instead of an end of stream. */
static inline void client_reset(struct client *c)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	client_close(c);
}

/* False when the server has closed meanwhile. */
static inline bool client_send(struct client *c, const void *at, size_t len)
{
	while (len > 0) {
		ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at = (const char *)at + n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool client_say(struct client *c, const char *text)
{
	return client_send(c, text, strlen(text));
}

/* One more recv; false at the end of the stream or a reset. */
static inline bool client_fill(struct client *c)
{
	ssize_t n;

	if (c->cap - c->len < 65536) {
		c->cap = c->cap * 2 + 65536;
		c->at = realloc(c->at, c->cap);
		assert_non_null(c->at);
	}
	n = recv(c->fd, c->at + c->len, c->cap - c->len, 0);
	if (n < 0 && errno == EAGAIN)
		fail_msg("the server did not answer in time");
	if (n <= 0)
		return false;
	c->len += (size_t)n;
	return true;
}

static inline void client_drop(struct client *c, size_t n)
{
	memmove(c->at, c->at + n, c->len - n);
	c->len -= n;
}

static inline char *header_at(const struct answer *a, const char *name)
{
	char line[128];
	char *found;

	snprintf(line, sizeof(line), "\r\n%s: ", name);
	found = strcasestr(a->head, line);
	return found ? found + strlen(line) : NULL;
}

/* The next answer; body_sent: false after HEAD. Status 0 when there is none. */
static inline struct answer client_answer(struct client *c, bool body_sent)
{
	struct answer a = {0};
	char *end, *length;
	size_t head;

	while (!c->at || !(end = memmem(c->at, c->len, "\r\n\r\n", 4)))
		if (!client_fill(c))
			return a;
	head = (size_t)(end - c->at) + 4;
	assert_true(head < sizeof(a.head));
	memcpy(a.head, c->at, head);
	client_drop(c, head);
	assert_int_equal(sscanf(a.head, "HTTP/1.1 %d ", &a.status), 1);
	length = header_at(&a, "Content-Length");
	if (!length || !body_sent)
		return a;
	a.body_len = strtoull(length, NULL, 10);
	while (c->len < a.body_len)
		if (!client_fill(c))
			fail_msg("body cut at %zu of %zu", c->len, a.body_len);
	a.body = malloc(a.body_len + 1);
	assert_non_null(a.body);
	memcpy(a.body, c->at, a.body_len);
	a.body[a.body_len] = '\0';
	client_drop(c, a.body_len);
	return a;
}

static inline void answer_free(struct answer *a)
{
	free(a->body);
}

/* Sees one answer with this status and, when text is given, this body. */
static inline void expect(struct client *c, int status, const char *text)
{
	struct answer a = client_answer(c, true);

	assert_int_equal(a.status, status);
	if (text)
		assert_string_equal(a.body ? a.body : "", text);
	answer_free(&a);
}

/* Sees the end of the connection and nothing before it. */
static inline void expect_closed(struct client *c)
{
	assert_int_equal(c->len, 0);
	assert_false(client_fill(c));
}

#endif
