/* Sending a reply: as much as the socket takes. See conn.h for the contract of these functions. */
#include "server/http/conn.h"

#include "server/http/spill.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#define SEND_IOV_MAX 16
#define SEND_FILE_BYTES (1u << 20)

/* Books n sent bytes. The deadline is not put off by them: conn_late asks what has reached the client. */
static void sent(struct conn *c, size_t n)
{
	c->req.bytes_out += n;
	if (conn_paced(c, c->req.bytes_out, options_of(c)->write_ms))
		c->moved = true;
}

int64_t send_taken(const struct conn *c)
{
	int queued = 0;

	if (ioctl(c->fd, SIOCOUTQ, &queued) != 0)
		queued = 0;
	return (int64_t)c->req.bytes_out - queued;
}

/* True when a failed write only means that the socket is full. */
static bool full(bool *failed)
{
	*failed = errno != EAGAIN && errno != EWOULDBLOCK;
	return !*failed;
}

static struct slice piece_at(const struct conn *c, unsigned index)
{
	return index == 0 ? c->out : c->req.reply.body[index - 1];
}

static void advance(struct conn *c, size_t n)
{
	sent(c, n);
	c->out_sent += n;
	while (c->out_sent > 0) {
		size_t len = piece_at(c, c->out_index).len;

		if (c->out_sent < len)
			break;
		c->out_sent -= len;
		c->out_index++;
	}
}

/* Sends the pieces up to `count` in all (c->out is the first). */
static bool send_up_to(struct conn *c, unsigned count, bool more, bool *failed)
{
	while (c->out_index < count) {
		struct iovec iov[SEND_IOV_MAX];
		int n = 0;
		ssize_t wrote;

		for (unsigned i = c->out_index; i < count && n < SEND_IOV_MAX; i++, n++) {
			struct slice piece = piece_at(c, i);
			size_t skip = n == 0 ? c->out_sent : 0;

			iov[n].iov_base = (void *)(uintptr_t)(piece.at + skip);
			iov[n].iov_len = piece.len - skip;
		}
		wrote = c->io->write(c, iov, n, more);
		if (wrote < 0) {
			full(failed);
			return false;
		}
		advance(c, (size_t)wrote);
	}
	return true;
}

bool send_continue(struct conn *c, bool *failed)
{
	return send_up_to(c, 1, false, failed);
}

/* An answer to HEAD is its head; so are 204 and 304, whatever the handler appended. */
static bool bodiless(const struct http_request *req)
{
	return req->method == METHOD_HEAD || req->reply.status == 204 || req->reply.status == 304;
}

bool send_pieces(struct conn *c, bool *failed)
{
	const struct http_reply *reply = &c->req.reply;

	if (bodiless(&c->req))
		return send_up_to(c, 1, false, failed);
	return send_up_to(c, 1 + reply->body_count, reply->file_len > 0, failed);
}

/* What is left of a piece. */
static struct slice rest_of(const struct conn *c, unsigned index)
{
	return slice_skip(piece_at(c, index), index == c->out_index ? c->out_sent : 0);
}

/* Its last piece: the head alone, when there is no body to be sent. */
static unsigned last_piece(const struct conn *c)
{
	return bodiless(&c->req) ? 0 : c->req.reply.body_count;
}

size_t send_left(const struct conn *c)
{
	size_t left = 0;

	for (unsigned i = c->out_index; i <= last_piece(c); i++)
		left += rest_of(c, i).len;
	return left;
}

bool send_holds_memory(const struct conn *c)
{
	return !c->aside &&
	    (c->in || send_left(c) > HELD_BYTES_MAX || c->arena.held > HELD_BYTES_MAX);
}

void send_gather(struct conn *c, struct arena *kept)
{
	struct http_reply *reply = &c->req.reply;
	size_t len = send_left(c), at = 0;
	char *gathered = arena_alloc(kept, len);

	for (unsigned i = c->out_index; i <= last_piece(c); i++) {
		struct slice rest = rest_of(c, i);

		if (rest.len)
			memcpy(gathered + at, rest.at, rest.len);
		at += rest.len;
	}
	reply->body = NULL;
	reply->body_count = reply->body_room = 0;
	c->out = slice_of(gathered, len);
	c->out_index = len > 0 ? 0 : 1;
	c->out_sent = 0;
}

bool send_aside(struct conn *c)
{
	struct http_reply *reply = &c->req.reply;
	struct spill rest;

	spill_init(&rest);
	for (unsigned i = c->out_index; i <= reply->body_count; i++) {
		if (!spill_write(&rest, options_of(c)->body_folder, rest_of(c, i))) {
			spill_release(&rest);
			return false;
		}
	}
	reply->file = rest.fd;
	reply->file_offset = 0;
	reply->file_len = rest.len;
	reply->body = NULL;
	reply->body_count = reply->body_room = 0;
	c->out = (struct slice){0};
	c->out_index = 1;
	c->out_sent = 0;
	return true;
}

bool send_file(struct conn *c, bool *failed)
{
	struct http_reply *reply = &c->req.reply;
	size_t quota = SEND_FILE_BYTES;

	if (bodiless(&c->req))
		return true;
	while (reply->file_len > 0 && quota > 0) {
		size_t len = reply->file_len < quota ? (size_t)reply->file_len : quota;
		ssize_t n = c->io->send_file(c, reply->file, reply->file_offset, len);

		if (n < 0) {
			full(failed);
			return false;
		}
		if (n == 0) { /* the file is shorter than was promised */
			*failed = true;
			return false;
		}
		sent(c, (size_t)n);
		reply->file_offset += n;
		reply->file_len -= (uint64_t)n;
		quota -= (size_t)n;
	}
	return reply->file_len == 0;
}
