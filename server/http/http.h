/*
 * HTTP/1.1 on event loops: listeners, connections, request bodies, replies. Knows no registry and
 * no ECR.
 *
 *	struct http_options o = {.host = "127.0.0.1", .port = 5001, .route = my_route};
 *	server = http_server_new(&o, why, sizeof(why));      binds; NULL: why says it
 *	http_server_start(server, why, sizeof(why));         each loop runs on a thread of its own
 *	... wait for a signal ...
 *	http_server_stop(server, 10000);                     drains, joins the threads
 *	http_server_free(server);
 *
 * A loop is one thread with its own event base; a connection lives and dies on one loop and its
 * code takes no lock. Handlers run on the connection's loop and must not block for long: what
 * waits (storage, another thread) returns HTTP_WAIT and is continued by http_resume.
 *
 * One socket listens (two with TLS), on loop 0, and hands each connection to the loop that has the fewest. Not a
 * SO_REUSEPORT listener per loop: the kernel's hash leaves loops idle when connections are few
 * and heavy (a push is about five), and with that option a second server would silently share the
 * port instead of being told that it is in use.
 *
 * Grammar and framing are strict (RFC 9112): what could be read in two ways is answered 400 and
 * closed. Percent-encoding, queries, ranges and content negotiation are the application's
 * (protocol/http_fields.h).
 */
#ifndef DRYDOCK_SERVER_HTTP_HTTP_H
#define DRYDOCK_SERVER_HTTP_HTTP_H

#include "protocol/arena.h"

#include <stdarg.h>
#include <stdint.h>

struct http_server;
struct http_loop;
struct http_request;
struct tls;

enum http_method {
	METHOD_NONE, /* the head was never understood: only seen by refuse and finished */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_OTHER, /* any other method the parser knows; see method_name */
};

/* What a handler function says about how the request goes on. */
enum http_step {
	HTTP_GO,   /* go on with reading the body, then with end */
	HTTP_WAIT, /* nothing is read or called until http_resume; req->resume must be set */
	HTTP_DONE, /* the reply is complete: send it; no handler function is called any more */
};

typedef enum http_step http_step_fn(struct http_request *req);

/*
 * How requests of one kind are handled; constant, usually one entry of a route table. The functions
 * are called in this order.
 *
 * A body longer than body_max is answered 413: before start when Content-Length says so, else as
 * soon as a chunked body passes it.
 */
struct http_handler {
	uint64_t body_max;
	/*
	 * The head is known, of the body nothing has been read. HTTP_DONE refuses the body, before
	 * any 100 Continue: the rest of a small one is skipped; else the connection is drained
	 * briefly, so that the client reads the answer, and closed. May be NULL.
	 */
	http_step_fn *start;
	/*
	 * One piece of the body, in order, never empty. `piece` is the callee's until it returns
	 * or, when it returned HTTP_WAIT, until http_resume: another thread may hash or write it
	 * meanwhile. NULL: the whole body is collected as req->body before end is called; up to
	 * body_memory_bytes in memory, a larger one in a file, of which end is then called when it
	 * is its turn (body_turn_bytes).
	 */
	enum http_step (*body)(struct http_request *req, struct slice piece);
	/* The body is complete. Must lead to HTTP_DONE; HTTP_GO here is a programming error. */
	http_step_fn *end;
	/*
	 * The client went away, stalled, broke the framing or sent more than body_max, after start
	 * had been called (or passed over, being NULL) and before HTTP_DONE was returned. The place
	 * to give back what is not in the arena. Never called while the request waits: a client
	 * that leaves then is noticed afterwards, and http_resume calls abort instead of
	 * req->resume. May be NULL.
	 */
	void (*abort)(struct http_request *req);
};

struct http_field {
	struct slice name, value; /* value without surrounding blanks */
};

/* How the reply looks so far; written with the http_reply_... functions, read by `finished`. */
struct http_reply {
	int status;                /* 0 until http_reply */
	struct http_field *fields; /* in order of adding */
	unsigned field_count, field_room;
	struct slice *body; /* pieces, borrowed */
	unsigned body_count, body_room;
	uint64_t body_len; /* sum of the pieces and the file */
	int64_t length;    /* Content-Length for HEAD when set explicitly, else -1 */
	int file;          /* owned; -1: none */
	int64_t file_offset;
	uint64_t file_len;
	bool close; /* the connection ends after this reply */
};

/* One request. It and all that is in its arena live until `finished` has returned. */
struct http_request {
	enum http_method method;
	bool http_1_0;
	bool secure;  /* came over TLS */
	bool chunked; /* a body of unknown length follows */
	struct slice method_name;
	struct slice target; /* as sent */
	/*
	 * The target's parts, still encoded. The path is for signatures and logs: whatever decides by
	 * it decodes it once, where the request is routed. query: absent without '?'.
	 */
	struct slice raw_path, query;
	struct slice host; /* the Host field; an absolute target's authority is the same */
	const struct http_field *fields;
	size_t field_count;
	int64_t content_length; /* -1: none given */
	struct slice body;      /* the whole body in end, when the handler has no body function */
	uint64_t body_bytes;    /* of the body, read so far */

