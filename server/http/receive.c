/* Receiving: from the socket into the head buffer or a loop's buffer, and out of those. See conn.h.
 */
#include "server/http/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_ROOM_MIN 1024

/* One read from the socket, of *n bytes; the next one is due when the socket says so again. */
static enum receive_result receive(struct conn *c, void *at, size_t room, size_t *n)
{
	ssize_t got;

	if (!c->readable)
		return RECEIVE_BLOCKED;
	c->readable = false;
	got = c->io->read(c, at, room);
	if (got > 0) {
		*n = (size_t)got;
		return RECEIVE_SOME;
	}
	if (got == 0)
		return RECEIVE_END;
	return errno == EAGAIN || errno == EWOULDBLOCK ? RECEIVE_BLOCKED : RECEIVE_BROKEN;
}

void receive_done(struct conn *c)
{
	if (c->in && c->in->at == c->in->len) {
		loop_buffer_give(c->loop, c->in);
		c->in = NULL;
	}
}

/* ---- the head ---- */

static bool head_buf_resize(struct conn *c, size_t cap)
{
	size_t grows = cap - c->head_cap;
	char *resized;

	if (c->head_buf && memory_beyond(connections_of(c), MEMORY_OF_HEADS))
		return false;
	if (!memory_take(connections_of(c), grows))
		return false;
	resized = memory_realloc(connections_of(c), c->head_buf, cap);
	if (!resized) {
		memory_give(connections_of(c), grows);
		return false;
	}
	c->head_buf = resized;
	c->head_cap = cap;
	return true;
}

void receive_free_head(struct conn *c)
{
	memory_give(connections_of(c), c->head_cap);
	free(c->head_buf);
	c->head_buf = NULL;
	c->head_at = c->head_len = c->head_cap = 0;
}

/* Room for more of a head, 0 when memory is short; there is some, as a head that fills head_bytes was refused. */
static size_t head_room(struct conn *c)
{
	size_t max = options_of(c)->head_bytes;

	if (!c->head_buf && !head_buf_resize(c, max < HEAD_BUF_BYTES ? max : HEAD_BUF_BYTES))
		return 0;
	if (c->head_at > 0 && c->head_cap - c->head_len < HEAD_ROOM_MIN) {
		c->head_len -= c->head_at;
		memmove(c->head_buf, c->head_buf + c->head_at, c->head_len);
		c->head_at = 0;
	}
	if (c->head_len == c->head_cap &&
	    !head_buf_resize(c, c->head_cap * 2 < max ? c->head_cap * 2 : max))
		return 0;
	return c->head_cap - c->head_len;
}

/* The bytes that came behind a chunked body are the next head's first. */
static bool head_from_buffer(struct conn *c, size_t room)
{
	size_t n;

	if (!c->in)
		return false;
	n = c->in->len - c->in->at;
	n = n < room ? n : room;
	memcpy(c->head_buf + c->head_len, c->in->bytes + c->in->at, n);
	c->head_len += n;
	c->in->at += n;
	receive_done(c);
	return true;
}

enum receive_result receive_head(struct conn *c)
{
	enum receive_result result;
	size_t room, n = 0;

	if (!c->in && !c->readable)
		return RECEIVE_BLOCKED;
	room = head_room(c);
	if (room == 0)
		return RECEIVE_NO_MEMORY;
	if (head_from_buffer(c, room))
		return RECEIVE_SOME;
	result = receive(c, c->head_buf + c->head_len, room, &n);
	c->head_len += n;
	return result;
}

void receive_drop(struct conn *c)
{
	if (c->in)
		c->in->at = c->in->len;
	receive_done(c);
}

bool receive_let_go(struct conn *c)
{
	size_t n;
	bool fits;

	receive_done(c);
	if (!c->in)
		return true;
	n = c->in->len - c->in->at;
	fits = c->head_at == c->head_len && n <= HEAD_BUF_BYTES && n <= options_of(c)->head_bytes;
	if (fits) {
		c->head_at = c->head_len = 0;
		fits = head_room(c) >= n && head_from_buffer(c, n);
	}
	receive_drop(c);
	return fits;
}

