/* The load generator's HTTP client.  See load_http.h. */
#include "load_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "load_data.h"

#define SCRATCH_BYTES (256 * 1024)
#define SEND_SLICE (256 * 1024)
#define STALL_MS 60000
#define TLS_READ_BYTES (128 * 1024)

enum io {
	IO_AGAIN, /* wait for the socket */
	IO_DONE,
	IO_DEAD, /* the connection is of no more use */
};

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int run_resolve(struct run *run)
{
	char address[64];
	const char *colon = strrchr(run->host, ':');
	size_t n = colon ? (size_t)(colon - run->host) : 0;

	if (!colon || n == 0 || n >= sizeof(address)) {
		fprintf(stderr, "load: --to wants ADDRESS:PORT, not '%s'\n", run->host);
		return -1;
	}
	memcpy(address, run->host, n);
	address[n] = '\0';
	if (strcmp(address, "localhost") == 0)
		snprintf(address, sizeof(address), "127.0.0.1");
	run->addr.sin_family = AF_INET;
	run->addr.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, address, &run->addr.sin_addr) != 1) {
		fprintf(stderr, "load: '%s' is not an IPv4 address\n", address);
		return -1;
	}
	return 0;
}

int run_tls(struct run *run)
{
	if (!run->secure)
		return 0;
	run->tls = SSL_CTX_new(TLS_client_method());
	if (!run->tls) {
		fprintf(stderr, "load: there is no TLS to be had\n");
		return -1;
	}
	SSL_CTX_set_mode(
	    run->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(run->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_read_ahead(run->tls, 1);
	SSL_CTX_set_default_read_buffer_len(run->tls, TLS_READ_BYTES);
	return 0;
}

/* ---- requests ---- */

void conn_request(struct conn *c, const char *method, const char *path, const char *extra,
    const char *body, size_t body_len)
{
	struct request *q = &c->req;
	const struct run *run = c->run;
	bool has_body = body_len > 0 || (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0);
	char length[48] = "";
	int n;

	if (has_body)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", body_len);
	n = snprintf(q->head, sizeof(q->head),
	    "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\n%s%s%s%s%s\r\n", method, path,
	    run->host, run->auth ? "Authorization: " : "", run->auth ? run->auth : "",
	    run->auth ? "\r\n" : "", length, extra);
	if (n < 0 || (size_t)n >= sizeof(q->head)) {
		fprintf(
		    stderr, "load: the request's head is longer than %zu bytes\n", sizeof(q->head));
		exit(1);
	}
	q->head_len = (size_t)n;
	q->body = body;
	q->pattern = NULL;
	q->body_len = body_len;
	q->is_head = strcmp(method, "HEAD") == 0;
	q->sent = 0;
}

void conn_request_pattern(struct conn *c, const char *method, const char *path, const char *extra,
    struct pattern *p, uint64_t off, uint64_t body_len)
{
	conn_request(c, method, path, extra, NULL, body_len);
	c->req.pattern = p;
	c->req.pattern_off = off;
}

enum step conn_complain(struct conn *c, const char *what)
{
	struct response *r = &c->res;
	int line = (int)strcspn(c->req.head, "\r");

	if (atomic_load(&c->run->errors) < 3)
		fprintf(stderr, "load: %s: %.*s -> %d %.*s\n", what, line > 200 ? 200 : line,
		    c->req.head, r->status, (int)(r->kept_len < 300 ? r->kept_len : 300), r->kept);
	return STEP_FAIL;
}

/* What an operation of TLS that moved nothing means, as errno would say it of a socket. */
static ssize_t tls_none(struct conn *c, int result)
{
	int error = SSL_get_error(c->tls, result);

	ERR_clear_error();
	errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
	return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t conn_put(struct conn *c, const struct msghdr *msg)
{
	int n;

	if (!c->tls)
		return sendmsg(c->fd, msg, MSG_NOSIGNAL);
	n = SSL_write(c->tls, msg->msg_iov[0].iov_base, (int)msg->msg_iov[0].iov_len);
	return n > 0 ? n : tls_none(c, n);
}

static ssize_t conn_get(struct conn *c, void *at, size_t room)
{
	int n;

	if (!c->tls)
		return recv(c->fd, at, room, 0);
	n = SSL_read(c->tls, at, (int)room);
	return n > 0 ? n : tls_none(c, n);
}

static enum io conn_write(struct conn *c)
{
	struct request *q = &c->req;
	uint64_t total = q->head_len + q->body_len;

	while (q->sent < total) {
		struct iovec iov[2];
		struct msghdr msg = {.msg_iov = iov};
		uint64_t off = q->sent > q->head_len ? q->sent - q->head_len : 0;
		size_t n =
		    (size_t)(q->body_len - off < SEND_SLICE ? q->body_len - off : SEND_SLICE);
		ssize_t sent;

		if (q->sent < q->head_len) {
			iov[msg.msg_iovlen].iov_base = q->head + q->sent;
			iov[msg.msg_iovlen++].iov_len = q->head_len - q->sent;
		}
		if (n > 0) {
			const char *p = q->pattern
			    ? pattern_at(q->pattern, q->pattern_off + off, &n)
			    : q->body + off;

			iov[msg.msg_iovlen].iov_base = (void *)p;
			iov[msg.msg_iovlen++].iov_len = n;
		}
		sent = conn_put(c, &msg);
		if (sent <= 0)
			return errno == EAGAIN || errno == EINTR ? IO_AGAIN : IO_DEAD;
		q->sent += (uint64_t)sent;
		c->worker->bytes_out += (uint64_t)sent;
	}
	return IO_DONE;
}

/* ---- answers ---- */

static enum io conn_read_end(struct conn *c, ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return IO_AGAIN;
	if (n == 0 && c->got_head && !c->res.chunked && c->res.left < 0)
		return IO_DONE;
	return IO_DEAD;
}

static enum io conn_read(struct conn *c)
{
	for (;;) {
		ssize_t n, head;
		int done;

		if (c->got_head) {
			n = conn_get(c, c->worker->scratch, SCRATCH_BYTES);
			if (n <= 0)
				return conn_read_end(c, n);
			done = answer_take(c, c->worker->scratch, (size_t)n);
		} else {
			n = conn_get(c, c->in + c->in_len, RESPONSE_BUF - c->in_len);
			if (n <= 0)
				return conn_read_end(c, n);
			c->in_len += (size_t)n;
		again:
			head = answer_head(c);
			if (head < 0)
				return IO_DEAD;
			if (head == 0)
				continue;
			if (c->res.status / 100 == 1) {
				c->in_len -= (size_t)head;
				memmove(c->in, c->in + head, c->in_len);
				goto again;
			}
			c->got_head = true;
			done = answer_take(c, c->in + head, c->in_len - (size_t)head);
		}
		if (done != 0)
			return done < 0 ? IO_DEAD : IO_DONE;
	}
}

/* ---- connections and operations ---- */

static void conn_close(struct conn *c)
{
	SSL_free(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->used = false;
	c->want_write = false;
}

/* The handshake, while the socket still blocks. */
static bool conn_shake(struct conn *c)
{
	if (!c->run->secure)
		return true;
	c->tls = SSL_new(c->run->tls);
	return c->tls && SSL_set_fd(c->tls, c->fd) == 1 && SSL_connect(c->tls) == 1;
}

static int conn_open(struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&c->run->addr, sizeof(c->run->addr)) != 0) {
		if (atomic_load(&c->run->errors) < 3)
			fprintf(stderr, "load: cannot connect to %s: %s\n", c->run->host,
			    strerror(errno));
		conn_close(c);
		return -1;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!conn_shake(c)) {
		ERR_clear_error();
		fprintf(stderr, "load: no TLS with %s\n", c->run->host);
		conn_close(c);
		return -1;
	}
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(c->worker->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev);
	return 0;
}

static void conn_want_write(struct conn *c, bool want)
{
	struct epoll_event ev = {.events = want ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};

	if (c->want_write != want)
		epoll_ctl(c->worker->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
	c->want_write = want;
}

/* Start sending c->req, over a new connection when there is none.  False when that cannot be done.
 */
static bool conn_send(struct conn *c)
{
	for (;;) {
		bool reused = c->used;
		enum io io;

		if (c->fd < 0 && conn_open(c) != 0)
			return false;
		c->in_len = 0;
		c->got_head = false;
		io = conn_write(c);
		if (io != IO_DEAD) {
			conn_want_write(c, io == IO_AGAIN);
			return true;
		}
		conn_close(c);
		c->req.sent = 0;
		if (!reused)
			return false;
		c->worker->retries++;
	}
}

static void latency_add(struct worker *w, uint64_t us)
{
	if (w->latency_len == w->latency_cap) {
		w->latency_cap = w->latency_cap ? w->latency_cap * 2 : 65536;
		w->latency_us = realloc(w->latency_us, w->latency_cap * sizeof(*w->latency_us));
		if (!w->latency_us)
			abort();
	}
	w->latency_us[w->latency_len++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static bool op_begin(struct conn *c)
{
	struct run *run = c->run;
	uint64_t now = now_us();

	if ((run->deadline_us && now >= run->deadline_us) ||
	    atomic_load(&run->errors) >= ERRORS_MAX)
		return false;
	c->seq = atomic_fetch_add(&run->next_op, 1);
	if (run->count && c->seq >= run->count)
		return false;
	c->step = 0;
	c->op_started_us = now;
	return true;
}

static void op_end(struct conn *c, bool ok)
{
	struct worker *w = c->worker;
	uint64_t now = now_us();

	w->last_us = now;
	if (!ok) {
		atomic_fetch_add(&c->run->errors, 1);
		conn_close(c);
		return;
	}
	w->ops++;
	latency_add(w, now - c->op_started_us);
}

/* Go on with the scenario until a request is on its way or there is nothing left to do. */
static void conn_advance(struct conn *c)
{
	for (;;) {
		enum step s = c->run->scenario->step(c);

		c->step++;
		if (s == STEP_MORE && !conn_send(c))
			s = STEP_FAIL;
		if (s == STEP_MORE)
			return;
		op_end(c, s == STEP_DONE);
		if (!op_begin(c)) {
			c->worker->active--;
			conn_close(c);
			return;
		}
	}
}

static void conn_lost(struct conn *c)
{
	bool retry = c->used && c->in_len == 0;

	conn_close(c);
	c->req.sent = 0;
	if (retry) {
		c->worker->retries++;
		if (conn_send(c))
			return;
	}
	c->res.status = 0;
	c->res.kept_len = 0;
	conn_complain(c, "the connection broke");
	op_end(c, false);
	if (op_begin(c))
		conn_advance(c);
	else
		c->worker->active--;
}

static void conn_event(struct conn *c, uint32_t events)
{
	enum io io = IO_AGAIN;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		io = conn_read(c);
	if (io == IO_AGAIN && (events & EPOLLOUT)) {
		enum io out = conn_write(c);

		if (out == IO_DONE)
			conn_want_write(c, false);
		else if (out == IO_DEAD) /* refused half-way: the answer may be there */
			io = conn_read(c) == IO_DONE ? IO_DONE : IO_DEAD;
	}
	if (io == IO_DEAD) {
		conn_lost(c);
	} else if (io == IO_DONE) {
		c->worker->requests++;
		c->used = true;
		if (c->res.close || c->req.sent < c->req.head_len + c->req.body_len)
			conn_close(c);
		conn_advance(c);
	}
}

int worker_init(struct worker *w, struct run *run, unsigned first_id, unsigned n)
{
	memset(w, 0, sizeof(*w));
	w->run = run;
	w->conns_len = n;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	w->conns = calloc(n, sizeof(*w->conns));
	w->scratch = malloc(SCRATCH_BYTES);
	if (w->epoll_fd < 0 || !w->conns || !w->scratch)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		struct conn *c = &w->conns[i];

		c->worker = w;
		c->run = run;
		c->id = first_id + i;
		c->fd = -1;
		c->in = malloc(RESPONSE_BUF);
		if (!c->in || (run->scenario->conn_init && run->scenario->conn_init(c) != 0))
			return -1;
	}
	return 0;
}

void worker_loop(struct worker *w)
{
	struct epoll_event events[64];

	for (unsigned i = 0; i < w->conns_len; i++) {
		w->active++;
		if (op_begin(&w->conns[i]))
			conn_advance(&w->conns[i]);
		else
			w->active--;
	}
	while (w->active > 0) {
		int n = epoll_wait(w->epoll_fd, events, 64, STALL_MS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fprintf(stderr, "load: no answer for %d s on %u connections\n",
			    STALL_MS / 1000, w->active);
			atomic_fetch_add(&w->run->errors, w->active);
			w->last_us = now_us();
			return;
		}
		for (int i = 0; i < n; i++)
			conn_event(events[i].data.ptr, events[i].events);
	}
}

void worker_release(struct worker *w)
{
	for (unsigned i = 0; w->conns && i < w->conns_len; i++) {
		struct conn *c = &w->conns[i];

		conn_close(c);
		if (w->run->scenario->conn_release)
			w->run->scenario->conn_release(c);
		EVP_MD_CTX_free(c->hash);
		free(c->in);
	}
	free(w->conns);
	free(w->scratch);
	free(w->latency_us);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
}
