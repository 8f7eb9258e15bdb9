/*
 * Removing what a deleted repository left, a page of rows at a time, between other jobs.
 */
#ifndef DRYDOCK_STORAGE_PURGE_H
#define DRYDOCK_STORAGE_PURGE_H

#include "storage/jobs/job.h"

/* Starts it, when there may be something to purge. Any thread. */
void purge_submit(struct store *store);

#endif
