/*
 * Drydock's clock: real time plus an offset that a test can move.
 *
 * Everything that reads the time of day reads it here. Any thread may call; setting is atomic.
 */
#ifndef DRYDOCK_STORAGE_CLOCK_H
#define DRYDOCK_STORAGE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

struct clock {
	_Atomic int64_t offset_ms;
};

/* Milliseconds since 1970 by this clock. */
int64_t clock_now_ms(const struct clock *c);
/* The offset in force, and setting it. */
int64_t clock_offset_ms(const struct clock *c);
void clock_set_offset_ms(struct clock *c, int64_t offset_ms);

#endif
