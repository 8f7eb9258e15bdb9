/*
 * The life of a connection: one switch over its states. Each state's function takes the connection
 * as far as it can and returns true when it went on to another state (or may go on in this one),
 * false when it must wait for the socket, the application or the clock.
 */
#include "server/http/conn.h"

#include "protocol/errors.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_BYTES_MAX (64u << 10) /* a body rest that is skipped rather than closed over */
#define TURNS_MAX 256               /* states passed in one event, so that connections take turns */
#define SLIM_AFTER_US 1000000

static const char no_memory[] = "too many requests hold memory at this moment: try again";

static bool conn_refuse(struct conn *c, int status, const char *reason);

static void deadline_in(struct conn *c, uint32_t ms)
{
	c->deadline_us = c->loop->now_us + (int64_t)ms * 1000;
	c->moved = true;
}

/* The application is done: while it worked no deadline came nearer. */
static void time_counts_again(struct conn *c)
{
	loop_now(c->loop);
	c->deadline_us += c->loop->now_us - c->since_us;
	c->since_us = c->loop->now_us;
}

/* ---- requests: begin, account, lose ---- */

static void reply_file_close(struct conn *c)
{
	if (c->req.reply.file >= 0)
		close(c->req.reply.file);
	c->req.reply.file = -1;
}

/* Everything of the last request goes; what was read beyond it stays. */
static void request_reset(struct conn *c)
{
	reply_file_close(c);
	spill_release(&c->spill);
	arena_reset(&c->arena);
	memset(&c->req, 0, sizeof(c->req));
	c->req.loop = c->loop;
	c->req.arena = &c->arena;
	c->req.secure = c->io->secure;
	c->req.content_length = -1;
	c->req.reply.length = -1;
	c->req.reply.file = -1;
	parse_init(&c->parser, options_of(c)->target_bytes);
	c->live = c->refused = c->body_complete = c->in_head = c->aside = false;
	c->paced_at = 0;
	c->collect = NULL;
	c->collect_cap = 0;
	c->out_sent = 0;
	c->out_index = 0;
	if (c->head_at == c->head_len) {
		c->head_at = c->head_len = 0;
		if (c->head_cap > HEAD_BUF_BYTES)
			receive_free_head(c);
	}
	receive_done(c);
	c->state = CONN_READ_HEAD;
	deadline_in(c, options_of(c)->idle_ms);
}

/* The handler is done with the body: another's turn may come. */
static void body_done(struct conn *c)
{
	spill_rest(&c->spill);
	turn_give(&c->loop->server->turns, &c->turn);
}

static void account(struct conn *c)
{
	struct loop_counters *counters = &c->loop->counters;
	struct http_request *req = &c->req;

	body_done(c);
	req->ended_us = loop_now(c->loop);
	counter_add(&counters->requests, 1);
	counter_add(&counters->refused, c->refused);
	counter_add(&counters->aborted, req->aborted);
	counter_add(&counters->bytes_in, req->bytes_in);
	counter_add(&counters->bytes_out, req->bytes_out);
	if (options_of(c)->finished)
		options_of(c)->finished(req);
	loop_watch(c->loop, req);
}

static void abort_handler(struct conn *c)
{
	bool live = c->live;

	c->live = false;
	if (live && c->req.handler->abort)
		c->req.handler->abort(&c->req);
}

/* The client is gone, or takes nothing: the request ends without its reply. */
static bool conn_lost(struct conn *c)
{
	abort_handler(c);
	c->req.aborted = true;
	account(c);
	c->state = CONN_CLOSED;
	return true;
}

/* ---- replying ---- */

/* Whether the rest of the body may be skipped after the reply, so that the connection can stay. */
static bool rest_is_small(const struct conn *c)
{
	return !c->req.chunked && !c->parser.expect_continue &&
	    (uint64_t)c->req.content_length - c->req.body_bytes <= DRAIN_BYTES_MAX;
}

