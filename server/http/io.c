/* Plain sockets: see io.h. */
#include "server/http/conn.h"

#include <errno.h>
#include <sys/sendfile.h>

static ssize_t plain_read(struct conn *c, void *at, size_t len)
{
	ssize_t n;

	do
		n = recv(c->fd, at, len, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t plain_write(struct conn *c, struct iovec *iov, int count, bool more)
{
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
	ssize_t n;

	do
		n = sendmsg(c->fd, &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t plain_send_file(struct conn *c, int file, int64_t offset, size_t len)
{
	off_t at = offset;
	ssize_t n;

	do
		n = sendfile(c->fd, file, &at, len);
	while (n < 0 && errno == EINTR);
	return n;
}

static void plain_shut(struct conn *c)
{
	shutdown(c->fd, SHUT_WR);
}

static void plain_release(struct conn *c)
{
	(void)c;
}

const struct conn_io conn_io_plain = {
    .read = plain_read,
    .write = plain_write,
    .send_file = plain_send_file,
    .shut = plain_shut,
    .release = plain_release,
};
