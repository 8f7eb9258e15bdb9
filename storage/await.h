/*
 * A job that its submitter waits for: for storage's own background threads, between the steps of long work.
 * Never on the writer, the flusher or a worker. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_AWAIT_H
#define DRYDOCK_STORAGE_AWAIT_H

#include "storage/store.h"

/* Submits the job, whose done and owner are taken, and returns its outcome. */
enum error_code job_await(struct store *store, struct store_job *job);

#endif
