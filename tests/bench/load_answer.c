/* The load generator's reading of answers: head, Content-Length and chunked bodies.  See
 * load_http.h. */
#include "load_http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXT,
	CHUNK_DATA,
	CHUNK_DATA_END,
	CHUNK_TRAILER,
	CHUNK_TRAILER_LINE
};

static void copy_value(char *to, size_t size, const char *from, size_t n)
{
	if (n >= size)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
}

static void location_set(struct response *r, const char *value, size_t n)
{
	const char *scheme = memmem(value, n, "://", 3);
	const char *query = memchr(value, '?', n);

	if (scheme && (!query || scheme < query)) {
		const char *slash = memchr(scheme + 3, '/', n - (size_t)(scheme + 3 - value));

		if (!slash) {
			copy_value(r->location, sizeof(r->location), "/", 1);
			return;
		}
		n -= (size_t)(slash - value);
		value = slash;
	}
	copy_value(r->location, sizeof(r->location), value, n);
}

static bool is_name(const char *line, size_t name_len, const char *name)
{
	return name_len == strlen(name) && strncasecmp(line, name, name_len) == 0;
}

static void header_line(struct response *r, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *v;
	size_t name_len, n;

	if (!colon)
		return;
	name_len = (size_t)(colon - line);
	for (v = colon + 1; v < line + len && *v == ' '; v++)
		;
	n = (size_t)(line + len - v);
	if (is_name(line, name_len, "content-length"))
		r->length = strtoll(v, NULL, 10);
	else if (is_name(line, name_len, "transfer-encoding"))
		r->chunked = true;
	else if (is_name(line, name_len, "connection"))
		r->close = n >= 5 && strncasecmp(v, "close", 5) == 0;
	else if (is_name(line, name_len, "location"))
		location_set(r, v, n);
	else if (is_name(line, name_len, "docker-content-digest"))
		copy_value(r->digest, sizeof(r->digest), v, n);
}

ssize_t answer_head(struct conn *c)
{
	struct response *r = &c->res;
	char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
	char *p, *eol;

	if (!end)
		return c->in_len == RESPONSE_BUF ? -1 : 0;
	if (c->in_len < 12 || memcmp(c->in, "HTTP/1.", 7) != 0)
		return -1;
	memset(r, 0, offsetof(struct response, kept));
	r->kept_len = 0;
	r->length = -1;
	r->chunk_state = CHUNK_SIZE;
	r->status = (int)strtol(c->in + 9, NULL, 10);
	r->close = c->in[7] == '0';
	p = (char *)memchr(c->in, '\n', c->in_len) + 1;
	for (; p < end; p = eol + 2) {
		eol = memmem(p, (size_t)(end + 2 - p), "\r\n", 2);
		header_line(r, p, (size_t)(eol - p));
	}
	r->left = r->chunked ? 0 : r->length;
	if (c->req.is_head || r->status == 204 || r->status == 304)
		r->left = 0, r->chunked = false, r->length = r->length < 0 ? 0 : r->length;
	return end + 4 - c->in;
}

static void body_take(struct conn *c, const char *p, size_t n)
{
	struct response *r = &c->res;

	if (r->kept_len < sizeof(r->kept)) {
		size_t room = sizeof(r->kept) - r->kept_len;

		memcpy(r->kept + r->kept_len, p, n < room ? n : room);
		r->kept_len += n < room ? n : room;
	}
	if (c->hash && r->status == 200)
		EVP_DigestUpdate(c->hash, p, n);
	r->body_len += n;
	c->worker->bytes_in += n;
}

/* As answer_take, for a chunked body. */
static int chunks_take(struct conn *c, const char *p, size_t n)
{
	struct response *r = &c->res;

	while (n > 0) {
		char ch = *p;

		if (r->chunk_state == CHUNK_DATA) {
			size_t k = (int64_t)n < r->left ? n : (size_t)r->left;

			body_take(c, p, k);
			p += k, n -= k, r->left -= (int64_t)k;
			if (r->left == 0)
				r->chunk_state = CHUNK_DATA_END;
			continue;
		}
		p++, n--;
		switch (r->chunk_state) {
		case CHUNK_SIZE:
			if (ch >= '0' && ch <= '9')
				r->left = r->left * 16 + (ch - '0');
			else if ((ch | 32) >= 'a' && (ch | 32) <= 'f')
				r->left = r->left * 16 + ((ch | 32) - 'a' + 10);
			else if (ch != '\n')
				r->chunk_state = CHUNK_EXT;
			else
				return -1;
			break;
		case CHUNK_EXT:
			if (ch == '\n')
				r->chunk_state = r->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
			break;
		case CHUNK_DATA_END:
			if (ch == '\n')
				r->chunk_state = CHUNK_SIZE;
			break;
		case CHUNK_TRAILER:
			if (ch == '\n')
				return n == 0 ? 1 : -1;
			if (ch != '\r')
				r->chunk_state = CHUNK_TRAILER_LINE;
			break;
		case CHUNK_TRAILER_LINE:
			if (ch == '\n')
				r->chunk_state = CHUNK_TRAILER;
			break;
		}
	}
	return 0;
}

int answer_take(struct conn *c, const char *p, size_t n)
{
	struct response *r = &c->res;

	if (r->chunked)
		return chunks_take(c, p, n);
	if (r->left < 0) { /* until the connection closes */
		r->close = true;
		body_take(c, p, n);
		return 0;
	}
	if ((int64_t)n > r->left)
		return -1;
	if (n > 0)
		body_take(c, p, n);
	r->left -= (int64_t)n;
	return r->left == 0;
}
