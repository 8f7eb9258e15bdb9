/* The blocking HTTP client of import and export. */
#include "server/archive/client.h"

#include "server/archive/archive.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* How long a server may be silent: a large layer is flushed before it is acknowledged. */
enum { TIMEOUT_S = 120 };

bool client_init(struct client *c, const char *url, struct err *err)
{
	struct slice rest = slice_str(url), host;
	const char *scheme = "http://";

	*c = (struct client){.fd = -1};
	if (!slice_starts(rest, slice_str(scheme)))
		return archive_fail(
		    err, "\"%.200s\" is no address such as http://127.0.0.1:5001", url);
	rest = slice_skip(rest, strlen(scheme));
	if (slice_ends(rest, slice_str("/")))
		rest.len--;
	host = rest;
	if (rest.len && rest.at[0] == '[') {
		host = slice_cut(&rest, ']');
		host = slice_skip(host, 1);
		if (rest.len && rest.at[0] == ':')
			rest = slice_skip(rest, 1);
	} else {
		host = slice_cut(&rest, ':');
	}
	if (host.len == 0 || host.len >= sizeof(c->host) || rest.len > 5 ||
	    strspn(rest.len ? rest.at : "", "0123456789/") < rest.len ||
	    strcspn(host.at, "/@?# \r\n") < host.len)
		return archive_fail(
		    err, "\"%.200s\" is no address such as http://127.0.0.1:5001", url);
	snprintf(c->host, sizeof(c->host), "%.*s", SLICE_ARG(host));
	snprintf(c->port, sizeof(c->port), "%.*s", rest.len ? (int)rest.len : 2,
	    rest.len ? rest.at : "80");
	return true;
}

static void disconnect(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->in_at = c->in_len = 0;
	c->left = 0;
}

void client_release(struct client *c)
{
	disconnect(c);
}

static bool connect_now(struct client *c, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	struct timeval limit = {.tv_sec = TIMEOUT_S};
	int yes = 1;

	if (getaddrinfo(c->host, c->port, &hints, &found) != 0)
		return archive_fail(err, "there is no host \"%s\"", c->host);
	for (struct addrinfo *a = found; a && c->fd < 0; a = a->ai_next) {
		c->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		if (c->fd >= 0 && connect(c->fd, a->ai_addr, a->ai_addrlen) != 0)
			disconnect(c);
	}
	freeaddrinfo(found);
	return c->fd >= 0 ||
	    archive_fail(
		err, "nothing answers on %s port %s: %s", c->host, c->port, strerror(errno));
}

