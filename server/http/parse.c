/* Requests, parsed: see parse.h. The checks after llhttp's do not rely on how it was built. */
#include "server/http/parse.h"

#include "protocol/buf.h"

#include <string.h>
#include <strings.h>

#define METHOD_MAX 32 /* a longer word is no method */

static const bool token_char[256] = {
    ['!'] = 1,
    ['#'] = 1,
    ['$'] = 1,
    ['%'] = 1,
    ['&'] = 1,
    ['\''] = 1,
    ['*'] = 1,
    ['+'] = 1,
    ['-'] = 1,
    ['.'] = 1,
    ['^'] = 1,
    ['_'] = 1,
    ['`'] = 1,
    ['|'] = 1,
    ['~'] = 1,
    ['0' ... '9'] = 1,
    ['A' ... 'Z'] = 1,
    ['a' ... 'z'] = 1,
};

static enum parse_result bad(struct parser *p, int status, const char *reason)
{
	p->status = status;
	p->reason = reason;
	return PARSE_BAD;
}

/* ---- llhttp's callbacks: they only note where things are ---- */

static void span_extend(struct parser *p, struct parse_span *span, const char *at, size_t len)
{
	size_t end = (size_t)(at - p->base) + len;

	if (span->len == 0)
		span->at = (uint16_t)(at - p->base);
	span->len = (uint16_t)(end - span->at);
}

static int on_target(llhttp_t *ll, const char *at, size_t len)
{
	struct parser *p = ll->data;

	span_extend(p, &p->target, at, len);
	if (p->target.len > p->target_max) {
		bad(p, 414, "the request target is too long");
		return HPE_USER;
	}
	return 0;
}

static int on_target_complete(llhttp_t *ll)
{
	((struct parser *)ll->data)->target_known = true;
	return 0;
}

static bool in_trailer(const llhttp_t *ll)
{
	return ((const struct parser *)ll->data)->head_len != 0;
}

static int on_name(llhttp_t *ll, const char *at, size_t len)
{
	struct parser *p = ll->data;

	if (in_trailer(ll))
		return 0;
	if (!p->in_name) {
		if (p->field_count == PARSE_FIELDS_MAX) {
			bad(p, 431, "the request has too many header fields");
			return HPE_USER;
		}
		p->in_name = true;
		p->field_count++;
		p->names[p->field_count - 1] = (struct parse_span){0, 0};
		p->values[p->field_count - 1] = (struct parse_span){0, 0};
	}
	span_extend(p, &p->names[p->field_count - 1], at, len);
	return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t len)
{
	struct parser *p = ll->data;

	if (!in_trailer(ll) && len > 0)
		span_extend(p, &p->values[p->field_count - 1], at, len);
	return 0;
}

static int on_name_complete(llhttp_t *ll)
{
	((struct parser *)ll->data)->in_name = false;
	return 0;
}

static int on_head(llhttp_t *ll)
{
	ll->upgrade = 0; /* an Upgrade is an offer, which is not taken up */
	return HPE_PAUSED;
}

static int on_content(llhttp_t *ll, const char *at, size_t len)
{
	struct parser *p = ll->data;

	p->piece = slice_of(at, len);
	if ((ll->flags & F_CHUNKED) && ll->content_length == 0)
		p->chunk_end = 0;
	return 0;
}

static int on_chunk_complete(llhttp_t *ll)
{
	(void)ll;
	return HPE_PAUSED; /* so that one call finds at most one piece */
}

static int on_message_complete(llhttp_t *ll)
{
	(void)ll;
	return HPE_USER; /* told apart from a pause; the parser is not used again */
}

static const llhttp_settings_t settings = {
    .on_url = on_target,
    .on_url_complete = on_target_complete,
    .on_header_field = on_name,
    .on_header_field_complete = on_name_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_content,
    .on_chunk_complete = on_chunk_complete,
    .on_message_complete = on_message_complete,
};

void parse_init(struct parser *p, uint32_t target_max)
{
	llhttp_init(&p->ll, HTTP_REQUEST, &settings);
	p->ll.data = p;
	p->target = (struct parse_span){0, 0};
	p->target_max = target_max;
	p->field_count = 0;
	p->in_name = p->target_known = false;
	p->fed = p->head_len = p->chunk_overhead = 0;
	p->chunk_end = 2;
	p->has_body = p->keep_alive = p->expect_continue = false;
	p->status = 0;
	p->reason = NULL;
}

/* ---- the head ---- */

