/*
 * SQLite, behind the few functions that storage needs.
 *
 * All statements stand in one table (sql.h). A connection prepares one when it is first used, and keeps it. Every
 * step passes db_step(), which remembers the first that failed, so that a result that was overlooked still fails
 * the job (writer.c). db_failure() tells a full disk from all other failures, which SQLite itself does not always
 * do.
 */
#include "storage/db/db.h"

#include "storage/db/disk.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

/* A digest in memory is its key already: the algorithm byte, then the raw bytes. */
static_assert(offsetof(struct digest, raw) == 1, "struct digest is laid out as its key");

#define DB_TEXT(name, sql) [Q_##name] = sql,
static const char *const statements[Q_COUNT] = {DB_STATEMENTS(DB_TEXT)};
#undef DB_TEXT

const char *db_sql(enum db_query query)
{
	return statements[query];
}

/*
 * Connections are never shared between threads at the same time, so SQLite needs no mutex of its
 * own; its memory statistics would take a global lock on every allocation. Pages are
 * allocated as they are needed, not twenty at once for each connection: 0.2 MiB of an idle server.
 */
static void configure_once(void)
{
	sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	sqlite3_initialize();
	disk_vfs_register();
}

static bool apply(struct db *db, const char *sql)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/*
 * Pages of 4 KiB: small images cost a twentieth more with 8 KiB, a fifth more with 16 KiB
 * (measured).
 *
 * synchronous=NORMAL: a commit writes the log and does not flush it. What must be on disk before it
 * is acknowledged is flushed by the flusher (flusher.h), once for all commits before it;
 * checkpoints keep SQLite's own flushes, which is what makes the database whole after a power loss.
 */
static bool set_up_writer(struct db *db, bool ephemeral)
{
	return apply(db, "PRAGMA page_size=4096") &&
	    apply(db, ephemeral ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=NORMAL") &&
	    apply(db, "PRAGMA journal_mode=WAL") && apply(db, "PRAGMA wal_autocheckpoint=0") &&
	    apply(db, "PRAGMA journal_size_limit=16777216") &&
	    apply(db, "PRAGMA cache_size=-2048") && apply(db, "PRAGMA secure_delete=OFF");
}

static bool set_up_reader(struct db *db)
{
	return apply(db, "PRAGMA query_only=ON") && apply(db, "PRAGMA cache_size=-512");
}

static bool set_up_checkpointer(struct db *db, bool ephemeral)
{
	return apply(db, ephemeral ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=NORMAL") &&
	    apply(db, "PRAGMA cache_size=-64");
}

bool db_open(struct db *db, const char *path, enum db_role role, bool ephemeral)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, configure_once);
	memset(db, 0, sizeof(*db));
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	flags |= role >= DB_ONLOOKER ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	if (role == DB_WRITER)
		flags |= SQLITE_OPEN_CREATE;
	if (role == DB_IMMUTABLE)
		flags |= SQLITE_OPEN_URI;
	if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK)
		return false;
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
	/*
	 * A statement's plan does not depend on what is bound to it. Without this SQLite prepares a statement anew
	 * whenever a value is bound that might meet a partial index's condition: each read of a document whose
	 * kind is not that of the read before took 20 us longer.
	 */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
	if (role == DB_WRITER)
		return set_up_writer(db, ephemeral);
	return role == DB_CHECKPOINTER ? set_up_checkpointer(db, ephemeral) : set_up_reader(db);
}

void db_close(struct db *db)
{
	for (size_t i = 0; i < Q_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->handle);
	memset(db, 0, sizeof(*db));
}

sqlite3_stmt *db_query(struct db *db, enum db_query query)
{
	if (!db->statements[query])
		sqlite3_prepare_v3(db->handle, statements[query], -1, SQLITE_PREPARE_PERSISTENT,
		    &db->statements[query], NULL);
	return db->statements[query];
}

#ifdef DRYDOCK_FAULTS

#define DB_NAME(name, sql) [Q_##name] = "sql." #name,
static const char *const names[Q_COUNT] = {DB_STATEMENTS(DB_NAME)};
#undef DB_NAME

/* Whether this step is to fail, untaken. */
static bool fails(struct db *db, const sqlite3_stmt *q)
{
	size_t i = 0;

	while (i < Q_COUNT && db->statements[i] != q)
		i++;
	db->fault = i < Q_COUNT ? fault(names[i]) : 0;
	return db->fault != 0;
}

#else

static bool fails(struct db *db, const sqlite3_stmt *q)
{
	(void)db;
	(void)q;
	return false;
}

