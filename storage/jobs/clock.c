/*
 * The machine's clock and one atomic number that is added to it.
 *
 * Relaxed order is enough: no other memory is published by the number, and to see a move of the clock a moment
 * late is to have asked a moment earlier. What becomes due by a move is the schedule's (schedule.c).
 */
#include "storage/core.h"
#include "storage/db/meta.h"

#include <time.h>

int64_t clock_now_ms(const struct clock *c)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000 + clock_offset_ms(c);
}

int64_t clock_offset_ms(const struct clock *c)
{
	return atomic_load_explicit(&c->offset_ms, memory_order_relaxed);
}

void clock_set_offset_ms(struct clock *c, int64_t offset_ms)
{
	atomic_store_explicit(&c->offset_ms, offset_ms, memory_order_relaxed);
}

bool store_load_clock(struct store *store)
{
	int64_t offset_ms;
	enum found found = meta_get_int(&store->writer.db, META_CLOCK_OFFSET, &offset_ms);
	if (found != FAILED)
		clock_set_offset_ms(&store->clock, found == FOUND ? offset_ms : 0);
	return found != FAILED;
}
