/* Strays that are due, in steps: each is one job, whose settling submits the next. */
#include "storage/gc.h"

#include "storage/blob_flush.h"
#include "storage/gc_internal.h"
#include "storage/meta.h"
#include "storage/reset.h"
#include "storage/stray.h"

#include <stdlib.h>

enum {
	PAGE = 256,       /* strays a step looks at */
	DROPS_A_STEP = 64 /* and of these drops: about as many as make three milliseconds */
};

struct stray {
	int64_t blob_id, repository_id, touched_ms;
	bool active; /* a push going on may count on it */
};

struct step {
	struct store_job job;
	struct arena arena; /* for a cause in words */
	struct gc_run *run;
	int64_t blob_id, repository_id; /* the stray after which this step goes on */
	int64_t waiting_id;             /* the blob last counted as waiting */
	int64_t now_ms, due_ms;         /* strays touched at due_ms and before go */
	size_t drops;
	bool more;
	struct gc_result found; /* by this step: counts once it is committed */
	struct gc_files files;
};

static void step_submit(struct store *store, struct gc_run *run, const struct step *after);

static size_t read_page(struct store_tx *tx, struct step *s, struct stray rows[PAGE])
{
	size_t count = 0;
	int step = SQLITE_DONE;
	sqlite3_stmt *q = db_query(tx->db, Q_STRAY_PAGE);
	bind_int(q, 1, s->blob_id);
	bind_int(q, 2, s->repository_id);
	while (count < PAGE && (step = db_step(tx->db, q)) == SQLITE_ROW)
		rows[count++] = (struct stray){sqlite3_column_int64(q, 0),
		    sqlite3_column_int64(q, 1), sqlite3_column_int64(q, 2), false};
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(tx, &s->job);
	return count;
}

/* Marks those whose time is over, but that a push going on may count on. */
static void spare_active(struct store_tx *tx, struct step *s, struct stray *rows, size_t count)
{
	struct upload_watch watched[PAGE];
	size_t due = 0;
	for (size_t i = 0; i < count; i++) {
		if (rows[i].touched_ms <= s->due_ms)
			watched[due++] =
			    (struct upload_watch){rows[i].repository_id, rows[i].touched_ms, false};
	}
	if (due > 0)
		upload_table_spare(
		    &tx->store->uploads, watched, due, s->now_ms, s->now_ms - s->due_ms);
	for (size_t i = count; i-- > 0;) {
		if (rows[i].touched_ms <= s->due_ms)
			rows[i].active = watched[--due].spared;
	}
}

struct holders {
	bool here, images, repositories; /* images of this repository; of any; other repositories */
};

static struct holders read_holders(struct store_tx *tx, struct step *s, const struct stray *row)
{
	struct holders held = {true, true, true};
	sqlite3_stmt *q = db_query(tx->db, Q_STRAY_HELD);
	bind_int(q, 1, row->blob_id);
	bind_int(q, 2, row->repository_id);
	if (db_step(tx->db, q) == SQLITE_ROW)
		held = (struct holders){sqlite3_column_int(q, 0) != 0,
		    sqlite3_column_int(q, 1) != 0, sqlite3_column_int(q, 2) != 0};
	else
		tx_fail(tx, &s->job);
	db_done(q);
	return held;
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
	s->drops++;
	if (run_on(tx, s, Q_BLOB_UNLINK_FROM, row))
		run_on(tx, s, Q_STRAY_DROP, row);
}

struct content {
	struct digest digest;
	uint64_t size;
	bool there, synced, in_file;
};

static struct content read_content(struct store_tx *tx, int64_t blob_id)
{
	struct content c = {.there = false};
	sqlite3_stmt *q = db_query(tx->db, Q_STRAY_CONTENT);
	bind_int(q, 1, blob_id);
	if (db_step(tx->db, q) == SQLITE_ROW && column_digest(q, 0, &c.digest)) {
		c.there = true;
		c.size = (uint64_t)sqlite3_column_int64(q, 1);
		c.synced = sqlite3_column_int(q, 2) != 0;
		c.in_file = sqlite3_column_int(q, 3) != 0;
	}
	db_done(q);
	return c;
}

