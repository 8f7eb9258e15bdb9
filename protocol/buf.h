/*
 * A growing byte buffer in an arena, with a mandatory maximum.
 *
 * Appending past the maximum sets overflow and drops the bytes; the caller looks once, at the end.
 * Growth doubles; a large buffer grows where it is, so that one of n bytes costs at most 2n. Who can answer that there is no
 * memory sets may_starve: when the arena's account has not so much left, that counts as overflow too, and starved says so.
 */
#ifndef DRYDOCK_PROTOCOL_BUF_H
#define DRYDOCK_PROTOCOL_BUF_H

#include "protocol/arena.h"

struct buf {
	struct arena *arena;
	char *at;
	size_t len, cap, max;
	bool may_starve; /* the caller's, after buf_init */
	bool overflow;
	bool starved; /* it overflowed because memory is short: later there may be some */
};

/* max: most bytes it may ever hold; hint: bytes to reserve at once (0: none). */
void buf_init(struct buf *b, struct arena *a, size_t max, size_t hint);
void buf_put(struct buf *b, const void *at, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_put_slice(struct buf *b, struct slice s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for len more bytes, or NULL (and overflow); the caller fills it and adds to b->len. */
char *buf_reserve(struct buf *b, size_t len);
/* What it holds; borrowed until the next append. */
struct slice buf_slice(const struct buf *b);

#endif
