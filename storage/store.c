/* Opening and closing a store; jobs in and out; its readers. */
#include "storage/store.h"

#include "storage/blobs/blob_flush.h"
#include "storage/core.h"
#include "storage/db/meta.h"
#include "storage/db/schema.h"
#include "storage/lifecycle/lifecycle_due.h"
#include "storage/upkeep/recovery.h"
#include "storage/upkeep/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	LOG_FRAMES_MAX = 1000, /* of 4 KiB: then it is copied into the database */
};

/* checkpoints */

/*
 * While the database cannot take the log, the log grows: an operator is to hear of it, once. Being busy (a reader in the way,
 * the other checkpoint) is no failure.
 */
static void note_checkpoint(struct store *store, sqlite3 *db, int rc)
{
	bool failed = rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED;
	if (failed)
		atomic_fetch_add(&store->checkpoints_failed, 1);
	if (!failed && rc != SQLITE_OK)
		return;
	bool before = atomic_exchange(&store->log_stuck, failed);
	if (failed && !before && store->checkpoint_failed)
		store->checkpoint_failed(sqlite3_errmsg(db));
}

uint64_t store_checkpoints_failed(const struct store *store)
{
	return atomic_load(&store->checkpoints_failed);
}

static void checkpoint_work(struct store *store, struct store_job *job)
{
	sqlite3 *db = store->checkpointer.handle;
	(void)job;
	note_checkpoint(
	    store, db, sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
	atomic_store(&store->checkpoint, CHECKPOINT_ALMOST);
}

/* What is held in reserve is given up: the log is cut, so that its room can be taken for that again. Nobody is waited for. */
static void restore_reserve(struct store *store)
{
	sqlite3 *db = store->writer.db.handle;
	sqlite3_busy_timeout(db, 0);
	note_checkpoint(
	    store, db, sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
	sqlite3_busy_timeout(db, DB_BUSY_MS);
	reserve_whole(store);
}

static const struct job_ops checkpoint_ops = {.work = checkpoint_work};

/*
 * From the writer after each transaction, to keep the log short: a short one is written over and over in
 * the page cache, where one that grows takes new pages all the time. A worker copies it into the
 * database beside the writer, but under steady writes never reaches its end, where alone it can
 * start anew; so when the worker is through, the writer copies what little came meanwhile between
 * two transactions.
 */
static void tend_log(struct store *store)
{
	struct writer *w = &store->writer;
	int state = atomic_load(&store->checkpoint);
	if (state != CHECKPOINT_RUNS && !reserve_whole(store))
		restore_reserve(store);
	if (state == CHECKPOINT_ALMOST) {
		note_checkpoint(store, w->db.handle,
		    sqlite3_wal_checkpoint_v2(
			w->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
		atomic_store(&store->checkpoint, CHECKPOINT_IDLE);
		w->log_frames = 0; /* until the next commit says otherwise */
	}
	if (state != CHECKPOINT_IDLE || w->log_frames < LOG_FRAMES_MAX)
		return;
	struct store_job *job = calloc(1, sizeof(*job));
	if (!job)
		abort();
	job->done = store_job_free;
	atomic_store(&store->checkpoint, CHECKPOINT_RUNS);
	store_submit(store, job, &checkpoint_ops);
}

/* opening */

static bool database_fails(struct store *store, const char *how, struct err *err)
{
	snprintf(err->text, sizeof(err->text), "its database cannot be %s: %s", how,
	    db_cause(&store->writer.db));
	return false;
}

/* A key that cannot be read is not made anew: every login would be void. */
static bool load_token_key(struct store *store, struct err *err)
{
	struct db *db = &store->writer.db;
	size_t len = 0;
	enum found found = meta_get(db, META_TOKEN_KEY, store->token_key, TOKEN_KEY_LEN, &len);
	if (found == FAILED)
		return database_fails(store, "read", err);
	if (found == FOUND && len == TOKEN_KEY_LEN)
		return true;
	return (getrandom(store->token_key, TOKEN_KEY_LEN, 0) == TOKEN_KEY_LEN &&
		   meta_put(db, META_TOKEN_KEY, store->token_key, TOKEN_KEY_LEN)) ||
	    database_fails(store, "written", err);
}

/* When it was last collected (a folder's first time counts), and whether its last owner crashed. */
static bool load_collection(struct store *store, struct err *err)
{
	struct db *db = &store->writer.db;
	char yes;
	size_t len;
	int64_t now = clock_now_ms(&store->clock);
	if (store->ephemeral) {
		store->collected_ms = now;
		return true;
	}
	enum found open = meta_get(db, META_OPEN, &yes, sizeof(yes), &len);
	enum found known = meta_get_int(db, META_COLLECTED, &store->collected_ms);
	if (open == FAILED || known == FAILED)
		return database_fails(store, "read", err);
	if (open == FOUND)
		atomic_store(&store->sweep_due, true);
	if (known == ABSENT)
		store->collected_ms = now;
	return ((known == FOUND || meta_put(db, META_COLLECTED, &now, sizeof(now))) &&
		   (open == FOUND || meta_put(db, META_OPEN, "1", 1))) ||
	    database_fails(store, "written", err);
}

static bool start_threads(struct store *store, struct err *err)
{
	if ((store->ephemeral || flusher_start(&store->flusher, store)) &&
	    workers_start(&store->lifecycle_runs) && workers_start(&store->lifecycle_previews) &&
	    writer_start(&store->writer))
		return true;
	snprintf(err->text, sizeof(err->text), "its log or a thread cannot be had");
	return false;
}

static bool open_all(struct store *store, struct err *err)
{
	if (!store_connect(store, &store->writer.db, DB_WRITER, err) ||
	    !schema_migrate(&store->writer.db, err) || !load_token_key(store, err) ||
	    !store_connect(store, &store->checkpointer, DB_CHECKPOINTER, err) ||
	    !recover(store, err))
		return false;
	if (!store_load_clock(store))
		return database_fails(store, "read", err);
	lifecycle_load(store);
	return load_collection(store, err) && start_threads(store, err);
}

static void begin_work(struct store *store, struct store_job *job)
{
	(void)job;
	if (store->ephemeral)
		files_remove_left();
	else
		reserve_make(store);
}

static const struct job_ops begin_ops = {.work = begin_work};

/* What need not be done before the store is used. */
static void begin_submit(struct store *store)
{
	struct store_job *job = calloc(1, sizeof(*job));
	if (!job)
		abort();
	job->done = store_job_free;
	store_submit(store, job, &begin_ops);
}

/* As long as it submits what is due, closing waits; when the store closes already nothing is submitted any more. */
static void tick(struct store *store)
{
	pthread_mutex_lock(&store->count_lock);
	bool closing = atomic_load(&store->closing);
	store->count += !closing;
	pthread_mutex_unlock(&store->count_lock);
	if (closing)
		return;
	schedule_tend(store);
	pthread_mutex_lock(&store->count_lock);
	if (--store->count == 0)
		pthread_cond_broadcast(&store->count_zero);
	pthread_mutex_unlock(&store->count_lock);
}

struct store *store_open(const struct store_options *options, struct err *err)
{
	static const struct writer_hooks hooks = {
	    .tick = tick, .want_flushed = blob_flush_want, .tend_log = tend_log};
	struct store *store = calloc(1, sizeof(*store));
	struct err why;
	if (!store)
		abort();
	store->ephemeral = options->ephemeral;
	store->quotas = options->quotas;
	store->gc = options->gc ? *options->gc : GC_DEFAULTS;
	store->keep_orphans = options->keep_orphans;
	store->enforce_policies = options->enforce_policies;
	store->lifecycle_ran = options->lifecycle_ran;
	store->checkpoint_failed = options->checkpoint_failed;
	store->lifecycle_interval_ms = options->lifecycle_interval_ms != 0
	    ? options->lifecycle_interval_ms
	    : LIFECYCLE_INTERVAL_MS;
	store->tick_ms = SCHEDULE_TICK_MS;
	if (store->gc.interval_ms > 0 && store->gc.interval_ms < store->tick_ms)
		store->tick_ms = store->gc.interval_ms;
	if (store->lifecycle_interval_ms > 0 && store->lifecycle_interval_ms < store->tick_ms)
		store->tick_ms = store->lifecycle_interval_ms;
	pthread_mutex_init(&store->count_lock, NULL);
	pthread_mutex_init(&store->reserve.lock, NULL);
	pthread_cond_init(&store->count_zero, NULL);
	upload_table_init(&store->uploads);
	workers_init(&store->workers, store, WORKERS_MAX);
	workers_init(&store->lifecycle_runs, store, 1);
	workers_init(&store->lifecycle_previews, store, 1);
	workers_init(&store->collector, store, 1);
	workers_init(&store->parsers, store, PARSERS_MAX);
	writer_init(&store->writer, store, &hooks);
	if (files_open(&store->files, options->path, err)) {
		reserve_open(store);
		if (open_all(store, &why)) {
			begin_submit(store);
			return store;
		}
		snprintf(err->text, sizeof(err->text),
		    "the data folder %.200s cannot be used: %.250s", store->files.path, why.text);
	}
	store_close(store);
	return NULL;
}

/* Waits until every job, and every job that came of one, is over. */
static void run_out(struct store *store)
{
	pthread_mutex_lock(&store->count_lock);
	while (store->count > 0)
		pthread_cond_wait(&store->count_zero, &store->count_lock);
	pthread_mutex_unlock(&store->count_lock);
}

void store_wind_down(struct store *store)
{
	atomic_store(&store->winding_down, true);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_wind_down(store);
	atomic_store(&store->closing, true);
	if (store->writer.started)
		run_out(store);
	bool ran = store->writer.started;
	writer_stop(&store->writer);
	workers_stop(&store->lifecycle_runs);
	workers_stop(&store->lifecycle_previews);
	workers_stop(&store->collector);
	workers_stop(&store->parsers);
	workers_stop(&store->workers);
	flusher_stop(&store->flusher);
	/* what a flush that failed left waiting is the next sweep's */
	if (ran && !atomic_load(&store->sweep_due) && removal_count(store) == 0)
		meta_drop(&store->writer.db, META_OPEN);
	writer_release(&store->writer);
	db_close(&store->checkpointer);
	db_close(
	    &store->writer.db); /* the last one: copies the log into the database, and flushes */
	upload_table_release(&store->uploads);
	removal_release(store);
	reserve_release(store);
	files_close(&store->files);
	pthread_mutex_destroy(&store->count_lock);
	pthread_cond_destroy(&store->count_zero);
	free(store);
}

/* looking in */

struct clock *store_clock(struct store *store)
{
	return &store->clock;
}

const uint8_t *store_token_key(const struct store *store)
{
	return store->token_key;
}

const struct quotas *store_quotas(const struct store *store)
{
	return &store->quotas;
}

const char *store_path(const struct store *store)
{
	return store->files.path;
}

bool store_broken(const struct store *store)
{
	return atomic_load(&store->broken);
}
