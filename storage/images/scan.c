/*
 * Scans: the time at which one was asked for, in the image's row. That it has FAILED, and why, follows from that.
 *
 * One in 24 hours is allowed, by the store's clock. A time that lies ahead, because the clock was moved back,
 * refuses nothing.
 */
#include "storage/images/scan.h"

#include "storage/images/push_effects.h"
#include "storage/repositories/rows.h"

#define SCAN_AGAIN_MS (24 * 3600 * 1000LL)

static void refuse(struct scan_start *start, enum error_code code)
{
	char text[DIGEST_TEXT_MAX];
	job_refuse(&start->job, code, &start->key);
	start->job.error.tag = start->id.tag;
	if (start->id.digest.algorithm != DIGEST_NONE)
		start->job.error.digest =
		    arena_dup(start->job.arena, digest_format(&start->id.digest, text));
}

static bool may_scan(struct store_tx *tx, struct scan_start *start, const struct image_row *row)
{
	int64_t since_ms = clock_now_ms(&tx->store->clock) - row->scanned_ms;
	if (row->status != IMAGE_ACTIVE)
		refuse(start, ERR_IMAGE_ARCHIVED);
	else if (!scan_possible(row))
		refuse(start, ERR_IMAGE_UNSUPPORTED);
	else if (row->scanned_ms && since_ms >= 0 && since_ms < SCAN_AGAIN_MS)
		refuse(start, ERR_LIMIT_EXCEEDED);
	if (start->job.error.code == ERR_LIMIT_EXCEEDED)
		start->job.error.detail =
		    slice_str("The scan quota per image has been exceeded. Wait and try again.");
	return start->job.error.code == ERR_NONE;
}

static void start_run(struct store_tx *tx, struct store_job *job)
{
	struct scan_start *start = (struct scan_start *)job;
	struct image_row row;
	int64_t repository_id;
	if (!job_repository_id(tx, job, &start->key, &repository_id))
		return;
	enum error_code code = image_row_named(tx, job, repository_id, &start->id, &row);
	if (code == ERR_IMAGE_NOT_FOUND)
		refuse(start, code);
	if (code != ERR_NONE || !may_scan(tx, start, &row))
		return;
	start->digest = row.digest;
	image_row_scanned(tx, job, &row);
}

static const struct job_ops start_ops = {.run = start_run, .flush = STORE_FLUSH_NOW};

void scan_start_submit(struct store *store, struct scan_start *start)
{
	store_submit(store, &start->job, &start_ops);
}
