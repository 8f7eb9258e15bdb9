/*
 * Mounts and deletions of blobs: a row of repository_blob more, or one less.
 *
 * A mount looks for its source and adds the row in one transaction, so that nothing can be collected in between.
 * It looks at the file, too, as a client does not upload what it was told is mounted. A deletion takes only the
 * repository's row: content is the collector's (gc.c).
 */
#include "storage/blobs/blob_link.h"

#include "storage/blobs/stray.h"
#include "storage/repositories/document.h"
#include "storage/repositories/rows.h"

enum error_code blob_mounting_enabled(
    struct store_reader *reader, const struct repository_key *key, bool *enabled)
{
	struct document_key setting = {
	    key->account, key->region, DOCUMENT_ACCOUNT_SETTING, slice_str("BLOB_MOUNTING")};
	struct document found;
	struct arena a;

	arena_init(&a);
	enum error_code code = document_get(reader, &setting, &a, &found);
	*enabled = code == ERR_NONE && slice_is(found.text, "ENABLED");
	arena_release(&a);
	return code == ERR_SETTING_NOT_FOUND ? ERR_NONE : code;
}

/* The statement that looks for the blob where the mount may take it from, bound. */
static sqlite3_stmt *source_query(struct store_tx *tx, const struct blob_mount *mount, int64_t to)
{
	sqlite3_stmt *q;

	if (!mount->from.at) {
		q = db_query(tx->db, Q_BLOB_ANYWHERE);
		bind_text(q, 1, mount->key.account);
		bind_text(q, 2, mount->key.region);
	} else {
		struct repository_key from = mount->key;
		from.name = mount->from;
		q = db_query(tx->db, mount->needs_image ? Q_BLOB_OF_IMAGE : Q_BLOB_STAT);
		bind_key(q, &from);
		if (mount->needs_image)
			bind_int(q, 5, to);
	}
	bind_digest(q, mount->from.at ? 4 : 3, &mount->digest);
	return q;
}

/* False when there is none, or the job has failed. */
static bool find_source(struct store_tx *tx, struct blob_mount *mount, int64_t to, int64_t *blob_id)
{
	sqlite3_stmt *q = source_query(tx, mount, to);
	int step = db_step(tx->db, q);
	uint64_t size = 0;

	if (step == SQLITE_ROW) {
		*blob_id = sqlite3_column_int64(q, 0);
		size = (uint64_t)sqlite3_column_int64(q, 1);
	}
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		tx_fail(tx, &mount->job);
	/* who hears that it was mounted will not upload it: not being able to tell is no error here, as anything else */
	return step == SQLITE_ROW &&
	    blob_look(tx->db, &tx->store->files, *blob_id, &mount->digest, size) == ERR_NONE;
}

static void mount_run(struct store_tx *tx, struct store_job *job)
{
	struct blob_mount *mount = (struct blob_mount *)job;
	int64_t to, blob_id;
	sqlite3_stmt *q;

	if (!job_repository_id(tx, job, &mount->key, &to) || !find_source(tx, mount, to, &blob_id))
		return;
	q = db_query(tx->db, Q_BLOB_LINK);
	bind_int(q, 1, blob_id);
	bind_int(q, 2, to);
	mount->mounted = tx_exec(tx, job, q) && stray_note(tx, job, blob_id, to);
}

static const struct job_ops mount_ops = {.run = mount_run};

void blob_mount_submit(struct store *store, struct blob_mount *mount)
{
	mount->mounted = false;
	store_submit(store, &mount->job, &mount_ops);
}

static void unlink_run(struct store_tx *tx, struct store_job *job)
{
	struct blob_unlink *unlink = (struct blob_unlink *)job;
	int64_t repository_id;
	sqlite3_stmt *q;

	if (!job_repository_id(tx, job, &unlink->key, &repository_id))
		return;
	q = db_query(tx->db, Q_BLOB_UNLINK);
	bind_digest(q, 1, &unlink->digest);
	bind_int(q, 2, repository_id);
	if (tx_exec(tx, job, q) && sqlite3_changes(tx->db->handle) == 0)
		job_refuse(job, ERR_BLOB_UNKNOWN, &unlink->key);
}

static const struct job_ops unlink_ops = {
    .run = unlink_run, .flush = STORE_FLUSH_NOW, .frees = true};

void blob_unlink_submit(struct store *store, struct blob_unlink *unlink)
{
	store_submit(store, &unlink->job, &unlink_ops);
}