static bool reply_begin(struct conn *c)
{
	struct http_reply *reply = &c->req.reply;

	assert(reply->status != 0);
	if (reply->status == 0)
		http_reply_text(&c->req, 500, "internal error");
	if (c->loop->draining || (!c->body_complete && !reply->close && !rest_is_small(c)))
		reply->close = true;
	if (reply->status == 503)
		http_reply_header(&c->req, "Retry-After", slice_str("1"));
	reply_render(c);
	c->out_sent = 0;
	c->out_index = 0;
	c->paced_at = c->req.bytes_out;
	c->blocked = false;
	deadline_in(c, options_of(c)->write_ms);
	c->state = CONN_WRITE;
	return true;
}

/* The transport's own answer; the connection ends after it. Always true. */
static bool conn_refuse(struct conn *c, int status, const char *reason)
{
	abort_handler(c);
	body_done(c);
	c->refused = true;
	http_reply(&c->req, status);
	if (options_of(c)->refuse)
		options_of(c)->refuse(&c->req, status, reason);
	else
		http_reply_text(&c->req, status, reason);
	http_reply_close(&c->req);
	return reply_begin(c);
}

/* What a handler function said, called in the state `during`. Always true. */
static bool take_step(struct conn *c, enum conn_state during, enum http_step step)
{
	switch (step) {
	case HTTP_GO:
		assert(during != CONN_END);
		if (during == CONN_END)
			return conn_refuse(c, 500, "internal error");
		if (c->body_complete)
			c->state = CONN_END;
		else
			c->state = during == CONN_START ? CONN_CONTINUE : CONN_READ_BODY;
		if (during == CONN_START ||
		    conn_paced(c, c->req.body_bytes, options_of(c)->body_ms))
			deadline_in(c, options_of(c)->body_ms);
		return true;
	case HTTP_WAIT:
		assert(c->req.resume);
		c->waited_in = during;
		c->state = CONN_WAIT;
		return true;
	case HTTP_DONE:
		c->live = false;
		body_done(c);
		return reply_begin(c);
	}
	abort();
}

/* ---- CONN_HANDSHAKE ---- */

/* What comes first: TLS's handshake, and after it, or without it, the first request. */
static void conn_begin(struct conn *c)
{
	request_reset(c);
	if (c->io->secure && !c->tls) {
		c->state = CONN_HANDSHAKE;
		deadline_in(c, options_of(c)->handshake_ms);
	} else if (c->overflow) {
		conn_refuse(c, 503, "too many connections");
	}
}

static bool handshake_failed(struct conn *c, const char *why)
{
	counter_add(&c->loop->counters.handshakes_failed, 1);
	if (options_of(c)->handshake_failed)
		options_of(c)->handshake_failed(&c->req, why);
	/* As in next(): what is unread must not lose the alert. */
	c->io->shut(c);
	deadline_in(c, options_of(c)->linger_ms);
	c->state = CONN_LINGER;
	return true;
}

static bool handshake(struct conn *c)
{
	char why[256] = "";

	if (!c->readable)
		return false;
	c->readable = false;
	switch (tls_handshake(c, why, sizeof(why))) {
	case HANDSHAKE_DONE:
		conn_begin(c);
		return true;
	case HANDSHAKE_BLOCKED:
		return false;
	case HANDSHAKE_PLAIN:
		c->req.secure = false;
		c->req.started_us = c->loop->now_us;
		return conn_refuse(c, 400, "this port speaks TLS: use https://");
	case HANDSHAKE_FAILED:
		return handshake_failed(c, why);
	case HANDSHAKE_GONE:
		c->state = CONN_CLOSED;
		return true;
	}
	abort();
}

/* ---- CONN_READ_HEAD ---- */