static struct slice span_slice(const char *head, struct parse_span span)
{
	return slice_of(head + span.at, span.len);
}

static struct slice trimmed(struct slice s)
{
	while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t'))
		s = slice_skip(s, 1);
	while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool is_nocase(struct slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

/* Lines end with CR LF, and none is the folded end of the one before. */
static bool lines_are_clean(const char *head, size_t len)
{
	const char *end = head + len;

	for (const char *at = head; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
		if (at == head || at[-1] != '\r')
			return false;
		if (at + 1 < end && (at[1] == ' ' || at[1] == '\t'))
			return false;
	}
	for (const char *at = head; (at = memchr(at, '\r', (size_t)(end - at))) != NULL; at++)
		if (at + 1 == end || at[1] != '\n')
			return false;
	return true;
}

/* "METHOD target HTTP/1.x": one blank each (empty lines before it may be there). */
static bool request_line_is_exact(const struct parser *p, const char *head)
{
	struct slice method = slice_str(llhttp_method_name(p->ll.method));
	struct slice line = slice_of(head, p->head_len);
	size_t target_end = (size_t)p->target.at + p->target.len;
	size_t at = 0;

	while (at < line.len && (head[at] == '\r' || head[at] == '\n'))
		at++;
	return slice_starts(slice_skip(line, at), method) && p->target.at == at + method.len + 1 &&
	    slice_starts(slice_skip(line, target_end), slice_str(" HTTP/"));
}

static bool name_is_token(const char *head, struct parse_span name)
{
	if (name.len == 0 || head[name.at + name.len] != ':')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!token_char[(unsigned char)head[name.at + i]])
			return false;
	return true;
}

static bool target_is_good(struct slice target, uint8_t method)
{
	for (size_t i = 0; i < target.len; i++)
		if (target.at[i] <= ' ' || target.at[i] >= 0x7f || target.at[i] == '#')
			return false;
	if (target.len == 0)
		return false;
	if (target.at[0] == '/')
		return true;
	if (slice_is(target, "*"))
		return method == HTTP_OPTIONS;
	return (target.len > 7 && strncasecmp(target.at, "http://", 7) == 0) ||
	    (target.len > 8 && strncasecmp(target.at, "https://", 8) == 0);
}

/* Cuts the scheme and the authority of an absolute target off it; absent for any other target. */
static struct slice take_authority(struct slice *target)
{
	struct slice rest = *target;
	size_t len = 0;

	if (rest.at[0] == '/' || rest.at[0] == '*')
		return (struct slice){NULL, 0};
	rest = slice_skip(rest, rest.at[4] == ':' ? 7 : 8);
	while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?')
		len++;
	*target = slice_skip(rest, len);
	return slice_of(rest.at, len);
}

/* What the fields say about framing and host, collected before it is judged. */
struct framing {
	struct slice host;
	unsigned hosts, lengths, codings;
	bool length_good, chunked, expect_other;
	unsigned long long length;
};

static void framing_note(struct parser *p, struct framing *f, struct slice name, struct slice value)
{
	switch (name.len) {
	case 4:
		if (!is_nocase(name, "host"))
			break;
		f->hosts++;
		f->host = value;
		break;
	case 6:
		if (!is_nocase(name, "expect"))
			break;
		p->expect_continue = is_nocase(value, "100-continue");
		f->expect_other |= !p->expect_continue;
		break;
	case 14:
		if (!is_nocase(name, "content-length"))
			break;
		f->lengths++;
		f->length_good = slice_to_u64(value, &f->length) && f->length <= INT64_MAX;
		break;
	case 17:
		if (!is_nocase(name, "transfer-encoding"))
			break;
		f->codings++;
		f->chunked = is_nocase(value, "chunked");
		break;
	}
}

static enum parse_result framing_judge(struct parser *p, const struct framing *f)
{
	bool http_1_1 = p->ll.http_minor == 1;
	bool ll_chunked = (p->ll.flags & F_CHUNKED) != 0;

