/*
 * An arena: memory with one lifetime, given back all at once.
 *
 * One thread at a time. A request owns one; what is allocated from it is freed by arena_reset (which
 * keeps the first chunk for the next request) or arena_release, never singly. Running out of memory
 * aborts: every size a client can choose is bounded, and counted (memory.h), before it gets here. What
 * may grow to megabytes asks arena_extend, which can say no.
 *
 *	struct arena a;
 *	arena_init(&a);
 *	char *name = arena_printf(&a, "%s-%d", stem, n);
 *	arena_release(&a);
 */
#ifndef DRYDOCK_PROTOCOL_ARENA_H
#define DRYDOCK_PROTOCOL_ARENA_H

#include "protocol/memory.h"
#include "protocol/slice.h"

#include <stdarg.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* newest first; NULL until something was allocated */
	char *at, *end;            /* what is left of it */
	struct arena_chunk *large; /* of one allocation each, newest first */
	size_t held;               /* bytes of all of them */
	struct memory *memory;     /* the account they are taken from; NULL: none */
};

void arena_init(struct arena *a);
/* The same, with an account that outlives it. */
void arena_init_counted(struct arena *a, struct memory *memory);
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

/* len bytes, aligned for any type, contents undefined; never NULL. */
void *arena_alloc(struct arena *a, size_t len);
/*
 * What was allocated with old bytes (NULL: nothing was), now with len, its contents kept; it may have moved. A large one
 * grows where it is, and leaves no copy behind. NULL, only when it may fail: its account has not so much left, and nothing
 * has changed. Otherwise what it takes beyond that is counted all the same.
 */
void *arena_extend(struct arena *a, void *at, size_t old, size_t len, bool may_fail);
/* Gives back what is large (64 KiB) before the rest goes; of anything else nothing happens. */
void arena_give(struct arena *a, const void *at);
/* arena_alloc, zeroed. */
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
