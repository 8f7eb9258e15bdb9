/*
 * The writer's round: take all jobs that wait; run up to 256 of them, or 1 MiB of content, in one transaction;
 * commit; tell each job what became of it, and hand it on.
 *
 * A job that needs a blob which is not on disk yet is undone, parked, and run again after that flush. When the
 * commit fails so does every job of it, refusals too, as they may rest on what others of the batch had done. When
 * it failed for want of room, the reserve is given up and the jobs that free space run once more. A suspect log is
 * copied into the database before anything is run (flusher.h).
 */
#include "storage/core.h"

#include <stdio.h>
#include <time.h>

enum {
	BATCH_JOBS_MAX = 256,
	BATCH_BYTES_MAX = 1024 * 1024, /* well within the writer's page cache */
};

void job_fail(struct store_job *job, enum error_code code, const char *format, ...)
{
	job->error.code = code;
	if (!job->arena)
		return;
	va_list args;
	va_start(args, format);
	job->error.detail = slice_str(arena_vprintf(job->arena, format, args));
	va_end(args);
}

void tx_fail(struct store_tx *tx, struct store_job *job)
{
	job_fail(job, db_failure(tx->db), "database: %s", db_cause(tx->db));
}

bool tx_exec(struct store_tx *tx, struct store_job *job, sqlite3_stmt *q)
{
	if (db_exec(tx->db, q))
		return true;
	tx_fail(tx, job);
	return false;
}

void writer_submit(struct writer *w, struct store_job *job)
{
	pthread_mutex_lock(&w->lock);
	job_list_put(&w->waiting, job);
	bool wake = w->asleep;
	w->asleep = false;
	pthread_mutex_unlock(&w->lock);
	if (wake)
		pthread_cond_signal(&w->wake);
}

/* Waits for jobs and takes them all. False when told to stop and none is left; a tick may bring
 * none. */
static bool take(struct writer *w, struct job_list *jobs)
{
	struct timespec tick = {
	    .tv_sec = w->tick_ms / 1000, .tv_nsec = w->tick_ms % 1000 * 1000000};
	int waited = 0;
	pthread_mutex_lock(&w->lock);
	while (!w->waiting.first && !w->stop && waited == 0) {
		w->asleep = true;
		waited = pthread_cond_timedwait(&w->wake, &w->lock, &tick);
	}
	w->asleep = false;
	*jobs = w->waiting;
	w->waiting = (struct job_list){NULL, NULL};
	bool more = jobs->first || !w->stop;
	pthread_mutex_unlock(&w->lock);
	return more;
}

void writer_unpark(struct writer *w, const struct digest *digest, bool failed)
{
	struct job_list again = {NULL, NULL}, stay = {NULL, NULL};
	for (struct store_job *job; (job = job_list_take(&w->parked));) {
		bool meant = !digest || digest_eq(digest, job->waits_for);
		if (meant && failed)
			job_fail(job, ERR_STORAGE_FAILED, "a layer could not be flushed to disk");
		job_list_put(meant ? &again : &stay, job);
	}
	w->parked = stay;
	pthread_mutex_lock(&w->lock);
	job_list_prepend(&w->waiting, &again);
	pthread_mutex_unlock(&w->lock);
}

/* Runs one job in its savepoint. False when SQLite has thrown away the whole transaction. */
static bool run_job(struct store_tx *tx, struct store_job *job)
{
	tx->waits_for = NULL;
	if (job->error.code != ERR_NONE)
		return true; /* its work failed: nothing to run */
	if (!job->ops->frees && !reserve_whole(tx->store)) {
		job_fail(job, ERR_STORAGE_FULL, "the disk is full: the reserve is for deleting");
		return true;
	}
	if (!db_run(tx->db, Q_SAVEPOINT)) {
		tx_fail(tx, job);
		return !sqlite3_get_autocommit(tx->db->handle);
	}
	tx->db->failed = ERR_NONE;
	tx->db->stops = true;
	job->ops->run(tx, job);
	tx->db->stops = false;
	/* A read that failed is neither "there" nor "not there", whatever the job made of it. */
	if (tx->db->failed != ERR_NONE && job->error.code < ERR_STORAGE_FULL)
		job_fail(job, tx->db->failed, "a read of the database failed");
	if (job->error.code != ERR_NONE)
		tx->waits_for = NULL;
	if (sqlite3_get_autocommit(tx->db->handle))
		return false;
	bool undo = tx->waits_for || job->error.code != ERR_NONE;
	if (undo && !db_run(tx->db, Q_SAVEPOINT_BACK))
		return false;
	return db_run(tx->db, Q_SAVEPOINT_RELEASE);
}

/* Refusals too: they may rest on what others of the batch had done. */
static void fail_all(struct store_tx *tx, struct job_list *jobs)
{
	enum error_code code = db_failure(tx->db);
	atomic_store(&tx->store->full, code == ERR_STORAGE_FULL);
	const char *cause = db_cause(tx->db);
	for (struct store_job *job = jobs->first; job; job = job->next) {
		if (job->error.code < ERR_STORAGE_FULL)
			job_fail(job, code, "commit: %s", cause);
	}
	atomic_store(&tx->store->broken, true);
}

