/*
 * The transport's parser, fed with a stream of requests in pieces as a socket would bring them.
 *
 * The first byte is the size of the pieces (0: all at once), the rest the stream. What must hold
 * whatever comes: offsets lie within the head, a body's pieces within what was offered and adding
 * up to Content-Length, and the outcome does not depend on how the stream was cut.
 */
#include "server/http/parse.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that the parser said of a stream, folded into a number. */
struct outcome {
	uint64_t hash;
	unsigned requests;
};

static void note(struct outcome *o, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		o->hash = (o->hash ^ (unsigned char)s.at[i]) * 1099511628211u;
}

static void check_within(const char *head, size_t len, struct slice s)
{
	assert(s.at >= head && s.at + s.len <= head + len);
}

static void note_request(struct outcome *o, struct parser *p, const char *head, size_t len)
{
	struct arena arena;
	struct http_request req = {.arena = &arena};

	arena_init(&arena);
	parse_request(p, head, &req);
	check_within(head, len, req.target);
	assert(req.raw_path.len > 0 && req.target.len > 0);
	note(o, req.method_name);
	note(o, req.raw_path);
	for (size_t i = 0; i < req.field_count; i++) {
		check_within(head, len, req.fields[i].name);
		check_within(head, len, req.fields[i].value);
		assert(req.fields[i].name.len > 0);
		note(o, req.fields[i].name);
		note(o, req.fields[i].value);
	}
	assert(!(req.chunked && req.content_length >= 0));
	arena_release(&arena);
	o->requests++;
}

/* The head at *at in pieces of `step`; copied, so that reading beyond what was offered is seen. */
static enum parse_result feed_head(
    struct parser *p, const char *data, size_t size, size_t *at, size_t step, struct outcome *o)
{
	enum parse_result result = PARSE_MORE;
	size_t len = 0, left = size - *at < PARSE_HEAD_MAX ? size - *at : PARSE_HEAD_MAX;

	while (result == PARSE_MORE && len < left) {
		char *head;

		len = left - len < step ? left : len + step;
		head = malloc(len);
		assert(head);
		memcpy(head, data + *at, len);
		result = parse_head(p, head, len);
		if (result == PARSE_DONE)
			note_request(o, p, head, p->head_len);
		free(head);
	}
	if (result == PARSE_DONE) {
		assert(p->head_len > 0 && p->head_len <= len);
		*at += p->head_len;
	}
	return result;
}

/* How much of a body comes before its fault is seen depends on the cut: of such a one nothing is noted. */
static enum parse_result feed_body(
    struct parser *p, const char *data, size_t size, size_t *at, size_t step, struct outcome *o)
{
	enum parse_result result = PARSE_MORE;
	struct outcome before = *o;

	while (result == PARSE_MORE && *at < size) {
		size_t len = size - *at < step ? size - *at : step, used = 0;
		char *bytes = malloc(len);
		struct slice piece = {NULL, 0};

		assert(bytes);
		memcpy(bytes, data + *at, len);
		result = parse_body(p, bytes, len, &used, &piece);
		if (result != PARSE_BAD) {
			assert(used <= len && (used > 0 || result == PARSE_DONE));
			check_within(bytes, len, piece);
			note(o, piece);
			*at += used;
		}
		free(bytes);
	}
	if (result == PARSE_BAD)
		*o = before;
	return result;
}

static struct outcome feed(const char *data, size_t size, size_t step)
{
	struct outcome o = {14695981039346656037u, 0};
	enum parse_result result = PARSE_DONE;
	struct parser p;
	size_t at = 0;

	while (result == PARSE_DONE && at < size) {
		parse_init(&p, 256);
		result = feed_head(&p, data, size, &at, step, &o);
		if (result == PARSE_DONE && p.has_body)
			result = feed_body(&p, data, size, &at, step, &o);
	}
	if (result == PARSE_BAD) {
		assert(p.status >= 400 && p.reason);
		o.hash++; /* which fault is seen first may depend on the cut, that there is one may
			     not */
	}
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;

	if (size < 2 || size > 20000)
		return 0;
	whole = feed((const char *)data + 1, size - 1, size);
	cut = feed((const char *)data + 1, size - 1, data[0] ? data[0] : size);
	assert(whole.requests == cut.requests && whole.hash == cut.hash);
	return 0;
}
