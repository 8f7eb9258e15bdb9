/*
 * A list of jobs in order, linked through the jobs themselves. The owner locks.
 */
#ifndef DRYDOCK_STORAGE_JOB_LIST_H
#define DRYDOCK_STORAGE_JOB_LIST_H

#include "storage/jobs/job.h"

struct job_list {
	struct store_job *first, *last;
};

static inline void job_list_put(struct job_list *list, struct store_job *job)
{
	job->next = NULL;
	if (list->last)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

static inline struct store_job *job_list_take(struct job_list *list)
{
	struct store_job *job = list->first;
	if (job) {
		list->first = job->next;
		if (!list->first)
			list->last = NULL;
	}
	return job;
}

/* Moves everything in `from` to the front of `list`. */
static inline void job_list_prepend(struct job_list *list, struct job_list *from)
{
	if (!from->first)
		return;
	from->last->next = list->first;
	if (!list->last)
		list->last = from->last;
	list->first = from->first;
	*from = (struct job_list){NULL, NULL};
}

#endif