/* ---- the body ---- */

/* Of a body of known length never more than that. */
static size_t body_room(const struct conn *c)
{
	uint64_t left = (uint64_t)c->req.content_length - c->req.body_bytes;

	return !c->req.chunked && left < LOOP_BUFFER_BYTES ? (size_t)left : LOOP_BUFFER_BYTES;
}

enum receive_result receive_body(struct conn *c)
{
	enum receive_result result = RECEIVE_BLOCKED;

	if (c->readable) {
		if (!c->in)
			c->in = loop_buffer_take(c->loop);
		c->in->at = c->in->len = 0;
		result = receive(c, c->in->bytes, body_room(c), &c->in->len);
	}
	if (result != RECEIVE_SOME)
		receive_done(c);
	return result;
}

enum parse_result receive_parse(struct conn *c, struct slice *piece)
{
	enum parse_result result;
	size_t used;

	if (c->head_at < c->head_len) {
		result = parse_body(
		    &c->parser, c->head_buf + c->head_at, c->head_len - c->head_at, &used, piece);
		c->head_at += used;
	} else {
		result = parse_body(
		    &c->parser, c->in->bytes + c->in->at, c->in->len - c->in->at, &used, piece);
		c->in->at += used;
	}
	c->req.bytes_in += used;
	c->req.body_bytes += piece->len;
	c->body_complete = result == PARSE_DONE;
	return result;
}

/* It came whole with the head, and stays there. */
static bool came_with_head(const struct conn *c)
{
	return !c->in && c->body_complete && c->req.body.len == 0;
}

/*
 * Whether the body, as far as its length is known, may be held in memory. When there are many, for which more would
 * have to be allocated, it may not.
 */
static bool fits_memory(const struct conn *c, struct slice piece)
{
	const struct http_request *req = &c->req;
	uint64_t len = req->chunked ? req->body.len + piece.len : (uint64_t)req->content_length;

	if (c->spill.fd >= 0 || len > options_of(c)->body_memory_bytes)
		return false;
	return came_with_head(c) || len <= c->collect_cap ||
	    !memory_beyond(memory_of(c), MEMORY_IN_FILES);
}

/* What was held in memory until now goes first. */
static bool collect_in_file(struct conn *c, struct slice piece)
{
	const char *folder = options_of(c)->body_folder;
	struct slice held = c->req.body;

	c->req.body = (struct slice){0};
	return (held.len == 0 || spill_write(&c->spill, folder, held)) &&
	    spill_write(&c->spill, folder, piece);
}

static void collect_in_memory(struct conn *c, struct slice piece)
{
	struct http_request *req = &c->req;
	size_t cap = (size_t)req->content_length;

	if (came_with_head(c)) {
		req->body = piece;
		return;
	}
	if (req->body.len + piece.len > c->collect_cap) {
		if (req->chunked) {
			cap = c->collect_cap ? c->collect_cap * 2 : 4096;
			cap = cap < req->body.len + piece.len ? req->body.len + piece.len : cap;
		}
		c->collect = arena_alloc(req->arena, cap);
		c->collect_cap = cap;
		if (req->body.len)
			memcpy(c->collect, req->body.at, req->body.len);
	}
	memcpy(c->collect + req->body.len, piece.at, piece.len);
	req->body = slice_of(c->collect, req->body.len + piece.len);
}

bool receive_collect(struct conn *c, struct slice piece)
{
	if (!fits_memory(c, piece))
		return collect_in_file(c, piece);
	collect_in_memory(c, piece);
	return true;
}

enum receive_result receive_nothing(struct conn *c)
{
	struct loop_buffer *buffer;
	enum receive_result result;
	size_t n = 0;

	if (!c->readable)
		return RECEIVE_BLOCKED;
	buffer = loop_buffer_take(c->loop);
	result = receive(c, buffer->bytes, sizeof(buffer->bytes), &n);
	loop_buffer_give(c->loop, buffer);
	c->lingered += n;
	return result;
}