	if (f->hosts > 1)
		return bad(p, 400, "the Host header field is given twice");
	if (f->hosts == 0 && http_1_1)
		return bad(p, 400, "the Host header field is missing");
	if (f->codings > 0 && (f->lengths > 0 || !http_1_1))
		return bad(p, 400, "the length of the body is ambiguous");
	if (f->lengths > 1 || (f->lengths == 1 && !f->length_good))
		return bad(p, 400, "the Content-Length header field is invalid");
	if (f->codings > 1 || (f->codings == 1 && !f->chunked))
		return bad(p, 501, "the transfer coding is not supported");
	if (ll_chunked != f->chunked || (f->lengths && p->ll.content_length != f->length))
		return bad(p, 400, "the length of the body is ambiguous");
	if (f->expect_other)
		return bad(p, 417, "the expectation is not supported");
	p->has_body = f->chunked || f->length > 0;
	return PARSE_DONE;
}

/*
 * One host is meant: signatures cover the Host field, and RFC 9112 section 3.2.2 lets an absolute target's authority
 * count instead.
 */
static bool host_is_one(struct slice target, struct slice host)
{
	struct slice authority = take_authority(&target);

	return !authority.at || (authority.len > 0 && slice_eq_nocase(authority, host));
}

static enum parse_result head_judge(struct parser *p, const char *head)
{
	struct framing framing = {0};
	uint8_t method = llhttp_get_method(&p->ll);

	if (!lines_are_clean(head, p->head_len))
		return bad(p, 400, "the request head has a malformed line");
	if (!request_line_is_exact(p, head))
		return bad(p, 400, "the request line is malformed");
	if (p->ll.http_major != 1 || p->ll.http_minor > 1)
		return bad(p, 505, "the HTTP version is not supported");
	if (method == HTTP_CONNECT)
		return bad(p, 501, "the method is not supported");
	if (!target_is_good(span_slice(head, p->target), method))
		return bad(p, 400, "the request target is invalid");
	for (unsigned i = 0; i < p->field_count; i++) {
		if (!name_is_token(head, p->names[i]))
			return bad(p, 400, "a header field name is invalid");
		framing_note(p, &framing, span_slice(head, p->names[i]),
		    trimmed(span_slice(head, p->values[i])));
	}
	if (framing.hosts <= 1 && !host_is_one(span_slice(head, p->target), framing.host))
		return bad(p, 400, "the request target's authority is not the Host header field's");
	p->keep_alive = llhttp_should_keep_alive(&p->ll);
	return framing_judge(p, &framing);
}

/* llhttp says no: find the words. An unknown but well-formed method is 501, not 400. */
static enum parse_result head_error(struct parser *p, const char *head, size_t len)
{
	size_t n = 0;

	if (p->status)
		return PARSE_BAD;
	switch (llhttp_get_errno(&p->ll)) {
	case HPE_INVALID_METHOD:
		while (n < len && token_char[(unsigned char)head[n]])
			n++;
		if (n == len && n < METHOD_MAX)
			return PARSE_MORE; /* until the word is whole; llhttp repeats its error */
		if (n > 0 && n < len && n < METHOD_MAX && head[n] == ' ')
			return bad(p, 501, "the method is not supported");
		return bad(p, 400, "the request is not HTTP");
	case HPE_INVALID_VERSION:
	case HPE_PAUSED_H2_UPGRADE:
		return bad(p, 505, "the HTTP version is not supported");
	case HPE_INVALID_URL:
		return bad(p, 400, "the request target is invalid");
	case HPE_INVALID_CONTENT_LENGTH:
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return bad(p, 400, "the Content-Length header field is invalid");
	default:
		return bad(p, 400, "the request head is malformed");
	}
}

enum parse_result parse_head(struct parser *p, const char *head, size_t len)
{
	llhttp_errno_t error;

	p->base = head;
	error = llhttp_execute(&p->ll, head + p->fed, len - p->fed);
	if (error == HPE_OK) {
		p->fed = len;
		return PARSE_MORE;
	}
	if (error != HPE_PAUSED)
		return head_error(p, head, len);
	p->head_len = (size_t)(llhttp_get_error_pos(&p->ll) - head);
	return head_judge(p, head);
}

/* ---- what the head says, for the application ---- */

static enum http_method method_of(uint8_t method)
{
	switch (method) {
	case HTTP_GET:
		return METHOD_GET;
	case HTTP_HEAD:
		return METHOD_HEAD;
	case HTTP_POST:
		return METHOD_POST;
	case HTTP_PUT:
		return METHOD_PUT;
	case HTTP_PATCH:
		return METHOD_PATCH;
	case HTTP_DELETE:
		return METHOD_DELETE;
	case HTTP_OPTIONS:
		return METHOD_OPTIONS;
	default:
		return METHOD_OTHER;
	}
}

/* The first field of the name from *index on, which is moved behind it; NULL when there is none. */
static const struct http_field *field_next(
    const struct http_request *req, const char *name, size_t *index)
{
	size_t len = strlen(name);

	while (*index < req->field_count) {
		const struct http_field *f = &req->fields[(*index)++];

		if (f->name.len == len && strncasecmp(f->name.at, name, len) == 0)
			return f;
	}
	return NULL;
}

struct slice http_header_get(const struct http_request *req, const char *name)
{
	size_t index = 0;
	const struct http_field *f = field_next(req, name, &index);