/* Runs jobs until the batch is full; those that must wait for a flush are parked. */
static bool run_jobs(
    struct writer *w, struct store_tx *tx, struct job_list *jobs, struct job_list *ran)
{
	struct store_job *job;
	for (size_t n = 0; n < BATCH_JOBS_MAX && tx->bytes < BATCH_BYTES_MAX && !tx->last; n++) {
		if (!(job = job_list_take(jobs)))
			break;
		bool alive = run_job(tx, job);
		job->waits_for = tx->waits_for;
		job_list_put(alive && tx->waits_for ? &w->parked : ran, job);
		if (!alive)
			return false;
		if (tx->waits_for)
			w->hooks->want_flushed(w->store, tx->waits_for);
	}
	return true;
}

/* A flush of the log failed earlier: see flusher.h. */
static bool mend_log(struct writer *w)
{
	if (!atomic_load(&w->store->log_suspect))
		return true;
	int rc =
	    sqlite3_wal_checkpoint_v2(w->db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc != SQLITE_OK)
		return false;
	atomic_store(&w->store->log_suspect, false);
	return true;
}

static bool some_free(const struct job_list *jobs)
{
	const struct store_job *job = jobs->first;
	for (size_t n = 0; job && n < BATCH_JOBS_MAX; n++, job = job->next) {
		if (job->ops->frees)
			return true;
	}
	return false;
}

/*
 * The transaction has failed for want of room: what is held in reserve is given up for the jobs that make some, which are
 * taken out of those that ran, to run again. False when there is no reserve (any more), or no such job.
 */
static bool run_again(struct writer *w, struct job_list *ran, struct job_list *again)
{
	struct job_list others = {NULL, NULL};
	if (db_failure(&w->db) != ERR_STORAGE_FULL || !some_free(ran))
		return false;
	atomic_store(&w->store->full, true);
	if (!reserve_lend(w->store))
		return false;
	for (struct store_job *job; (job = job_list_take(ran));) {
		bool runs = job->ops->frees && (!job->ops->work || job->error.code == ERR_NONE);
		if (runs)
			job->error = (struct error){.code = ERR_NONE};
		job_list_put(runs ? again : &others, job);
	}
	*ran = others;
	return true;
}

/* Runs as many of the jobs as fit, and commits. False when that has failed, and nothing of it was done. */
static bool try(struct writer *w, struct store_tx *tx, struct job_list *jobs, struct job_list *ran)
{
	if (some_free(jobs))
		reserve_lend(w->store);
	if (!mend_log(w) || !db_run(&w->db, Q_BEGIN_WRITE)) {
		job_list_prepend(ran, jobs);
		return false;
	}
	return run_jobs(w, tx, jobs, ran) && db_run(&w->db, Q_COMMIT);
}

/* One transaction over as many of the jobs as fit; ran gets those that are over. */
static void transact(struct writer *w, struct job_list *jobs, struct job_list *ran)
{
	struct store_tx tx = {.store = w->store, .db = &w->db};
	struct job_list again = {NULL, NULL};
	if (try(w, &tx, jobs, ran)) {
		atomic_store(&w->store->broken, false);
		atomic_store(&w->store->full, false);
		return;
	}
	run_again(w, ran, &again);
	fail_all(&tx, ran);
	if (!sqlite3_get_autocommit(w->db.handle))
		db_run(&w->db, Q_ROLLBACK);
	job_list_prepend(jobs, &again); /* the next transaction's */
}

/* What follows its commit, or its loss. */
static void settle(struct store *store, struct store_job *job)
{
	void (*follow)(struct store * store, struct store_job * job) =
	    job->error.code == ERR_NONE ? job->ops->committed : job->ops->failed;
	if (follow)
		follow(store, job);
}

/* Settles what ran, and passes it on: to the flusher what must be on disk first, else to its owner. */
static void hand_on(struct writer *w, struct job_list *ran)
{
	struct job_list flush = {NULL, NULL};
	for (struct store_job *job; (job = job_list_take(ran));) {
		atomic_fetch_add(&w->store->jobs_run, 1);
		settle(w->store, job);
		/* refusals too: "exists already" is an acknowledgement of what is there */
		bool now = job->ops->flush == STORE_FLUSH_NOW && job->error.code < ERR_STORAGE_FULL;
		if (now && !w->store->ephemeral)
			job_list_put(&flush, job);
		else
			store_finish_job(w->store, job);
	}
	if (flush.first)
		flusher_submit(&w->store->flusher, &flush);
}

static int64_t monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void tick_when_due(struct writer *w)
{
	int64_t now_ms = monotonic_ms();
	if (now_ms < w->tick_ms)
		return;
	w->hooks->tick(w->store);
	w->tick_ms = now_ms + w->store->tick_ms;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	struct job_list jobs;
	w->tick_ms = monotonic_ms() + w->store->tick_ms;
	while (take(w, &jobs)) {
		while (jobs.first) {
			struct job_list ran = {NULL, NULL};
			transact(w, &jobs, &ran);
			hand_on(w, &ran);
			w->hooks->tend_log(w->store);
		}
		tick_when_due(w);
	}
	return NULL;
}

static int note_log(void *arg, sqlite3 *handle, const char *name, int frames)
{
	struct writer *w = arg;
	(void)handle;
	(void)name;
	w->log_frames = frames;
	return SQLITE_OK;
}

void writer_init(struct writer *w, struct store *store, const struct writer_hooks *hooks)
{
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	w->store = store;
	w->hooks = hooks;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

bool writer_start(struct writer *w)
{
	sqlite3_wal_hook(w->db.handle, note_log, w);
	w->started = thread_start(&w->thread, writer_main, w);
	return w->started;
}

void writer_stop(struct writer *w)
{
	if (!w->started)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->wake);
	pthread_join(w->thread, NULL);
	w->started = false;
}

void writer_release(struct writer *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
}
