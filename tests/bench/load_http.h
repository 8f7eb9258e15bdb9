/*
 * A light HTTP/1.1 client for the load generator: keep-alive connections driven by one epoll loop
 * per thread, no copy and no allocation per request.
 *
 * A scenario is a step function.  It is called once when an operation starts (conn->step == 0, no
 * answer yet) and again after each answer; it builds the next request and returns STEP_MORE, or
 * ends the operation with STEP_DONE or STEP_FAIL. One operation may be one request or the dozens
 * that pushing an image takes.
 *
 * Calling sequence: run_init, worker_init per thread, worker_loop in each thread, worker_release.
 * A worker and its connections belong to one thread; struct run is shared, read-only but for its
 * atomics.
 */
#ifndef LOAD_HTTP_H
#define LOAD_HTTP_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <openssl/evp.h>

#define HEAD_MAX 8192
#define RESPONSE_BUF 65536
#define KEEP_MAX 4096
#define ERRORS_MAX 20

struct conn;
struct run;
struct pattern;

enum step {
	STEP_MORE, /* a request was built: send it and come back with the answer */
	STEP_DONE, /* the operation succeeded */
	STEP_FAIL, /* it did not; the scenario has called conn_complain */
};

struct scenario {
	const char *name;
	const char *help;
	int (*init)(
	    struct run *run); /* once, before the clock starts; may be NULL; 0 or -1 (said why) */
	int (*conn_init)(struct conn *c); /* per connection, before the clock starts; may be NULL */
	enum step (*step)(struct conn *c);
	void (*conn_release)(struct conn *c); /* may be NULL */
};

struct run {
	const struct scenario *scenario;
	/* options */
	const char *host; /* as given: the Host header's value */
	struct sockaddr_in addr;
	const char *auth;   /* the Authorization header's value, or NULL */
	const char *accept; /* the Accept header's value, or NULL */
	const char *repo, *tag, *path, *digest, *target, *body_file;
	double seconds; /* no operation starts later than this; 0: no limit */
	uint64_t count; /* operations in all; 0: no limit */
	unsigned connections, threads;
	uint64_t size_bytes, chunk_bytes;
	uint64_t seed, first;
	unsigned shared; /* push-small: how many layers all images have in common */
	uint64_t images; /* pull-small: how many there are */
	bool verify, alternate_head;
	bool secure;            /* over TLS; no certificate is verified */
	struct ssl_ctx_st *tls; /* then */
	/* what the scenario keeps for all connections */
	void *state;
	char digest_out[80]; /* push-large: what was pushed last */
	/* progress */
	uint64_t started_us, deadline_us;
	atomic_uint_fast64_t next_op;
	atomic_uint errors;
};

struct worker {
	struct run *run;
	int epoll_fd;
	unsigned active; /* connections with an operation under way */
	struct conn *conns;
	unsigned conns_len;
	char *scratch;        /* large bodies are read into here */
	uint32_t *latency_us; /* one per finished operation */
	size_t latency_len, latency_cap;
	uint64_t ops, requests, retries, bytes_in, bytes_out, last_us;
};

struct request {
	char head[HEAD_MAX];
	size_t head_len;
	const char *body; /* borrowed until the answer; NULL when the body is a pattern */
	struct pattern *pattern;
	uint64_t pattern_off;
	uint64_t body_len;
	bool is_head;
	uint64_t sent; /* of head and body together */
};

struct response {
	int status;
	int64_t length; /* Content-Length, -1 when absent */
	bool chunked, close;
	char location[2048]; /* path and query, whatever form it came in; "" when absent */
	char digest[160];    /* Docker-Content-Digest */
	uint64_t body_len;   /* bytes of body received */
	char kept[KEEP_MAX]; /* the first of them */
	size_t kept_len;
	/* parser */
	int64_t left;
	int chunk_state;
};

struct conn {
	struct worker *worker;
	struct run *run;
	unsigned id;
	int fd;
	struct ssl_st *tls;
	bool used; /* an answer has come over this fd: it may be closed under us, try again once */
	bool want_write, got_head;
	struct request req;
	struct response res;
	char *in; /* RESPONSE_BUF bytes: the head, and what came with it */
	size_t in_len;
	EVP_MD_CTX *hash; /* set by a scenario: response bodies with status 200 are hashed */
	unsigned step;
	uint64_t seq; /* number of the operation, unique in the run */
	uint64_t op_started_us;
	void *state;
};

/* Microseconds of the monotonic clock. */
uint64_t now_us(void);

/* Resolve run->host ("address:port", IPv4) into run->addr.  0 or -1, having said why. */
int run_resolve(struct run *run);

/* Make run->tls, when it is wanted.  0 or -1, having said why. */
int run_tls(struct run *run);

/* Prepare connections first_id ... first_id+n-1 of a thread.  0 or -1. */
int worker_init(struct worker *w, struct run *run, unsigned first_id, unsigned n);
/* Run operations until the run's count or time is used up and all connections are idle. */
void worker_loop(struct worker *w);
void worker_release(struct worker *w);

/*
 * Build the request line and the headers every request has.  extra is further header lines, each
 * ending in CRLF, or "". The body is body_len bytes at body (borrowed), or none.
 */
void conn_request(struct conn *c, const char *method, const char *path, const char *extra,
    const char *body, size_t body_len);
/* The same with body_len bytes of a pattern from offset off. */
void conn_request_pattern(struct conn *c, const char *method, const char *path, const char *extra,
    struct pattern *p, uint64_t off, uint64_t body_len);
/* Say (the first few times) what went wrong with the current request.  Returns STEP_FAIL. */
enum step conn_complain(struct conn *c, const char *what);

/* Parse the head at c->in into c->res.  Returns its length, 0 when more must be read, -1 when it is
 * not HTTP. */
ssize_t answer_head(struct conn *c);
/* Take n bytes of body.  Returns 1 when it is complete, 0 for more, -1 when it is malformed or
 * longer than announced. */
int answer_take(struct conn *c, const char *p, size_t n);

#endif
