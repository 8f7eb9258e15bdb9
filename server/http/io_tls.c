/* Sockets through TLS: see io.h. The session is made when the client's first bytes are there. */
#include "server/http/conn.h"
#include "server/http/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	RECORD_BYTES = 16 << 10, /* what one record of TLS holds */
	FILE_BYTES = 64 << 10,   /* of a file, read at a time */
	HANDSHAKE_BYTES =
	    48 << 10,             /* what a session takes until its handshake is done (measured) */
	SESSION_BYTES = 24 << 10, /* and from then on */
	HANDSHAKES_MIN = 4,       /* of a loop */
};

/* What an operation that did not succeed means; `reads`: the connection waits in a state that reads. */
static ssize_t failed(struct conn *c, int result, bool reads)
{
	int error = SSL_get_error(c->tls, result), cause = errno;

	ERR_clear_error();
	switch (error) {
	case SSL_ERROR_WANT_READ:
		c->turned = !reads;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_WANT_WRITE:
		c->turned = reads;
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		errno = EPIPE;
		return reads ? 0 : -1;
	}
	/* After this the protocol allows not even a goodbye. */
	SSL_set_quiet_shutdown(c->tls, 1);
	errno = error == SSL_ERROR_SYSCALL && cause != 0 && cause != EAGAIN ? cause : EPROTO;
	return -1;
}

/* Records, as long as there is room and some have come: the event tells only of the socket. */
static ssize_t tls_read(struct conn *c, void *at, size_t len)
{
	size_t got = 0;
	int n = 0;

	c->turned = false;
	errno = 0;
	while (got < len) {
		n = SSL_read(c->tls, (char *)at + got, (int)(len - got));
		if (n <= 0)
			break;
		got += (size_t)n;
		if (!SSL_has_pending(c->tls))
			return (ssize_t)got;
	}
	if (got == 0)
		return failed(c, n, true);
	/* More is there; an end or a failure, too, must be seen by the next read. */
	c->readable = n > 0 || failed(c, n, true) == 0 || errno != EAGAIN;
	return (ssize_t)got;
}

/* Sends what there is, a record at a time; -1 when not a byte went out. */
static ssize_t send_bytes(struct conn *c, const char *at, size_t len)
{
	size_t sent = 0;

	c->turned = false;
	errno = 0;
	while (sent < len) {
		int n = SSL_write(c->tls, at + sent, (int)(len - sent));

		if (n <= 0 && sent == 0)
			return failed(c, n, false);
		if (n <= 0) {
			/* Whatever it was, the next write meets it again. */
			failed(c, n, false);
			c->turned = false;
			break;
		}
		sent += (size_t)n;
	}
	return (ssize_t)sent;
}

/*
 * Small pieces share a record. After EAGAIN the same bytes must be offered again, which they are: the
 * pieces stay, and are joined the same way.
 */
static ssize_t tls_write(struct conn *c, struct iovec *iov, int count, bool more)
{
	char joined[RECORD_BYTES];
	size_t len = 0;

	(void)more;
	if (count == 1 || iov[0].iov_len >= RECORD_BYTES)
		return send_bytes(c, iov[0].iov_base, iov[0].iov_len);
	for (int i = 0; i < count && len < RECORD_BYTES; i++) {
		size_t n = iov[i].iov_len, room = RECORD_BYTES - len;

		memcpy(joined + len, iov[i].iov_base, n < room ? n : room);
		len += n < room ? n : room;
	}
	return send_bytes(c, joined, len);
}

static ssize_t tls_send_file(struct conn *c, int file, int64_t offset, size_t len)
{
	struct loop_buffer *buffer = loop_buffer_take(c->loop);
	ssize_t n;

	do
		n = pread(file, buffer->bytes, len < FILE_BYTES ? len : FILE_BYTES, offset);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		n = send_bytes(c, buffer->bytes, (size_t)n);
	loop_buffer_give(c->loop, buffer);
	return n;
}

/* ---- the session: made with the client's first byte ---- */