#endif

int db_step(struct db *db, sqlite3_stmt *q)
{
	int step;
	if (db->stops && db->failed != ERR_NONE)
		return SQLITE_ABORT;
	if (q)
		step = fails(db, q) ? SQLITE_IOERR : sqlite3_step(q);
	else
		step = sqlite3_extended_errcode(db->handle);
	if (step != SQLITE_ROW && step != SQLITE_DONE && db->failed == ERR_NONE)
		db->failed = db_failure(db);
	return step;
}

enum found db_found(int step)
{
	if (step == SQLITE_ROW)
		return FOUND;
	return step == SQLITE_DONE ? ABSENT : FAILED;
}

void db_done(sqlite3_stmt *q)
{
	sqlite3_reset(q); /* answers the last step's error again: it was looked at there */
}

bool db_exec(struct db *db, sqlite3_stmt *q)
{
	int step = db_step(db, q);
	db_done(q);
	return step == SQLITE_DONE || step == SQLITE_ROW;
}

bool db_run(struct db *db, enum db_query query)
{
	return db_exec(db, db_query(db, query));
}

/* Whether the last write to a file of the database has failed for want of room. */
static bool write_was_full(sqlite3_file *file)
{
	int failure = 0;
	return file && file->pMethods &&
	    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &failure) == SQLITE_OK &&
	    error_of_errno(failure) == ERR_STORAGE_FULL;
}

/*
 * SQLite says "full" of a full disk only, not of a quota or a limit of the process, and does not keep the errno of a commit that
 * failed with the connection: only with the file, the log or the database.
 */
enum error_code db_failure(const struct db *db)
{
#ifdef DRYDOCK_FAULTS
	if (db->fault)
		return error_of_errno(db->fault);
#endif
	int code = sqlite3_extended_errcode(db->handle);
	sqlite3_file *log = NULL, *database = NULL;
	if ((code & 0xff) == SQLITE_FULL)
		return ERR_STORAGE_FULL;
	if ((code & 0xff) != SQLITE_IOERR)
		return ERR_STORAGE_FAILED;
	if (code != SQLITE_IOERR_WRITE)
		return error_of_errno(sqlite3_system_errno(db->handle));
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &database);
	return write_was_full(log) || write_was_full(database) ? ERR_STORAGE_FULL
							       : ERR_STORAGE_FAILED;
}

bool db_fails(const struct db *db)
{
#ifdef DRYDOCK_FAULTS
	if (db->fault)
		return true;
#endif
	int code = sqlite3_errcode(db->handle);
	return code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE;
}

const char *db_cause(const struct db *db)
{
#ifdef DRYDOCK_FAULTS
	if (db->fault)
		return "a failpoint";
#endif
	return sqlite3_errmsg(db->handle);
}

void bind_int(sqlite3_stmt *q, int at, int64_t value)
{
	if (q)
		sqlite3_bind_int64(q, at, value);
}

void bind_text(sqlite3_stmt *q, int at, struct slice value)
{
	if (q)
		sqlite3_bind_text(q, at, value.at, (int)value.len, SQLITE_STATIC);
}

void bind_blob(sqlite3_stmt *q, int at, const void *bytes, size_t len)
{
	if (q)
		sqlite3_bind_blob64(q, at, bytes ? bytes : "", len, SQLITE_STATIC);
}

void bind_digest(sqlite3_stmt *q, int at, const struct digest *digest)
{
	size_t raw = digest_raw_len(digest->algorithm);
	if (q && raw > 0)
		sqlite3_bind_blob64(q, at, digest, 1 + raw, SQLITE_STATIC);
	else if (q)
		sqlite3_bind_null(q, at);
}

struct slice column_slice(sqlite3_stmt *q, int at)
{
	const char *bytes = sqlite3_column_blob(q, at);
	size_t len = (size_t)sqlite3_column_bytes(q, at);
	if (!bytes && sqlite3_column_type(q, at) != SQLITE_NULL)
		bytes = ""; /* SQLite answers NULL for an empty value */
	return slice_of(bytes, len);
}

struct slice column_dup(sqlite3_stmt *q, int at, struct arena *a)
{
	return arena_dup(a, column_slice(q, at));
}

bool column_digest(sqlite3_stmt *q, int at, struct digest *out)
{
	struct slice key = column_slice(q, at);
	if (key.len > 0 && digest_from_key(key.at, key.len, out))
		return true;
	memset(out, 0, sizeof(*out));
	return false;
}
