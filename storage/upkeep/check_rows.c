/* Rows that speak of what is not there, and counts: whole tables at a time. */
#include "storage/upkeep/check_internal.h"

/* One thing that must not be: rows answers one row for each, with what it is called; mend undoes them all. */
struct rule {
	enum check_kind_index kind;
	const char *words; /* completes what the row is called */
	const char *rows;
	const char *mend; /* ?1: now */
};

#define NO_IMAGE(id) "NOT EXISTS (SELECT 1 FROM manifest m WHERE m.id = " id ")"
#define IMAGE_COUNT "(SELECT count(*) FROM image i WHERE i.repository_id = repository.id)"
#define HELD_HERE                                                                                  \
	"EXISTS (SELECT 1 FROM image_blob h WHERE h.blob_id = stray.blob_id AND "                  \
	"h.repository_id = stray.repository_id)"

/* Being deleted: its rows go a few at a time. */
#define LIVING                                                                                     \
	"EXISTS (SELECT 1 FROM repository r WHERE r.id = tag.repository_id AND r.account <> '')"
#define UNTAGGED                                                                                   \
	"NOT EXISTS (SELECT 1 FROM image i WHERE i.repository_id = tag.repository_id AND "         \
	"i.tagged IN (0, 1, 2, 3, 4, 5) AND i.digest = tag.digest)"
#define NO_CONTENT(id) "NOT EXISTS (SELECT 1 FROM content c WHERE c.id = " id ")"
#define STRAYS                                                                                     \
	"FROM repository_blob l WHERE NOT EXISTS (SELECT 1 FROM image_blob i WHERE i.blob_id = "   \
	"l.blob_id AND i.repository_id = l.repository_id) AND NOT EXISTS (SELECT 1 FROM stray s "  \
	"WHERE s.blob_id = l.blob_id AND s.repository_id = l.repository_id)"
#define UNSEEN                                                                                     \
	"FROM blob b WHERE NOT EXISTS (SELECT 1 FROM repository_blob l WHERE l.blob_id = b.id) "   \
	"AND NOT EXISTS (SELECT 1 FROM image_blob i WHERE i.blob_id = b.id) "                      \
	"AND NOT EXISTS (SELECT 1 FROM stray s WHERE s.blob_id = b.id)"
#define REGISTRIES                                                                                 \
	"(SELECT account, region, count(*) AS n FROM repository WHERE account <> '' "              \
	"GROUP BY account, region)"