/* How many handshakes of a loop may be under way: all together have a third of connections' memory. */
static unsigned handshakes_max(const struct http_server *server)
{
	size_t bytes = server->connections.total / MEMORY_OF_HANDSHAKES;
	size_t max = bytes / HANDSHAKE_BYTES / server->thread_count;

	return max < HANDSHAKES_MIN ? HANDSHAKES_MIN : (unsigned)max;
}

static void handshake_link(struct conn *c)
{
	struct http_loop *loop = c->loop;

	c->handshake_next = NULL;
	c->handshake_prev = loop->handshakes_end;
	*loop->handshakes_end = c;
	loop->handshakes_end = &c->handshake_next;
	loop->handshake_count++;
}

static void handshake_unlink(struct conn *c)
{
	struct http_loop *loop = c->loop;

	if (!c->handshake_prev)
		return;
	*c->handshake_prev = c->handshake_next;
	if (c->handshake_next)
		c->handshake_next->handshake_prev = c->handshake_prev;
	else
		loop->handshakes_end = c->handshake_prev;
	c->handshake_prev = NULL;
	loop->handshake_count--;
}

static bool session_begin(struct conn *c)
{
	struct memory *memory = connections_of(c);

	if (!memory_take(memory, HANDSHAKE_BYTES))
		return false;
	c->tls = tls_session_new(options_of(c)->tls, c->fd);
	if (!c->tls) {
		memory_give(memory, HANDSHAKE_BYTES);
		return false;
	}
	c->tls_bytes = HANDSHAKE_BYTES;
	handshake_link(c);
	/* An honest client is done within milliseconds: the oldest is the one that stalls. */
	if (c->loop->handshake_count > handshakes_max(c->loop->server))
		conn_cut(c->loop->handshakes);
	return true;
}

static void session_established(struct conn *c)
{
	handshake_unlink(c);
	memory_give(connections_of(c), c->tls_bytes - SESSION_BYTES);
	c->tls_bytes = SESSION_BYTES;
}

static void tls_release(struct conn *c)
{
	if (!c->tls)
		return;
	handshake_unlink(c);
	memory_give(connections_of(c), c->tls_bytes);
	c->tls_bytes = 0;
	if (SSL_is_init_finished(c->tls))
		SSL_shutdown(c->tls);
	ERR_clear_error();
	SSL_free(c->tls);
	c->tls = NULL;
}

static void tls_shut(struct conn *c)
{
	tls_release(c);
	shutdown(c->fd, SHUT_WR);
	c->io = &conn_io_plain;
}

const struct conn_io conn_io_tls = {
    .secure = true,
    .read = tls_read,
    .write = tls_write,
    .send_file = tls_send_file,
    .shut = tls_shut,
    .release = tls_release,
};

/* ---- the handshake ---- */

static bool printable(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static void say_why(struct conn *c, const char *reason, char *why, size_t why_len)
{
	const char *name = SSL_get_servername(c->tls, TLSEXT_NAMETYPE_host_name);

	name = name && printable(name) ? name : NULL;
	if (name && !tls_serves(options_of(c)->tls, name))
		snprintf(why, why_len,
		    "the authority gives no certificate for %.150s: name it with --tls-name", name);
	else
		snprintf(why, why_len, "%.100s%s%.100s", reason, name ? ", asked for " : "",
		    name ? name : "");
}

enum handshake tls_handshake(struct conn *c, char *why, size_t why_len)
{
	unsigned long error;
	const char *reason;
	int result;

	if (!c->tls && !session_begin(c))
		return HANDSHAKE_GONE;
	c->turned = false;
	errno = 0;
	result = SSL_accept(c->tls);
	if (result == 1) {
		session_established(c);
		c->readable = SSL_has_pending(c->tls);
		return HANDSHAKE_DONE;
	}
	error = ERR_peek_error();
	if (failed(c, result, true) < 0 && errno == EAGAIN)
		return HANDSHAKE_BLOCKED;
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST) {
		tls_release(c);
		c->io = &conn_io_plain;
		return HANDSHAKE_PLAIN;
	}
	if (error == 0)
		return HANDSHAKE_GONE;
	reason = ERR_reason_error_string(error);
	say_why(c, reason ? reason : "the client does not speak TLS", why, why_len);
	return HANDSHAKE_FAILED;
}
