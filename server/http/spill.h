/*
 * A body that is too large for memory: a file without a name, mapped once it is whole. Internal to server/http.
 *
 * On one loop's thread. The file is gone with its descriptor, whatever happens to the process.
 */
#ifndef DRYDOCK_SERVER_HTTP_SPILL_H
#define DRYDOCK_SERVER_HTTP_SPILL_H

#include "protocol/slice.h"

#include <stdint.h>

struct spill {
	int fd; /* -1: there is none */
	size_t len;
	char *map; /* NULL until spill_map */
};

void spill_init(struct spill *spill);
/* Appends; the first piece makes the file, in `folder`. False: errno says why. */
bool spill_write(struct spill *spill, const char *folder, struct slice piece);
/* All of it, valid until spill_release; absent: errno says why. */
struct slice spill_map(struct spill *spill);
/* Its memory may go. What is read of it afterwards comes from the file again. */
void spill_rest(struct spill *spill);
void spill_release(struct spill *spill);

#endif