static const struct rule rules[] = {
    {CHECK_TAG_WRONG, "a tag of an image that is not there",
	"SELECT 'tag ' || name FROM tag WHERE " UNTAGGED " AND " LIVING,
	"DELETE FROM tag WHERE " UNTAGGED " AND " LIVING},
    {CHECK_ROW_LEFT_OVER, "belongs to no image",
	"SELECT 'manifest ' || id FROM manifest WHERE id NOT IN (SELECT id FROM image)",
	"DELETE FROM manifest WHERE id NOT IN (SELECT id FROM image)"},
    {CHECK_ROW_LEFT_OVER, "is a child of an index that is not there",
	"SELECT 'an image' FROM image_child c WHERE NOT EXISTS (SELECT 1 FROM image i WHERE "
	"i.repository_id = c.repository_id AND i.tagged IN (0, 1, 2, 3, 4, 5) AND i.digest = c.parent)",
	"DELETE FROM image_child WHERE NOT EXISTS (SELECT 1 FROM image i WHERE i.repository_id = "
	"image_child.repository_id AND i.tagged IN (0, 1, 2, 3, 4, 5) AND i.digest = image_child.parent)"},
    {CHECK_ROW_LEFT_OVER, "is noted as archived, and is not there",
	"SELECT 'image ' || image_id FROM archive WHERE " NO_IMAGE("archive.image_id"),
	"DELETE FROM archive WHERE " NO_IMAGE("archive.image_id")},
    {CHECK_ROW_LEFT_OVER, "is noted as copied, and is not there",
	"SELECT 'image ' || image_id FROM replication WHERE " NO_IMAGE("replication.image_id"),
	"DELETE FROM replication WHERE " NO_IMAGE("replication.image_id")},
    {CHECK_ROW_LEFT_OVER, "has lost its subject, and is not there itself",
	"SELECT 'an image' FROM orphan o WHERE NOT EXISTS (SELECT 1 FROM image i WHERE i.repository_id = "
	"o.repository_id AND i.tagged IN (0, 1, 2, 3, 4, 5) AND i.digest = o.digest)",
	"DELETE FROM orphan WHERE NOT EXISTS (SELECT 1 FROM image i WHERE i.repository_id = "
	"orphan.repository_id AND i.tagged IN (0, 1, 2, 3, 4, 5) AND i.digest = orphan.digest)"},
    {CHECK_ROW_LEFT_OVER, "belongs to no blob",
	"SELECT 'content ' || id FROM content c WHERE NOT EXISTS (SELECT 1 FROM blob b WHERE b.digest = "
	"c.digest AND b.id = c.id)",
	"DELETE FROM content WHERE NOT EXISTS (SELECT 1 FROM blob b WHERE b.digest = content.digest AND "
	"b.id = content.id)"},
    {CHECK_ROW_LEFT_OVER, "is seen by a repository, and is not there",
	"SELECT 'blob ' || blob_id FROM repository_blob WHERE " NO_CONTENT(
	    "repository_blob.blob_id"),
	"DELETE FROM repository_blob WHERE " NO_CONTENT("repository_blob.blob_id")},
    {CHECK_ROW_LEFT_OVER, "is waiting to be collected, and is not there",
	"SELECT 'blob ' || blob_id FROM stray WHERE " NO_CONTENT("stray.blob_id"),
	"DELETE FROM stray WHERE " NO_CONTENT("stray.blob_id")},
    {CHECK_ROW_LEFT_OVER, "is waiting to be collected, but an image holds it",
	"SELECT 'blob ' || blob_id FROM stray WHERE " HELD_HERE,
	"DELETE FROM stray WHERE " HELD_HERE},
    {CHECK_ROW_LEFT_OVER, "would never be collected, though no image holds it",
	"SELECT 'blob ' || l.blob_id " STRAYS,
	"INSERT INTO stray SELECT l.blob_id, l.repository_id, ?1 " STRAYS},
    {CHECK_ROW_LEFT_OVER, "would never be collected, though no repository sees it",
	"SELECT 'blob ' || b.id " UNSEEN, "INSERT INTO stray SELECT b.id, 0, ?1 " UNSEEN},
    {CHECK_ROW_LEFT_OVER, "belongs to a repository that is not there",
	"SELECT 'resource tag ' || key FROM resource_tag WHERE repository_id NOT IN (SELECT id FROM repository)",
	"DELETE FROM resource_tag WHERE repository_id NOT IN (SELECT id FROM repository)"},
    {CHECK_ROW_LEFT_OVER, "belongs to no preview of a lifecycle policy",
	"SELECT DISTINCT 'result ' || set_id FROM preview_item WHERE set_id NOT IN (SELECT id FROM preview_set)",
	"DELETE FROM preview_item WHERE set_id NOT IN (SELECT id FROM preview_set)"},
    {CHECK_ROW_LEFT_OVER, "has images, and is not there",
	"SELECT DISTINCT 'repository ' || repository_id FROM image WHERE repository_id NOT IN "
	"(SELECT id FROM repository)",
	/* as one that is being deleted: the next start removes what it has */
	"INSERT INTO repository(id, account, region, name, created_ms, mutability, scan_on_push, "
	"encryption_type) SELECT DISTINCT repository_id, '', '', CAST(repository_id AS TEXT), ?1, 0, 0, 'AES256' "
	"FROM image WHERE repository_id NOT IN (SELECT id FROM repository)"},
    {CHECK_COUNT_WRONG, "its count of images is wrong",
	"SELECT 'repository ' || name FROM repository WHERE account <> '' AND image_count <> " IMAGE_COUNT,
	"UPDATE repository SET image_count = " IMAGE_COUNT
	" WHERE account <> '' AND image_count <> " IMAGE_COUNT},
    {CHECK_COUNT_WRONG, "its count of repositories is wrong",
	"SELECT 'registry ' || account || ', ' || region FROM registry g WHERE repositories <> ifnull((SELECT n "
	"FROM " REGISTRIES " c WHERE c.account = g.account AND c.region = g.region), 0) UNION ALL "
	"SELECT 'registry ' || account || ', ' || region FROM " REGISTRIES
	" c WHERE NOT EXISTS (SELECT 1 FROM "
	"registry g WHERE g.account = c.account AND g.region = c.region)",
	"INSERT OR REPLACE INTO registry(account, region, repositories) SELECT account, region, 0 FROM registry "
	"WHERE 1 UNION ALL SELECT account, region, n FROM " REGISTRIES},
};

static bool mend(struct check *ck, const struct rule *rule)
{
	sqlite3_stmt *q = NULL;
	if (sqlite3_prepare_v2(ck->tx.db->handle, rule->mend, -1, &q, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_bind_parameter_count(q) > 0)
		bind_int(q, 1, clock_now_ms(&ck->store.clock));
	int step = sqlite3_step(q);
	sqlite3_finalize(q);
	return step == SQLITE_DONE;
}

/* Answers, and mends, in turn: what one mends may be what the next one looks at. */
static bool check_rule(struct check *ck, const struct rule *rule)
{
	sqlite3_stmt *q = NULL;
	int step = SQLITE_ERROR;
	bool found = false;
	if (sqlite3_prepare_v2(ck->tx.db->handle, rule->rows, -1, &q, NULL) == SQLITE_OK) {
		while ((step = sqlite3_step(q)) == SQLITE_ROW) {
			check_find(ck, rule->kind, NULL, true, "%.*s: %s%s",
			    SLICE_ARG(column_slice(q, 0)), rule->words,
			    ck->options->repair ? "; mended" : "");
			arena_reset(&ck->arena);
			found = true;
		}
	}
	sqlite3_finalize(q);
	return step == SQLITE_DONE && (!found || !ck->options->repair || mend(ck, rule));
}

bool check_rows(struct check *ck)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (!check_rule(ck, &rules[i]))
			return false;
	}
	return true;
}
