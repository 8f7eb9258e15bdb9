/*
 * A loop: one thread, one event base, the connections that live on it. Internal to server/http.
 *
 * Only `posted`, `open`, `yields`, the counters and what the lists publish are touched by other threads.
 */
#ifndef DRYDOCK_SERVER_HTTP_LOOP_H
#define DRYDOCK_SERVER_HTTP_LOOP_H

#include "server/http/http.h"
#include "server/http/listener.h"
#include "server/http/turns.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOOP_BUFFER_BYTES (256u << 10)
#define LOOP_BUFFERS_KEPT 4
#define RESERVE_BYTES (2u << 20) /* of memory (memory.h): for handlers that have begun */
#define TRIM_BYTES (8u << 20)    /* freed since a peak: worth giving back to the system */

/*
 * The CPU time that one turn of a loop may take: what is longer keeps all others of that loop waiting and
 * belongs on another thread. Sanitizers make everything some times slower, by a factor that is taken as fixed.
 */
#if defined(__SANITIZE_THREAD__)
#define LOOP_SANITIZER_FACTOR 8
#elif defined(__SANITIZE_ADDRESS__)
#define LOOP_SANITIZER_FACTOR 4
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LOOP_SANITIZER_FACTOR 8
#elif __has_feature(address_sanitizer)
#define LOOP_SANITIZER_FACTOR 4
#endif
#endif
#ifndef LOOP_SANITIZER_FACTOR
#define LOOP_SANITIZER_FACTOR 1
#endif
#define LOOP_BUSY_US (50 * 1000 * LOOP_SANITIZER_FACTOR)

struct conn;

/* What bodies are received into; belongs to the loop, lent to a connection while it holds bytes. */
struct loop_buffer {
	struct loop_buffer *next;
	size_t at, len; /* unread bytes: [at, len) */
	char bytes[LOOP_BUFFER_BYTES];
};

/* Written by the loop's thread alone, read by any. */
struct loop_counters {
	_Atomic uint64_t connections, displaced, handshakes_failed, requests, refused, aborted,
	    bytes_in, bytes_out, busy_turns, longest_turn_us;
};

/* Where a connection stands, as to who gives way to a new one. */
enum conn_kind {
	CONNS_IDLE,   /* between requests, or nothing has come yet */
	CONNS_MOVING, /* something is expected of the client, or of the socket */
	CONNS_HELD,   /* the application works: nothing can end it, no time counts */
	CONNS_KINDS,
};

/*
 * In the order in which they came to stand so, or last got anywhere: the first has been still for longest. What
 * the accepting loop must know of it is published.
 */
struct conn_list {
	struct conn *first, **last;
	_Atomic unsigned count;
	_Atomic int64_t since_us; /* the first's; INT64_MAX: there is none */
};

struct http_loop {
	struct http_server *server;
	unsigned index;
	pthread_t thread;
	struct event_base *base;
	void *user;

	_Atomic(struct http_task *) posted; /* newest first */
	int wake_fd;                        /* an eventfd */
	struct event wake;

	struct conn_list conns[CONNS_KINDS];
	_Atomic unsigned open;   /* connections handed to this loop and not yet freed */
	_Atomic unsigned yields; /* so many of them have been asked to give way */
	struct http_task yield_task;
	struct event tick; /* looks at deadlines; pending while there are connections */
	bool draining;
	struct conn *handshakes, **handshakes_end; /* of TLS, under way, the oldest first */
	unsigned handshake_count;
	struct http_task drain_task, cut_task;

	int64_t now_us;        /* monotonic, as of the running callback */
	int64_t date_until_us; /* until then the text below is right */
	char date[32];         /* "Sun, 06 Nov 1994 08:49:37 GMT" */

	/* When the thread's CPU time was last looked at (monotonic), and what it was. */
	int64_t watched_us, watched_cpu_us;

	struct loop_buffer *buffers; /* free ones */
	unsigned buffer_count;
	struct loop_counters counters;
};

struct http_server {
	struct http_options options;
	int64_t tick_us;
	struct listener plain, secure; /* on loop 0 */
	unsigned thread_count;
	struct http_loop *loops;
	struct turns turns;
	struct memory memory;      /* that clients choose: requests and replies */
	struct memory connections; /* connections, their heads, their TLS */
	_Atomic size_t peak;       /* of both, since memory was last given back to the system */

	/* Start and stop: how many threads are there, guarded by the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned ready, running;
	bool started;
};

/* Makes the event base and what belongs to it; false when the system refuses. */
bool loop_init(struct http_loop *loop, struct http_server *server, unsigned index);
/* The thread's function: runs until drained. */
void *loop_main(void *loop);
void loop_release(struct http_loop *loop);

/* A buffer with at = len = 0. */
struct loop_buffer *loop_buffer_take(struct http_loop *loop);
void loop_buffer_give(struct http_loop *loop, struct loop_buffer *buffer);

/*
 * Called where a turn of the loop ends: at the end of a request and of a callback. Counts one that took longer
 * than LOOP_BUSY_US of CPU time, however loaded the machine is, and tells the application. req is the request
 * that was worked on, NULL: none. The CPU time itself, a system call, is asked for once a millisecond at most;
 * up to so much of what went before counts with a turn.
 */
void loop_watch(struct http_loop *loop, struct http_request *req);

/* Refreshes and returns loop->now_us. */
int64_t loop_now(struct http_loop *loop);
/* The Date field's value now; borrowed. */
struct slice loop_date(struct http_loop *loop);

/* Adds a connection, as an idle one, or takes it away; a draining loop ends with its last. */
void loop_link(struct http_loop *loop, struct conn *conn);
void loop_unlink(struct http_loop *loop, struct conn *conn);
/* It stands so from now on, or still and has got somewhere. */
void loop_place(struct http_loop *loop, struct conn *conn, enum conn_kind kind);
/*
 * A connection gives way to a new one: of loop 0's at once, of another loop's soon. False when none may.
 * On loop 0 only.
 */
bool loop_displace(struct http_server *server);

/*
 * Of options.memory_bytes connections have three eighths, requests five. With a third of theirs taken, connections get no
 * large heads any more; a third is what TLS's handshakes may have. With an eighth of theirs taken, requests and replies go to
 * files where they can; with three quarters, no handler is begun: what is left is for those that were.
 */
enum memory_share { MEMORY_OF_HEADS = 3, MEMORY_OF_HANDSHAKES = 3, MEMORY_IN_FILES = 8 };
/* Whether a handler may begin. */
bool server_has_memory(const struct http_server *server);

/* Begins the drain of every loop; runs on loop 0. In server.c. */
void server_stop_accepting(struct http_server *server);

static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

#endif
