/*
 * Strays that are due, in steps: each is one job, whose settling submits the next. A thread of the collector's own
 * looks for them through a connection of its own; the writer only looks again at what is due, and drops it.
 */
#include "storage/blobs/gc.h"

#include "storage/blobs/blob_flush.h"
#include "storage/blobs/gc_internal.h"
#include "storage/blobs/removal.h"
#include "storage/blobs/stray.h"
#include "storage/db/meta.h"

#include <stdlib.h>
#include <time.h>

enum {
	PAGE = 256,                   /* strays read at a time */
	DROPS_A_STEP = 16,            /* about as many as make a millisecond */
	PAUSE_MAX_NS = 100 * 1000000, /* between steps */
};

struct stray {
	int64_t blob_id, repository_id, touched_ms;
	bool active; /* a push going on may count on it */
};

struct step {
	struct store_job job;
	struct arena arena; /* for a cause in words */
	struct gc_run *run;
	struct store_reader *reader;
	int64_t blob_id, repository_id; /* the stray after which this step goes on */
	int64_t waiting_id;             /* the blob last counted as waiting */
	int64_t now_ms, due_ms;         /* strays touched at due_ms and before go */
	int64_t took_ns;                /* the writer's part of the step before, then of this one */
	struct stray due[DROPS_A_STEP];
	size_t due_count;
	bool more;
	struct gc_result looked; /* by the look at them */
	struct gc_result found;  /* by this step: counts once it is committed */
	struct gc_files files;
};

static void step_submit(struct store *store, struct gc_run *run, const struct step *after);

static int64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* ---- looking, on a thread beside the writer ---- */

static size_t read_page(struct step *s, struct stray rows[PAGE])
{
	struct db *db = &s->reader->db;
	size_t count = 0;
	int step = SQLITE_DONE;
	sqlite3_stmt *q = db_query(db, Q_STRAY_PAGE);
	bind_int(q, 1, s->blob_id);
	bind_int(q, 2, s->repository_id);
	while (count < PAGE && (step = db_step(db, q)) == SQLITE_ROW)
		rows[count++] = (struct stray){sqlite3_column_int64(q, 0),
		    sqlite3_column_int64(q, 1), sqlite3_column_int64(q, 2), false};
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		job_fail(&s->job, db_failure(db), "database: %s", db_cause(db));
	return count;
}

struct holders {
	bool here, images, repositories; /* images of this repository; of any; other repositories */
};

/* When it cannot be told, everybody does, and the step will fail. */
static struct holders read_holders(struct db *db, const struct stray *row)
{
	struct holders held = {true, true, true};
	sqlite3_stmt *q = db_query(db, Q_STRAY_HELD);
	bind_int(q, 1, row->blob_id);
	bind_int(q, 2, row->repository_id);
	if (db_step(db, q) == SQLITE_ROW)
		held = (struct holders){sqlite3_column_int(q, 0) != 0,
		    sqlite3_column_int(q, 1) != 0, sqlite3_column_int(q, 2) != 0};
	db_done(q);
	return held;
}

struct content {
	struct digest digest;
	uint64_t size;
	bool there, synced, in_file;
};

static struct content read_content(struct db *db, int64_t blob_id)
{
	struct content c = {.there = false};
	sqlite3_stmt *q = db_query(db, Q_STRAY_CONTENT);
	bind_int(q, 1, blob_id);
	if (db_step(db, q) == SQLITE_ROW && column_digest(q, 0, &c.digest)) {
		c.there = true;
		c.size = (uint64_t)sqlite3_column_int64(q, 1);
		c.synced = sqlite3_column_int(q, 2) != 0;
		c.in_file = sqlite3_column_int(q, 3) != 0;
	}
	db_done(q);
	return c;
}

static void count_waiting(struct step *s, const struct stray *row, const struct content *c)
{
	if (row->blob_id == s->waiting_id)
		return; /* several repositories see it */
	s->waiting_id = row->blob_id;
	s->found.waiting_blobs++;
	s->found.waiting_bytes += c->size;
}

/* Due, it seems, or in the future: for the writer. Else it waits. */
static void look_at(struct step *s, const struct stray *row)
{
	struct db *db = &s->reader->db;
	if (row->touched_ms <= s->due_ms || row->touched_ms > s->now_ms) {
		s->due[s->due_count++] = *row;
	} else if (row->blob_id != s->waiting_id && !read_holders(db, row).images) {
		struct content c = read_content(db, row->blob_id);
		count_waiting(s, row, &c);
	}
}

/* So that the writer is others' for at least half of the time. */
static void pause_for(struct store *store, int64_t ns)
{
	struct timespec pause = {.tv_nsec = ns < PAUSE_MAX_NS ? ns : PAUSE_MAX_NS - 1};
	if (ns > 0 && !atomic_load(&store->closing))
		nanosleep(&pause, NULL);
}

