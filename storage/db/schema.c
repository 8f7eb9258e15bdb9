/*
 * How the tables are laid out, and why:
 *
 * content      bytes of small blobs. Every blob has a row here (data NULL: a file), whose id is the blob's; its
 *              digest leads from the id back to the blob.
 * blob         content by digest. synced = 0: a file not known to be on disk yet.
 * repository_blob  which repository sees which blob. Led by the blob, so that collecting one removes its
 *              links; those of a deleted repository stay until then (its id is never given again).
 * stray        the rows of repository_blob whose blob no image of that repository holds, and since when (stray.h).
 * image        one row an image, clustered by (repository, tagged or not, digest): each tag-status filter
 *              is a range, all images are a merge of two, and a push touches one place of it. tags holds
 *              the names in bytewise order, each followed by a NUL: a page of images needs no second look-up.
 * manifest     a manifest's bytes, apart, so that listing does not drag them along; blobs is the list of
 *              blob ids it names (8 bytes each, native order), from which image_blob is undone. Manifests are not
 *              shared between repositories: they are small, and this saves each push a random index page.
 * image_blob   which images hold a blob; image_child: which parents hold a child.
 * archive      the images that are not ACTIVE; due_ms: when the activation of one ends, 0 without one. In image
 *              they have places of their own beside tagged's 0 and 1 (image_rows.h), so that each status
 *              is listed by its ranges.
 * replication  where an image was copied to; failure NULL: it is there.
 * registry     how many repositories an account has in a region, so that its quota costs no counting.
 * orphan       referrers whose subject was deleted (orphan.h).
 * preview      the last preview of a repository's lifecycle policy; preview_item: its results, in the order in
 *              which a run would carry them out, by the set of preview_set that they are in. A set that is dead
 *              belongs to no preview any more, and goes a few items at a time (preview.h).
 * document     everything that is put as a JSON text: policies, templates, rules, settings (document.h).
 */
#include "storage/db/schema.h"

#include <stdio.h>

