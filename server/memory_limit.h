/*
 * How much memory this process can have, by what the system says: its own limits and its control groups'.
 *
 * Before threads are started.
 */
#ifndef DRYDOCK_SERVER_MEMORY_LIMIT_H
#define DRYDOCK_SERVER_MEMORY_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

struct memory_limit {
	size_t total;           /* bytes that clients may choose (protocol/memory.h) */
	unsigned threads_max;   /* loops that there should be at most; 0: any number */
	bool addresses_limited; /* not what is touched counts, but what is mapped: RLIMIT_AS */
};

struct memory_limit memory_limit_find(void);

#endif
