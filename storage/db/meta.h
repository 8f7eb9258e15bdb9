/*
 * Single facts of the data folder, by name. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_META_H
#define DRYDOCK_STORAGE_META_H

#include "storage/db/db.h"

#define META_TOKEN_KEY "token_key"
#define META_BOOT_ID "boot_id"                /* of the machine, when the folder was last opened */
#define META_CLOCK_OFFSET "clock_offset_ms"   /* int64_t */
#define META_LIFECYCLE_RUN "lifecycle_run_ms" /* int64_t: when all policies were run last */
#define META_FILES_TO_CLEAR "files_to_clear"  /* there while a reset has yet to remove the files */
#define META_COLLECTED "collected_ms"         /* int64_t: when the last collection ended */
#define META_OPEN                                                                                  \
	"open" /* there while the store is open, and after a crash until the sweep of files is over */

/* FOUND: value has its first `room` bytes, and *len says how long it is. */
enum found meta_get(struct db *db, const char *key, void *value, size_t room, size_t *len)
    __attribute__((warn_unused_result));
/* A number; ABSENT also when it is none. */
enum found meta_get_int(struct db *db, const char *key, int64_t *value)
    __attribute__((warn_unused_result));
/* False on a database error. */
bool meta_put(struct db *db, const char *key, const void *value, size_t len);
bool meta_drop(struct db *db, const char *key);

#endif