	struct http_loop *loop;
	struct arena *arena; /* of this request */
	const struct http_handler *handler;
	http_step_fn *resume; /* what http_resume calls; set before returning HTTP_WAIT */
	void *user;           /* the application's; NULL at first */

	int64_t started_us, ended_us; /* monotonic: head complete; last byte handed to the kernel */
	uint64_t bytes_in, bytes_out; /* on the wire, heads included; complete in finished */
	bool aborted;                 /* in finished: the reply was not, or not wholly, sent */
	struct http_reply reply;
};

/* ---- reading ---- */

/* The first value of a header field, by name in any case; absent when there is none. */
struct slice http_header_get(const struct http_request *req, const char *name);
/* All values of a field that is a list, in order, with commas between (RFC 9110 section 5.3). */
struct slice http_header_list(const struct http_request *req, const char *name);
/* The client's address as text, "127.0.0.1:40312" or "[::1]:40312", in the arena. */
struct slice http_remote(struct http_request *req);

/* ---- replying: all of these only before HTTP_DONE is returned ---- */

/*
 * Sets the status (100 < status < 600) and forgets fields, body and file set before: the last word
 * counts. Returns HTTP_DONE, so that a handler may end with `return http_reply(req, 204);`.
 */
enum http_step http_reply(struct http_request *req, int status);
/*
 * Adds a field. name is a literal; value is borrowed until the request ends (use the arena);
 * control characters in it are replaced by '?'. Date, Content-Length, Connection are added by
 * themselves.
 */