static enum conn_kind kind_of(const struct conn *c)
{
	switch (c->state) {
	case CONN_WAIT:
	case CONN_TURN:
		return CONNS_HELD;
	case CONN_HANDSHAKE:
		return c->tls ? CONNS_MOVING : CONNS_IDLE;
	case CONN_READ_HEAD:
		return c->in_head ? CONNS_MOVING : CONNS_IDLE;
	default:
		return CONNS_MOVING;
	}
}

/* Its place among those that give way: at once when it stops being idle, else when it waits again. */
static void conn_place(struct conn *c)
{
	enum conn_kind kind = kind_of(c);

	if (c->moved || kind != c->kind)
		loop_place(c->loop, c, kind);
	c->moved = false;
}

/* Empty lines before a request are to be ignored (RFC 9112 section 2.2). */
static void skip_empty_lines(struct conn *c)
{
	while (c->head_len - c->head_at >= 2 && memcmp(c->head_buf + c->head_at, "\r\n", 2) == 0)
		c->head_at += 2;
}

static bool head_more(struct conn *c)
{
	enum receive_result result;

	if (c->head_len - c->head_at >= options_of(c)->head_bytes) {
		if (!c->parser.target_known)
			return conn_refuse(c, 414, "the request target is too long");
		return conn_refuse(c, 431, "the request head is too large");
	}
	result = receive_head(c);
	if (result == RECEIVE_NO_MEMORY)
		return conn_refuse(c, 503, no_memory);
	if (result == RECEIVE_END && c->in_head)
		return conn_refuse(c, 400, "the request head is incomplete");
	if (result == RECEIVE_END || result == RECEIVE_BROKEN)
		c->state = CONN_CLOSED;
	return result != RECEIVE_BLOCKED;
}

static bool read_head(struct conn *c)
{
	if (!c->in_head && c->head_at < c->head_len) {
		skip_empty_lines(c);
		c->in_head = c->head_at < c->head_len;
		if (c->in_head) {
			deadline_in(c, options_of(c)->head_ms);
			conn_place(c);
		}
	}
	if (c->head_at == c->head_len)
		return head_more(c);
	c->req.bytes_in = c->head_len - c->head_at;
	switch (parse_head(&c->parser, c->head_buf + c->head_at, c->head_len - c->head_at)) {
	case PARSE_MORE:
		return head_more(c);
	case PARSE_BAD:
		c->req.started_us = c->loop->now_us;
		return conn_refuse(c, c->parser.status, c->parser.reason);
	case PARSE_DONE:
		break;
	}
	c->state = CONN_START;
	return true;
}

/* ---- CONN_START, CONN_CONTINUE ---- */

static bool start(struct conn *c)
{
	struct http_request *req = &c->req;

	parse_request(&c->parser, c->head_buf + c->head_at, req);
	c->head_at += c->parser.head_len;
	req->bytes_in = c->parser.head_len;
	req->started_us = c->loop->now_us;
	req->reply.close = !c->parser.keep_alive;
	c->body_complete = !c->parser.has_body;
	req->handler = options_of(c)->route(req);
	if (!req->handler)
		return conn_refuse(c, 500, "no handler was found for the request");
	if (req->content_length > 0 && (uint64_t)req->content_length > req->handler->body_max)
		return conn_refuse(c, 413, "the request body is too large");
	if (!server_has_memory(c->loop->server))
		return conn_refuse(c, 503, no_memory);
	c->live = true;
	return take_step(c, CONN_START, req->handler->start ? req->handler->start(req) : HTTP_GO);
}

/* The client is told to go on, unless it did not ask or does so already. */
static bool go_on(struct conn *c)
{
	bool failed = false;

	if (c->parser.expect_continue && !c->req.http_1_0 && !has_unread(c)) {
		c->out = slice_str("HTTP/1.1 100 Continue\r\n\r\n");
		if (c->out_index == 0 && !send_continue(c, &failed))
			return failed ? conn_lost(c) : false;
	}
	c->parser.expect_continue = false;
	deadline_in(c, options_of(c)->body_ms);
	c->state = CONN_READ_BODY;
	return true;
}

