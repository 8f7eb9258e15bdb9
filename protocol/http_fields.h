/*
 * The grammar of the HTTP fields a registry reads. RFC 9110 sections 14 (ranges), 8.3 (media types),
 * 12.5.1 (Accept); OCI distribution-spec "Pushing a blob in chunks" for Content-Range; RFC 3986 for
 * percent-encoding and query strings. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_HTTP_FIELDS_H
#define DRYDOCK_PROTOCOL_HTTP_FIELDS_H

#include "protocol/arena.h"

#include <stdint.h>

enum range_kind {
	RANGE_NONE,          /* absent, malformed, another unit, or several ranges: answer 200 */
	RANGE_PART,          /* first..last inclusive, within the size */
	RANGE_UNSATISFIABLE, /* 416; also "5-4", which may be ignored or rejected */
};

/* A Range header against a resource of size bytes. */
enum range_kind http_range(struct slice range, uint64_t size, uint64_t *first, uint64_t *last);
/* "0-99", "bytes 0-99", "bytes=0-99" or "bytes 0-99/200" of an upload chunk; false when malformed. */
bool http_content_range(struct slice value, uint64_t *first, uint64_t *last);

/* The media type without parameters and surrounding blanks. */
struct slice http_media_type(struct slice value);
/* True when an Accept header (absent: everything) admits the media type, with wildcards and q=0. */
bool http_accepts(struct slice accept, struct slice media_type);

/* Percent-decodes; '+' stays. Absent slice when an escape is malformed or decodes to NUL. */
struct slice percent_decode(struct slice text, struct arena *a);
/*
 * The first value of a key in a query string ("a=1&b=2"), decoded; absent when there is none. A
 * malformed escape makes the value empty.
 */
struct slice query_get(struct slice query, const char *key, struct arena *a);
/* The same for a key that may come several times: *query is cut behind the value that was found. */
struct slice query_next(struct slice *query, const char *key, struct arena *a);

/*
 * The same for forms (application/x-www-form-urlencoded) and for queries that are signed or written as forms are: a
 * plus sign is a blank.
 */
struct slice form_decode(struct slice text, struct arena *a);
struct slice form_get(struct slice form, const char *key, struct arena *a);

#endif
