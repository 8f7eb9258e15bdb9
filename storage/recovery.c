#include "storage/recovery.h"

#include "storage/blob_flush.h"
#include "storage/core.h"
#include "storage/fault.h"
#include "storage/meta.h"
#include "storage/preview_due.h"
#include "storage/purge.h"
#include "storage/reset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A reset whose process died between its commit and the removal of the files. */
static bool finish_reset(struct store *store)
{
	struct db *db = &store->writer.db;
	char yes;
	size_t len;
	enum found due = meta_get(db, META_FILES_TO_CLEAR, &yes, sizeof(yes), &len);
	if (due != FOUND)
		return due == ABSENT;
	return files_clear(&store->files) == 0 && meta_drop(db, META_FILES_TO_CLEAR);
}

/* An upload's file whose session is gone. */
static void remove_orphan(void *arg, const uint8_t id[16])
{
	struct store *store = arg;
	char name[FILE_NAME_MAX];
	files_upload_name(id, name);
	if (!upload_known(&store->uploads, id))
		files_remove(&store->files, name);
}

/* Sessions are not flushed: they are good for a new process, not for a machine that went down. */
static bool recover_uploads(struct store *store, bool cache_whole)
{
	struct upload_table *table = &store->uploads;
	if (spool_open(&table->spool, store->files.folder, !cache_whole) != 0)
		return false;
	upload_table_load(table, store);
	files_each_upload(&store->files, remove_orphan, store);
	return true;
}

/* True when the folder was last opened under this very boot of the machine; notes this one. */
static bool same_boot(struct db *db)
{
	char now[64], then[64];
	if (fault("same-boot"))
		return false; /* a test has the machine boot anew */
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, now, sizeof(now)) : -1;
	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return false; /* not to be known: take the careful way */
	size_t then_len;
	if (meta_get(db, META_BOOT_ID, then, sizeof(then), &then_len) == FOUND &&
	    then_len == (size_t)len && memcmp(now, then, (size_t)len) == 0)
		return true;
	meta_put(db, META_BOOT_ID, now, (size_t)len);
	return false;
}

static bool is_whole(struct store *store, const struct digest *digest, uint64_t size)
{
	int fd = files_open_blob(&store->files, digest);
	if (fd < 0)
		return false;
	uint64_t found_size = 0;
	struct digest found;
	bool whole = lseek(fd, 0, SEEK_END) == (off_t)size &&
	    files_hash(fd, digest->algorithm, &found_size, &found) == 0 &&
	    digest_eq(&found, digest);
	close(fd);
	return whole;
}

static bool verify_one(struct store *store, const struct digest *digest, uint64_t size)
{
	struct db *db = &store->writer.db;
	if (!is_whole(store, digest, size) || files_flush_blob(&store->files, digest) != 0)
		return blob_drop_rows(db, digest);
	sqlite3_stmt *q = db_query(db, Q_BLOB_SYNCED);
	bind_digest(q, 1, digest);
	return db_exec(db, q);
}

/*
 * Blobs not known to be on disk. When only the process died, the page cache is whole and they are
 * flushed in the background. When the machine did, their bytes may be gone: they are hashed, and
 * dropped when they are not what their name says. (No image names such a blob.)
 */
static bool recover_blobs(struct store *store, bool cache_whole)
{
	struct db *db = &store->writer.db;
	struct digest last = {.algorithm = DIGEST_NONE};
	for (;;) {
		sqlite3_stmt *q = db_query(db, Q_BLOB_UNSYNCED);
		if (last.algorithm == DIGEST_NONE)
			bind_blob(q, 1, "", 0);
		else
			bind_digest(q, 1, &last);
		int step = db_step(db, q);
		struct digest digest;
		bool found = step == SQLITE_ROW && column_digest(q, 0, &digest);
		uint64_t size = found ? (uint64_t)sqlite3_column_int64(q, 1) : 0;
		db_done(q);
		if (!found)
			return step == SQLITE_DONE;
		last = digest;
		if (cache_whole)
			blob_flush_submit(store, &digest);
		else if (!verify_one(store, &digest, size))
			return false;
	}
}

static bool resume_purge(struct store *store)
{
	struct db *db = &store->writer.db;
	sqlite3_stmt *q = db_query(db, Q_REPOSITORY_DOOMED);
	int step = db_step(db, q);
	db_done(q);
	if (step == SQLITE_ROW)
		purge_submit(store);
	return step == SQLITE_ROW || step == SQLITE_DONE;
}

bool recover(struct store *store, struct err *err)
{
	struct db *db = &store->writer.db;
	bool cache_whole = same_boot(db);
	bool mended = finish_reset(store) && recover_uploads(store, cache_whole) &&
	    recover_blobs(store, cache_whole) && resume_purge(store) && preview_recover(store);
	if (mended) {
		if (files_some_aside(&store->files))
			clear_aside_submit(store);
		return true;
	}
	snprintf(err->text, sizeof(err->text), "its files cannot be written: %s",
	    sqlite3_errcode(db->handle) != SQLITE_OK ? db_cause(db) : strerror(errno));
	return false;
}
