/*
 * Chunks in a list, newest first. The first has a fixed size and survives a reset, so that an
 * ordinary request allocates nothing from the system; later ones double, and go at the next reset:
 * what one request needed is never kept for the rest of a connection's life. A large allocation has
 * a chunk of its own in a second list, so that it can grow by realloc, which for megabytes moves
 * pages and copies nothing.
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
	LARGE = 64 * 1024,
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

void arena_init_counted(struct arena *a, struct memory *memory)
{
	*a = (struct arena){.memory = memory};
}

static void chunk_free(struct arena *a, struct arena_chunk *c)
{
	ASAN_UNPOISON_MEMORY_REGION(c, c->size);
	a->held -= c->size;
	memory_give(a->memory, c->size);
	free(c);
}

static void chunks_free(struct arena *a, struct arena_chunk **list)
{
	while (*list) {
		struct arena_chunk *older = (*list)->next;

		chunk_free(a, *list);
		*list = older;
	}
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

	chunks_free(a, &a->large);
	while (c && (c->next || c->size != FIRST_CHUNK)) {
		struct arena_chunk *older = c->next;
		chunk_free(a, c);
		c = older;
	}
	a->chunk = NULL;
	a->at = a->end = NULL;
	if (c)
		chunk_use(a, c);
}

void arena_release(struct arena *a)
{
	chunks_free(a, &a->large);
	chunks_free(a, &a->chunk);
	arena_init_counted(a, a->memory);
}

/* A chunk of size bytes, counted already, that was `old` (NULL: a new one). */
static struct arena_chunk *chunk_resize(struct arena *a, struct arena_chunk *old, size_t size)
{
	struct arena_chunk *c = memory_realloc(a->memory, old, size);

	if (!c)
		abort();
	a->held += size - (old ? c->size : 0);
	c->size = size;
	return c;
}

static struct arena_chunk *chunk_new(struct arena *a, size_t size)
{
	memory_count(a->memory, size);
	return chunk_resize(a, NULL, size);
}

/* A chunk in which need bytes fit. */
static void arena_grow(struct arena *a, size_t need)
{
	size_t size = FIRST_CHUNK;

	if (a->chunk)
		size = a->chunk->size < CHUNK_MAX / 2 ? a->chunk->size * 2 : CHUNK_MAX;
	if (size - sizeof(struct arena_chunk) < need)
		size = sizeof(struct arena_chunk) + need;
	struct arena_chunk *c = chunk_new(a, size);
	c->next = a->chunk;
	chunk_use(a, c);
}

/* With what is between two allocations. */
static size_t room_of(size_t len)
{
	if (len > SIZE_MAX / 2)
		abort();
	return ((len + ALIGN - 1) & ~(size_t)(ALIGN - 1)) + REDZONE;
}

/* Hands out the first len bytes of a large chunk. */
static void *large_use(struct arena_chunk *c, size_t len)
{
	ASAN_UNPOISON_MEMORY_REGION(c, c->size);
	ASAN_POISON_MEMORY_REGION(c->bytes + len, c->size - sizeof(*c) - len);
	return c->bytes;
}

/* A large chunk, counted already. */
static void *large_new(struct arena *a, size_t len)
{
	struct arena_chunk *c = chunk_resize(a, NULL, sizeof(*c) + room_of(len));

	c->next = a->large;
	a->large = c;
	return large_use(c, len);
}

void *arena_alloc(struct arena *a, size_t len)
{
	size_t need = room_of(len);

	if (len >= LARGE) {
		memory_count(a->memory, sizeof(struct arena_chunk) + need);
		return large_new(a, len);
	}
	if (!a->at || (size_t)(a->end - a->at) < need)
		arena_grow(a, need);
	char *at = a->at;
	a->at += need;
	ASAN_UNPOISON_MEMORY_REGION(at, len);
	return at;
}

/* The large chunk that holds an allocation; it ends in NULL when there is none. */
static struct arena_chunk **large_find(struct arena *a, const void *at)
{
	struct arena_chunk **place = &a->large;

	while (*place && (void *)(*place)->bytes != at)
		place = &(*place)->next;
	return place;
}

void arena_give(struct arena *a, const void *at)
{
	struct arena_chunk **place = large_find(a, at), *c = *place;

	if (!c)
		return;
	*place = c->next;
	chunk_free(a, c);
}

/* From the account; when that may not fail, also beyond it. */
static bool grant(struct arena *a, size_t bytes, bool may_fail)
{
	if (may_fail)
		return memory_take(a->memory, bytes);
	memory_count(a->memory, bytes);
	return true;
}

static void *large_extend(struct arena *a, struct arena_chunk **place, size_t len, bool may_fail)
{
	size_t size = sizeof(**place) + room_of(len), before = (*place)->size;

	if (size > before) {
		if (!grant(a, size - before, may_fail))
			return NULL;
		ASAN_UNPOISON_MEMORY_REGION(*place, before);
		*place = chunk_resize(a, *place, size);
	}
	return large_use(*place, len);
}

void *arena_extend(struct arena *a, void *at, size_t old, size_t len, bool may_fail)
{
	struct arena_chunk **place = large_find(a, at);
	void *made;

	if (*place)
		return large_extend(a, place, len, may_fail);
	if (len < LARGE)
		made = arena_alloc(a, len);
	else if (grant(a, sizeof(struct arena_chunk) + room_of(len), may_fail))
		made = large_new(a, len);
	else
		return NULL;
	if (old)
		memcpy(made, at, old < len ? old : len);
	return made;
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
