/* The jobs that are about the whole store: emptying it, and moving its clock. */
#include "storage/core.h"
#include "storage/db/meta.h"
#include "storage/images/archive_due.h"
#include "storage/lifecycle/lifecycle_due.h"
#include "storage/upkeep/schedule.h"

#include <stdlib.h>
#include <string.h>

static const char empty_all[] =
    "DELETE FROM repository; DELETE FROM registry; DELETE FROM document;"
    "DELETE FROM resource_tag; DELETE FROM content; DELETE FROM blob;"
    "DELETE FROM repository_blob; DELETE FROM manifest; DELETE FROM image; DELETE FROM tag;"
    "DELETE FROM image_blob; DELETE FROM image_child; DELETE FROM archive; DELETE FROM replication;"
    "DELETE FROM orphan; DELETE FROM preview; DELETE FROM preview_set; DELETE FROM preview_item;"
    "DELETE FROM stray;"
    "DELETE FROM meta WHERE key NOT IN ('" META_TOKEN_KEY "', '" META_BOOT_ID "', '" META_OPEN
    "');";

static void reset_run(struct store_tx *tx, struct store_job *job)
{
	/* the jobs after it would put files where its settling clears them away */
	tx->last = true;
	if (sqlite3_exec(tx->db->handle, empty_all, NULL, NULL, NULL) != SQLITE_OK ||
	    !meta_put(tx->db, META_FILES_TO_CLEAR, "1", 1))
		tx_fail(tx, job);
}

struct reset_end {
	struct store_job job;
};

static void reset_end_run(struct store_tx *tx, struct store_job *job)
{
	if (!meta_drop(tx->db, META_FILES_TO_CLEAR))
		tx_fail(tx, job);
}

static const struct job_ops reset_end_ops = {.run = reset_end_run, .frees = true};

static void reset_committed(struct store *store, struct store_job *job)
{
	atomic_fetch_add(&store->generation, 1);
	clock_set_offset_ms(&store->clock, 0);
	lifecycle_load(store);
	for (size_t i = 0; i < PULL_SLOTS; i++)
		atomic_store(&store->pulls[i], 0);
	upload_kill(&store->uploads, 0);
	writer_unpark(&store->writer, NULL, false);
	removal_forget(store);
	/*
	 * Files are taken away after the commit that gave them up is on disk (removal.h): the writer waits for it here, as it has
	 * to until the folders are new ones. Else they are files without a row, for the sweep to find; and
	 * what comes into these folders from now on stays.
	 */
	int failure = flusher_flush(&store->flusher);
	if (failure)
		job_fail(job, error_of_errno(failure), "flushing the log: %s", strerror(failure));
	else
		failure = files_clear(&store->files);
	if (failure) {
		atomic_store(&store->sweep_due, true);
		return;
	}
	struct reset_end *end = calloc(1, sizeof(*end));
	if (!end)
		abort();
	end->job.done = store_job_free;
	store_submit(store, &end->job, &reset_end_ops);
	clear_aside_submit(store);
}

static const struct job_ops reset_ops = {
    .run = reset_run, .committed = reset_committed, .frees = true};

void store_reset_submit(struct store *store, struct store_reset *reset)
{
	store_submit(store, &reset->job, &reset_ops);
}

/* What becomes due by it happens by the new clock, in the same transaction. */
static void move_run(struct store_tx *tx, struct store_job *job)
{
	struct clock_move *move = (struct clock_move *)job;
	struct clock *clock = &tx->store->clock;
	clock_set_offset_ms(clock, move->offset_ms);
	if (!meta_put(tx->db, META_CLOCK_OFFSET, &move->offset_ms, sizeof(move->offset_ms)))
		tx_fail(tx, job);
	else
		archive_end_due(tx, job, clock_now_ms(clock));
}

static void move_committed(struct store *store, struct store_job *job)
{
	(void)job;
	schedule_tend(store);
}

static void move_failed(struct store *store, struct store_job *job)
{
	(void)job;
	store_load_clock(store); /* it was not moved */
}

static const struct job_ops move_ops = {
    .run = move_run, .committed = move_committed, .failed = move_failed};

void clock_move_submit(struct store *store, struct clock_move *move)
{
	store_submit(store, &move->job, &move_ops);
}