static bool send_all(struct client *c, const void *at, size_t len)
{
	const char *from = at;

	while (len) {
		ssize_t n = send(c->fd, from, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		from += n;
		len -= (size_t)n;
	}
	return true;
}

const char *client_authority(const struct client *c, struct arena *a)
{
	bool v6 = strchr(c->host, ':') != NULL;

	return arena_printf(a, v6 ? "[%s]:%s" : "%s:%s", c->host, c->port);
}

bool client_begin(struct client *c, const char *method, const char *path, const char *fields,
    int64_t length, struct err *err)
{
	char head[CLIENT_HEAD_MAX], body[64] = "Transfer-Encoding: chunked\r\n";
	bool v6 = strchr(c->host, ':') != NULL;
	int len;

	if (c->left || c->close)
		disconnect(c);
	c->head_only = strcmp(method, "HEAD") == 0;
	c->chunked = length == CLIENT_CHUNKED;
	c->refused = false;
	if (!c->chunked)
		snprintf(body, sizeof(body), "Content-Length: %lld\r\n", (long long)length);
	if (c->head_only || (length == 0 && strcmp(method, "GET") == 0))
		body[0] = '\0';
	len = snprintf(head, sizeof(head),
	    "%s %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: drydock\r\n%s%s\r\n", method, path,
	    v6 ? "[" : "", c->host, v6 ? "]" : "", c->port, fields, body);
	if (len < 0 || (size_t)len >= sizeof(head))
		return archive_fail(err, "a request's head is too long");
	if (c->fd < 0 && !connect_now(c, err))
		return false;
	return send_all(c, head, (size_t)len) ||
	    archive_fail(err, "the server has closed the connection");
}

/* A server that refuses a body closes its side; what it said is still to be read. */
bool client_write(struct client *c, const void *at, size_t len, struct err *err)
{
	char size[24];
	int n = snprintf(size, sizeof(size), "%zx\r\n", len);

	(void)err;
	if (len == 0 || c->refused)
		return true;
	c->refused = (c->chunked && !send_all(c, size, (size_t)n)) || !send_all(c, at, len) ||
	    (c->chunked && !send_all(c, "\r\n", 2));
	return true;
}

static ssize_t fill(struct client *c)
{
	ssize_t n;

	do
		n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		c->in_len += (size_t)n;
	return n;
}

static void copy_field(char *to, size_t room, struct slice value)
{
	snprintf(to, room, "%.*s", SLICE_ARG(value));
}

/* False for what this client does not understand. */
static bool take_field(struct client *c, struct slice line, bool *length_known)
{
	struct slice value = line, name = slice_cut(&value, ':');
	unsigned long long n;

	if (slice_ends(value, slice_str("\r")))
		value.len--;
	value = slice_trim(value);
	if (slice_eq_nocase(name, slice_str("Content-Length"))) {
		*length_known = true;
		if (!slice_to_u64(value, &n))
			return false;
		c->left = n;
	} else if (slice_eq_nocase(name, slice_str("Transfer-Encoding"))) {
		return false;
	} else if (slice_eq_nocase(name, slice_str("Connection"))) {
		c->close = slice_eq_nocase(value, slice_str("close"));
	} else if (slice_eq_nocase(name, slice_str("Location"))) {
		copy_field(c->location, sizeof(c->location), value);
	} else if (slice_eq_nocase(name, slice_str("Content-Type"))) {
		copy_field(c->content_type, sizeof(c->content_type), value);
	}
	return true;
}

static bool read_head(struct client *c, size_t len, struct err *err)
{
	struct slice rest = slice_of(c->in, len), line = slice_cut(&rest, '\n');
	unsigned long long status;
	bool known = false, good;

	good = line.len >= 12 && slice_starts(line, slice_str("HTTP/1.1 ")) &&
	    slice_to_u64(slice_of(line.at + 9, 3), &status);
	c->status = good ? (int)status : 0;
	c->left = 0;
	c->close = c->refused;
	c->location[0] = c->content_type[0] = '\0';
	while (good && rest.len)
		good = take_field(c, slice_cut(&rest, '\n'), &known);
	if (!good || (!known && !c->head_only && c->status != 204 && c->status >= 200)) {
		disconnect(c);
		return archive_fail(
		    err, "%s port %s does not answer as Drydock does", c->host, c->port);
	}
	if (c->head_only || c->status == 204)
		c->left = 0;
	return true;
}

bool client_finish(struct client *c, struct err *err)
{
	char *end;

	if (c->chunked && !c->refused)
		send_all(c, "0\r\n\r\n", 5);
	c->in_len = c->in_at = 0;
	do {
		if (c->in_len == sizeof(c->in) || fill(c) <= 0) {
			disconnect(c);
			return archive_fail(
			    err, "the server has not answered: it has stopped, or is too slow");
		}
	} while (!(end = memmem(c->in, c->in_len, "\r\n\r\n", 4)));
	c->in_at = (size_t)(end - c->in) + 4;
	if (!read_head(c, c->in_at - 2, err))
		return false;
	return c->status >= 200 ||
	    archive_fail(err, "the server has answered %d out of turn", c->status);
}

ssize_t client_read(struct client *c, void *to, size_t len, struct err *err)
{
	ssize_t n;

	if (len > c->left)
		len = (size_t)c->left;
	if (len == 0)
		return 0;
	if (c->in_at < c->in_len) {
		if (len > c->in_len - c->in_at)
			len = c->in_len - c->in_at;
		memcpy(to, c->in + c->in_at, len);
		c->in_at += len;
		n = (ssize_t)len;
	} else {
		n = recv(c->fd, to, len, 0);
	}
	if (n <= 0) {
		archive_fail(err, "the server has ended within an answer");
		disconnect(c);
		return -1;
	}
	c->left -= (uint64_t)n;
	return n;
}

struct slice client_text(struct client *c, size_t max, struct arena *a, struct err *err)
{
	size_t size = (size_t)c->left, len = 0;
	ssize_t n = 0;
	char *text;

	if (c->left > max) {
		archive_fail(err, "the server's answer is too long");
		return slice_of(NULL, 0);
	}
	text = arena_alloc(a, size + 1);
	while (len < size && (n = client_read(c, text + len, size - len, err)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return n < 0 ? slice_of(NULL, 0) : slice_of(text, len);
}
