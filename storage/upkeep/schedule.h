/*
 * What is due by Drydock's clock without a request asking for it. Storage-internal.
 *
 * One place, so that there is one tick: the writer calls it every SCHEDULE_TICK_MS of real time (or more
 * often, see struct store), busy or idle, and when the clock was moved. Each part looks whether something
 * of its own is due, which must cost next to nothing, and submits a job for it.
 */
#ifndef DRYDOCK_STORAGE_SCHEDULE_H
#define DRYDOCK_STORAGE_SCHEDULE_H

struct store;

enum { SCHEDULE_TICK_MS = 60 * 1000 };

/* On the writer thread, between two transactions. */
void schedule_tend(struct store *store);

#endif
