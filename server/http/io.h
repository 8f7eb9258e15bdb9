/*
 * What a connection does with its socket, plain or through TLS. Internal to server/http.
 *
 * All are non-blocking and return the bytes moved, 0 for the end of the stream (read) or of the
 * file (send_file), or -1 with errno: EAGAIN when the socket is not ready. An implementation that
 * buffers decrypted bytes makes the connection readable itself while it holds some, and sets
 * c->turned when a read waits until the socket takes bytes, or a write until some come.
 */
#ifndef DRYDOCK_SERVER_HTTP_IO_H
#define DRYDOCK_SERVER_HTTP_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct conn;

struct conn_io {
	bool secure;
	ssize_t (*read)(struct conn *c, void *at, size_t len);
	/* more: further bytes follow at once; they should share a packet. */
	ssize_t (*write)(struct conn *c, struct iovec *iov, int count, bool more);
	ssize_t (*send_file)(struct conn *c, int file, int64_t offset, size_t len);
	/* No more will be written; what is read from here on is for nobody. */
	void (*shut)(struct conn *c);
	/* Gives back what it holds, before the socket is closed. */
	void (*release)(struct conn *c);
};

extern const struct conn_io conn_io_plain;
extern const struct conn_io conn_io_tls;

enum handshake {
	HANDSHAKE_DONE,
	HANDSHAKE_BLOCKED,
	HANDSHAKE_PLAIN, /* the client speaks plain HTTP: it can be answered so, c->io is conn_io_plain */
	HANDSHAKE_FAILED, /* the client has been told by an alert, where it can be */
	HANDSHAKE_GONE,   /* the client has left */
};

/* TLS's beginning, as far as it goes; why it FAILED in why. */
enum handshake tls_handshake(struct conn *c, char *why, size_t why_len);

#endif