void http_reply_header(struct http_request *req, const char *name, struct slice value);
void http_reply_headerf(struct http_request *req, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Appends a piece to the body: no copy, borrowed until the request ends. */
void http_reply_body(struct http_request *req, struct slice piece);
/*
 * Ends the body with len bytes of a file from offset, sent by sendfile. Owns fd from here on,
 * whatever happens. When the file turns out shorter, the connection is cut: the client sees a short
 * body.
 */
void http_reply_file(struct http_request *req, int fd, int64_t offset, uint64_t len);
/*
 * Content-Length of an answer to HEAD whose body was not set; no effect on other answers. (An
 * answer to HEAD may as well be made like that to GET: its body is counted but not sent.)
 */
void http_reply_length(struct http_request *req, uint64_t len);
/* Closes the connection after this reply. */
void http_reply_close(struct http_request *req);
/* Status and a short text/plain body; a newline is added. Returns HTTP_DONE. */
enum http_step http_reply_text(struct http_request *req, int status, const char *text);

/* ---- loops ---- */

/*
 * Continues a request that returned HTTP_WAIT: calls req->resume, or abort when the client has gone
 * (the request is then over). On the request's own loop only, and not from within its handler
 * functions. The request may be gone when this returns.
 */
void http_resume(struct http_request *req);

/* Something to run on a loop. Embedded in what the caller owns; untouched by the loop once run is
 * called. */
struct http_task {
	struct http_task *next;
	void (*run)(struct http_task *task);
};

/*
 * Runs task->run on the loop, soon, in order of posting. From any thread, never blocks, no lock;
 * wakes the loop only when its queue was empty. A loop runs until every waiting request was
 * resumed: a completion that leads to http_resume can always be posted. What is posted after
 * http_server_stop never runs.
 */
void http_post(struct http_loop *loop, struct http_task *task);

/* What loop_start returned: the application's state of this thread (its database reader, say). */
void *http_loop_user(const struct http_loop *loop);
/* 0 .. threads - 1 */
unsigned http_loop_index(const struct http_loop *loop);
struct http_server *http_loop_server(const struct http_loop *loop);
/* The application's pointer from the options. */
void *http_server_user(const struct http_server *server);
/* How many cores this process may use. */
unsigned http_cores(void);
/* Monotonic microseconds. */
int64_t http_now_us(void);

/* ---- the server ---- */

/* A zero means the default in brackets. */
struct http_options {
	const char *host; /* a numeric address or "localhost" [127.0.0.1] */
	uint16_t port;    /* 0: any free one */
	bool tls_only;    /* there is no plain listener */
	struct tls *tls;  /* (tls.h) listens with TLS too; outlives the server. NULL: does not */
	const char *tls_host; /* as host, and */
	uint16_t tls_port;    /* as port, of the listener with TLS */
	unsigned threads;     /* [one per core that this process may use] */
	/*
	 * In all [4096]. For one more the connection gives way that has been idle longest; else the
	 * one that has got nowhere for longest, yield_ms at least. When none may, the new one is
	 * answered 503.
	 */
	unsigned max_connections;
	uint32_t head_bytes;   /* longest request head: 431; at most 65535 [32 KiB] */
	uint32_t target_bytes; /* longest request target: 414 [8 KiB] */
	uint32_t handshake_ms; /* TLS's, from accept to end: close [10 s] */
	uint32_t head_ms;      /* from the first byte of a head to its end: 408 [10 s] */
	uint32_t idle_ms;  /* between requests, which empty lines do not end: silent close [75 s] */
	uint32_t body_ms;  /* for body_ms * least_rate bytes of the body, each time: 408 [60 s] */
	uint32_t write_ms; /* for as much of a reply to reach the client: close [60 s] */
	uint32_t least_rate;   /* bytes a second, on average over those times [256] */
	uint32_t yield_ms;     /* without getting anywhere, before it may give way [5 s] */
	uint32_t linger_ms;    /* draining a refused body before closing [2 s] */
	uint64_t linger_bytes; /* and how much of it [64 MiB] */

	const char *body_folder;    /* where larger bodies' files are; lives as long [P_tmpdir] */
	uint64_t body_memory_bytes; /* longest collected body that is held in memory [64 KiB] */
	uint64_t body_turn_bytes;   /* of larger ones that handlers have at once [64 MiB] */
	uint64_t memory_bytes; /* of all that clients choose (ARCHITECTURE.md, Memory) [256 MiB] */

	void *user;
	/*
	 * On each loop's thread, before its first and after its last connection; may be NULL. A
	 * failure in loop_start is the application's to note and to look at after
	 * http_server_start.
	 */
	void *(*loop_start)(struct http_loop *loop);
	void (*loop_stop)(struct http_loop *loop, void *user);
	/*
	 * Chooses how a request with a good head is handled. Never NULL: not found and method not
	 * allowed are handlers, too (NULL is answered 500). May set req->user and already use the
	 * arena; must not reply.
	 */
	const struct http_handler *(*route)(struct http_request *req);
	/*
	 * The transport's own refusals (400, 408, 413, 414, 417, 431, 500, 501, 503, 505, 507): must
	 * fill the reply, in the application's envelope. `reason` is a short sentence. The head may
	 * be unknown: method NONE, target absent. NULL: plain text.
	 */
	void (*refuse)(struct http_request *req, int status, const char *reason);
	/*
	 * The reply is complete, and its client slow: what is left of it goes to a file, and the request's arena is
	 * given back. Of req->user what `finished` needs is to be copied into `kept`, which is its arena from then on.
	 * NULL: finished needs nothing of it.
	 */
	void (*keep)(struct http_request *req, struct arena *kept);
	/* After each request, refused and aborted ones too; for log and counters. May be NULL. */
	void (*finished)(struct http_request *req);
	/*
	 * A turn of a loop took longer than it may: so much CPU time. req is what was worked on at its end, NULL:
	 * no request; its head may be unknown, its reply may be done. May be NULL.
	 */
	void (*busy)(struct http_request *req, int64_t cpu_us);
	/*
	 * A client with which no TLS could be agreed upon, and why, in few words; of req only
	 * http_remote and the arena are of use. May be NULL.
	 */
	void (*handshake_failed)(struct http_request *req, const char *why);
};

/* Sums over all loops, read without stopping them. */
struct http_counters {
	uint64_t connections, displaced, handshakes_failed, requests, refused, aborted, bytes_in,
	    bytes_out;
	uint64_t busy_turns; /* turns of a loop that took longer than 50 ms of CPU time (loop.h) */
	uint64_t longest_turn_us; /* of all loops since the start */
	unsigned open;            /* connections now */
};

/*
 * Binds and listens; accepts nothing yet (the kernel queues). NULL on failure, with a sentence that
 * names the address and the mend in why. The options are copied; of the strings in them body_folder is
 * kept.
 */
struct http_server *http_server_new(const struct http_options *options, char *why, size_t why_len);
/* The ports that were bound; 0: there is no such listener. */
uint16_t http_server_port(const struct http_server *server);
uint16_t http_server_tls_port(const struct http_server *server);
unsigned http_server_threads(const struct http_server *server);
/* Loop number index (below http_server_threads), for http_post to one that is not a request's. */
struct http_loop *http_server_loop(struct http_server *server, unsigned index);
/*
 * Starts the threads; returns when every loop_start has returned. Loop threads block all signals:
 * the caller's threads handle those. False (with the reason) when a thread cannot be made.
 */
bool http_server_start(struct http_server *server, char *why, size_t why_len);
/*
 * Stops accepting, closes idle connections, lets running requests finish for grace_ms, then cuts
 * what is left (never a waiting request: those are waited for), joins the threads. Not from a loop
 * thread. Does nothing when it was never started or was stopped.
 */
void http_server_stop(struct http_server *server, uint32_t grace_ms);
/* Stopped or never started; NULL allowed. */
void http_server_free(struct http_server *server);
void http_server_counters(struct http_server *server, struct http_counters *out);

#endif
