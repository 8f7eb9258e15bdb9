/*
 * Recovery, before the writer runs: what the last owner committed is flushed; a reset is finished; upload sessions
 * are read; blobs that were not known to be on disk are seen to; deletions go on.
 *
 * The boot id tells a crash of the process, after which the page cache is whole, from one of the machine, after
 * which bytes that were not flushed may be anything: then sessions are forgotten, and such blobs are hashed. It is
 * written last, so that a start that is cut short does not make the next one trust what was not looked at.
 */
#include "storage/upkeep/recovery.h"

#include "storage/blobs/blob_flush.h"
#include "storage/core.h"
#include "storage/db/disk.h"
#include "storage/db/meta.h"
#include "storage/images/purge.h"
#include "storage/lifecycle/preview_due.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { BOOT_ID_MAX = 64 };

/*
 * What the last owner committed and did not flush may not be on disk yet, when it did not close the store. It is
 * what this one goes by: so it is flushed before anything is taken away because of it (removal.h).
 */
static bool flush_last_owners(struct store *store)
{
	char yes;
	size_t len;
	if (store->ephemeral ||
	    meta_get(&store->writer.db, META_OPEN, &yes, sizeof(yes), &len) == ABSENT)
		return true; /* when it cannot be told, it is done: that is never wrong */
	/*
	 * A flush that had failed cannot be found out any more, and another one proves nothing (flusher.h): the log is copied into
	 * the database, and that flushed. Where the disk is too full for that, flushing the log is what can be done.
	 */
	int rc = sqlite3_wal_checkpoint_v2(
	    store->writer.db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc == SQLITE_OK)
		return disk_flush_folder(store->files.folder, "") == 0;
	if (db_failure(&store->writer.db) != ERR_STORAGE_FULL)
		return false;
	int fd = disk_open(store->files.folder, "drydock.db-wal", O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT;
	bool flushed =
	    store->files.flush_log(fd) == 0 && disk_flush_folder(store->files.folder, "") == 0;
	close(fd);
	return flushed;
}

/*
 * A reset whose process died between its commit and the removal of the files, or that could not remove them. Once
 * anything has been pushed since, its blobs are in the same folders: then the sweep finds what has no row.
 */
static bool finish_reset(struct store *store)
{
	struct db *db = &store->writer.db;
	char yes;
	size_t len;
	enum found due = meta_get(db, META_FILES_TO_CLEAR, &yes, sizeof(yes), &len);
	if (due != FOUND)
		return due == ABSENT;
	sqlite3_stmt *q = db_query(db, Q_BLOB_SOME);
	int step = db_step(db, q);
	db_done(q);
	if (step == SQLITE_ROW)
		atomic_store(&store->sweep_due, true);
	else if (step != SQLITE_DONE || files_clear_blobs(&store->files) != 0)
		return false;
	return meta_drop(db, META_FILES_TO_CLEAR);
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

/* Which boot of the machine this is; its length, 0 when that is not to be known. */
static size_t this_boot(char now[BOOT_ID_MAX])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd >= 0 ? read(fd, now, BOOT_ID_MAX) : -1;
	if (fd >= 0)
		close(fd);
	return len > 0 ? (size_t)len : 0;
}

/* Whether the folder was last opened, and recovered to the end, under this boot. False when it is not to be known. */
static bool same_boot(struct db *db, const char *now, size_t len)
{
	char then[BOOT_ID_MAX];
	if (fault("same-boot"))
		return false; /* a test has the machine boot anew */
	size_t then_len;
	return len > 0 && meta_get(db, META_BOOT_ID, then, sizeof(then), &then_len) == FOUND &&
	    then_len == len && memcmp(now, then, len) == 0;
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
	if (!is_whole(store, digest, size) || files_flush_blob(&store->files, digest) != 0) {
		enum found held = blob_held(db, digest);
		return held == FOUND || (held == ABSENT && blob_drop_rows(db, digest));
	}
	sqlite3_stmt *q = db_query(db, Q_BLOB_SYNCED);
	bind_digest(q, 1, digest);
	return db_exec(db, q);
}

/*
 * Blobs not known to be on disk. When only the process died, the page cache is whole and they are
 * flushed in the background. When the machine did, their bytes may be gone: they are hashed, and
 * dropped when they are not what their name says. An image names such a blob only when its
 * file had been lost and was pushed again: then the row stays, for the next push to bring it back.
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
	char boot[BOOT_ID_MAX];
	size_t boot_len = this_boot(boot);
	bool cache_whole = same_boot(db, boot, boot_len);
	bool mended = flush_last_owners(store) && finish_reset(store) &&
	    recover_uploads(store, cache_whole) && recover_blobs(store, cache_whole) &&
	    resume_purge(store) && preview_recover(store);
	/* the last thing: a start that is cut short before it must not make the next one trust what was not hashed */
	if (mended && !cache_whole && boot_len > 0)
		mended = meta_put(db, META_BOOT_ID, boot, boot_len);
	if (mended) {
		if (files_some_aside(&store->files))
			clear_aside_submit(store);
		return true;
	}
	snprintf(err->text, sizeof(err->text), "its files cannot be written: %s",
	    sqlite3_errcode(db->handle) != SQLITE_OK ? db_cause(db) : strerror(errno));
	return false;
}
