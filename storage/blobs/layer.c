/*
 * Whether images use a layer: one statement over the images of the repository that hold it, which stops at the
 * first that is not archived.
 */
#include "storage/blobs/layer.h"

#include "storage/core.h"

enum error_code layer_use(
    struct store_reader *reader, int64_t repository_id, int64_t blob_id, enum layer_use *out)
{
	int step;
	sqlite3_stmt *q = db_query(&reader->db, Q_LAYER_USES);
	bind_int(q, 1, blob_id);
	bind_int(q, 2, repository_id);
	*out = LAYER_UNUSED;
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW && *out != LAYER_USED)
		*out = sqlite3_column_int(q, 0) ? LAYER_ARCHIVED : LAYER_USED;
	db_done(q);
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}