static void drop_content(struct store_tx *tx, struct step *s, const struct content *c)
{
	s->drops++;
	s->found.blobs++;
	s->found.bytes += c->size;
	if (c->in_file) {
		/* the jobs after it could make the file that settling takes away */
		tx->last = true;
		s->files.at[s->files.count++] = c->digest;
	}
	if (!blob_drop_rows(tx->db, &c->digest))
		tx_fail(tx, &s->job);
}

static void count_waiting(struct step *s, const struct stray *row, const struct content *c)
{
	if (row->blob_id == s->waiting_id)
		return; /* several repositories see it */
	s->waiting_id = row->blob_id;
	s->found.waiting_blobs++;
	s->found.waiting_bytes += c->size;
}

/* What no image holds and no other repository sees. One that is being flushed is some job's own still. */
static void judge_last(struct store_tx *tx, struct step *s, const struct stray *row, bool due)
{
	struct content c = read_content(tx, row->blob_id);
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

static void judge(struct store_tx *tx, struct step *s, const struct stray *row)
{
	bool due = row->touched_ms <= s->due_ms && !row->active;
	struct holders held = read_holders(tx, s, row);
	if (s->job.error.code != ERR_NONE)
		return;
	if (row->touched_ms > s->now_ms)
		touch_now(tx, s, row);
	if (held.here) {
		run_on(tx, s, Q_STRAY_DROP, row);
	} else if (!held.images && !held.repositories) {
		judge_last(tx, s, row, due);
	} else if (due) {
		drop_link(tx, s, row);
	} else if (!held.images) {
		struct content c = read_content(tx, row->blob_id);
		count_waiting(s, row, &c);
	}
}

static void step_run(struct store_tx *tx, struct store_job *job)
{
	struct step *s = (struct step *)job;
	int64_t grace_ms = s->run->grace_ms < 0 ? tx->store->gc.grace_ms : s->run->grace_ms;
	struct stray rows[PAGE];
	s->now_ms = clock_now_ms(&tx->store->clock);
	s->due_ms = s->now_ms - grace_ms;
	size_t count = read_page(tx, s, rows), i = 0;
	spare_active(tx, s, rows, count);
	for (; i < count && s->drops < DROPS_A_STEP && job->error.code == ERR_NONE; i++) {
		judge(tx, s, &rows[i]);
		s->blob_id = rows[i].blob_id;
		s->repository_id = rows[i].repository_id;
	}
	s->more = i < count || count == PAGE;
}

void gc_files_remove(struct store *store, const struct gc_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		if (files_set_blob_aside(&store->files, &files->at[i]) != 0)
			atomic_store(&store->sweep_due, true);
	}
	if (files->count > 0)
		clear_aside_submit(store);
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

static void end_settle(struct store *store, struct store_job *job)
{
	store->collected_ms = clock_now_ms(&store->clock);
	if (job->done == store_job_free)
		store->collecting = false;
}

static void end(struct store *store, struct gc_run *run)
{
	run->job.run = end_run;
	run->job.settle = end_settle;
	store_submit(store, &run->job);
}

static void step_settle(struct store *store, struct store_job *job)
{
	struct step *s = (struct step *)job;
	struct gc_run *run = s->run;
	if (job->error.code != ERR_NONE) {
		job_fail(&run->job, job->error.code, "%.*s", SLICE_ARG(job->error.detail));
		end(store, run);
		return;
	}
	gc_files_remove(store, &s->files);
	add_result(&run->result, &s->found);
	if (s->more && !atomic_load(&store->closing))
		step_submit(store, run, s);
	else if (atomic_load(&store->sweep_due) && !atomic_load(&store->closing))
		sweep_begin(store, run, end);
	else
		end(store, run);
}

static void step_done(struct store_job *job)
{
	arena_release(job->arena);
	free(job);
}

static void step_submit(struct store *store, struct gc_run *run, const struct step *after)
{
	struct step *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	arena_init(&s->arena);
	s->job.arena = &s->arena;
	s->job.run = step_run;
	s->job.settle = step_settle;
	s->job.done = step_done;
	s->run = run;
	if (after) {
		s->blob_id = after->blob_id;
		s->repository_id = after->repository_id;
		s->waiting_id = after->waiting_id;
	}
	store_submit(store, &s->job);
}

void gc_submit(struct store *store, struct gc_run *run)
{
	run->job.work = NULL;
	run->job.flush = STORE_FLUSH_LATER;
	run->result = (struct gc_result){.uploads = uploads_expire(store)};
	step_submit(store, run, NULL);
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
	gc_submit(store, run);
}
