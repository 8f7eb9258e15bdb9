/*
 * A borrowed run of bytes: base and length, never NUL-terminated by promise.
 *
 * A slice owns nothing. Who hands one out says how long it lives; in a request that is until the
 * request ends. The absent slice has at == NULL; the empty one has len == 0 and at != NULL.
 */
#ifndef DRYDOCK_PROTOCOL_SLICE_H
#define DRYDOCK_PROTOCOL_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *at;
	size_t len;
};

/* A slice over a string literal or array, usable in initialisers. */
#define SLICE(literal)                                                                             \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (s).at

static inline struct slice slice_of(const char *at, size_t len)
{
	return (struct slice){at, len};
}

/* The bytes of a C string, or the absent slice for NULL. */
static inline struct slice slice_str(const char *s)
{
	return (struct slice){s, s ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}

static inline bool slice_ends(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len &&
	    (suffix.len == 0 || memcmp(s.at + s.len - suffix.len, suffix.at, suffix.len) == 0);
}

/* ASCII case-insensitive equality, as header names and media types need it. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* s without its first n bytes (n <= s.len). */
static inline struct slice slice_skip(struct slice s, size_t n)
{
	return (struct slice){n ? s.at + n : s.at, s.len - n};
}

/* s without the blanks and tabs at its ends (RFC 9110's OWS). */
struct slice slice_trim(struct slice s);
/* Cuts what lies before the first separator off the head of *rest, the separator too; all when
 * none. */
struct slice slice_cut(struct slice *rest, char separator);

/* Orders bytewise, shorter first among equals: <0, 0, >0 as memcmp. */
int slice_cmp(struct slice a, struct slice b);

/* Reads a decimal number of 1 to 19 digits and nothing else; false otherwise. */
bool slice_to_u64(struct slice s, unsigned long long *out);

#endif
