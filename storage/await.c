#include "storage/await.h"

#include <semaphore.h>

static void wake(struct store_job *job)
{
	sem_post(job->owner);
}

enum error_code job_await(struct store *store, struct store_job *job)
{
	sem_t done;
	sem_init(&done, 0, 0);
	job->owner = &done;
	job->done = wake;
	store_submit(store, job);
	while (sem_wait(&done) != 0)
		; /* a signal's handler has run */
	sem_destroy(&done);
	job->owner = NULL;
	return job->error.code;
}