/* ---- CONN_READ_BODY ---- */

static bool body_more(struct conn *c)
{
	switch (receive_body(c)) {
	case RECEIVE_SOME:
		return true;
	case RECEIVE_BLOCKED:
		return false;
	case RECEIVE_END:
		return conn_refuse(c, 400, "the request body is incomplete");
	case RECEIVE_BROKEN:
	case RECEIVE_NO_MEMORY: /* not of a body */
		return conn_lost(c);
	}
	abort();
}

static bool refuse_unkept(struct conn *c)
{
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		return conn_refuse(c, 503, no_memory);
	return conn_refuse(c, error_of_errno(errno) == ERR_STORAGE_FULL ? 507 : 500,
	    "the request body could not be kept");
}

static bool read_body(struct conn *c)
{
	const struct http_handler *handler = c->req.handler;
	enum http_step step = HTTP_GO;
	struct slice piece;

	if (!has_unread(c))
		return body_more(c);
	if (receive_parse(c, &piece) == PARSE_BAD)
		return conn_refuse(c, c->parser.status, c->parser.reason);
	if (c->req.body_bytes > handler->body_max)
		return conn_refuse(c, 413, "the request body is too large");
	if (piece.len > 0 && handler->body)
		step = handler->body(&c->req, piece);
	else if (piece.len > 0 && !receive_collect(c, piece))
		return refuse_unkept(c);
	return take_step(c, CONN_READ_BODY, step);
}

/* ---- CONN_END, CONN_WRITE, CONN_FILE, CONN_NEXT ---- */

static void on_turn(struct http_task *task)
{
	struct conn *c = (struct conn *)((char *)task - offsetof(struct conn, turn.task));

	time_counts_again(c);
	c->state = CONN_END;
	if (c->gone)
		conn_lost(c);
	conn_run(c);
}

/* A large body is read when it is its turn: true once it is. */
static bool turn_has_come(struct conn *c)
{
	if (c->turn.state == TURN_TAKEN)
		return true;
	c->turn = (struct turn){.bytes = c->spill.len, .loop = c->loop, .task.run = on_turn};
	c->state = CONN_TURN;
	if (!turn_take(&c->loop->server->turns, &c->turn))
		return false;
	c->state = CONN_END;
	return true;
}

static bool end(struct conn *c)
{
	receive_done(c);
	if (c->spill.fd >= 0 && !turn_has_come(c))
		return false;
	if (c->spill.fd >= 0)
		c->req.body = spill_map(&c->spill);
	if (c->spill.fd >= 0 && !c->req.body.at)
		return refuse_unkept(c);
	return take_step(c, CONN_END, c->req.handler->end(&c->req));
}

/* The client's time to take some of the reply begins when it is first waited for. Always false. */
static bool reply_waits(struct conn *c)
{
	if (!c->blocked) {
		c->blocked = true;
		c->taken_at = send_taken(c);
		deadline_in(c, options_of(c)->write_ms);
	}
	return false;
}

/*
 * Of a reply that its client is slow to take the rest goes to a file, so that it costs a descriptor instead of
 * memory, whatever the client does. False when there is no room for that file: the request is lost.
 */
