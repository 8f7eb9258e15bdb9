/*
 * Every statement storage runs, one entry each: DB_STATEMENTS(X) expands X(NAME, "SQL").
 *
 * A connection prepares a statement the first time it is used and keeps it. A unit test walks this table
 * and asks the planner about each: none may scan a table or sort in a temporary tree.
 */
#ifndef DRYDOCK_STORAGE_SQL_H
#define DRYDOCK_STORAGE_SQL_H

#define SQL_OF_REPOSITORY                                                                          \
	"SELECT id, account, region, name, created_ms, mutability, filters, scan_on_push, "        \
	"encryption_type, kms_key, image_count FROM repository "
#define SQL_KEYED "WHERE account = ?1 AND region = ?2 AND name = ?3"
#define SQL_OF_DOCUMENT "SELECT name, text, created_ms, updated_ms, evaluated_ms FROM document "
#define SQL_OF_KIND "WHERE account = ?1 AND region = ?2 AND kind = ?3 "
#define SQL_OF_IMAGE                                                                                \
	"SELECT i.id, i.digest, i.tagged, i.media_type, i.artifact_type, i.size_bytes, "            \
	"i.pushed_ms, i.pulled_ms, i.subject, i.tag_count, i.tags, i.archived_ms, i.activated_ms, " \
	"i.scanned_ms FROM "
#define SQL_ALL_PLACES "tagged IN (0, 1, 2, 3, 4, 5)" /* see image_rows.h */
#define SQL_OF_MANIFEST "SELECT i.id, i.digest, i.media_type, i.pulled_ms, i.manifest_size, r.id"
#define SQL_OF_REFERRER                                                                            \
	"SELECT i.digest, i.media_type, i.artifact_type, i.manifest_size, m.bytes, i.status "      \
	"FROM image i CROSS JOIN manifest m ON m.id = i.id WHERE i.repository_id = ?1 AND "        \
	"i.subject = ?2 AND i.digest > ?3 AND i.tagged = "
#define SQL_OF_PREVIEW_ITEM                                                                        \
	"SELECT at, digest, tag_count, tags, pushed_ms, archived, action, priority "               \
	"FROM preview_item WHERE set_id = ?1 AND "

