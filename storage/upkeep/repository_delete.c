/*
 * Deleting a repository (repository.h: struct repository_delete). It stands above all that a repository has: its
 * documents, preview, images and uploads go with it.
 */
#include "storage/images/purge.h"
#include "storage/lifecycle/preview_due.h"
#include "storage/repositories/document_rows.h"
#include "storage/repositories/repository_rows.h"
#include "storage/repositories/rows.h"

/*
 * A deleted repository is only moved aside here, which costs the same however much is in it; the purge
 * then removes its rows a few at a time, between other jobs.
 */
static void doom(struct store_tx *tx, struct repository_delete *del)
{
	static const enum db_query steps[] = {
	    Q_RESOURCE_TAG_DROP, Q_ORPHAN_DROP_ALL, Q_REPOSITORY_DOOM};
	if (!document_rows_drop(tx, &del->job, &del->key) ||
	    !preview_drop(tx, &del->job, del->deleted.id) ||
	    repository_count(tx, &del->job, &del->deleted, -1) < 0)
		return;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		sqlite3_stmt *q = db_query(tx->db, steps[i]);
		bind_int(q, 1, del->deleted.id);
		if (!tx_exec(tx, &del->job, q))
			return;
	}
}

static void delete_run(struct store_tx *tx, struct store_job *job)
{
	struct repository_delete *del = (struct repository_delete *)job;
	int64_t images = 0;
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_FIND);
	bind_key(q, &del->key);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW) {
		repository_row_read(q, job->arena, &del->deleted);
		images = sqlite3_column_int64(q, 10);
	}
	db_done(q);
	if (step == SQLITE_DONE)
		job_refuse(job, ERR_REPOSITORY_NOT_FOUND, &del->key);
	else if (step != SQLITE_ROW)
		tx_fail(tx, job);
	else if (images > 0 && !del->force)
		job_refuse(job, ERR_REPOSITORY_NOT_EMPTY, &del->key);
	else
		doom(tx, del);
}

static void delete_committed(struct store *store, struct store_job *job)
{
	struct repository_delete *del = (struct repository_delete *)job;
	upload_kill(&store->uploads, del->deleted.id);
	purge_submit(store);
	preview_purge_submit(store);
}

static const struct job_ops delete_ops = {
    .run = delete_run, .committed = delete_committed, .flush = STORE_FLUSH_NOW, .frees = true};

void repository_delete_submit(struct store *store, struct repository_delete *del)
{
	store_submit(store, &del->job, &delete_ops);
}
