/* Opening a folder to be checked, and the order of the parts. */
#include "storage/db/schema.h"
#include "storage/upkeep/check_internal.h"
#include "storage/upkeep/peek.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const kinds[] = {
    [CHECK_DATABASE] = "database-damaged",
    [CHECK_BLOB_MISSING] = "blob-missing",
    [CHECK_BLOB_CORRUPT] = "blob-corrupt",
    [CHECK_BLOB_UNREADABLE] = "blob-unreadable",
    [CHECK_IMAGE_CORRUPT] = "image-corrupt",
    [CHECK_IMAGE_INCOMPLETE] = "image-incomplete",
    [CHECK_IMAGE_WRONG] = "image-wrong",
    [CHECK_REFERENCE_WRONG] = "reference-wrong",
    [CHECK_TAG_WRONG] = "tag-wrong",
    [CHECK_COUNT_WRONG] = "count-wrong",
    [CHECK_ROW_LEFT_OVER] = "row-left-over",
    [CHECK_FILE_LEFT_OVER] = "file-left-over",
    [CHECK_KIND_COUNT] = NULL,
};

const char *check_kind(size_t index)
{
	return index < CHECK_KIND_COUNT ? kinds[index] : NULL;
}

bool check_reads_well(const struct check *ck)
{
	return ck->tx.db->failed == ERR_NONE;
}

bool check_find(struct check *ck, enum check_kind_index kind, const struct check_image *image,
    bool mends, const char *format, ...)
{
	struct check_finding finding = {.kind = kinds[kind]};
	va_list args;

	if (!check_reads_well(ck))
		return false;
	va_start(args, format);
	finding.text = arena_vprintf(&ck->arena, format, args);
	va_end(args);
	finding.mended = mends && ck->options->repair;
	if (image) {
		finding.account = image->account;
		finding.region = image->region;
		finding.repository = image->repository;
		finding.image = image->digest;
		finding.tags = image->tags;
	}
	ck->result->findings++;
	ck->result->mended += finding.mended;
	ck->options->finding(ck->options->arg, &finding);
	return finding.mended;
}

static bool say_no_folder(const char *path, struct err *err)
{
	snprintf(err->text, sizeof(err->text),
	    "%.300s is no data folder: there is no drydock.db in it (name one with --data)", path);
	return false;
}

static bool attach(struct check *ck, struct err *err)
{
	const char *path = ck->options->path;
	char database[PATH_MAX + 16];
	struct db *db = &ck->store.writer.db;

	snprintf(database, sizeof(database), "%s/drydock.db", path);
	if (access(database, F_OK) != 0)
		return say_no_folder(path, err);
	if (!(ck->options->repair ? files_open : files_look)(&ck->store.files, path, err))
		return false;
	if (ck->options->repair ? db_open(db, database, DB_WRITER, false)
				: peek_open_database(db, path, true))
		return true;
	snprintf(err->text, sizeof(err->text), "the database of %.200s cannot be opened: %.200s",
	    path, db_cause(db));
	return false;
}

/* The schema must be this version's: everything below reads it. A repair brings an older one up to date. */
static bool check_version(struct check *ck, struct err *err)
{
	struct db *db = &ck->store.writer.db;

	return ck->options->repair ? schema_migrate(db, err) : schema_is_current(db, err);
}

/* What SQLite itself says of its file; the first few things. False when it is not sound. */
static bool database_sound(struct check *ck, bool report)
{
	struct db *db = &ck->store.writer.db;
	sqlite3_stmt *q = NULL;
	int step = SQLITE_ERROR;
	bool sound = true;

	if (sqlite3_prepare_v2(db->handle, "PRAGMA integrity_check(5)", -1, &q, NULL) ==
	    SQLITE_OK) {
		while ((step = sqlite3_step(q)) == SQLITE_ROW) {
			struct slice says = column_slice(q, 0);
			if (slice_is(says, "ok"))
				continue;
			sound = false;
			if (report)
				check_find(ck, CHECK_DATABASE, NULL, false, "the database: %.*s",
				    SLICE_ARG(says));
		}
	}
	if (step != SQLITE_DONE && report)
		check_find(ck, CHECK_DATABASE, NULL, false, "the database: %s", db_cause(db));
	sqlite3_finalize(q);
	return sound && step == SQLITE_DONE;
}

