/*
 * An account of the memory that clients choose: how much there may be in all, and how much is taken.
 *
 * What a client's bytes, or their absence, make the server keep is taken from the account before it is allocated, and
 * given back when it is freed. What can be refused asks memory_take; what cannot (a handler has begun) is counted with
 * memory_count, and the next request finds less. memory_beyond says when to keep things elsewhere, or to take no more.
 *
 * So malloc has room for what was taken. Where it has none all the same, because the system gives less than was
 * thought, memory_alloc gives up the reserve: from then on nothing is granted, until memory_restore has it again.
 *
 * From any thread. A struct memory of zeroes, or NULL, has no bounds.
 */
#ifndef DRYDOCK_PROTOCOL_MEMORY_H
#define DRYDOCK_PROTOCOL_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct memory {
	size_t total; /* bytes; 0: no bounds */
	_Atomic size_t taken;
	_Atomic size_t most;     /* that was taken since memory_peak was last asked */
	_Atomic(void *) reserve; /* NULL: given up */
};

void memory_init(struct memory *m, size_t total, size_t reserve_bytes);
void memory_release(struct memory *m);

/* False: there is not so much left, and nothing was taken. */
bool memory_take(struct memory *m, size_t bytes);
void memory_count(struct memory *m, size_t bytes);
void memory_give(struct memory *m, size_t bytes);
/* Whether more than a share of it is taken: 2 asks for one half, 8 for an eighth. */
bool memory_beyond(const struct memory *m, unsigned share);

/* malloc and realloc (at NULL: malloc) that give up the reserve rather than fail. NULL: not even that was enough. */
void *memory_realloc(struct memory *m, void *at, size_t bytes);
/* Sets the reserve aside again, where it was given up and the system lets it. */
void memory_restore(struct memory *m, size_t reserve_bytes);
/* False: it is given up, and nothing is granted. */
bool memory_has_reserve(const struct memory *m);
/* The most that was taken since it was last asked. */
size_t memory_peak(struct memory *m);

#endif
