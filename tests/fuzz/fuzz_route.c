/*
 * Requests to every API, through the router and to their end: two whole servers (one that asks for nothing, one with
 * --auth iam) over ephemeral stores, made once, asked over a connection each.
 *
 * The input: a byte that chooses server, method and which characters of the path are escaped, then
 *
 *	TARGET\nNAME: VALUE\n...\n\nBODY
 *
 * of which a well-formed request is made; what is not one is fuzz_http's. What must hold: an answer comes, in the
 * envelope of the API that the path names; none is a fault of ours; and a path is the same path when some of
 * its characters are escaped.
 */
#include "fuzz.h"

#include "protocol/buf.h"
#include "protocol/http_fields.h"
#include "server/app.h"
#include "server/iam_file.h"
#include "server/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static const char *const methods[] = {
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"};

/* ---- the servers ---- */

static struct server {
	struct app app;
	struct config config;
	struct iam_config iam;
	struct store *store;
	int fd; /* -1: not connected */
} servers[2];

static struct arena forever;

static void stop_servers(void)
{
	for (size_t i = 0; i < 2; i++) {
		close(servers[i].fd);
		app_stop(&servers[i].app, 1000);
		store_close(servers[i].store);
	}
	arena_release(&forever);
}

static void start_server(struct server *s, bool iam)
{
	char *open_words[] = {
	    "--listen", "127.0.0.1:0", "--ephemeral", "--threads", "1", "--auth", "open"};
	char *iam_words[] = {"--listen", "127.0.0.1:0", "--ephemeral", "--threads", "1", "--auth",
	    "iam", "--iam", DRYDOCK_TESTDATA "/iam/sample.json"};
	struct store_options options = {.ephemeral = true, .lifecycle_interval_ms = -1};
	struct err err = {""};
	char why[512];

	CHECK(iam ? config_read(&s->config, 9, iam_words, why, sizeof(why))
		  : config_read(&s->config, 7, open_words, why, sizeof(why)));
	CHECK(!iam || iam_file_read(s->config.iam, &forever, &s->iam, &err));
	s->store = store_open(&options, &err);
	CHECK(s->store);
	CHECK(app_start(&s->app, &s->config, NULL, s->store, iam ? &s->iam : NULL, &err));
	s->fd = -1;
}

static void start_servers(void)
{
	if (servers[0].store)
		return;
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	arena_init(&forever);
	start_server(&servers[0], false);
	start_server(&servers[1], true);
	atexit(stop_servers);
}

static void connect_to(struct server *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons(app_port(&s->app)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	if (s->fd >= 0)
		return;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(s->fd >= 0);
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	CHECK(connect(s->fd, (struct sockaddr *)&to, sizeof(to)) == 0);
}

/* ---- what is asked ---- */

struct question {
	const char *method;
	struct slice path, rest; /* of the target: rest is the query with its '?' */
	struct slice fields, body;
};

static bool is_graphic(char c)
{
	return c > ' ' && c < 0x7f && c != '#';
}

static void put_escaped(struct buf *out, char c)
{
	buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
}

/* Bit i % 8 of mask says whether the path's character i is escaped; what a target cannot hold is in any case. */
static void put_path(struct buf *out, struct slice path, uint8_t mask)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.at[i];

		if (!is_graphic(c) || (mask >> i % 8 & 1))
			put_escaped(out, c);
		else
			buf_putc(out, c);
	}
}

static void put_target(struct buf *out, const struct question *q, uint8_t mask)
{
	buf_putc(out, '/');
	put_path(out, q->path, mask);
	for (size_t i = 0; i < q->rest.len; i++)
		if (is_graphic(q->rest.at[i]))
			buf_putc(out, q->rest.at[i]);
}

/* Those of the transport are not the input's to say. */
static bool field_is_ours(struct slice name)
{
	static const char *const ours[] = {"content-length", "transfer-encoding", "expect",
	    "connection", "proxy-connection", "upgrade"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (slice_eq_nocase(name, slice_str(ours[i])))
			return true;
	return false;
}

static bool is_token(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
			name.at[i]) ||
		    !name.at[i])
			return false;
	return name.len > 0;
}

static void put_fields(struct buf *out, struct slice fields)
{
	bool host = false;
	int count = 0;

	while (fields.len && count < 50) {
		struct slice value = slice_cut(&fields, '\n');
		struct slice name = slice_cut(&value, ':');
		bool is_host = slice_eq_nocase(name, slice_str("host"));

		if (!is_token(name) || field_is_ours(name) || (is_host && host))
			continue;
		host |= is_host;
		buf_put_slice(out, name);
		buf_putc(out, ':');
		for (size_t i = 0; i < value.len; i++)
			buf_putc(out, value.at[i] >= ' ' && value.at[i] < 0x7f ? value.at[i] : '.');
		buf_puts(out, "\r\n");
		count++;
	}
	if (!host)
		buf_puts(out, "Host: localhost\r\n");
}

static struct slice request_of(const struct question *q, uint8_t mask, struct arena *a)
{
	struct buf out;

	buf_init(&out, a, 1 << 20, 4096);
	buf_printf(&out, "%s ", q->method);
	put_target(&out, q, mask);
	buf_puts(&out, " HTTP/1.1\r\n");
	put_fields(&out, q->fields);
	buf_printf(&out, "Content-Length: %zu\r\n\r\n", q->body.len);
	buf_put_slice(&out, q->body);
	return buf_slice(&out);
}

/* ---- what is answered ---- */

struct answer {
	int status;
	struct slice type, body;
};

