/*
 * What store_open mends after a process, or the machine, that stopped half way. Storage-internal.
 *
 * Its cost is that of what was in flight: unflushed blobs, open uploads, a reset or deletion under
 * way.
 */
#ifndef DRYDOCK_STORAGE_RECOVERY_H
#define DRYDOCK_STORAGE_RECOVERY_H

#include "storage/core.h"

/* Before the writer runs, on its connection. False with *err filled. */
bool recover(struct store *store, struct err *err) __attribute__((warn_unused_result));

#endif
