/*
 * A connection: its requests, one after the other, as one state machine. Internal to server/http.
 *
 * conn_run is entered from every callback (readable, writable, resumed, late) and takes the
 * connection as far as it goes. Everything runs on the connection's loop.
 */
#ifndef DRYDOCK_SERVER_HTTP_CONN_H
#define DRYDOCK_SERVER_HTTP_CONN_H

#include "server/http/io.h"
#include "server/http/loop.h"
#include "server/http/parse.h"
#include "server/http/spill.h"

#include <sys/socket.h>

#define HELD_BYTES_MAX                                                                             \
	(16u << 10)         /* that a reply may hold of memory while its client takes nothing */
#define HEAD_BUF_BYTES 4096 /* at first, and kept between requests */

/* In the order in which a request passes them. */
enum conn_state {
	CONN_HANDSHAKE, /* TLS's, once in a connection */
	CONN_READ_HEAD, /* idle, or part of a head is there */
	CONN_START,     /* head known: route, limits, the handler's start */
	CONN_CONTINUE,  /* 100 Continue is being sent */
	CONN_READ_BODY,
	CONN_WAIT,   /* the handler waits; nothing can end the connection */
	CONN_TURN,   /* a large body is complete: others are still read; like CONN_WAIT */
	CONN_END,    /* body complete: the handler's end */
	CONN_WRITE,  /* the reply's head and pieces */
	CONN_FILE,   /* the reply's file */
	CONN_NEXT,   /* replied: account, then the next request, or leave */
	CONN_DRAIN,  /* replied, and what is left of the body is small: skip it, then the next
			request */
	CONN_LINGER, /* replied and shut down: read what still comes, so that the client sees the
			reply */
	CONN_CLOSED,
};

struct conn {
	struct http_request req; /* first: a request is found back to its connection by a cast */
	struct http_loop *loop;
	struct conn *next, **prev; /* in the loop's list of its kind */
	enum conn_kind kind;
	int64_t since_us; /* when it came to stand so, or last got anywhere */
	const struct conn_io *io;
	struct ssl_st *tls; /* of conn_io_tls, from its first byte on; else NULL */
	size_t tls_bytes;   /* that are counted for it */
	struct conn *handshake_next, **handshake_prev; /* in loop->handshakes; prev NULL: not */
	int fd;
	enum conn_state state;
	enum conn_state waited_in; /* state whose handler function returned HTTP_WAIT */
	struct event read_event, write_event;
	bool reading, writing; /* events are pending */
	bool readable;         /* the socket may have bytes: one read is due */
	bool turned;           /* TLS: the state waits for the other direction than it would */
	bool running;          /* within conn_run */
	bool live;     /* the handler was started and has not said HTTP_DONE: abort is owed */
	bool gone;     /* the client left (or the server stops) during HTTP_WAIT */
	bool refused;  /* answered by the transport */
	bool overflow; /* one connection too many: answer 503 and leave */
	bool body_complete;
	bool in_head;        /* bytes of a head have come: head_ms counts */
	bool moved;          /* it got somewhere in this event: its place in the list is the last */
	bool blocked;        /* the reply has waited for the client: taken_at counts */
	bool aside;          /* what is left of the request holds next to no memory (put_aside) */
	int64_t deadline_us; /* of no account while the handler waits */
	uint64_t paced_at;   /* bytes of the body, or of the reply, by when it last got somewhere */
	int64_t
	    taken_at; /* bytes of the reply that had reached the client when the deadline was set */

	/* What was read and not consumed: head_buf[at, len), then in[at, len). */
	char *head_buf; /* NULL when idle for some time */
	size_t head_at, head_len, head_cap;
	struct loop_buffer *in; /* NULL: none */
	struct parser parser;

	struct arena arena;
	char *collect; /* req->body being collected */
	size_t collect_cap;
	struct spill spill; /* or here, when it is large */
	struct turn turn;

	struct slice out;   /* the reply's head, or 100 Continue */
	size_t out_sent;    /* of the piece that is being sent */
	unsigned out_index; /* 0: out; i: body piece i - 1 */
	uint64_t lingered;

	struct http_task task; /* hands a new connection to its loop */
	struct sockaddr_storage remote;
};

static inline struct conn *conn_of(struct http_request *req)
{
	return (struct conn *)(void *)req;
}

/*
 * A connection for an accepted socket (owned from here on), counted on the loop; conn_open must run
 * on that loop next. secure: it speaks TLS. overflow: it is only told 503. NULL: there is no memory for it, and the socket
 * is still the caller's.
 */