static bool put_aside(struct conn *c)
{
	struct arena kept;
	bool to_file = send_left(c) > HELD_BYTES_MAX && c->req.reply.file < 0;

	if (!send_holds_memory(c))
		return true;
	if (to_file && !send_aside(c)) {
		conn_lost(c);
		return false;
	}
	c->aside = true;
	arena_init_counted(&kept, memory_of(c));
	if (!to_file)
		send_gather(c, &kept);
	/* What the log says of the request: it stands in the arena or in the head's buffer, which may take the next head. */
	if (options_of(c)->keep)
		options_of(c)->keep(&c->req, &kept);
	else
		c->req.user = NULL;
	c->req.method_name = arena_dup(&kept, c->req.method_name);
	c->req.target = arena_dup(&kept, c->req.target);
	c->req.raw_path = c->req.query = c->req.host = (struct slice){0};
	if (!receive_let_go(c))
		c->req.reply.close = true;
	c->req.fields = NULL;
	c->req.field_count = 0;
	c->req.reply.fields = NULL;
	c->req.reply.field_count = c->req.reply.field_room = 0;
	c->req.body = (struct slice){0};
	c->collect = NULL;
	c->collect_cap = 0;
	spill_release(&c->spill);
	arena_release(&c->arena);
	c->arena = kept;
	return true;
}

/* A client not as fast as the server has until the next tick, while memory is not short. */
static bool write_reply(struct conn *c)
{
	bool failed = false;

	if (!send_pieces(c, &failed)) {
		if (failed)
			return conn_lost(c);
		reply_waits(c);
		return memory_beyond(memory_of(c), MEMORY_IN_FILES) && !put_aside(c);
	}
	c->state = c->req.reply.file >= 0 ? CONN_FILE : CONN_NEXT;
	return true;
}

static bool write_file(struct conn *c)
{
	bool failed = false;

	if (!send_file(c, &failed)) {
		if (failed)
			return conn_lost(c);
		reply_waits(c);
		return memory_beyond(memory_of(c), MEMORY_IN_FILES) && !put_aside(c);
	}
	c->state = CONN_NEXT;
	return true;
}

static bool next(struct conn *c)
{
	account(c);
	reply_file_close(c);
	deadline_in(c, options_of(c)->linger_ms);
	if (!c->req.reply.close && c->body_complete) {
		request_reset(c);
	} else if (!c->req.reply.close) {
		c->state = CONN_DRAIN;
	} else if (!c->body_complete || c->refused || c->readable || has_unread(c)) {
		/* Closing over unread bytes would reset the connection and lose the reply. */
		c->io->shut(c);
		c->state = CONN_LINGER;
		/* Nothing of the request is needed for reading what is for nobody. */
		c->req.method = METHOD_NONE;
		c->req.user = NULL;
		receive_drop(c);
		receive_free_head(c);
		arena_release(&c->arena);
	} else {
		c->state = CONN_CLOSED;
	}
	return true;
}

/* ---- CONN_DRAIN, CONN_LINGER ---- */

static bool drain_body(struct conn *c)
{
	enum receive_result result;
	struct slice piece;

	if (!has_unread(c)) {
		result = receive_body(c);
		if (result == RECEIVE_END || result == RECEIVE_BROKEN)
			c->state = CONN_CLOSED;
		return result != RECEIVE_BLOCKED;
	}
	if (receive_parse(c, &piece) == PARSE_BAD)
		c->state = CONN_CLOSED;
	else if (c->body_complete)
		request_reset(c);
	return true;
}

static bool linger(struct conn *c)
{
	enum receive_result result = receive_nothing(c);

	if (result == RECEIVE_END || result == RECEIVE_BROKEN ||
	    c->lingered > options_of(c)->linger_bytes)
		c->state = CONN_CLOSED;
	return result != RECEIVE_BLOCKED;
}

/* ---- the machine ---- */

static void conn_free(struct conn *c)
{
	struct http_loop *loop = c->loop;

	event_del(&c->read_event);
	event_del(&c->write_event);
	reply_file_close(c);
	c->io->release(c);
	spill_release(&c->spill);
	close(c->fd);
	if (c->in)
		loop_buffer_give(loop, c->in);
	receive_free_head(c);
	arena_release(&c->arena);
	memory_give(connections_of(c), sizeof(*c));
	atomic_fetch_sub_explicit(&loop->open, 1, memory_order_relaxed);
	loop_unlink(loop, c);
	free(c);
}

