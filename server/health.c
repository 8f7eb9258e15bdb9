/* drydock health: one request to a running server, for container health checks and scripts. */
#include "server/config.h"
#include "server/verbs.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 5 };

static int connect_to(const struct config *config)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
	struct timeval limit = {.tv_sec = TIMEOUT_S};
	char port[8];
	int fd = -1;

	snprintf(port, sizeof(port), "%u", (unsigned)config->listen_port);
	if (getaddrinfo(config_local_host(config), port, &hints, &found) != 0)
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

/* The whole answer as text; its length, 0 when there is none. */
static size_t ask(int fd, char *answer, size_t room)
{
	static const char request[] =
	    "GET /_drydock/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	size_t len = 0;
	ssize_t n;

	if (write(fd, request, sizeof(request) - 1) != (ssize_t)sizeof(request) - 1)
		return 0;
	while (len < room - 1 && (n = read(fd, answer + len, room - 1 - len)) > 0)
		len += (size_t)n;
	answer[len] = '\0';
	return len;
}

static int report(const struct config *config, const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	if (!body) {
		fprintf(stderr,
		    "drydock: nothing that answers listens on %s:%u: start it, or name "
		    "its address with --listen\n",
		    config_local_host(config), (unsigned)config->listen_port);
		return 1;
	}
	fputs(body + 4, stdout);
	return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? 0 : 1;
}

int verb_health(int argc, char **argv)
{
	struct config config;
	char why[512], answer[4096] = "";
	int fd;

	if (!config_read(&config, argc, argv, why, sizeof(why))) {
		fprintf(stderr, "drydock: %s\n", why);
		return 2;
	}
	fd = connect_to(&config);
	if (fd >= 0) {
		ask(fd, answer, sizeof(answer));
		close(fd);
	}
	return report(&config, answer);
}