static struct slice header(struct slice head, const char *name)
{
	while (head.len) {
		struct slice line = slice_cut(&head, '\n'), value = slice_cut(&line, '\r');

		if (slice_eq_nocase(slice_cut(&value, ':'), slice_str(name)))
			return slice_trim(value);
	}
	return (struct slice){0};
}

/* Where the head ends; 0: not yet. */
static size_t head_len(const struct buf *in)
{
	const char *end = in->len ? memmem(in->at, in->len, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - in->at) + 4 : 0;
}

static void read_more(struct server *s, struct buf *in)
{
	char *to = buf_reserve(in, 65536);
	ssize_t n;

	do /* libFuzzer has a timer */
		n = recv(s->fd, to, 65536, 0);
	while (n < 0 && errno == EINTR);

	CHECK(n > 0); /* the server answers, whatever it was asked */
	in->len += (size_t)n;
}

/* Sends and reads; a refusal may come, and the connection end, before all was sent. */
static struct answer ask(struct server *s, struct slice request, bool head_only, struct arena *a)
{
	unsigned long long len = 0;
	struct answer answer;
	struct slice head;
	struct buf in;
	size_t at;

	connect_to(s);
	buf_init(&in, a, 64 << 20, 65536);
	while (request.len) {
		ssize_t n = send(s->fd, request.at, request.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		request = slice_skip(request, (size_t)n);
	}
	while (!(at = head_len(&in)))
		read_more(s, &in);
	head = slice_of(in.at, at);
	CHECK(sscanf(in.at, "HTTP/1.1 %d ", &answer.status) == 1);
	answer.type = arena_dup(a, header(head, "content-type"));
	if (answer.status != 204 && answer.status != 304 && !head_only)
		CHECK(slice_to_u64(header(head, "content-length"), &len));
	while (in.len - at < len)
		read_more(s, &in);
	CHECK(in.len - at == len);
	answer.body = slice_of(in.at + at, in.len - at);
	if (header(slice_of(in.at, at), "connection").at) {
		close(s->fd);
		s->fd = -1;
	}
	return answer;
}

static bool starts(const struct answer *answer, const char *text)
{
	return slice_starts(answer->body, slice_str(text));
}

/* The path without its first slash, as it is understood. */
static void check_envelope(const struct question *q, const struct answer *answer, struct slice path)
{
	bool refused = answer->status >= 400,
	     by_transport = answer->status == 414 || answer->status == 431;

	CHECK(answer->status >= 200 && answer->status < 500);
	if (!refused || by_transport || strcmp(q->method, "HEAD") == 0)
		return;
	if (slice_is(path, "v2") || slice_starts(path, slice_str("v2/")))
		/* Who may not come in is told so in ECR's plain words. */
		CHECK(starts(answer, "{\"errors\":") ||
		    (answer->status <= 403 && !starts(answer, "{")));
	else if (slice_starts(path, slice_str("_drydock/layers/")))
		CHECK(slice_starts(answer->type, slice_str("text/plain")));
	else if (slice_starts(path, slice_str("_drydock/")) || slice_is(path, "metrics"))
		CHECK(starts(answer, "{\"message\":"));
	else if (path.len > 0)
		CHECK(answer->status == 403 || starts(answer, "Nothing is here."));
	else if (strcmp(q->method, "POST") == 0)
		CHECK(starts(answer, "{\"__type\":") || starts(answer, "<ErrorResponse "));
}

/* The path as the server understands it, without its first slash. */
static struct slice path_of(const struct question *q, struct arena *a)
{
	struct slice decoded;
	struct buf sent;

	buf_init(&sent, a, 1 << 20, 256);
	put_path(&sent, q->path, 0);
	decoded = percent_decode(buf_slice(&sent), a);
	return decoded.at ? decoded : buf_slice(&sent);
}

/* No escapes in it, good or bad (that of NUL is none). */
static bool is_plain(struct slice path)
{
	for (size_t i = 0; i < path.len; i++)
		if (path.at[i] == '%' || path.at[i] == '\0')
			return false;
	return true;
}

static bool is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice rest = slice_of((const char *)at, len);
	uint8_t choice = take_byte(&rest), mask = take_byte(&rest);
	struct question q = {.method = methods[choice >> 1 & 7]};
	struct server *server = &servers[choice & 1];
	bool head_only = strcmp(q.method, "HEAD") == 0;
	struct answer plain, escaped;
	const char *blank;
	struct arena a;

	start_servers();
	q.rest = slice_cut(&rest, '\n');
	q.path = slice_cut(&q.rest, '?');
	if (q.path.at + q.path.len < q.rest.at)
		q.rest = slice_of(q.rest.at - 1, q.rest.len + 1);
	blank = rest.len ? memmem(rest.at, rest.len, "\n\n", 2) : NULL;
	q.fields = rest;
	if (blank) {
		q.fields.len = (size_t)(blank - rest.at);
		q.body = slice_skip(rest, q.fields.len + 2);
	}
	arena_init(&a);
	plain = ask(server, request_of(&q, 0, &a), head_only, &a);
	check_envelope(&q, &plain, path_of(&q, &a));
	if (is_safe(q.method) && mask && is_plain(q.path)) {
		escaped = ask(server, request_of(&q, mask, &a), head_only, &a);
		CHECK(
		    escaped.status == 414 || plain.status == 414 || escaped.status == plain.status);
		CHECK(escaped.status != plain.status || slice_eq(escaped.type, plain.type));
	}
	arena_release(&a);
	return 0;
}
