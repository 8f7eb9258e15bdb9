/*
 * A job that its submitter waits for: for storage's own background threads, between the steps of long work.
 * Never on the writer, the flusher or a worker. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_AWAIT_H
#define DRYDOCK_STORAGE_AWAIT_H

#include "storage/jobs/job.h"

/* Submits the job, whose done and owner are taken, and returns its outcome. */
enum error_code job_await(struct store *store, struct store_job *job, const struct job_ops *ops);
/*
 * The same for one of many steps. When others had the writer run jobs meanwhile, it comes back only after some
 * times as long as the step took, so that most of the writer and of the disk is theirs.
 */
enum error_code job_await_kindly(
    struct store *store, struct store_job *job, const struct job_ops *ops);

#endif
