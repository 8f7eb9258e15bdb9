/*
 * The growing buffer: every append passes buf_reserve(), which alone decides whether there is room. After one that
 * found none nothing is appended any more, so that a text never has a hole.
 */
#include "protocol/buf.h"

#include <stdio.h>

enum { BUF_FIRST = 256 };

void buf_init(struct buf *b, struct arena *a, size_t max, size_t hint)
{
	*b = (struct buf){.arena = a, .max = max};
	if (hint > max)
		hint = max;
	if (hint) {
		b->at = arena_alloc(a, hint);
		b->cap = hint;
	}
}

char *buf_reserve(struct buf *b, size_t len)
{
	if (b->overflow || len > b->max - b->len) {
		b->overflow = true;
		return NULL;
	}
	if (len > b->cap - b->len) {
		size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
		if (cap < b->len + len)
			cap = b->len + len;
		if (cap < BUF_FIRST && BUF_FIRST <= b->max)
			cap = BUF_FIRST;
		char *grown = arena_extend(b->arena, b->at, b->len, cap, b->may_starve);
		if (!grown) {
			b->overflow = b->starved = true;
			return NULL;
		}
		b->at = grown;
		b->cap = cap;
	}
	return b->at ? b->at + b->len : NULL;
}

void buf_put(struct buf *b, const void *at, size_t len)
{
	if (len == 0)
		return;
	char *to = buf_reserve(b, len);
	if (to) {
		memcpy(to, at, len);
		b->len += len;
	}
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_put_slice(struct buf *b, struct slice s)
{
	buf_put(b, s.at, s.len);
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	if (b->overflow)
		return;
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	/* aside, because vsnprintf wants room for a NUL, which a full buffer has not */
	char small[128], *text = small;
	if (len < 0 || (size_t)len > b->max - b->len) {
		b->overflow = true;
		return;
	}
	if ((size_t)len >= sizeof(small))
		text = arena_alloc(b->arena, (size_t)len + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	buf_put(b, text, (size_t)len);
}

struct slice buf_slice(const struct buf *b)
{
	return slice_of(b->at ? b->at : "", b->len);
}
