/*
 * Chunks in a list, newest first. The first has a fixed size and survives a reset, so that an
 * ordinary request allocates nothing from the system; later ones double, and a large request gets
 * one of its own size, which goes at the next reset: what one request needed is never kept for the
 * rest of a connection's life.
 *
 * Under AddressSanitizer what is not handed out is poisoned and allocations are kept apart, so that
 * running over the end of one is caught as it would be with malloc.
 */
#include "protocol/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { REDZONE = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
enum { REDZONE = 0 };
#endif

enum {
	ALIGN = 16,
	FIRST_CHUNK = 8 * 1024,
	CHUNK_MAX = 256 * 1024,
};

struct arena_chunk {
	struct arena_chunk *next; /* older */
	size_t size;              /* with this header */
	alignas(ALIGN) char bytes[];
};

void arena_init(struct arena *a)
{
	*a = (struct arena){0};
}

static void chunk_free(struct arena_chunk *c)
{
	ASAN_UNPOISON_MEMORY_REGION(c, c->size);
	free(c);
}

static void chunk_use(struct arena *a, struct arena_chunk *c)
{
	a->chunk = c;
	a->at = c->bytes;
	a->end = (char *)c + c->size;
	ASAN_POISON_MEMORY_REGION(a->at, (size_t)(a->end - a->at));
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *c = a->chunk;

	while (c && (c->next || c->size != FIRST_CHUNK)) {
		struct arena_chunk *older = c->next;
		chunk_free(c);
		c = older;
	}
	arena_init(a);
	if (c)
		chunk_use(a, c);
}

void arena_release(struct arena *a)
{
	while (a->chunk) {
		struct arena_chunk *older = a->chunk->next;
		chunk_free(a->chunk);
		a->chunk = older;
	}
	arena_init(a);
}

/* A chunk in which need bytes fit. */
static void arena_grow(struct arena *a, size_t need)
{
	size_t size = FIRST_CHUNK;

	if (a->chunk)
		size = a->chunk->size < CHUNK_MAX / 2 ? a->chunk->size * 2 : CHUNK_MAX;
	if (size - sizeof(struct arena_chunk) < need)
		size = sizeof(struct arena_chunk) + need;
	struct arena_chunk *c = malloc(size);
	if (!c)
		abort();
	c->size = size;
	c->next = a->chunk;
	chunk_use(a, c);
}

void *arena_alloc(struct arena *a, size_t len)
{
	if (len > SIZE_MAX / 2)
		abort();
	size_t need = ((len + ALIGN - 1) & ~(size_t)(ALIGN - 1)) + REDZONE;
	if (!a->at || (size_t)(a->end - a->at) < need)
		arena_grow(a, need);
	char *at = a->at;
	a->at += need;
	ASAN_UNPOISON_MEMORY_REGION(at, len);
	return at;
}

void *arena_zalloc(struct arena *a, size_t len)
{
	return memset(arena_alloc(a, len), 0, len);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(count, size, &len))
		abort();
	return arena_zalloc(a, len);
}

char *arena_strdup(struct arena *a, struct slice s)
{
	char *copy = arena_alloc(a, s.len + 1);

	if (s.len)
		memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	return copy;
}

struct slice arena_dup(struct arena *a, struct slice s)
{
	if (!s.at)
		return s;
	return slice_of(arena_strdup(a, s), s.len);
}

static struct slice arena_vslicef(struct arena *a, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	if (len < 0)
		abort();
	char *at = arena_alloc(a, (size_t)len + 1);
	vsnprintf(at, (size_t)len + 1, format, again);
	va_end(again);
	return slice_of(at, (size_t)len);
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
	return (char *)arena_vslicef(a, format, args).at;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = arena_vprintf(a, format, args);
	va_end(args);
	return text;
}

struct slice arena_slicef(struct arena *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	struct slice text = arena_vslicef(a, format, args);
	va_end(args);
	return text;
}
