/*
 * The bytes of an HTTP/1.x request, understood: llhttp with its remaining tolerances closed. No
 * sockets.
 *
 * The head is collected by the caller in one contiguous buffer (which may move between calls, but
 * not shift) and offered again with more bytes until it is whole; then the body's bytes are
 * offered in buffers of any kind, and come back as pieces of those buffers.
 *
 *	parse_init(&p, 8192);
 *	while ((r = parse_head(&p, head, len)) == PARSE_MORE)
 *		... append to head, len grows ...
 *	parse_body(&p, at, len, &used, &piece), until PARSE_DONE     when p.has_body
 *
 * Refused, beyond what llhttp refuses however it was built: line folding, bare CR or LF in the
 * head, a blank before the colon, more than one blank in the request line, targets that are
 * neither /path, http://host/path nor (OPTIONS) *, control or non-ASCII bytes in a target, Host
 * missing in 1.1, given twice, or not what an absolute target says, Content-Length with Transfer-Encoding or given twice, any
 * transfer coding but one "chunked" (501), anything but CR LF behind a chunk's data, other versions than 1.0 and 1.1 (505), CONNECT (501),
 * an unknown Expect (417).
 */
#ifndef DRYDOCK_SERVER_HTTP_PARSE_H
#define DRYDOCK_SERVER_HTTP_PARSE_H

#include "server/http/http.h"

#include <llhttp.h>

#define PARSE_FIELDS_MAX 100
#define PARSE_HEAD_MAX 65535 /* offsets have 16 bits */
#define PARSE_CHUNK_OVERHEAD_MAX                                                                   \
	16384 /* bytes of chunk sizes, extensions, trailers without a body byte */

enum parse_result {
	PARSE_MORE, /* all was used, more is needed */
	PARSE_DONE, /* the head, or the body, is complete */
	PARSE_BAD,  /* status and reason say why; the parser is of no more use */
};

/* Offsets from the head's first byte. */
struct parse_span {
	uint16_t at, len;
};

struct parser {
	llhttp_t ll;
	const char *base; /* of the buffer llhttp is being given */
	struct parse_span target;
	struct parse_span names[PARSE_FIELDS_MAX];
	struct parse_span values[PARSE_FIELDS_MAX];
	unsigned field_count;
	bool in_name; /* the last callback was for a name: the next may extend it */
	bool target_known;
	uint32_t target_max;
	size_t fed;         /* bytes of the head that llhttp has seen */
	struct slice piece; /* of the body, of the running call */
	size_t chunk_overhead;
	unsigned chunk_end; /* bytes seen of the CR LF behind a chunk's data; 2: none is due */

	/* The outcome of parse_head. */
	size_t head_len;
	bool has_body; /* chunked or Content-Length above 0 */
	bool keep_alive;
	bool expect_continue;
	/* The outcome of PARSE_BAD. */
	int status;
	const char *reason;
};

/* Ready for a new request; target_max in bytes. */
void parse_init(struct parser *p, uint32_t target_max);
/*
 * Offers the head's first len bytes (at most PARSE_HEAD_MAX), what was offered before included. On
 * PARSE_DONE head_len of them were the head; what follows is body or the next request.
 */
enum parse_result parse_head(struct parser *p, const char *head, size_t len);
/*
 * After PARSE_DONE: fills what the head says into *req: method to fields and content_length,
 * borrowed from head; the array of fields is made in req->arena.
 */
void parse_request(const struct parser *p, const char *head, struct http_request *req);
/*
 * Offers bytes of the body; len > 0. *used of them were taken, *piece (possibly empty) is content
 * among them. PARSE_MORE with *used < len: call again with the rest. PARSE_DONE may come with a
 * piece.
 */
enum parse_result parse_body(
    struct parser *p, const char *at, size_t len, size_t *used, struct slice *piece);

#endif
