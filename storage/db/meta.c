/*
 * Single facts, a row each, so that one more needs no change of the schema.
 *
 * A read answers FOUND, ABSENT or FAILED: a fact that cannot be read must not be taken for one that was never
 * written, as the key of tokens would then be made anew.
 */
#include "storage/db/meta.h"

enum found meta_get(struct db *db, const char *key, void *value, size_t room, size_t *len)
{
	sqlite3_stmt *q = db_query(db, Q_META_GET);
	bind_text(q, 1, slice_str(key));
	enum found found = db_found(db_step(db, q));
	if (found == FOUND) {
		struct slice kept = column_slice(q, 0);
		memcpy(value, kept.at, kept.len < room ? kept.len : room);
		*len = kept.len;
	}
	db_done(q);
	return found;
}

enum found meta_get_int(struct db *db, const char *key, int64_t *value)
{
	size_t len;
	enum found found = meta_get(db, key, value, sizeof(*value), &len);
	return found == FOUND && len != sizeof(*value) ? ABSENT : found;
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
