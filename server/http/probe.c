/* A client's one request: see probe.h. */
#include "server/http/probe.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 5 };

static int connect_to(const char *host, uint16_t port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
	struct timeval limit = {.tv_sec = TIMEOUT_S};
	char service[8];
	int fd = -1;

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return -1;
	for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

static ssize_t receive(int fd, SSL *ssl, char *at, size_t room)
{
	return ssl ? SSL_read(ssl, at, (int)room) : recv(fd, at, room, 0);
}

/* Sends the request and receives until the server closes. */
static size_t ask(int fd, SSL *ssl, const char *path, char *answer, size_t room)
{
	char request[512];
	int request_len = snprintf(request, sizeof(request),
	    "GET %.200s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
	size_t len = 0;
	ssize_t n;

	if ((ssl ? SSL_write(ssl, request, request_len)
		 : send(fd, request, (size_t)request_len, MSG_NOSIGNAL)) != request_len)
		return 0;
	while (len < room - 1 && (n = receive(fd, ssl, answer + len, room - 1 - len)) > 0)
		len += (size_t)n;
	answer[len] = '\0';
	return len;
}

static size_t ask_over_tls(int fd, const char *path, char *answer, size_t room)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	size_t len = 0;

	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1)
		len = ask(fd, ssl, path, answer, room);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return len;
}

size_t http_probe(
    const char *host, uint16_t port, bool secure, const char *path, char *answer, size_t room)
{
	int fd = connect_to(host, port);
	size_t len;

	answer[0] = '\0';
	if (fd < 0)
		return 0;
	len = secure ? ask_over_tls(fd, path, answer, room) : ask(fd, NULL, path, answer, room);
	close(fd);
	return len;
}
