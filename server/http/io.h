/*
 * What a connection does with its socket, plain or (later) through TLS. Internal to server/http.
 *
 * All are non-blocking and return the bytes moved, 0 for the end of the stream (read) or of the
 * file (send_file), or -1 with errno: EAGAIN when the socket is not ready. An implementation that
 * buffers decrypted bytes must make the connection readable itself while it holds some.
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
	/* No more will be written. */
	void (*shut)(struct conn *c);
};

extern const struct conn_io conn_io_plain;

#endif