static bool state_reads(enum conn_state state)
{
	return state == CONN_HANDSHAKE || state == CONN_READ_HEAD || state == CONN_READ_BODY ||
	    state == CONN_DRAIN || state == CONN_LINGER;
}

static bool state_writes(enum conn_state state)
{
	return state == CONN_CONTINUE || state == CONN_WRITE || state == CONN_FILE;
}

/*
 * Asks for the events that the state needs. The read event stays pending through whole requests,
 * and is only taken off when it fired although nothing was to be read.
 */
static void conn_arm(struct conn *c)
{
	bool read = c->reading, write = state_writes(c->state), reads = state_reads(c->state);

	if (c->turned) {
		bool other = reads;

		reads = write;
		write = other;
	}
	if (reads)
		read = true;
	else if (c->readable || c->turned)
		read = false;
	if (read != c->reading)
		read ? event_add(&c->read_event, NULL) : event_del(&c->read_event);
	if (write != c->writing)
		write ? event_add(&c->write_event, NULL) : event_del(&c->write_event);
	c->reading = read;
	c->writing = write;
}

/* It waits: for the events that it needs, at its place among those that give way. */
static void conn_settle(struct conn *c)
{
	conn_place(c);
	conn_arm(c);
}

static bool conn_advance(struct conn *c)
{
	switch (c->state) {
	case CONN_HANDSHAKE:
		return handshake(c);
	case CONN_READ_HEAD:
		return read_head(c);
	case CONN_START:
		return start(c);
	case CONN_CONTINUE:
		return go_on(c);
	case CONN_READ_BODY:
		return read_body(c);
	case CONN_WAIT:
	case CONN_TURN:
		return false;
	case CONN_END:
		return end(c);
	case CONN_WRITE:
		return write_reply(c);
	case CONN_FILE:
		return write_file(c);
	case CONN_NEXT:
		return next(c);
	case CONN_DRAIN:
		return drain_body(c);
	case CONN_LINGER:
		return linger(c);
	case CONN_CLOSED:
		return false;
	}
	abort();
}

void conn_run(struct conn *c)
{
	unsigned turns = 0;

	c->running = true;
	while (turns < TURNS_MAX && conn_advance(c))
		turns++;
	c->running = false;
	loop_watch(c->loop, &c->req);
	if (c->state == CONN_CLOSED) {
		conn_free(c);
		return;
	}
	conn_settle(c);
	if (turns == TURNS_MAX)
		event_active(&c->read_event, EV_READ, 0);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	char byte;

	(void)what;
	loop_now(c->loop);
	c->readable = true;
	c->turned = false;
	/* A reset while the application works is a client gone; an end of stream is not yet. */
	if ((c->state == CONN_WAIT || c->state == CONN_TURN) && recv(fd, &byte, 1, MSG_PEEK) < 0 &&
	    errno != EAGAIN)
		c->gone = true;
	conn_run(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	loop_now(c->loop);
	if (c->turned) /* what was read had to write first */
		c->readable = true;
	c->turned = false;
	conn_run(c);
}

void http_resume(struct http_request *req)
{
	struct conn *c = conn_of(req);

	assert(c->state == CONN_WAIT && !c->running);
	loop_now(c->loop);
	c->running = true;
	time_counts_again(c);
	if (c->gone)
		conn_lost(c);
	else
		take_step(c, c->waited_in, req->resume(req));
	conn_run(c);
}

/* ---- life, as the loop sees it ---- */

struct conn *conn_new(struct http_loop *loop, int fd, const struct sockaddr *remote,
    socklen_t remote_len, bool secure, bool overflow)
{
	struct conn *c;

	/* With no connection there is no tick that would do it. */
	memory_restore(&loop->server->connections, RESERVE_BYTES);
	if (!memory_take(&loop->server->connections, sizeof(*c)))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c) {
		memory_give(&loop->server->connections, sizeof(*c));
		return NULL;
	}
	c->loop = loop;
	c->io = secure ? &conn_io_tls : &conn_io_plain;
	c->fd = fd;
	c->overflow = overflow;
	c->req.reply.file = -1;
	spill_init(&c->spill);
	memcpy(&c->remote, remote, remote_len < sizeof(c->remote) ? remote_len : sizeof(c->remote));
	atomic_fetch_add_explicit(&loop->open, 1, memory_order_relaxed);
	return c;
}

