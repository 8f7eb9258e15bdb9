/*
 * A connection to the database and its prepared statements.
 *
 * Storage-internal; a connection belongs to one thread at a time. A statement from db_query is
 * ready to be bound and stepped; it must be given back with db_done before the function that asked
 * for it returns (a statement left unfinished holds its read transaction open, and with it the
 * log). What is bound is not copied and must outlive db_done.
 *
 *	sqlite3_stmt *q = db_query(db, Q_TAG_FIND);
 *	bind_int(q, 1, repository_id);
 *	bind_text(q, 2, name);
 *	int step = db_step(db, q) __attribute__((warn_unused_result));          SQLITE_ROW, SQLITE_DONE, or an error
 *	...
 *	db_done(q);
 */
#ifndef DRYDOCK_STORAGE_DB_H
#define DRYDOCK_STORAGE_DB_H

#include "protocol/digest.h"
#include "protocol/errors.h"
#include "storage/db/sql.h"

#include <sqlite3.h>

#define DB_ENUM(name, sql) Q_##name,
enum db_query { DB_STATEMENTS(DB_ENUM) Q_COUNT };
#undef DB_ENUM

enum { DB_BUSY_MS = 10000 }; /* how long a connection waits for another's lock */

struct db {
	sqlite3 *handle;
	sqlite3_stmt *statements[Q_COUNT];
	/* What the first step that failed since this was set to ERR_NONE says: it finds out who overlooked that. */
	enum error_code failed;
	/*
	 * After a step that failed no other is taken: SQLite may have ended the transaction with it, and the next would be
	 * one of its own. The writer sets it while a job runs.
	 */
	bool stops;
#ifdef DRYDOCK_FAULTS
	int fault; /* the last step was made to fail with this errno; 0: it was taken */
#endif
};

/* The last two cannot write; one of an immutable database is opened by URI (peek.h). */
enum db_role { DB_WRITER, DB_READER, DB_CHECKPOINTER, DB_ONLOOKER, DB_IMMUTABLE };

/* Opens path (made when absent by the writer only). False: db_cause says why, db_close still due.
 */
bool db_open(struct db *db, const char *path, enum db_role role, bool ephemeral);
/* Closes; safe on a zeroed struct and after a failed open. */
void db_close(struct db *db);
const char *db_sql(enum db_query query);

/* NULL when it cannot be prepared: binding to that does nothing, and stepping it fails. */
sqlite3_stmt *db_query(struct db *db, enum db_query query);
int db_step(struct db *db, sqlite3_stmt *q);
/* What a read of one row found. FAILED is neither of the others, and must not be taken for one: db_failure says why. */
enum found { FOUND, ABSENT, FAILED };
enum found db_found(int step) __attribute__((warn_unused_result));
void db_done(sqlite3_stmt *q);
/* For statements that answer no rows: steps and gives back. False on error. */
bool db_exec(struct db *db, sqlite3_stmt *q);
/* The same for a statement with nothing to bind. */
bool db_run(struct db *db, enum db_query query);

/* The last failure: ERR_STORAGE_FULL when the disk is full, ERR_STORAGE_FAILED otherwise. */
enum error_code db_failure(const struct db *db);
const char *db_cause(const struct db *db);
/* Whether the last thing that was asked of it has failed. */
bool db_fails(const struct db *db);

void bind_int(sqlite3_stmt *q, int at, int64_t value);
void bind_text(sqlite3_stmt *q, int at, struct slice value); /* an absent slice is NULL */
void bind_blob(sqlite3_stmt *q, int at, const void *bytes, size_t len);
void bind_digest(sqlite3_stmt *q, int at, const struct digest *digest);

/* Borrowed until the next step or db_done. NULL is the absent slice. */
struct slice column_slice(sqlite3_stmt *q, int at);
/* Copied into the arena; NULL stays absent. */
struct slice column_dup(sqlite3_stmt *q, int at, struct arena *a);
/* False (and DIGEST_NONE) for what is no digest. */
bool column_digest(sqlite3_stmt *q, int at, struct digest *out);

#endif
