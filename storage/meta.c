#include "storage/meta.h"

size_t meta_get(struct db *db, const char *key, void *value, size_t max)
{
	sqlite3_stmt *q = db_query(db, Q_META_GET);
	bind_text(q, 1, slice_str(key));
	size_t len = 0;
	if (db_step(db, q) == SQLITE_ROW && column_slice(q, 0).len <= max) {
		len = column_slice(q, 0).len;
		memcpy(value, column_slice(q, 0).at, len);
	}
	db_done(q);
	return len;
}

bool meta_put(struct db *db, const char *key, const void *value, size_t len)
{
	sqlite3_stmt *q = db_query(db, Q_META_PUT);
	bind_text(q, 1, slice_str(key));
	bind_blob(q, 2, value, len);
	return db_exec(db, q);
}

bool meta_drop(struct db *db, const char *key)
{
	sqlite3_stmt *q = db_query(db, Q_META_DROP);
	bind_text(q, 1, slice_str(key));
	return db_exec(db, q);
}
