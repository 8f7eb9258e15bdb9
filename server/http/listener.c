/* Listening and accepting: see listener.h. */
#include "server/http/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 1024
#define OVERFLOW_MAX 64 /* connections beyond the limit that still get their 503 */
#define GIVING_WAY 16   /* at once, when descriptors are wanting */

/* ---- binding ---- */

/* A numeric address or localhost, and its length; 0 when it is neither. */
static socklen_t address_of(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	memset(out, 0, sizeof(*out));
	if (!host || !*host || strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	return 0;
}

static void say_why_not(
    int error, const char *host, uint16_t port, const char *option, char *why, size_t why_len)
{
	switch (error) {
	case EADDRINUSE:
		snprintf(why, why_len,
		    "port %u is in use: stop what holds it, or choose another with %s", port,
		    option);
		break;
	case EACCES:
		snprintf(why, why_len, "port %u needs privileges: choose one above 1023 with %s",
		    port, option);
		break;
	case EADDRNOTAVAIL:
		snprintf(why, why_len,
		    "%s is not an address of this machine: choose one that is with %s", host,
		    option);
		break;
	default:
		snprintf(why, why_len, "cannot listen on %s port %u: %s", host ? host : "127.0.0.1",
		    port, strerror(error));
		break;
	}
}

void listener_init(struct listener *l, struct http_server *server, bool secure)
{
	*l = (struct listener){.server = server, .secure = secure, .fd = -1};
}

bool listener_bind(struct listener *l, const char *host, uint16_t port, const char *option,
    char *why, size_t why_len)
{
	struct sockaddr_storage address;
	socklen_t len = address_of(host, port, &address);
	int one = 1;

	if (len == 0) {
		snprintf(why, why_len,
		    "'%s' is not an address to listen on: give a numeric one, such as "
		    "127.0.0.1, with %s",
		    host, option);
		return false;
	}
	l->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(l->fd, (struct sockaddr *)&address, len) != 0 || listen(l->fd, BACKLOG) != 0 ||
	    getsockname(l->fd, (struct sockaddr *)&address, &len) != 0) {
		say_why_not(errno, host, port, option, why, why_len);
		return false;
	}
	/* The port has the same place in both families. */
	l->port = ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
	return true;
}

/* ---- accepting, on loop 0 ---- */

/* The loop with the fewest connections; `total` is the sum over all but those that were asked to give way. */
static struct http_loop *least_loaded(struct http_server *server, unsigned *total)
{
	struct http_loop *best = NULL;
	unsigned fewest = 0;

	*total = 0;
	for (unsigned i = 0; i < server->thread_count; i++) {
		unsigned open = atomic_load_explicit(&server->loops[i].open, memory_order_relaxed);

		*total += open - (unsigned)atomic_load(&server->loops[i].yields);
		if (!best || open < fewest) {
			best = &server->loops[i];
			fewest = open;
		}
	}
	return best;
}

static void run_open(struct http_task *task)
{
	conn_open((struct conn *)((char *)task - offsetof(struct conn, task)));
}

static void on_accept(struct evconnlistener *events, evutil_socket_t fd, struct sockaddr *remote,
    int remote_len, void *arg)
{
	struct listener *l = arg;
	struct http_server *server = l->server;
	struct http_loop *loop;
	struct conn *c;
	unsigned total;

	(void)events;
	loop = least_loaded(server, &total);
	while (total >= server->options.max_connections && loop_displace(server))
		total--;
	if (total >= server->options.max_connections + OVERFLOW_MAX) {
		close(fd);
		return;
	}
	c = conn_new(loop, fd, remote, (socklen_t)remote_len, l->secure,
	    total >= server->options.max_connections);
	if (!c) {
		close(fd);
		return;
	}
	if (loop->index == 0) {
		loop_now(loop);
		conn_open(c);
	} else {
		c->task.run = run_open;
		http_post(loop, &c->task);
	}
	loop_watch(&server->loops[0], NULL); /* a burst of clients is not one client's work */
}

/*
 * Out of descriptors or memory, mostly: the kernel queues while others finish. That the system allows fewer
 * descriptors than connections were asked for is a limit like theirs: some give way.
 */
static void on_accept_error(struct evconnlistener *events, void *arg)
{
	struct listener *l = arg;
	bool full = errno == EMFILE || errno == ENFILE;
	struct timeval soon = {.tv_usec = full ? 10000 : 100000};

	for (int i = 0; full && i < GIVING_WAY && loop_displace(l->server); i++)
		continue;
	evconnlistener_disable(events);
	event_add(&l->again, &soon);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(l->events);
}

bool listener_start(struct listener *l, struct event_base *base)
{
	if (l->fd < 0)
		return true;
	event_assign(&l->again, base, -1, 0, on_accept_again, l);
	l->events = evconnlistener_new(
	    base, on_accept, l, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, l->fd);
	if (!l->events)
		return false;
	evconnlistener_set_error_cb(l->events, on_accept_error);
	return true;
}

void listener_stop(struct listener *l)
{
	if (l->events) {
		event_del(&l->again);
		evconnlistener_free(l->events); /* closes the socket */
	} else if (l->fd >= 0) {
		close(l->fd);
	}
	l->events = NULL;
	l->fd = -1;
}