void conn_open(struct conn *c)
{
	struct http_loop *loop = c->loop;
	int one = 1;

	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	event_assign(&c->read_event, loop->base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->write_event, loop->base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
	arena_init_counted(&c->arena, memory_of(c));
	counter_add(&loop->counters.connections, 1);
	loop_link(loop, c);
	conn_begin(c);
	if (loop->draining)
		conn_drain(c);
	else if (c->state == CONN_WRITE)
		conn_run(c);
	else
		conn_settle(c);
}

/* Whether the client took enough of the reply while it had time to; it has as long again. */
static bool reply_moves(struct conn *c)
{
	uint32_t ms = options_of(c)->write_ms;
	int64_t taken = send_taken(c);

	if (!c->blocked || taken - c->taken_at < (int64_t)ms * options_of(c)->least_rate / 1000)
		return false;
	c->taken_at = taken;
	deadline_in(c, ms);
	return true;
}

void conn_late(struct conn *c)
{
	switch (c->state) {
	case CONN_HANDSHAKE:
		if (c->tls)
			handshake_failed(c, "it took too long");
		else
			c->state = CONN_CLOSED;
		break;
	case CONN_READ_HEAD:
		if (c->in_head)
			conn_refuse(c, 408, "the request head took too long");
		else
			c->state = CONN_CLOSED;
		break;
	case CONN_READ_BODY:
		conn_refuse(c, 408, "the request body stalled");
		break;
	case CONN_WRITE:
	case CONN_FILE:
		if (!reply_moves(c))
			conn_lost(c);
		break;
	case CONN_DRAIN:
	case CONN_LINGER:
		c->state = CONN_CLOSED;
		break;
	default:
		conn_lost(c);
		break;
	}
	conn_run(c);
}

void conn_drain(struct conn *c)
{
	char byte;

	if (c->state != CONN_HANDSHAKE &&
	    (c->state != CONN_READ_HEAD || c->in_head || has_unread(c) ||
		recv(c->fd, &byte, 1, MSG_PEEK) > 0)) {
		conn_arm(c); /* reply_begin sees that the loop drains */
		return;
	}
	c->state = CONN_CLOSED;
	conn_run(c);
}

void conn_cut(struct conn *c)
{
	switch (c->state) {
	case CONN_WAIT:
	case CONN_TURN:
		c->gone = true;
		shutdown(c->fd, SHUT_RDWR);
		return;
	case CONN_HANDSHAKE:
	case CONN_READ_HEAD:
	case CONN_DRAIN:
	case CONN_LINGER:
		c->state = CONN_CLOSED;
		break;
	default:
		conn_lost(c);
		break;
	}
	conn_run(c);
}

bool conn_yield(struct conn *c)
{
	char byte;

	if (has_unread(c) || c->readable || recv(c->fd, &byte, 1, MSG_PEEK) > 0)
		return false;
	conn_cut(c);
	return true;
}

void conn_slim(struct conn *c)
{
	int64_t idle_since = c->deadline_us - (int64_t)options_of(c)->idle_ms * 1000;

	if ((c->state == CONN_WRITE || c->state == CONN_FILE) && c->blocked && !put_aside(c)) {
		conn_run(c);
		return;
	}
	if (c->state != CONN_READ_HEAD || c->in_head || has_unread(c) ||
	    c->loop->now_us < idle_since + SLIM_AFTER_US)
		return;
	receive_free_head(c);
	arena_release(&c->arena);
}