static void step_work(struct store *store, struct store_job *job)
{
	struct step *s = (struct step *)job;
	struct stray rows[PAGE];
	struct err err = {""};
	pause_for(store, s->took_ns);
	if (!s->reader && !(s->reader = store_reader_open(store, &err))) {
		job_fail(job, ERR_STORAGE_FAILED, "%s", err.text);
		return;
	}
	s->now_ms = clock_now_ms(&store->clock);
	s->due_ms = s->now_ms - (s->run->grace_ms < 0 ? store->gc.grace_ms : s->run->grace_ms);
	s->more = true;
	while (s->more && s->due_count < DROPS_A_STEP && !atomic_load(&store->closing)) {
		size_t count = read_page(s, rows), i = 0;
		for (; i < count && s->due_count < DROPS_A_STEP; i++) {
			look_at(s, &rows[i]);
			s->blob_id = rows[i].blob_id;
			s->repository_id = rows[i].repository_id;
		}
		s->more = i < count || count == PAGE;
	}
	if (s->reader->db.failed != ERR_NONE && job->error.code == ERR_NONE)
		job_fail(job, s->reader->db.failed, "a read of the database failed");
	s->looked = s->found;
}

/* ---- dropping, on the writer ---- */

/* Marks those that a push going on may count on. */
static void spare_active(struct store_tx *tx, struct step *s)
{
	struct upload_watch watched[DROPS_A_STEP];
	for (size_t i = 0; i < s->due_count; i++)
		watched[i] =
		    (struct upload_watch){s->due[i].repository_id, s->due[i].touched_ms, false};
	upload_table_spare(
	    &tx->store->uploads, watched, s->due_count, s->now_ms, s->now_ms - s->due_ms);
	for (size_t i = 0; i < s->due_count; i++)
		s->due[i].active = watched[i].spared;
}

/* Since when it is a stray by now; false when it is none any more. */
static bool read_again(struct store_tx *tx, struct stray *row)
{
	sqlite3_stmt *q = db_query(tx->db, Q_STRAY_GET);
	bind_int(q, 1, row->blob_id);
	bind_int(q, 2, row->repository_id);
	bool there = db_step(tx->db, q) == SQLITE_ROW;
	if (there)
		row->touched_ms = sqlite3_column_int64(q, 0);
	db_done(q);
	return there;
}

static bool run_on(
    struct store_tx *tx, struct step *s, enum db_query query, const struct stray *row)
{
	sqlite3_stmt *q = db_query(tx->db, query);
	bind_int(q, 1, row->blob_id);
	bind_int(q, 2, row->repository_id);
	return tx_exec(tx, &s->job, q);
}

/* The repository no longer sees the blob. */
static void drop_link(struct store_tx *tx, struct step *s, const struct stray *row)
{
	if (run_on(tx, s, Q_BLOB_UNLINK_FROM, row))
		run_on(tx, s, Q_STRAY_DROP, row);
}

static void drop_content(struct store_tx *tx, struct step *s, const struct content *c)
{
	s->found.blobs++;
	s->found.bytes += c->size;
	if (c->in_file) {
		/* the jobs after it are to know that its file waits for removal */
		tx->last = true;
		s->files.at[s->files.count++] = c->digest;
	}
	if (!blob_drop_rows(tx->db, &c->digest))
		tx_fail(tx, &s->job);
}

/* What no image holds and no other repository sees. One that is being flushed is some job's own still. */
static void judge_last(struct store_tx *tx, struct step *s, const struct stray *row, bool due)
{
	struct content c = read_content(tx->db, row->blob_id);
	if (!c.there)
		drop_link(tx, s, row);
	else if (due && c.synced)
		drop_content(tx, s, &c);
	else
		count_waiting(s, row, &c);
}

/* A time in the future, of before the clock was moved back, would keep it for as long. */
static void touch_now(struct store_tx *tx, struct step *s, const struct stray *row)
{
	sqlite3_stmt *q = db_query(tx->db, Q_STRAY_TOUCH);
	bind_int(q, 1, row->blob_id);
	bind_int(q, 2, row->repository_id);
	bind_int(q, 3, s->now_ms);
	tx_exec(tx, &s->job, q);
}

static void judge(struct store_tx *tx, struct step *s, struct stray *row)
{
	if (!read_again(tx, row))
		return;
	bool due = row->touched_ms <= s->due_ms && !row->active;
	struct holders held = read_holders(tx->db, row);
	if (row->touched_ms > s->now_ms)
		touch_now(tx, s, row);
	if (held.here) {
		run_on(tx, s, Q_STRAY_DROP, row);
	} else if (!held.images && !held.repositories) {
		judge_last(tx, s, row, due);
	} else if (due) {
		drop_link(tx, s, row);
	} else if (!held.images) {
		struct content c = read_content(tx->db, row->blob_id);
		count_waiting(s, row, &c);
	}
}