static const char first[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE repository("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, mutability INTEGER NOT NULL, filters TEXT,"
    " scan_on_push INTEGER NOT NULL, encryption_type TEXT NOT NULL, kms_key TEXT,"
    " image_count INTEGER NOT NULL DEFAULT 0,"
    " UNIQUE(account, region, name));"
    "CREATE TABLE registry("
    " account TEXT NOT NULL, region TEXT NOT NULL, repositories INTEGER NOT NULL,"
    " PRIMARY KEY(account, region)) WITHOUT ROWID;"
    "CREATE TABLE document("
    " account TEXT NOT NULL, region TEXT NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    " evaluated_ms INTEGER NOT NULL DEFAULT 0, text TEXT NOT NULL,"
    " PRIMARY KEY(account, region, kind, name)) WITHOUT ROWID;"
    "CREATE TABLE resource_tag("
    " repository_id INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY(repository_id, key)) WITHOUT ROWID;"
    "CREATE TABLE content(id INTEGER PRIMARY KEY, data BLOB);"
    "CREATE TABLE blob("
    " digest BLOB PRIMARY KEY, id INTEGER NOT NULL, size INTEGER NOT NULL,"
    " synced INTEGER NOT NULL, touched_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX blob_unsynced ON blob(digest) WHERE synced = 0;"
    "CREATE TABLE repository_blob("
    " blob_id INTEGER NOT NULL, repository_id INTEGER NOT NULL,"
    " PRIMARY KEY(blob_id, repository_id)) WITHOUT ROWID;"
    "CREATE TABLE manifest(id INTEGER PRIMARY KEY, blobs BLOB NOT NULL, bytes BLOB NOT NULL);"
    "CREATE TABLE image("
    " repository_id INTEGER NOT NULL, tagged INTEGER NOT NULL, digest BLOB NOT NULL,"
    " id INTEGER NOT NULL, status INTEGER NOT NULL DEFAULT 0, media_type TEXT NOT NULL,"
    " artifact_type TEXT, manifest_size INTEGER NOT NULL, size_bytes INTEGER NOT NULL,"
    " pushed_ms INTEGER NOT NULL, pulled_ms INTEGER NOT NULL DEFAULT 0,"
    " archived_ms INTEGER NOT NULL DEFAULT 0, activated_ms INTEGER NOT NULL DEFAULT 0,"
    " scanned_ms INTEGER NOT NULL DEFAULT 0,"
    " subject BLOB, tag_count INTEGER NOT NULL, tags BLOB NOT NULL,"
    " PRIMARY KEY(repository_id, tagged, digest)) WITHOUT ROWID;"
    "CREATE INDEX image_subject ON image(repository_id, subject) WHERE subject IS NOT NULL;"
    "CREATE TABLE tag("
    " repository_id INTEGER NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL,"
    " PRIMARY KEY(repository_id, name)) WITHOUT ROWID;"
    "CREATE TABLE image_blob("
    " blob_id INTEGER NOT NULL, repository_id INTEGER NOT NULL, image_id INTEGER NOT NULL,"
    " PRIMARY KEY(blob_id, repository_id, image_id)) WITHOUT ROWID;"
    "CREATE TABLE image_child("
    " repository_id INTEGER NOT NULL, child BLOB NOT NULL, parent BLOB NOT NULL,"
    " PRIMARY KEY(repository_id, child, parent)) WITHOUT ROWID;"
    "CREATE INDEX image_child_parent ON image_child(repository_id, parent);"
    "CREATE TABLE archive("
    " image_id INTEGER PRIMARY KEY, repository_id INTEGER NOT NULL, digest BLOB NOT NULL,"
    " due_ms INTEGER NOT NULL);"
    "CREATE INDEX archive_due ON archive(due_ms) WHERE due_ms > 0;"
    "CREATE TABLE replication("
    " image_id INTEGER NOT NULL, region TEXT NOT NULL, account TEXT NOT NULL, failure TEXT,"
    " PRIMARY KEY(image_id, region, account)) WITHOUT ROWID;";

/*
 * Collection: a blob's time of last use is kept in stray, for those that no image holds; it was in blob, for all.
 */
static const char strays[] =
    "CREATE TABLE stray("
    " blob_id INTEGER NOT NULL, repository_id INTEGER NOT NULL, touched_ms INTEGER NOT NULL,"
    " PRIMARY KEY(blob_id, repository_id)) WITHOUT ROWID;"
    "CREATE INDEX blob_by_id ON blob(id);"
    "INSERT INTO stray SELECT l.blob_id, l.repository_id, b.touched_ms FROM repository_blob l "
    " JOIN blob b ON b.id = l.blob_id WHERE NOT EXISTS (SELECT 1 FROM image_blob i"
    " WHERE i.blob_id = l.blob_id AND i.repository_id = l.repository_id);"
    "CREATE TABLE content_2(id INTEGER PRIMARY KEY, digest BLOB NOT NULL, data BLOB);"
    "INSERT INTO content_2 SELECT c.id, b.digest, c.data FROM content c JOIN blob b ON b.id = c.id;"
    "DROP TABLE content;"
    "ALTER TABLE content_2 RENAME TO content;"
    "DROP INDEX blob_by_id;"
    "ALTER TABLE blob DROP COLUMN touched_ms;";

static const char lifecycle[] =
    "CREATE TABLE orphan("
    " repository_id INTEGER NOT NULL, digest BLOB NOT NULL,"
    " PRIMARY KEY(repository_id, digest)) WITHOUT ROWID;"
    "CREATE INDEX document_lifecycle ON document(account, region, name) WHERE kind = 2;"
    "CREATE TABLE preview("
    " repository_id INTEGER PRIMARY KEY, set_id INTEGER NOT NULL, status INTEGER NOT NULL,"
    " policy TEXT NOT NULL, done_ms INTEGER NOT NULL DEFAULT 0,"
    " expiring INTEGER NOT NULL DEFAULT 0, transitioning INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX preview_running ON preview(status) WHERE status = 0;"
    "CREATE INDEX preview_done ON preview(done_ms) WHERE status = 1;"
    "CREATE TABLE preview_set(id INTEGER PRIMARY KEY AUTOINCREMENT, dead INTEGER NOT NULL);"
    "CREATE INDEX preview_set_dead ON preview_set(dead) WHERE dead = 1;"
    "CREATE TABLE preview_item("
    " set_id INTEGER NOT NULL, tagged INTEGER NOT NULL, at INTEGER NOT NULL, digest BLOB NOT NULL,"
    " tag_count INTEGER NOT NULL, tags BLOB NOT NULL, pushed_ms INTEGER NOT NULL,"
    " archived INTEGER NOT NULL, action INTEGER NOT NULL, priority INTEGER NOT NULL,"
    " PRIMARY KEY(set_id, tagged, at)) WITHOUT ROWID;"
    "CREATE INDEX preview_item_digest ON preview_item(set_id, digest);";

/* A subject's referrers of one artifact type, in a place (image_rows.h), by digest. */
static const char referrers[] =
    "CREATE INDEX image_artifact ON image(repository_id, subject, artifact_type, tagged, digest) "
    "WHERE subject IS NOT NULL;";

/* Entry n brings version n to n + 1; entries are only ever added. */
static const char *const migrations[] = {
    first,
    strays,
    lifecycle,
    referrers,
};

int schema_version(void)
{
	return (int)(sizeof(migrations) / sizeof(migrations[0]));
}

static int read_version(struct db *db)
{
	sqlite3_stmt *q = NULL;
	int version = -1;
	if (sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &q, NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		version = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	return version;
}

static bool migrate_one(struct db *db, int from)
{
	char set[64];
	snprintf(set, sizeof(set), "PRAGMA user_version=%d", from + 1);
	bool done = sqlite3_exec(db->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db->handle, migrations[from], NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db->handle, set, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
	if (!done && !sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	return done;
}

static bool say_newer(int version, struct err *err)
{
	snprintf(err->text, sizeof(err->text),
	    "it was written by a newer drydock (schema %d, this one knows %d): use that "
	    "version, or choose another folder with --data",
	    version, schema_version());
	return false;
}

bool schema_is_current(struct db *db, struct err *err)
{
	int version = read_version(db);
	if (version > schema_version())
		return say_newer(version, err);
	if (version < 0)
		snprintf(
		    err->text, sizeof(err->text), "its database cannot be read: %s", db_cause(db));
	else if (version < schema_version())
		snprintf(err->text, sizeof(err->text),
		    "it was written by an older drydock (schema %d, this one knows %d): let drydock "
		    "serve migrate it once",
		    version, schema_version());
	return version == schema_version();
}

bool schema_migrate(struct db *db, struct err *err)
{
	int version = read_version(db);
	if (version > schema_version())
		return say_newer(version, err);
	for (; version >= 0 && version < schema_version(); version++) {
		if (!migrate_one(db, version)) {
			version = -1;
			break;
		}
	}
	sqlite3_db_release_memory(db->handle); /* of pages that are not needed again */
	if (version < 0)
		snprintf(
		    err->text, sizeof(err->text), "its database cannot be used: %s", db_cause(db));
	return version >= 0;
}
