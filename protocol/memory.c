/* What is granted is a comparison and an addition: loops ask for each chunk of an arena. See memory.h. */
#include "protocol/memory.h"

#include <stdint.h>
#include <stdlib.h>

void memory_init(struct memory *m, size_t total, size_t reserve_bytes)
{
	m->total = total;
	atomic_init(&m->taken, 0);
	atomic_init(&m->most, 0);
	atomic_init(&m->reserve, NULL);
	memory_restore(m, reserve_bytes);
}

void memory_release(struct memory *m)
{
	free(atomic_exchange(&m->reserve, NULL));
}

/* Two that raise it at once may leave the lower one: it is for deciding when to tidy up. */
static void note_most(struct memory *m, size_t now)
{
	if (now > atomic_load_explicit(&m->most, memory_order_relaxed))
		atomic_store_explicit(&m->most, now, memory_order_relaxed);
}

bool memory_take(struct memory *m, size_t bytes)
{
	size_t before, total = m && m->total ? m->total : SIZE_MAX;

	if (!m)
		return true;
	if (m->total && !atomic_load_explicit(&m->reserve, memory_order_relaxed))
		return false;
	before = atomic_load_explicit(&m->taken, memory_order_relaxed);
	do {
		if (before > total || bytes > total - before)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
	    &m->taken, &before, before + bytes, memory_order_relaxed, memory_order_relaxed));
	note_most(m, before + bytes);
	return true;
}

void memory_count(struct memory *m, size_t bytes)
{
	if (m)
		note_most(
		    m, atomic_fetch_add_explicit(&m->taken, bytes, memory_order_relaxed) + bytes);
}

void memory_give(struct memory *m, size_t bytes)
{
	if (m)
		atomic_fetch_sub_explicit(&m->taken, bytes, memory_order_relaxed);
}

bool memory_beyond(const struct memory *m, unsigned share)
{
	if (!m || !m->total)
		return false;
	return atomic_load_explicit(&m->taken, memory_order_relaxed) > m->total / share ||
	    !atomic_load_explicit(&m->reserve, memory_order_relaxed);
}

void *memory_realloc(struct memory *m, void *at, size_t bytes)
{
	void *made = realloc(at, bytes), *reserve;

	if (made || !m)
		return made;
	reserve = atomic_exchange(&m->reserve, NULL);
	free(reserve);
	return reserve ? realloc(at, bytes) : NULL;
}

void memory_restore(struct memory *m, size_t reserve_bytes)
{
	void *none = NULL, *made;

	if (!m->total || atomic_load_explicit(&m->reserve, memory_order_relaxed))
		return;
	made = malloc(reserve_bytes); /* never touched: addresses, no pages */
	if (made && !atomic_compare_exchange_strong(&m->reserve, &none, made))
		free(made);
}

bool memory_has_reserve(const struct memory *m)
{
	return !m->total || atomic_load_explicit(&m->reserve, memory_order_relaxed);
}

size_t memory_peak(struct memory *m)
{
	return atomic_exchange_explicit(
	    &m->most, atomic_load_explicit(&m->taken, memory_order_relaxed), memory_order_relaxed);
}
