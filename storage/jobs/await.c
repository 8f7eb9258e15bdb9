/*
 * Waiting for a job: a semaphore is posted when it is over.
 *
 * After one step of long work the caller sleeps for three times as long as the step took, 0.2 s at most; not when
 * the writer ran nobody else's job meanwhile, nor when the store is about to close. So long work is quick on an
 * idle server, and takes about a quarter of the writer of a busy one.
 */
#include "storage/jobs/await.h"

#include "storage/core.h"

#include <semaphore.h>
#include <time.h>

#define PAUSE_TIMES 3
#define PAUSE_MAX_NS (200 * 1000000LL)

static void wake(struct store_job *job)
{
	sem_post(job->owner);
}

enum error_code job_await(struct store *store, struct store_job *job, const struct job_ops *ops)
{
	sem_t done;
	sem_init(&done, 0, 0);
	job->owner = &done;
	job->done = wake;
	store_submit(store, job, ops);
	while (sem_wait(&done) != 0)
		; /* a signal's handler has run */
	sem_destroy(&done);
	job->owner = NULL;
	return job->error.code;
}

static int64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

enum error_code job_await_kindly(
    struct store *store, struct store_job *job, const struct job_ops *ops)
{
	uint64_t before = atomic_load(&store->jobs_run);
	int64_t began_ns = monotonic_ns();
	enum error_code code = job_await(store, job, ops);
	int64_t pause_ns = PAUSE_TIMES * (monotonic_ns() - began_ns);
	if (atomic_load(&store->jobs_run) - before <= 1 || atomic_load(&store->winding_down))
		return code;
	struct timespec pause = {.tv_nsec = pause_ns < PAUSE_MAX_NS ? pause_ns : PAUSE_MAX_NS};
	nanosleep(&pause, NULL);
	return code;
}