/* Indexes can be made anew from their tables; a table cannot. False: there is nothing more to look at. */
static bool check_database(struct check *ck)
{
	struct db *db = &ck->store.writer.db;

	if (database_sound(ck, false))
		return true;
	if (ck->options->repair &&
	    sqlite3_exec(db->handle, "REINDEX", NULL, NULL, NULL) == SQLITE_OK &&
	    database_sound(ck, false)) {
		check_find(ck, CHECK_DATABASE, NULL, true,
		    "the database: its indexes were damaged, and were made anew");
		return true;
	}
	database_sound(ck, true);
	check_find(ck, CHECK_DATABASE, NULL, false,
	    "the database is damaged, and nothing else was looked at: restore the folder from a copy, or "
	    "begin a new one and push again");
	return false;
}

static bool number(struct check *ck, const char *sql, uint64_t *out)
{
	sqlite3_stmt *q = NULL;
	bool known =
	    sqlite3_prepare_v2(ck->store.writer.db.handle, sql, -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW;

	if (known)
		*out = (uint64_t)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return known;
}

static bool run(struct check *ck, const char *sql)
{
	return sqlite3_exec(ck->store.writer.db.handle, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* What was committed so far, by this or by an owner that crashed, is on disk: files may go because of it (removal.h). */
static bool settle_log(struct check *ck)
{
	return !ck->options->repair ||
	    sqlite3_wal_checkpoint_v2(ck->store.writer.db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE,
		NULL, NULL) == SQLITE_OK;
}

/*
 * In one transaction: what is repaired is repaired as a whole, and what is read is of one moment. The files of blobs that were
 * dropped go after it.
 */
static bool check_content(struct check *ck, struct err *err)
{
	bool done = settle_log(ck) && run(ck, ck->options->repair ? "BEGIN IMMEDIATE" : "BEGIN");

	done = done && store_load_clock(&ck->store) && /* from now on strays that are found wait */
	    number(ck, "SELECT ifnull(sum(size), 0) FROM blob", &ck->bytes_total) &&
	    check_blobs(ck) && check_files(ck) && check_images(ck) && check_references(ck) &&
	    check_rows(ck) &&
	    number(ck, "SELECT count(*) FROM repository WHERE account <> ''",
		&ck->result->repositories) &&
	    check_reads_well(ck);
	done = done && run(ck, "COMMIT") && settle_log(ck);
	if (done)
		check_remove_dropped(ck);
	else
		snprintf(err->text, sizeof(err->text), "the database cannot be %s: %.300s",
		    ck->options->repair ? "repaired" : "read", db_cause(&ck->store.writer.db));
	return done;
}

bool check_is_broken(const struct check *ck, const struct digest *digest)
{
	size_t from = 0, to = ck->broken_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = memcmp(&ck->broken[middle], digest,
		    1 + digest_raw_len((enum digest_algorithm)digest->algorithm));

		if (order == 0)
			return true;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return false;
}

bool store_check(const struct check_options *options, struct check_result *result, struct err *err)
{
	struct check *ck = calloc(1, sizeof(*ck));

	if (!ck)
		abort();
	*result = (struct check_result){0};
	ck->options = options;
	ck->result = result;
	ck->store.files.folder = ck->store.files.lock = -1;
	ck->tx = (struct store_tx){.store = &ck->store, .db = &ck->store.writer.db};
	arena_init(&ck->arena);
	ck->job.arena = &ck->arena;
	bool done = attach(ck, err);
	if (done && check_database(ck))
		done = check_version(ck, err) && check_content(ck, err);
	if (done && options->repair)
		files_remove_aside(&ck->store.files);
	db_close(&ck->store.writer.db);
	files_close(&ck->store.files);
	arena_release(&ck->arena);
	free(ck->broken);
	free(ck->doubts);
	free(ck);
	return done;
}
