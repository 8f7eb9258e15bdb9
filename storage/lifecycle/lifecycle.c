/*
 * A repository, shown to the lifecycle engine: each image, then each pair of an index and a child.
 *
 * Both statements run in one read transaction, the caller's where it has one, so that they speak of one moment.
 * Rows are handed over one by one: the engine keeps some tens of bytes of each, and nothing else is kept.
 */
#include "storage/lifecycle/lifecycle.h"

#include "storage/core.h"

/* The columns of Q_IMAGE_EACH. A place (image_rows.h) is twice the status, and one more with tags. */
static void show_image(sqlite3_stmt *q, const struct lifecycle_visit *visit)
{
	static const enum lifecycle_status statuses[] = {
	    LIFECYCLE_ACTIVE, LIFECYCLE_ARCHIVED, LIFECYCLE_ACTIVATING};
	struct lifecycle_image image = {
	    .id = sqlite3_column_int64(q, 0),
	    .status = statuses[sqlite3_column_int(q, 2) / 2],
	    .pushed_ms = sqlite3_column_int64(q, 3),
	    .pulled_ms = sqlite3_column_int64(q, 4),
	    .archived_ms = sqlite3_column_int64(q, 5),
	    .activated_ms = sqlite3_column_int64(q, 6),
	    .tags = column_slice(q, 8),
	};
	column_digest(q, 1, &image.digest);
	column_digest(q, 7, &image.subject);
	visit->image(visit->user, &image);
}

static void show_child(sqlite3_stmt *q, const struct lifecycle_visit *visit)
{
	struct digest index, child;
	if (column_digest(q, 0, &index) && column_digest(q, 1, &child))
		visit->child(visit->user, &index, &child);
}

static bool show_all(struct db *db, enum db_query query, int64_t repository_id,
    void (*show)(sqlite3_stmt *q, const struct lifecycle_visit *visit),
    const struct lifecycle_visit *visit)
{
	int step;
	sqlite3_stmt *q = db_query(db, query);
	bind_int(q, 1, repository_id);
	while ((step = db_step(db, q)) == SQLITE_ROW)
		show(q, visit);
	db_done(q);
	return step == SQLITE_DONE;
}

enum error_code lifecycle_read(
    struct store_reader *reader, int64_t repository_id, const struct lifecycle_visit *visit)
{
	struct db *db = &reader->db;
	/* within the caller's own snapshot, where there is one */
	bool begun = sqlite3_get_autocommit(db->handle) != 0;
	if (begun && !db_run(db, Q_BEGIN_READ))
		return db_failure(db);
	enum error_code code = ERR_NONE;
	if (!show_all(db, Q_IMAGE_EACH, repository_id, show_image, visit) ||
	    !show_all(db, Q_CHILD_EACH, repository_id, show_child, visit))
		code = db_failure(db);
	if (begun)
		db_run(db, Q_COMMIT);
	return code;
}
