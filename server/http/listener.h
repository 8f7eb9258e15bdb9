/*
 * A socket that listens, and hands each connection to the loop that has the fewest. Internal to server/http.
 *
 * Bound by the thread that makes the server; then all of it happens on loop 0.
 */
#ifndef DRYDOCK_SERVER_HTTP_LISTENER_H
#define DRYDOCK_SERVER_HTTP_LISTENER_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <stdbool.h>
#include <stdint.h>

struct http_server;

struct listener {
	struct http_server *server;
	bool secure; /* its connections speak TLS */
	int fd;      /* -1: it does not listen */
	uint16_t port;
	struct evconnlistener *events;
	struct event again; /* after running out of descriptors */
};

/* Not listening yet; to be released. */
void listener_init(struct listener *l, struct http_server *server, bool secure);
/*
 * Binds to a numeric address or localhost (NULL: that) and a port (0: any free one); the kernel queues what comes.
 * option ("--listen") is named in the sentence that says why not.
 */
bool listener_bind(struct listener *l, const char *host, uint16_t port, const char *option,
    char *why, size_t why_len);
/* Begins to accept; does nothing when it is not bound. */
bool listener_start(struct listener *l, struct event_base *base);
/* Accepts no more, and closes. */
void listener_stop(struct listener *l);

#endif
