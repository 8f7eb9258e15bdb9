/*
 * Looking into a data folder without becoming its owner: nothing in it is made, migrated, repaired or
 * written (but for SQLite's shared memory file, where a log is there).
 *
 * A folder that no server runs on is kept from starting one while it is looked into. One that has an
 * owner is read as it is at that moment, as any reader would. One thread.
 */
#ifndef DRYDOCK_STORAGE_PEEK_H
#define DRYDOCK_STORAGE_PEEK_H

#include "storage/db/err.h"

#include <stdbool.h>
#include <stdint.h>

struct peek;

/* NULL with *err filled: it is no data folder, is of another version, or cannot be read. */
struct peek *peek_open(const char *path, struct err *err) __attribute__((warn_unused_result));
void peek_close(struct peek *peek); /* NULL allowed */

/*
 * Storage-internal: only the database, to be read. alone: the caller keeps others from changing it meanwhile.
 * False: db_cause says why, db_close still due.
 */
struct db;
bool peek_open_database(struct db *db, const char *path, bool alone);

/*
 * For reads of the database alone: repositories, documents, images, a lifecycle_read; not of blobs or
 * uploads. Borrowed.
 */
struct store_reader *peek_reader(struct peek *peek);
/* Drydock's clock, as it was left, in this moment. */
int64_t peek_now_ms(const struct peek *peek);

#endif
