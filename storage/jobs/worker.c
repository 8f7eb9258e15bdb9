/*
 * A pool: a list of jobs, and threads that are made when there is work and none of them is free.
 *
 * A pool of one thread is a queue: lifecycle runs, previews and the collector have one each, so that none of them
 * overlaps with its own kind or keeps workers from flushing. Where the system gives no thread at all, the
 * submitter does the work itself. All signals are blocked: the main thread takes them.
 */
#include "storage/core.h"

#include <signal.h>

enum { THREAD_STACK_BYTES = 256 * 1024 };

bool thread_start(pthread_t *thread, void *(*main)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(thread, &attr, main, arg) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return started;
}

void workers_init(struct workers *w, struct store *store, size_t thread_max)
{
	w->store = store;
	w->thread_max = thread_max;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
}

static void do_work(struct store *store, struct store_job *job)
{
	job->ops->work(store, job);
	if (job->ops->run)
		writer_submit(&store->writer, job);
	else
		store_finish_job(store, job);
}

static void *worker_main(void *arg)
{
	struct workers *w = arg;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct store_job *job = job_list_take(&w->waiting);
		if (job) {
			pthread_mutex_unlock(&w->lock);
			do_work(w->store, job);
			pthread_mutex_lock(&w->lock);
			continue;
		}
		if (w->stop)
			break;
		w->idle++;
		pthread_cond_wait(&w->wake, &w->lock);
		w->idle--;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

bool workers_start(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->thread_count == 0 && thread_start(&w->threads[0], worker_main, w))
		w->thread_count = 1;
	bool started = w->thread_count > 0;
	pthread_mutex_unlock(&w->lock);
	return started;
}

void workers_submit(struct workers *w, struct store_job *job)
{
	pthread_mutex_lock(&w->lock);
	job_list_put(&w->waiting, job);
	if (w->idle == 0 && w->thread_count < w->thread_max &&
	    thread_start(&w->threads[w->thread_count], worker_main, w))
		w->thread_count++;
	bool nobody = w->thread_count == 0;
	pthread_mutex_unlock(&w->lock);
	if (nobody) { /* no thread can be had at all: do it here rather than never */
		pthread_mutex_lock(&w->lock);
		job = job_list_take(&w->waiting);
		pthread_mutex_unlock(&w->lock);
		if (job)
			do_work(w->store, job);
		return;
	}
	pthread_cond_signal(&w->wake);
}

void workers_stop(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_mutex_unlock(&w->lock);
	pthread_cond_broadcast(&w->wake);
	for (size_t i = 0; i < w->thread_count; i++)
		pthread_join(w->threads[i], NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
}
