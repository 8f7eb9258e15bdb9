/*
 * Asks SQLite's planner about every statement: what costs more the more is stored would be seen
 * here, as a scan of a table or a sort in a temporary tree.
 */
#include "support.h"

#include "storage/core.h"

#include <stdio.h>

/* Each step of the plan that is not to be. "MERGE" of two ordered ranges is fine. */
static bool costly(const char *step)
{
	return strncmp(step, "SCAN", 4) == 0 || strstr(step, "TEMP B-TREE") ||
	    strstr(step, "AUTOMATIC");
}

/* An index that holds nothing but what is wanted; the rows of a subquery with a limit; no table at all. */
static bool allowed(enum db_query query, const char *step)
{
	return (query == Q_BLOB_UNSYNCED && strstr(step, "blob_unsynced")) ||
	    strncmp(step, "SCAN (subquery", 14) == 0 || strcmp(step, "SCAN CONSTANT ROW") == 0;
}

static void no_statement_scans(void **state)
{
	struct fixture *f = *state;
	int bad = 0;
	for (int i = 0; i < Q_COUNT; i++) {
		sqlite3_stmt *q = NULL;
		const char *sql = db_sql((enum db_query)i);
		char *explain = arena_printf(&f->arena, "EXPLAIN QUERY PLAN %s", sql);
		if (sqlite3_prepare_v2(f->reader->db.handle, explain, -1, &q, NULL) != SQLITE_OK)
			fail_msg("%s: %s", sql, sqlite3_errmsg(f->reader->db.handle));
		while (sqlite3_step(q) == SQLITE_ROW) {
			const char *step = (const char *)sqlite3_column_text(q, 3);
			if (costly(step) && !allowed((enum db_query)i, step)) {
				print_error("%s\n  %s\n", sql, step);
				bad++;
			}
		}
		sqlite3_finalize(q);
	}
	assert_int_equal(bad, 0);
}

/* The test itself must be able to fail. */
static void a_scan_would_be_seen(void **state)
{
	struct fixture *f = *state;
	sqlite3_stmt *q = NULL;
	bool seen = false;
	assert_int_equal(
	    sqlite3_prepare_v2(f->reader->db.handle,
		"EXPLAIN QUERY PLAN SELECT name FROM tag WHERE name > 'a' ORDER BY digest", -1, &q,
		NULL),
	    SQLITE_OK);
	while (sqlite3_step(q) == SQLITE_ROW)
		seen = seen || costly((const char *)sqlite3_column_text(q, 3));
	sqlite3_finalize(q);
	assert_true(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(no_statement_scans),
	    store_test(a_scan_would_be_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
