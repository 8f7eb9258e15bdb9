/*
 * The flusher takes all jobs that wait, flushes the log once, and finishes them; what comes meanwhile is the next
 * round. So the busier the server, the more commits share a flush.
 *
 * When a flush fails its jobs fail, and the log is suspect. From then on every round fails, until the writer has
 * copied the log into the database: a flush that succeeds later says nothing of pages that the kernel has given
 * up.
 */
#include "storage/core.h"
#include "storage/db/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* 0, or an errno. The first time the log's folder entry goes to disk too. */
static int flush_log(struct flusher *f)
{
	struct files *files = &f->store->files;
	if (files->flush_log(f->log_fd) != 0)
		return errno;
	if (!atomic_load(&f->entry_kept) && disk_flush_folder(files->folder, "") != 0)
		return errno;
	atomic_store(&f->entry_kept, true);
	return 0;
}

static void distrust(struct flusher *f)
{
	atomic_store(&f->store->broken, true);
	atomic_store(&f->store->log_suspect, true);
}

/*
 * What was committed while a flush failed is in the same log: another flush that succeeds says nothing of it, so
 * nothing is acknowledged before the writer has the log in the database.
 */
static int flush_trusted(struct flusher *f)
{
	pthread_mutex_lock(&f->flushing);
	int failure = atomic_load(&f->store->log_suspect) ? EIO : flush_log(f);
	if (failure)
		distrust(f);
	pthread_mutex_unlock(&f->flushing);
	return failure;
}

int flusher_flush(struct flusher *f)
{
	return f->started ? flush_trusted(f) : 0;
}

static void finish_all(struct flusher *f, struct job_list *jobs, int failure)
{
	for (struct store_job *job; (job = job_list_take(jobs));) {
		if (failure)
			job_fail(job, error_of_errno(failure), "flushing the log: %s",
			    strerror(failure));
		store_finish_job(f->store, job);
	}
}

static void *flusher_main(void *arg)
{
	struct flusher *f = arg;
	pthread_mutex_lock(&f->lock);
	for (;;) {
		struct job_list jobs = f->waiting;
		f->waiting = (struct job_list){NULL, NULL};
		if (jobs.first) {
			pthread_mutex_unlock(&f->lock);
			finish_all(f, &jobs, flush_trusted(f));
			pthread_mutex_lock(&f->lock);
		} else if (f->stop) {
			break;
		} else {
			pthread_cond_wait(&f->wake, &f->lock);
		}
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

bool flusher_start(struct flusher *f, struct store *store)
{
	f->store = store;
	pthread_mutex_init(&f->lock, NULL);
	pthread_mutex_init(&f->flushing, NULL);
	pthread_cond_init(&f->wake, NULL);
	f->log_fd = disk_open(store->files.folder, "drydock.db-wal", O_RDWR | O_CLOEXEC, 0);
	f->started = f->log_fd >= 0 && thread_start(&f->thread, flusher_main, f);
	return f->started;
}

void flusher_stop(struct flusher *f)
{
	if (!f->started)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_mutex_unlock(&f->lock);
	pthread_cond_signal(&f->wake);
	pthread_join(f->thread, NULL);
	close(f->log_fd);
	pthread_mutex_destroy(&f->lock);
	pthread_mutex_destroy(&f->flushing);
	pthread_cond_destroy(&f->wake);
	f->started = false;
}

void flusher_submit(struct flusher *f, struct job_list *jobs)
{
	pthread_mutex_lock(&f->lock);
	bool wake = !f->waiting.first;
	jobs->last->next = NULL;
	job_list_prepend(jobs, &f->waiting); /* older ones first */
	f->waiting = *jobs;
	*jobs = (struct job_list){NULL, NULL};
	pthread_mutex_unlock(&f->lock);
	if (wake)
		pthread_cond_signal(&f->wake);
}
