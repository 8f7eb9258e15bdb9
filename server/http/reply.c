/* Replies: what handlers say, and the head that is made of it. */
#include "server/http/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

/* ---- reading the request ---- */

struct slice http_remote(struct http_request *req)
{
	const struct sockaddr_storage *remote = &conn_of(req)->remote;
	const struct sockaddr_in *v4 = (const void *)remote;
	const struct sockaddr_in6 *v6 = (const void *)remote;
	char text[INET6_ADDRSTRLEN];

	if (remote->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
		return arena_slicef(req->arena, "%s:%u", text, ntohs(v4->sin_port));
	}
	if (remote->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		return arena_slicef(req->arena, "[%s]:%u", text, ntohs(v6->sin6_port));
	}
	return slice_str("unknown");
}

/* ---- saying the reply ---- */

enum http_step http_reply(struct http_request *req, int status)
{
	struct http_reply *reply = &req->reply;

	assert(status > 100 && status < 600);
	reply->status = status;
	reply->field_count = 0;
	reply->body_count = 0;
	reply->body_len = 0;
	reply->length = -1;
	if (reply->file >= 0)
		close(reply->file);
	reply->file = -1;
	reply->file_len = 0;
	return HTTP_DONE;
}

/* An array in the arena with room for one more; the old one is left to the arena. */
static void *room_for_one(
    struct arena *arena, void *array, unsigned count, unsigned *room, size_t size)
{
	void *grown;

	if (count < *room)
		return array;
	*room = *room ? *room * 2 : 8;
	grown = arena_alloc(arena, *room * size);
	if (count)
		memcpy(grown, array, count * size);
	return grown;
}

/* The value without anything that could end the field: a copy only when there is something to
 * replace. */
static struct slice value_clean(struct arena *arena, struct slice value)
{
	char *copy = NULL;

	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if ((c >= ' ' && c != 0x7f) || c == '\t')
			continue;
		if (!copy)
			copy = arena_strdup(arena, value);
		copy[i] = '?';
	}
	return copy ? slice_of(copy, value.len) : value;
}

void http_reply_header(struct http_request *req, const char *name, struct slice value)
{
	struct http_reply *reply = &req->reply;

	reply->fields = room_for_one(req->arena, reply->fields, reply->field_count,
	    &reply->field_room, sizeof(*reply->fields));
	reply->fields[reply->field_count++] =
	    (struct http_field){slice_str(name), value_clean(req->arena, value)};
}

void http_reply_headerf(struct http_request *req, const char *name, const char *format, ...)
{
	va_list args;
	char *value;

	va_start(args, format);
	value = arena_vprintf(req->arena, format, args);
	va_end(args);
	http_reply_header(req, name, slice_str(value));
}

void http_reply_body(struct http_request *req, struct slice piece)
{
	struct http_reply *reply = &req->reply;

	assert(reply->file < 0);
	if (piece.len == 0)
		return;
	reply->body = room_for_one(
	    req->arena, reply->body, reply->body_count, &reply->body_room, sizeof(*reply->body));
	reply->body[reply->body_count++] = piece;
	reply->body_len += piece.len;
}

void http_reply_file(struct http_request *req, int fd, int64_t offset, uint64_t len)
{
	struct http_reply *reply = &req->reply;

	assert(reply->file < 0 && fd >= 0);
	reply->file = fd;
	reply->file_offset = offset;
	reply->file_len = len;
	reply->body_len += len;
}

void http_reply_length(struct http_request *req, uint64_t len)
{
	req->reply.length = (int64_t)len;
}

void http_reply_close(struct http_request *req)
{
	req->reply.close = true;
}

enum http_step http_reply_text(struct http_request *req, int status, const char *text)
{
	http_reply(req, status);
	http_reply_header(req, "Content-Type", slice_str("text/plain; charset=utf-8"));
	http_reply_body(req, arena_slicef(req->arena, "%s\n", text));
	return HTTP_DONE;
}

/* ---- the head ---- */

static const char *phrase_of(int status)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

static char *put(char *to, struct slice s)
{
	if (s.len)
		memcpy(to, s.at, s.len);
	return to + s.len;
}

static char *put_str(char *to, const char *s)
{
	return put(to, slice_str(s));
}

static char *put_number(char *to, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	return put(to, slice_of(digits + at, sizeof(digits) - at));
}

static char *put_field(char *to, const struct http_field *field)
{
	to = put(to, field->name);
	to = put_str(to, ": ");
	to = put(to, field->value);
	return put_str(to, "\r\n");
}

static const char *connection_field(const struct http_request *req)
{
	if (req->reply.close)
		return "Connection: close\r\n";
	return req->http_1_0 ? "Connection: keep-alive\r\n" : "";
}

/* RFC 9110 section 8.6: no Content-Length with 204; with 304 it would be that of the 200 answer. */
static bool has_length(const struct http_request *req)
{
	return req->reply.status != 204 && req->reply.status != 304;
}

static uint64_t length_of(const struct http_request *req)
{
	if (req->method == METHOD_HEAD && req->reply.length >= 0)
		return (uint64_t)req->reply.length;
	return req->reply.body_len;
}

void reply_render(struct conn *c)
{
	const struct http_request *req = &c->req;
	const struct http_reply *reply = &req->reply;
	size_t room = 256; /* status line, Date, Content-Length, Connection */
	char *head, *to;

	for (unsigned i = 0; i < reply->field_count; i++)
		room += reply->fields[i].name.len + reply->fields[i].value.len + 4;
	to = head = arena_alloc(req->arena, room);
	to = put_str(to, "HTTP/1.1 ");
	to = put_number(to, (uint64_t)reply->status);
	to = put_str(to, " ");
	to = put_str(to, phrase_of(reply->status));
	to = put_str(to, "\r\nDate: ");
	to = put(to, loop_date(c->loop));
	to = put_str(to, "\r\n");
	for (unsigned i = 0; i < reply->field_count; i++)
		to = put_field(to, &reply->fields[i]);
	if (has_length(req)) {
		to = put_str(to, "Content-Length: ");
		to = put_number(to, length_of(req));
		to = put_str(to, "\r\n");
	}
	to = put_str(to, connection_field(req));
	to = put_str(to, "\r\n");
	c->out = slice_of(head, (size_t)(to - head));
}