static void step_run(struct store_tx *tx, struct store_job *job)
{
	struct step *s = (struct step *)job;
	int64_t began = monotonic_ns();
	s->found = s->looked;
	s->files.count = 0;
	spare_active(tx, s);
	for (size_t i = 0; i < s->due_count && job->error.code == ERR_NONE; i++)
		judge(tx, s, &s->due[i]);
	s->took_ns = monotonic_ns() - began;
}

void gc_files_remove(struct store *store, const struct gc_files *files, bool whole)
{
	for (size_t i = 0; i < files->count; i++)
		removal_add(store, &files->at[i], whole);
}

static void add_result(struct gc_result *sum, const struct gc_result *found)
{
	sum->blobs += found->blobs;
	sum->bytes += found->bytes;
	sum->waiting_blobs += found->waiting_blobs;
	sum->waiting_bytes += found->waiting_bytes;
}

/* the end */

static void end_run(struct store_tx *tx, struct store_job *job)
{
	int64_t now = clock_now_ms(&tx->store->clock);
	if (!meta_put(tx->db, META_COLLECTED, &now, sizeof(now)))
		tx_fail(tx, job);
}

/* One that the store's closing has cut short is due again. */
static void cut_run(struct store_tx *tx, struct store_job *job)
{
	(void)tx;
	(void)job;
}

static void end_failed(struct store *store, struct store_job *job)
{
	const struct gc_run *run = (const struct gc_run *)job;
	if (run->due)
		store->collecting = false;
}

static void end_committed(struct store *store, struct store_job *job)
{
	store->collected_ms = clock_now_ms(&store->clock);
	end_failed(store, job);
}

static void end(struct store *store, struct gc_run *run)
{
	static const struct job_ops whole = {
	    .run = end_run, .committed = end_committed, .failed = end_failed, .frees = true};
	static const struct job_ops cut = {
	    .run = cut_run, .committed = end_failed, .failed = end_failed, .frees = true};
	/* With its error set it only ends: it frees nothing, so that it is never run again without that error. */
	static const struct job_ops broken = {
	    .run = cut_run, .committed = end_failed, .failed = end_failed};
	const struct job_ops *ops = atomic_load(&store->closing) ? &cut : &whole;
	/* who is told of freed bytes finds the files gone */
	removal_then(store, &run->job, run->job.error.code != ERR_NONE ? &broken : ops);
}

static void step_committed(struct store *store, struct store_job *job)
{
	struct step *s = (struct step *)job;
	struct gc_run *run = s->run;
	bool closing = atomic_load(&store->closing);
	gc_files_remove(store, &s->files, true);
	add_result(&run->result, &s->found);
	if (s->more && !closing) {
		step_submit(store, run, s);
		return;
	}
	store_reader_close(s->reader);
	if (atomic_load(&store->sweep_due) && !closing)
		sweep_begin(store, run, end);
	else
		end(store, run);
}

static void step_failed(struct store *store, struct store_job *job)
{
	struct step *s = (struct step *)job;
	store_reader_close(s->reader);
	job_fail(&s->run->job, job->error.code, "%.*s", SLICE_ARG(job->error.detail));
	end(store, s->run);
}

static void step_done(struct store_job *job)
{
	arena_release(job->arena);
	free(job);
}

static const struct job_ops step_ops = {.work = step_work,
    .run = step_run,
    .committed = step_committed,
    .failed = step_failed,
    .frees = true};

static void step_submit(struct store *store, struct gc_run *run, const struct step *after)
{
	struct step *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	arena_init(&s->arena);
	s->job.arena = &s->arena;
	s->job.done = step_done;
	s->run = run;
	if (after) {
		s->blob_id = after->blob_id;
		s->repository_id = after->repository_id;
		s->waiting_id = after->waiting_id;
		s->took_ns = after->took_ns;
		s->reader = after->reader;
	}
	if (after && removal_count(store) >= REMOVALS_AT_ONCE)
		removal_then(store, &s->job, &step_ops);
	else
		store_submit_to(store, &store->collector, &s->job, &step_ops);
}

static void submit(struct store *store, struct gc_run *run, bool due)
{
	run->due = due;
	run->result = (struct gc_result){.uploads = uploads_expire(store)};
	step_submit(store, run, NULL);
}

void gc_submit(struct store *store, struct gc_run *run)
{
	submit(store, run, false);
}

void gc_tend(struct store *store)
{
	int64_t now = clock_now_ms(&store->clock);
	if (store->collected_ms > now)
		store->collected_ms = now; /* the clock was moved back */
	if (store->collecting || store->gc.interval_ms == 0 ||
	    now - store->collected_ms < store->gc.interval_ms)
		return;
	struct gc_run *run = calloc(1, sizeof(*run));
	if (!run)
		abort();
	run->job.done = store_job_free;
	run->grace_ms = GC_STORES_GRACE;
	store->collecting = true;
	atomic_fetch_add(&store->collections_begun, 1);
	submit(store, run, true);
}
