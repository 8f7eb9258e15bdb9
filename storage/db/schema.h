/*
 * The database's shape, as numbered migrations; PRAGMA user_version holds the number reached.
 */
#ifndef DRYDOCK_STORAGE_SCHEMA_H
#define DRYDOCK_STORAGE_SCHEMA_H

#include "storage/db/db.h"
#include "storage/db/err.h"

/* The version this program writes. */
int schema_version(void);
/* Brings a database up to schema_version(). False with *err filled: it is newer, or a step failed.
 */
bool schema_migrate(struct db *db, struct err *err) __attribute__((warn_unused_result));
/* True when it is at schema_version(); nothing is changed. */
bool schema_is_current(struct db *db, struct err *err) __attribute__((warn_unused_result));

#endif