#define DB_STATEMENTS(X)                                                                                      \
	/* transactions */                                                                                    \
	X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                                                     \
	X(BEGIN_READ, "BEGIN")                                                                                \
	X(COMMIT, "COMMIT")                                                                                   \
	X(ROLLBACK, "ROLLBACK")                                                                               \
	X(SAVEPOINT, "SAVEPOINT job")                                                                         \
	X(SAVEPOINT_BACK, "ROLLBACK TO job")                                                                  \
	X(SAVEPOINT_RELEASE, "RELEASE job")                                                                   \
	X(COPY_SAVEPOINT, "SAVEPOINT copy")                                                                   \
	X(COPY_BACK, "ROLLBACK TO copy")                                                                      \
	X(COPY_RELEASE, "RELEASE copy")                                                                       \
	/* meta */                                                                                            \
	X(META_GET, "SELECT value FROM meta WHERE key = ?1")                                                  \
	X(META_PUT, "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)")                                 \
	X(META_DROP, "DELETE FROM meta WHERE key = ?1")                                                       \
	/* repositories */                                                                                    \
	X(REPOSITORY_ID, "SELECT id FROM repository " SQL_KEYED)                                              \
	X(REPOSITORY_FIND, SQL_OF_REPOSITORY SQL_KEYED)                                                       \
	X(REPOSITORY_BY_ID, SQL_OF_REPOSITORY "WHERE id = ?1")                                                \
	X(REPOSITORY_LIST,                                                                                    \
	    SQL_OF_REPOSITORY "WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name")               \
	X(REPOSITORY_ALIVE, "SELECT 1 FROM repository WHERE id = ?1 AND account <> ''")                       \
	X(REPOSITORY_ADD,                                                                                     \
	    "INSERT INTO repository(account, region, name, created_ms, mutability, filters, "                 \
	    "scan_on_push, encryption_type, kms_key) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")             \
	X(REPOSITORY_COUNT, "UPDATE repository SET image_count = image_count + ?2 WHERE id = ?1")             \
	X(REPOSITORY_DOOM,                                                                                    \
	    "UPDATE repository SET account = '', region = '', name = CAST(id AS TEXT) "                       \
	    "WHERE id = ?1")                                                                                  \
	X(REPOSITORY_DOOMED, "SELECT id FROM repository WHERE account = '' LIMIT 1")                          \
	X(REPOSITORY_DROP, "DELETE FROM repository WHERE id = ?1")                                            \
	X(REPOSITORY_MUTABILITY, "UPDATE repository SET mutability = ?4, filters = ?5 " SQL_KEYED)            \
	X(REPOSITORY_SCANNING, "UPDATE repository SET scan_on_push = ?4 " SQL_KEYED)                          \
	X(REGISTRY_COUNTED,                                                                                   \
	    "SELECT repositories FROM registry WHERE account = ?1 AND region = ?2")                           \
	X(REGISTRY_COUNT,                                                                                     \
	    "INSERT INTO registry(account, region, repositories) VALUES(?1, ?2, ?3) "                         \
	    "ON CONFLICT DO UPDATE SET repositories = repositories + ?3 RETURNING repositories")              \
	X(RESOURCE_TAG_PUT,                                                                                   \
	    "INSERT OR REPLACE INTO resource_tag(repository_id, key, value) VALUES(?1, ?2, ?3)")              \
	X(RESOURCE_TAG_LIST,                                                                                  \
	    "SELECT key, value FROM resource_tag WHERE repository_id = ?1 "                                   \
	    "ORDER BY key")                                                                                   \
	X(RESOURCE_TAG_DROP, "DELETE FROM resource_tag WHERE repository_id = ?1")                             \
	X(RESOURCE_TAG_DROP_ONE, "DELETE FROM resource_tag WHERE repository_id = ?1 AND key = ?2")            \
	X(RESOURCE_TAG_COUNT, "SELECT count(*) FROM resource_tag WHERE repository_id = ?1")                   \
	/* documents */                                                                                       \
	X(DOCUMENT_GET, SQL_OF_DOCUMENT SQL_OF_KIND "AND name = ?4")                                          \
	X(DOCUMENT_LIST, SQL_OF_DOCUMENT SQL_OF_KIND "AND name > ?4 ORDER BY name")                           \
	X(DOCUMENT_COUNT, "SELECT count(*) FROM (SELECT 1 FROM document " SQL_OF_KIND "LIMIT ?4)")            \
	X(DOCUMENT_PUT,                                                                                       \
	    "INSERT OR REPLACE INTO document(account, region, kind, name, text, "                             \
	    "created_ms, updated_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                     \
	X(DOCUMENT_DROP, "DELETE FROM document " SQL_OF_KIND "AND name = ?4")                                 \
	/* blobs */                                                                                           \
	X(BLOB_STAT,                                                                                          \
	    "SELECT b.id, b.size, s.touched_ms FROM repository r CROSS JOIN blob b "                          \
	    "CROSS JOIN repository_blob l ON l.blob_id = b.id AND l.repository_id = r.id "                    \
	    "LEFT JOIN stray s ON s.blob_id = b.id AND s.repository_id = r.id "                               \
	    "WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3 AND b.digest = ?4")                       \
	X(BLOB_OPEN,                                                                                          \
	    "SELECT b.id, b.size, c.data FROM repository r CROSS JOIN blob b "                                \
	    "CROSS JOIN repository_blob l ON l.blob_id = b.id AND l.repository_id = r.id "                    \
	    "CROSS JOIN content c ON c.id = b.id "                                                            \
	    "WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3 AND b.digest = ?4")                       \
	X(CONTENT_INLINE, "SELECT 1 FROM content WHERE id = ?1 AND data IS NOT NULL")                         \
	X(BLOB_LINKED,                                                                                        \
	    "SELECT b.id, b.synced, b.size FROM blob b CROSS JOIN repository_blob l "                         \
	    "ON l.blob_id = b.id AND l.repository_id = ?2 WHERE b.digest = ?1")                               \
	X(BLOB_FIND, "SELECT id, size, synced FROM blob WHERE digest = ?1")                                   \
	X(BLOB_ADD, "INSERT INTO blob(digest, id, size, synced) VALUES(?1, ?2, ?3, ?4)")                      \
	X(BLOB_SYNCED, "UPDATE blob SET synced = 1 WHERE digest = ?1")                                        \
	X(BLOB_HELD,                                                                                          \
	    "SELECT 1 FROM blob b CROSS JOIN image_blob i ON i.blob_id = b.id WHERE b.digest = ?1 LIMIT 1")   \
	X(BLOB_UNSYNC, "UPDATE blob SET synced = 0 WHERE digest = ?1")                                        \
	X(BLOB_UNSYNCED,                                                                                      \
	    "SELECT digest, size FROM blob WHERE synced = 0 AND digest > ?1 ORDER BY digest")                 \
	X(BLOB_SOME, "SELECT 1 FROM blob WHERE digest > x'' LIMIT 1")                                         \
	X(BLOB_DROP, "DELETE FROM blob WHERE digest = ?1")                                                    \
	X(BLOB_LINK,                                                                                          \
	    "INSERT OR IGNORE INTO repository_blob(blob_id, repository_id) "                                  \
	    "VALUES(?1, ?2)")                                                                                 \
	X(BLOB_UNLINK_ALL, "DELETE FROM repository_blob WHERE blob_id = ?1")                                  \
	X(BLOB_UNLINK_FROM,                                                                                   \
	    "DELETE FROM repository_blob WHERE blob_id = ?1 AND repository_id = ?2")                          \
	X(BLOB_UNLINK,                                                                                        \
	    "DELETE FROM repository_blob WHERE repository_id = ?2 AND blob_id = "                             \
	    "(SELECT id FROM blob WHERE digest = ?1)")                                                        \
	X(BLOB_ANYWHERE,                                                                                      \
	    "SELECT b.id, b.size FROM blob b CROSS JOIN repository_blob l ON l.blob_id = b.id "               \
	    "CROSS JOIN repository r ON r.id = l.repository_id "                                              \
	    "WHERE b.digest = ?3 AND r.account = ?1 AND r.region = ?2 LIMIT 1")                               \
	X(BLOB_OF_IMAGE,                                                                                      \
	    "SELECT b.id, b.size FROM repository r CROSS JOIN blob b CROSS JOIN image_blob i "                \
	    "ON i.blob_id = b.id AND i.repository_id = r.id CROSS JOIN repository d ON d.id = ?5 "            \
	    "WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3 AND b.digest = ?4 AND "                   \
	    "d.encryption_type = r.encryption_type AND d.kms_key IS r.kms_key LIMIT 1")                       \
	X(LAYER_USES,                                                                                         \
	    "SELECT EXISTS(SELECT 1 FROM archive a WHERE a.image_id = i.image_id) "                           \
	    "FROM image_blob i WHERE i.blob_id = ?1 AND i.repository_id = ?2")                                \
	X(CONTENT_ADD, "INSERT INTO content(digest, data) VALUES(?1, ?2)")                                    \
	X(CONTENT_READ, "SELECT data FROM content WHERE id = ?1")                                             \
	X(CONTENT_DROP, "DELETE FROM content WHERE id = ?1")                                                  \
	/* what no image holds */                                                                             \
	X(STRAY_NOTE,                                                                                         \
	    "INSERT OR REPLACE INTO stray(blob_id, repository_id, touched_ms) SELECT ?1, ?2, ?3 "             \
	    "WHERE NOT EXISTS (SELECT 1 FROM image_blob WHERE blob_id = ?1 AND repository_id = ?2)")          \
	X(STRAY_DROP, "DELETE FROM stray WHERE blob_id = ?1 AND repository_id = ?2")                          \
	X(STRAY_DROP_ALL, "DELETE FROM stray WHERE blob_id = ?1")                                             \
	X(STRAY_RENEW,                                                                                        \
	    "UPDATE stray SET touched_ms = ?5 WHERE repository_id = (SELECT id FROM repository " SQL_KEYED    \
	    ") AND blob_id = (SELECT id FROM blob WHERE digest = ?4)")                                        \
	X(STRAY_TOUCH,                                                                                        \
	    "UPDATE stray SET touched_ms = ?3 WHERE blob_id = ?1 AND repository_id = ?2")                     \
	X(STRAY_PAGE,                                                                                         \
	    "SELECT blob_id, repository_id, touched_ms FROM stray "                                           \
	    "WHERE (blob_id, repository_id) > (?1, ?2) ORDER BY blob_id, repository_id")                      \
	X(STRAY_GET, "SELECT touched_ms FROM stray WHERE blob_id = ?1 AND repository_id = ?2")                \
	X(STRAY_HELD,                                                                                         \
	    "SELECT EXISTS(SELECT 1 FROM image_blob WHERE blob_id = ?1 AND repository_id = ?2), "             \
	    "EXISTS(SELECT 1 FROM image_blob WHERE blob_id = ?1), "                                           \
	    "EXISTS(SELECT 1 FROM repository_blob WHERE blob_id = ?1 AND repository_id <> ?2)")               \
	X(STRAY_CONTENT,                                                                                      \
	    "SELECT c.digest, b.size, b.synced, c.data IS NULL FROM content c "                               \
	    "CROSS JOIN blob b ON b.digest = c.digest WHERE c.id = ?1")                                       \
	/* images */                                                                                          \
	X(IMAGE_BY_DIGEST,                                                                                    \
	    SQL_OF_IMAGE "image i WHERE i.repository_id = ?1 AND i." SQL_ALL_PLACES                           \
			 " AND i.digest = ?2")                                                                \
	X(IMAGE_BY_TAG,                                                                                       \
	    SQL_OF_IMAGE                                                                                      \
	    "tag t CROSS JOIN image i ON i.repository_id = ?1 AND i.tagged IN (1, 3, 5) AND "                 \
	    "i.digest = t.digest WHERE t.repository_id = ?1 AND t.name = ?2")                                 \
	X(IMAGE_LIST,                                                                                         \
	    SQL_OF_IMAGE "image i WHERE i.repository_id = ?1 AND i.tagged = ?2 "                              \
			 "AND i.digest >= ?3 ORDER BY i.digest")                                              \
	X(IMAGE_LIST_ANY,                                                                                     \
	    SQL_OF_IMAGE                                                                                      \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = 0 AND i.digest >= ?2 UNION ALL " SQL_OF_IMAGE  \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = 1 AND i.digest >= ?2 ORDER BY 2")              \
	X(IMAGE_LIST_ALL,                                                                                     \
	    SQL_OF_IMAGE                                                                                      \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = ?3 AND i.digest >= ?2 UNION ALL " SQL_OF_IMAGE \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = ?4 AND i.digest >= ?2 UNION ALL " SQL_OF_IMAGE \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = ?5 AND i.digest >= ?2 UNION ALL " SQL_OF_IMAGE \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = ?6 AND i.digest >= ?2 UNION ALL " SQL_OF_IMAGE \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = ?7 AND i.digest >= ?2 UNION ALL " SQL_OF_IMAGE \
	    "image i WHERE i.repository_id = ?1 AND i.tagged = ?8 AND i.digest >= ?2 ORDER BY 2")             \
	X(IMAGE_EACH,                                                                                         \
	    "SELECT id, digest, tagged, pushed_ms, pulled_ms, archived_ms, activated_ms, subject, tags "      \
	    "FROM image WHERE repository_id = ?1")                                                            \
	X(IMAGE_SIZE,                                                                                         \
	    "SELECT size_bytes FROM image WHERE repository_id = ?1 AND " SQL_ALL_PLACES                       \
	    " AND digest = ?2")                                                                               \
	X(IMAGE_PULLABLE,                                                                                     \
	    "SELECT 1 FROM image WHERE repository_id = ?1 AND tagged IN (0, 1) AND digest = ?2")              \
	X(IMAGE_ADD,                                                                                          \
	    "INSERT INTO image(repository_id, tagged, digest, id, media_type, artifact_type, "                \
	    "manifest_size, size_bytes, pushed_ms, subject, tag_count, tags) "                                \
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")                                      \
	X(IMAGE_TAGS,                                                                                         \
	    "UPDATE image SET tagged = ?4, tag_count = ?5, tags = ?6 "                                        \
	    "WHERE repository_id = ?1 AND tagged = ?2 AND digest = ?3")                                       \
	X(IMAGE_PULLED,                                                                                       \
	    "UPDATE image SET pulled_ms = ?3 WHERE repository_id = ?1 AND "                                   \
	    "tagged IN (0, 1) AND digest = ?2 AND pulled_ms <= ?4")                                           \
	X(IMAGE_DROP,                                                                                         \
	    "DELETE FROM image WHERE repository_id = ?1 AND tagged = ?2 AND "                                 \
	    "digest = ?3")                                                                                    \
	X(IMAGE_SOME,                                                                                         \
	    "SELECT digest, id, tagged FROM image WHERE repository_id = ?1 AND " SQL_ALL_PLACES               \
	    " LIMIT ?2")                                                                                      \
	X(IMAGE_MOVE,                                                                                         \
	    "UPDATE image SET tagged = ?4, status = ?5, archived_ms = "                                       \
	    "ifnull(?6, archived_ms), activated_ms = ifnull(?7, activated_ms) "                               \
	    "WHERE repository_id = ?1 AND tagged = ?2 AND digest = ?3")                                       \
	X(IMAGE_SCANNED,                                                                                      \
	    "UPDATE image SET scanned_ms = ?4 WHERE repository_id = ?1 AND "                                  \
	    "tagged = ?2 AND digest = ?3")                                                                    \
	X(IMAGE_REFERRERS, "SELECT digest FROM image WHERE repository_id = ?1 AND subject = ?2")              \
	X(ARCHIVE_PUT,                                                                                        \
	    "INSERT OR REPLACE INTO archive(image_id, repository_id, digest, due_ms) "                        \
	    "VALUES(?1, ?2, ?3, ?4)")                                                                         \
	X(ARCHIVE_DROP, "DELETE FROM archive WHERE image_id = ?1")                                            \
	X(ARCHIVE_DUE,                                                                                        \
	    "SELECT repository_id, digest, due_ms FROM archive WHERE due_ms > 0 AND "                         \
	    "due_ms <= ?1 ORDER BY due_ms LIMIT ?2")                                                          \
	X(REFERRER_LIST, SQL_OF_REFERRER "?4 UNION ALL " SQL_OF_REFERRER "?5 ORDER BY 1")                     \
	X(REFERRER_LIST_ALL,                                                                                  \
	    SQL_OF_REFERRER "0 UNION ALL " SQL_OF_REFERRER "1 UNION ALL " SQL_OF_REFERRER                     \
			    "2 UNION ALL " SQL_OF_REFERRER "3 UNION ALL " SQL_OF_REFERRER                     \
			    "4 UNION ALL " SQL_OF_REFERRER "5 ORDER BY 1")                                    \
	X(REFERRER_OF_TYPE,                                                                                   \
	    "SELECT digest FROM image INDEXED BY image_artifact WHERE repository_id = ?1 AND subject = ?2 "   \
	    "AND artifact_type = ?3 AND tagged = ?4 AND digest > ?5 ORDER BY digest LIMIT ?6")                \
	X(REFERRER_AT,                                                                                        \
	    "SELECT i.digest, i.media_type, i.artifact_type, i.manifest_size, m.bytes, i.status "             \
	    "FROM image i CROSS JOIN manifest m ON m.id = i.id WHERE i.repository_id = ?1 AND "               \
	    "i.tagged = ?2 AND i.digest = ?3")                                                                \
	X(MANIFEST_ADD, "INSERT INTO manifest(blobs, bytes) VALUES(?1, ?2)")                                  \
	X(MANIFEST_BLOBS, "SELECT blobs FROM manifest WHERE id = ?1")                                         \
	X(MANIFEST_WHOLE, "SELECT blobs, bytes FROM manifest WHERE id = ?1")                                  \
	X(REPLICATION_PUT,                                                                                    \
	    "INSERT OR REPLACE INTO replication(image_id, region, account, "                                  \
	    "failure) VALUES(?1, ?2, ?3, ?4)")                                                                \
	X(REPLICATION_LIST,                                                                                   \
	    "SELECT region, account, failure FROM replication "                                               \
	    "WHERE image_id = ?1 ORDER BY region, account")                                                   \
	X(REPLICATION_DROP, "DELETE FROM replication WHERE image_id = ?1")                                    \
	X(MANIFEST_SET_BLOBS, "UPDATE manifest SET blobs = ?2 WHERE id = ?1")                                 \
	X(MANIFEST_DROP, "DELETE FROM manifest WHERE id = ?1")                                                \
	X(MANIFEST_READ_TAG,                                                                                  \
	    SQL_OF_MANIFEST                                                                                   \
	    ", m.bytes "                                                                                      \
	    "FROM repository r CROSS JOIN tag t ON t.repository_id = r.id AND t.name = ?4 "                   \
	    "CROSS JOIN image i ON i.repository_id = r.id AND i.tagged = 1 AND "                              \
	    "i.digest = t.digest AND i.status = 0 CROSS JOIN manifest m ON m.id = i.id "                      \
	    "WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3")                                         \
	X(MANIFEST_READ_DIGEST,                                                                               \
	    SQL_OF_MANIFEST ", m.bytes "                                                                      \
			    "FROM repository r CROSS JOIN image i ON i.repository_id = r.id AND "             \
			    "i.tagged IN (0, 1) AND i.digest = ?4 AND i.status = 0 "                          \
			    "CROSS JOIN manifest m ON m.id = i.id "                                           \
			    "WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3")                         \
	X(MANIFEST_STAT_TAG,                                                                                  \
	    SQL_OF_MANIFEST                                                                                   \
	    " FROM repository r CROSS JOIN tag t ON t.repository_id = r.id AND t.name = ?4 "                  \
	    "CROSS JOIN image i ON i.repository_id = r.id AND i.tagged = 1 AND "                              \
	    "i.digest = t.digest AND i.status = 0 "                                                           \
	    "WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3")                                         \
	X(MANIFEST_STAT_DIGEST,                                                                               \
	    SQL_OF_MANIFEST " FROM repository r CROSS JOIN image i ON i.repository_id = r.id AND "            \
			    "i.tagged IN (0, 1) AND i.digest = ?4 AND i.status = 0 "                          \
			    "WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3")                         \
	/* checking: check.h */                                                                               \
	X(CHECK_BLOB_NEXT,                                                                                    \
	    "SELECT b.digest, b.id, b.size, c.id IS NOT NULL, c.digest, c.data FROM blob b "                  \
	    "LEFT JOIN content c ON c.id = b.id WHERE b.digest > ?1 ORDER BY b.digest LIMIT 1")               \
	X(CHECK_BLOB_IN_FILE,                                                                                 \
	    "SELECT c.data IS NULL FROM blob b LEFT JOIN content c ON c.id = b.id WHERE b.digest = ?1")       \
	X(CHECK_BLOB_LET_GO, "DELETE FROM image_blob WHERE blob_id = ?1")                                     \
	X(CHECK_IMAGE_NEXT,                                                                                   \
	    "SELECT i.repository_id, i.tagged, i.digest, i.id, i.media_type, i.artifact_type, "               \
	    "i.manifest_size, i.size_bytes, i.subject, i.status, i.tag_count, i.tags, m.blobs, m.bytes, "     \
	    "r.account, r.region, r.name FROM image i LEFT JOIN manifest m ON m.id = i.id "                   \
	    "LEFT JOIN repository r ON r.id = i.repository_id "                                               \
	    "WHERE (i.repository_id, i.tagged, i.digest) > (?1, ?2, ?3) "                                     \
	    "ORDER BY i.repository_id, i.tagged, i.digest LIMIT 1")                                           \
	X(CHECK_IMAGE_SET,                                                                                    \
	    "UPDATE image SET media_type = ?4, artifact_type = ?5, manifest_size = ?6, size_bytes = ?7, "     \
	    "subject = ?8, status = ?9 WHERE repository_id = ?1 AND tagged = ?2 AND digest = ?3")             \
	X(CHECK_IMAGE_BLOB,                                                                                   \
	    "SELECT 1 FROM image_blob WHERE blob_id = ?1 AND repository_id = ?2 AND image_id = ?3")           \
	X(CHECK_IMAGE_BLOB_NEXT,                                                                              \
	    "SELECT h.blob_id, h.repository_id, h.image_id, m.blobs FROM image_blob h "                       \
	    "LEFT JOIN manifest m ON m.id = h.image_id "                                                      \
	    "WHERE (h.blob_id, h.repository_id, h.image_id) > (?1, ?2, ?3) "                                  \
	    "ORDER BY h.blob_id, h.repository_id, h.image_id LIMIT 1")                                        \
	X(CHECK_CHILD,                                                                                        \
	    "SELECT 1 FROM image_child WHERE repository_id = ?1 AND child = ?2 AND parent = ?3")              \
	X(CHECK_CHILD_COUNT,                                                                                  \
	    "SELECT count(*) FROM image_child WHERE repository_id = ?1 AND parent = ?2")                      \
	X(CHECK_ARCHIVED, "SELECT 1 FROM archive WHERE image_id = ?1")                                        \
	X(CHECK_TAGS_OF,                                                                                      \
	    "SELECT name FROM tag WHERE repository_id = ?1 AND digest = ?2 ORDER BY name")                    \
	X(CHECK_TAGS_DROP, "DELETE FROM tag WHERE repository_id = ?1 AND digest = ?2")                        \
	X(CHECK_TAG_ADD,                                                                                      \
	    "INSERT OR IGNORE INTO tag(repository_id, name, digest) VALUES(?1, ?2, ?3)")                      \
	/* tags */                                                                                            \
	X(TAG_FIND, "SELECT digest FROM tag WHERE repository_id = ?1 AND name = ?2")                          \
	X(TAG_PUT, "INSERT OR REPLACE INTO tag(repository_id, name, digest) VALUES(?1, ?2, ?3)")              \
	X(TAG_DROP, "DELETE FROM tag WHERE repository_id = ?1 AND name = ?2")                                 \
	X(TAG_DROP_SOME,                                                                                      \
	    "DELETE FROM tag WHERE repository_id = ?1 AND name IN "                                           \
	    "(SELECT name FROM tag WHERE repository_id = ?1 LIMIT ?2)")                                       \
	X(TAG_LIST, "SELECT name FROM tag WHERE repository_id = ?1 AND name > ?2 ORDER BY name")              \
	/* what images refer to */                                                                            \
	X(IMAGE_BLOB_ADD,                                                                                     \
	    "INSERT OR IGNORE INTO image_blob(blob_id, repository_id, image_id) "                             \
	    "VALUES(?1, ?2, ?3)")                                                                             \
	X(IMAGE_BLOB_DROP,                                                                                    \
	    "DELETE FROM image_blob WHERE blob_id = ?1 AND repository_id = ?2 "                               \
	    "AND image_id = ?3")                                                                              \
	X(CHILD_ADD,                                                                                          \
	    "INSERT OR IGNORE INTO image_child(repository_id, child, parent) VALUES(?1, ?2, ?3)")             \
	X(CHILD_EACH, "SELECT parent, child FROM image_child WHERE repository_id = ?1")                       \
	X(CHILD_PARENTS,                                                                                      \
	    "SELECT parent FROM image_child WHERE repository_id = ?1 AND "                                    \
	    "child = ?2 ORDER BY parent")                                                                     \
	X(CHILD_DROP, "DELETE FROM image_child WHERE repository_id = ?1 AND parent = ?2")                     \
	/* lifecycle */                                                                                       \
	X(ORPHAN_NOTE,                                                                                        \
	    "INSERT OR IGNORE INTO orphan(repository_id, digest) SELECT repository_id, digest FROM image "    \
	    "WHERE repository_id = ?1 AND subject = ?2")                                                      \
	X(ORPHAN_DROP, "DELETE FROM orphan WHERE repository_id = ?1 AND digest = ?2")                         \
	X(ORPHAN_DROP_ALL, "DELETE FROM orphan WHERE repository_id = ?1")                                     \
	X(ORPHAN_FIND, "SELECT 1 FROM orphan WHERE repository_id = ?1 AND digest = ?2")                       \
	X(ORPHAN_LIST,                                                                                        \
	    "SELECT digest FROM orphan WHERE repository_id = ?1 AND digest > ?2 ORDER BY digest")             \
	X(ORPHAN_REPOSITORY,                                                                                  \
	    "SELECT repository_id FROM orphan WHERE repository_id > ?1 ORDER BY repository_id LIMIT 1")       \
	X(POLICY_NEXT,                                                                                        \
	    "SELECT account, region, name FROM document WHERE kind = 2 AND (account, region, name) > "        \
	    "(?1, ?2, ?3) ORDER BY account, region, name LIMIT 1")                                            \
	X(POLICY_EVALUATED,                                                                                   \
	    "UPDATE document SET evaluated_ms = ?6 " SQL_OF_KIND "AND name = ?4 AND text = ?5")               \
	X(PREVIEW_FIND,                                                                                       \
	    "SELECT set_id, status, policy, done_ms, expiring, transitioning FROM preview "                   \
	    "WHERE repository_id = ?1")                                                                       \
	X(PREVIEW_PUT,                                                                                        \
	    "INSERT OR REPLACE INTO preview(repository_id, set_id, status, policy) "                          \
	    "VALUES(?1, ?2, 0, ?3)")                                                                          \
	X(PREVIEW_END,                                                                                        \
	    "UPDATE preview SET status = ?3, done_ms = ?4, expiring = ?5, transitioning = ?6 "                \
	    "WHERE repository_id = ?1 AND set_id = ?2 AND status = 0")                                        \
	X(PREVIEW_EXPIRE,                                                                                     \
	    "UPDATE preview SET status = 3 WHERE repository_id = ?1 AND set_id = ?2 AND status = 1")          \
	X(PREVIEW_DUE,                                                                                        \
	    "SELECT repository_id, set_id FROM preview WHERE status = 1 AND done_ms <= ?1 "                   \
	    "ORDER BY done_ms LIMIT 1")                                                                       \
	X(PREVIEW_CUT_OFF, "UPDATE preview SET status = 2 WHERE status = 0")                                  \
	X(PREVIEW_DROP, "DELETE FROM preview WHERE repository_id = ?1")                                       \
	X(PREVIEW_SET_ADD, "INSERT INTO preview_set(dead) VALUES(0)")                                         \
	X(PREVIEW_SET_DEAD,                                                                                   \
	    "UPDATE preview_set SET dead = 1 WHERE id = "                                                     \
	    "(SELECT set_id FROM preview WHERE repository_id = ?1)")                                          \
	X(PREVIEW_SET_LIVES, "SELECT 1 FROM preview_set WHERE id = ?1 AND dead = 0")                          \
	X(PREVIEW_SET_DOOMED, "SELECT id FROM preview_set WHERE dead = 1 LIMIT 1")                            \
	X(PREVIEW_SET_DROP, "DELETE FROM preview_set WHERE id = ?1")                                          \
	X(PREVIEW_ITEM_ADD,                                                                                   \
	    "INSERT INTO preview_item(set_id, tagged, at, digest, tag_count, tags, pushed_ms, archived, "     \
	    "action, priority) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                              \
	X(PREVIEW_ITEM_LIST, SQL_OF_PREVIEW_ITEM "tagged = ?2 AND at > ?3 ORDER BY at")                       \
	X(PREVIEW_ITEM_LIST_ANY,                                                                              \
	    SQL_OF_PREVIEW_ITEM "tagged = 0 AND at > ?2 UNION ALL " SQL_OF_PREVIEW_ITEM                       \
				"tagged = 1 AND at > ?2 ORDER BY 1")                                          \
	X(PREVIEW_ITEM_FIND, SQL_OF_PREVIEW_ITEM "digest = ?2")                                               \
	X(PREVIEW_ITEM_DROP_SOME,                                                                             \
	    "DELETE FROM preview_item WHERE set_id = ?1 AND (tagged, at) IN "                                 \
	    "(SELECT tagged, at FROM preview_item WHERE set_id = ?1 LIMIT ?2)")

#endif
