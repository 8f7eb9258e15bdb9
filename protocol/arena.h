/*
 * An arena: memory with one lifetime, given back all at once.
 *
 * One thread at a time. A request owns one; what is allocated from it is freed by arena_reset (which
 * keeps the first chunk for the next request) or arena_release, never singly. Running out of memory
 * aborts: every size a client can choose is bounded before it gets here.
 *
 *	struct arena a;
 *	arena_init(&a);
 *	char *name = arena_printf(&a, "%s-%d", stem, n);
 *	arena_release(&a);
 */
#ifndef DRYDOCK_PROTOCOL_ARENA_H
#define DRYDOCK_PROTOCOL_ARENA_H

#include "protocol/slice.h"

#include <stdarg.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* newest first; NULL until something was allocated */
	char *at, *end;            /* what is left of it */
};

void arena_init(struct arena *a);
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

/* len bytes, aligned for any type, contents undefined; never NULL. */
void *arena_alloc(struct arena *a, size_t len);
/* The same, zeroed. */
void *arena_zalloc(struct arena *a, size_t len);
/* A zeroed array of count elements; aborts when the product overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* Copies; the copy is followed by a NUL that is not counted. An absent slice stays absent. */
struct slice arena_dup(struct arena *a, struct slice s);
char *arena_strdup(struct arena *a, struct slice s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args);
struct slice arena_slicef(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
