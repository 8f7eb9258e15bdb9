/*
 * When lifecycle policies are run by themselves. Storage-internal; on the writer thread, or before it runs.
 */
#ifndef DRYDOCK_STORAGE_LIFECYCLE_DUE_H
#define DRYDOCK_STORAGE_LIFECYCLE_DUE_H

#include "storage/core.h"

#define LIFECYCLE_INTERVAL_MS (3600 * 1000LL)

/* Reads when the last run was; as though it were now where there was none. */
void lifecycle_load(struct store *store);
/* Submits a run of all policies when the interval has passed and none is under way. */
void lifecycle_tend(struct store *store);

#endif
