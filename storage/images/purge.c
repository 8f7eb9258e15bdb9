/*
 * Removing the rows of deleted repositories.
 *
 * A deletion only marks the repository, which costs the same whatever is in it. Each job here removes up to 64
 * images, or tags when no image is left, and submits the next one, so that a push beside it waits for one page at
 * most. A purge that was cut off goes on at the next start (recovery.c) or with the next deletion.
 */
#include "storage/images/purge.h"

#include "storage/images/image_rows.h"
#include "storage/repositories/rows.h"

#include <stdlib.h>

enum { PURGE_PAGE = 64 };

struct purge {
	struct store_job job;
	bool more;
};

static int64_t find_doomed(struct store_tx *tx, struct store_job *job)
{
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_DOOMED);
	int step = db_step(tx->db, q);
	int64_t id = step == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(tx, job);
	return id;
}

/* Removes some images; how many, or -1 when the job has failed. */
static int purge_images(struct store_tx *tx, struct store_job *job, int64_t repository_id)
{
	struct image_row rows[PURGE_PAGE];
	int count = 0;
	sqlite3_stmt *q = db_query(tx->db, Q_IMAGE_SOME);
	bind_int(q, 1, repository_id);
	bind_int(q, 2, PURGE_PAGE);
	while (count < PURGE_PAGE && db_step(tx->db, q) == SQLITE_ROW) {
		rows[count] = (struct image_row){.repository_id = repository_id};
		column_digest(q, 0, &rows[count].digest);
		rows[count].id = sqlite3_column_int64(q, 1);
		image_row_set_place(&rows[count++], sqlite3_column_int(q, 2));
	}
	db_done(q);
	for (int i = 0; i < count; i++) {
		if (!image_row_drop(tx, job, &rows[i]))
			return -1;
	}
	return count;
}

static bool purge_tags(struct store_tx *tx, struct store_job *job, int64_t repository_id)
{
	sqlite3_stmt *q = db_query(tx->db, Q_TAG_DROP_SOME);
	bind_int(q, 1, repository_id);
	bind_int(q, 2, PURGE_PAGE * 4);
	return tx_exec(tx, job, q) && sqlite3_changes(tx->db->handle) > 0;
}

static void purge_run(struct store_tx *tx, struct store_job *job)
{
	struct purge *purge = (struct purge *)job;
	int64_t id = find_doomed(tx, job);
	if (id == 0)
		return;
	purge->more = true; /* until no repository is doomed any more */
	if (purge_images(tx, job, id) != 0 || purge_tags(tx, job, id) ||
	    job->error.code != ERR_NONE)
		return;
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_DROP);
	bind_int(q, 1, id);
	tx_exec(tx, job, q);
}

/* When it has failed, the next deletion, or the next start, takes it up again. */
static void purge_committed(struct store *store, struct store_job *job)
{
	struct purge *purge = (struct purge *)job;
	if (purge->more && !atomic_load(&store->closing))
		purge_submit(store);
}

static const struct job_ops purge_ops = {
    .run = purge_run, .committed = purge_committed, .frees = true};

void purge_submit(struct store *store)
{
	struct purge *purge = calloc(1, sizeof(*purge));
	if (!purge)
		abort();
	purge->job.done = store_job_free;
	store_submit(store, &purge->job, &purge_ops);
}