	return f ? f->value : (struct slice){NULL, 0};
}

struct slice http_header_list(const struct http_request *req, const char *name)
{
	size_t index = 0;
	const struct http_field *f = field_next(req, name, &index);
	const struct http_field *more = f ? field_next(req, name, &index) : NULL;
	struct buf joined;

	if (!more)
		return f ? f->value : (struct slice){NULL, 0};
	buf_init(&joined, req->arena, SIZE_MAX, 512); /* the head's length bounds it */
	buf_put_slice(&joined, f->value);
	for (; more; more = field_next(req, name, &index)) {
		buf_putc(&joined, ',');
		buf_put_slice(&joined, more->value);
	}
	return buf_slice(&joined);
}

static void target_split(struct http_request *req)
{
	struct slice rest = req->target;
	const char *mark;

	take_authority(&rest);
	mark = memchr(rest.at, '?', rest.len);
	req->query = (struct slice){NULL, 0};
	req->raw_path = rest;
	if (mark) {
		req->raw_path.len = (size_t)(mark - rest.at);
		req->query = slice_skip(rest, req->raw_path.len + 1);
	}
	if (req->raw_path.len == 0)
		req->raw_path = slice_str("/");
}

void parse_request(const struct parser *p, const char *head, struct http_request *req)
{
	struct http_field *fields;
	uint8_t method = p->ll.method;

	fields = arena_array(req->arena, p->field_count + 1, sizeof(*fields));
	for (unsigned i = 0; i < p->field_count; i++) {
		fields[i].name = span_slice(head, p->names[i]);
		fields[i].value = trimmed(span_slice(head, p->values[i]));
	}
	req->fields = fields;
	req->field_count = p->field_count;
	req->method = method_of(method);
	req->method_name = slice_str(llhttp_method_name(method));
	req->http_1_0 = p->ll.http_minor == 0;
	req->chunked = (p->ll.flags & F_CHUNKED) != 0;
	req->content_length = -1;
	if (p->ll.flags & F_CONTENT_LENGTH)
		req->content_length = (int64_t)p->ll.content_length;
	req->target = span_slice(head, p->target);
	req->host = http_header_get(req, "host");
	target_split(req);
}

/* ---- the body ---- */

/* llhttp 6 skips two bytes behind a chunk's data, whatever they are. */
static bool chunk_end_is_good(struct parser *p, const char *at, const char *end)
{
	while (p->chunk_end < 2 && at < end)
		if (*at++ != "\r\n"[p->chunk_end++])
			return false;
	return true;
}

enum parse_result parse_body(
    struct parser *p, const char *at, size_t len, size_t *used, struct slice *piece)
{
	const char *from = at;
	llhttp_errno_t error;

	p->piece = slice_of(at, 0);
	if (!chunk_end_is_good(p, at, at + len))
		return bad(p, 400, "the chunked body is malformed");
	/* Pauses are between chunks: go on to the next content, or to the end, which needs no byte
	 * more. */
	do {
		llhttp_resume(&p->ll);
		error = llhttp_execute(&p->ll, from, len - (size_t)(from - at));
		from = llhttp_get_error_pos(&p->ll);
	} while (error == HPE_PAUSED && p->piece.len == 0);
	*used = error == HPE_OK ? len : (size_t)(from - at);
	*piece = p->piece;
	p->chunk_overhead = piece->len > 0 ? 0 : p->chunk_overhead + *used;
	if (piece->len > 0 && !chunk_end_is_good(p, piece->at + piece->len, at + len))
		return bad(p, 400, "the chunked body is malformed");
	if (p->chunk_overhead > PARSE_CHUNK_OVERHEAD_MAX)
		return bad(p, 400, "the chunked body has an extension or trailer that is too long");
	if (error == HPE_OK || error == HPE_PAUSED)
		return PARSE_MORE;
	if (error == HPE_CB_MESSAGE_COMPLETE)
		return PARSE_DONE;
	return bad(p, 400, "the chunked body is malformed");
}