struct conn *conn_new(struct http_loop *loop, int fd, const struct sockaddr *remote,
    socklen_t remote_len, bool secure, bool overflow);
void conn_open(struct conn *c);
/* Takes it as far as it goes; it may be freed. */
void conn_run(struct conn *c);
/* Its deadline has passed. */
void conn_late(struct conn *c);
/* The loop drains: closes it when idle, else marks it to close after its reply. */
void conn_drain(struct conn *c);
/* Ends it now; a waiting one as soon as it is resumed. */
void conn_cut(struct conn *c);
/* Closes an idle one for another to be served; false when it has just been asked something. */
bool conn_yield(struct conn *c);
/* Gives memory back that an idle connection does not need, or one whose client does not read. It may be freed. */
void conn_slim(struct conn *c);

/* The accounts of its requests, and of itself. */
static inline struct memory *memory_of(const struct conn *c)
{
	return &c->loop->server->memory;
}

static inline struct memory *connections_of(const struct conn *c)
{
	return &c->loop->server->connections;
}

static inline const struct http_options *options_of(const struct conn *c)
{
	return &c->loop->server->options;
}

/* Whether count bytes are so many more than at the last time that it is getting somewhere. */
static inline bool conn_paced(struct conn *c, uint64_t count, uint32_t ms)
{
	if (count - c->paced_at < (uint64_t)ms * options_of(c)->least_rate / 1000)
		return false;
	c->paced_at = count;
	return true;
}

/* Bytes that came and were not consumed. */
static inline bool has_unread(const struct conn *c)
{
	return c->head_at < c->head_len || (c->in && c->in->at < c->in->len);
}

/* ---- receive.c: one read at most each, and only when the socket has said that it is due ---- */

enum receive_result {
	RECEIVE_SOME,
	RECEIVE_BLOCKED, /* nothing now; the event tells */
	RECEIVE_END,     /* the client sends no more */
	RECEIVE_BROKEN,
	RECEIVE_NO_MEMORY, /* the head is large, and so are those of others */
};

/* More bytes into head_buf, from what came behind the last request or from the socket. */
enum receive_result receive_head(struct conn *c);
/* Bytes into a buffer of the loop's, when nothing is unread. */
enum receive_result receive_body(struct conn *c);
/* Bytes that nobody wants, counted in c->lingered. */
enum receive_result receive_nothing(struct conn *c);
/* Parses unread bytes; the piece is valid until receive_body, receive_done or the request's end. */
enum parse_result receive_parse(struct conn *c, struct slice *piece);
/*
 * Adds a piece to req->body, or to c->spill once that is too large; one that came whole with the head stays
 * where it is. False: errno says why the file could not be written.
 */
bool receive_collect(struct conn *c, struct slice piece);
/* Gives the loop its buffer back if there is nothing unread in it. */
void receive_done(struct conn *c);
/*
 * Gives it back in any case: what is unread becomes a part of head_buf, or, being too much for that, is dropped. False
 * then: the connection cannot go on after this reply.
 */
bool receive_let_go(struct conn *c);
/* Gives it back, and drops what is unread in it. */
void receive_drop(struct conn *c);
/* Frees head_buf. */
void receive_free_head(struct conn *c);

/* ---- reply.c: from req->reply to bytes ---- */

/* Fills c->out with the reply's head. */
void reply_render(struct conn *c);

/* Bytes of the reply that have reached the client: acknowledged, not only taken by the kernel here. */
int64_t send_taken(const struct conn *c);

/* ---- send.c: each true when all was sent, false when the socket is full; *failed when it is
 * broken ---- */

bool send_continue(struct conn *c, bool *failed);
bool send_pieces(struct conn *c, bool *failed);
/* Bytes of the pieces that are left to be sent. */
size_t send_left(const struct conn *c);
/* Whether what is left of the request holds memory that it need not. */
bool send_holds_memory(const struct conn *c);
/* Copies what is left of the pieces into the arena: nothing of the request's own is needed for sending any more. */
void send_gather(struct conn *c, struct arena *kept);
/*
 * Moves what is left of the pieces into a file, which becomes the reply's: nothing of the request's arena is needed
 * for sending any more. False: errno says why there is no such file.
 */
bool send_aside(struct conn *c);
/* At most about 1 MiB a call, so that connections take turns. */
bool send_file(struct conn *c, bool *failed);

#endif
