/*
 * A job's way in and out: counted from its submission until its owner was told, so that closing can wait for the last
 * one; to a worker first when it has work, else to the writer.
 */
#include "storage/core.h"

#include <stdlib.h>

void store_job_free(struct store_job *job)
{
	free(job);
}

void store_finish_job(struct store *store, struct store_job *job)
{
	job->done(job);
	pthread_mutex_lock(&store->count_lock);
	if (--store->count == 0)
		pthread_cond_broadcast(&store->count_zero);
	pthread_mutex_unlock(&store->count_lock);
}

void store_submit_to(
    struct store *store, struct workers *pool, struct store_job *job, const struct job_ops *ops)
{
	pthread_mutex_lock(&store->count_lock);
	store->count++;
	pthread_mutex_unlock(&store->count_lock);
	job->ops = ops;
	job->waits_for = NULL;
	if (ops->work)
		workers_submit(pool, job);
	else
		writer_submit(&store->writer, job);
}

void store_submit_apart(struct store *store, struct store_job *job, const struct job_ops *ops)
{
	store_submit_to(store, &store->parsers, job, ops);
}

void store_submit(struct store *store, struct store_job *job, const struct job_ops *ops)
{
	store_submit_to(store, &store->workers, job, ops);
}
