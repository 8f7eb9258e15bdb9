/*
 * One table of texts, and a row of `kinds` for what differs: whether a repository owns it, its errors, its quota.
 *
 * A put reads the row that is there within its transaction: whether it makes, replaces or comes too late, and
 * whether one more is allowed, is decided on what is true then. A replaced text keeps the time when it was first
 * put.
 */
#include "storage/repositories/document.h"

#include "storage/repositories/document_rows.h"
#include "storage/repositories/rows.h"

#define NO_QUOTA QUOTA_COUNT

static const struct {
	bool of_repository;
	enum error_code missing, exists;
	enum quota quota;
} kinds[DOCUMENT_KIND_COUNT] = {
    [DOCUMENT_REPOSITORY_POLICY] = {true, ERR_REPOSITORY_POLICY_NOT_FOUND, ERR_NONE, NO_QUOTA},
    [DOCUMENT_LIFECYCLE_POLICY] = {true, ERR_LIFECYCLE_POLICY_NOT_FOUND, ERR_NONE, NO_QUOTA},
    [DOCUMENT_REGISTRY_POLICY] = {false, ERR_REGISTRY_POLICY_NOT_FOUND, ERR_NONE, NO_QUOTA},
    [DOCUMENT_REPLICATION] = {false, ERR_SETTING_NOT_FOUND, ERR_NONE, NO_QUOTA},
    [DOCUMENT_SCANNING] = {false, ERR_SETTING_NOT_FOUND, ERR_NONE, NO_QUOTA},
    [DOCUMENT_SIGNING] = {false, ERR_SIGNING_NOT_FOUND, ERR_NONE, NO_QUOTA},
    [DOCUMENT_ACCOUNT_SETTING] = {false, ERR_SETTING_NOT_FOUND, ERR_NONE, NO_QUOTA},
    [DOCUMENT_TEMPLATE] = {false, ERR_TEMPLATE_NOT_FOUND, ERR_TEMPLATE_EXISTS,
	QUOTA_CREATION_TEMPLATES},
    [DOCUMENT_PULL_THROUGH_RULE] = {false, ERR_PULL_THROUGH_RULE_NOT_FOUND,
	ERR_PULL_THROUGH_RULE_EXISTS, QUOTA_PULL_THROUGH_RULES},
    [DOCUMENT_EXCLUSION] = {false, ERR_EXCLUSION_NOT_FOUND, ERR_EXCLUSION_EXISTS,
	QUOTA_PULL_TIME_EXCLUSIONS},
};

static void bind_document(sqlite3_stmt *q, const struct document_key *key)
{
	bind_text(q, 1, key->account);
	bind_text(q, 2, key->region);
	bind_int(q, 3, key->kind);
	bind_text(q, 4, key->name);
}

static struct repository_key repository_of(const struct document_key *key)
{
	return (struct repository_key){key->account, key->region, key->name};
}

/* The columns of SQL_OF_DOCUMENT. */
static void read_document(sqlite3_stmt *q, struct arena *a, struct document *out)
{
	out->name = column_dup(q, 0, a);
	out->text = column_dup(q, 1, a);
	out->created_ms = sqlite3_column_int64(q, 2);
	out->updated_ms = sqlite3_column_int64(q, 3);
	out->evaluated_ms = sqlite3_column_int64(q, 4);
}

enum error_code document_row_find(
    struct db *db, const struct document_key *key, struct arena *a, struct document *out)
{
	sqlite3_stmt *q = db_query(db, Q_DOCUMENT_GET);
	bind_document(q, key);
	int step = db_step(db, q);
	if (step == SQLITE_ROW)
		read_document(q, a, out);
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	return step == SQLITE_DONE ? ERR_SETTING_NOT_FOUND : db_failure(db);
}

enum error_code document_get(struct store_reader *reader, const struct document_key *key,
    struct arena *a, struct document *out)
{
	struct repository_key repository = repository_of(key);
	enum error_code found = document_row_find(&reader->db, key, a, out);
	if (found != ERR_SETTING_NOT_FOUND)
		return found;
	if (kinds[key->kind].of_repository)
		return row_missing(&reader->db, &repository, kinds[key->kind].missing);
	return kinds[key->kind].missing;
}

enum error_code document_list(struct store_reader *reader, const struct document_key *kind,
    struct slice after, size_t limit, struct arena *a, struct document_page *out)
{
	struct document_key from = *kind;
	from.name = after.at ? after : slice_str("");
	sqlite3_stmt *q = db_query(&reader->db, Q_DOCUMENT_LIST);
	bind_document(q, &from);
	*out = (struct document_page){.at = arena_array(a, limit, sizeof(*out->at))};
	int step;
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW && out->count < limit)
		read_document(q, a, &out->at[out->count++]);
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}

/* ---- writing ---- */

bool document_row_put(struct store_tx *tx, struct store_job *job, const struct document_key *key,
    const struct document *document)
{
	sqlite3_stmt *q = db_query(tx->db, Q_DOCUMENT_PUT);
	bind_document(q, key);
	bind_text(q, 5, document->text);
	bind_int(q, 6, document->created_ms);
	bind_int(q, 7, document->updated_ms);
	return tx_exec(tx, job, q);
}

bool document_rows_drop(
    struct store_tx *tx, struct store_job *job, const struct repository_key *repository)
{
	for (int kind = 0; kind < DOCUMENT_KIND_COUNT; kind++) {
		if (!kinds[kind].of_repository)
			continue;
		struct document_key key = {repository->account, repository->region,
		    (enum document_kind)kind, repository->name};
		sqlite3_stmt *q = db_query(tx->db, Q_DOCUMENT_DROP);
		bind_document(q, &key);
		if (!tx_exec(tx, job, q))
			return false;
	}
	return true;
}

static void refuse(struct store_job *job, enum error_code code, const struct document_key *key)
{
	job->error.code = code;
	job->error.registry = key->account;
	if (kinds[key->kind].of_repository)
		job->error.repository = key->name;
	job->error.detail = key->name;
}

/* A repository's document needs its repository. */
static bool check_repository(
    struct store_tx *tx, struct store_job *job, const struct document_key *key)
{
	struct repository_key repository = repository_of(key);
	int64_t id;
	return !kinds[key->kind].of_repository || job_repository_id(tx, job, &repository, &id);
}

/* One more of a kind that is limited; counting stops at the limit. */
static bool check_quota(struct store_tx *tx, struct document_put *put)
{
	enum quota quota = kinds[put->key.kind].quota;
	if (quota == NO_QUOTA)
		return true;
	uint64_t limit = quota_of(&tx->store->quotas, quota);
	sqlite3_stmt *q = db_query(tx->db, Q_DOCUMENT_COUNT);
	bind_document(q, &put->key);
	bind_int(q, 4, (int64_t)limit);
	int step = db_step(tx->db, q);
	bool full = step == SQLITE_ROW && (uint64_t)sqlite3_column_int64(q, 0) >= limit;
	db_done(q);
	if (step != SQLITE_ROW)
		tx_fail(tx, &put->job);
	if (full) {
		put->job.error.code = ERR_LIMIT_EXCEEDED;
		put->job.error.detail = quota_message(&tx->store->quotas, quota, put->job.arena);
	}
	return step == SQLITE_ROW && !full;
}

static void put_run(struct store_tx *tx, struct store_job *job)
{
	struct document_put *put = (struct document_put *)job;
	int64_t now_ms = clock_now_ms(&tx->store->clock);
	struct document old = {.created_ms = now_ms};
	if (!check_repository(tx, job, &put->key))
		return;
	enum error_code found = document_row_find(tx->db, &put->key, job->arena, &old);
	if (found != ERR_NONE && found != ERR_SETTING_NOT_FOUND) {
		tx_fail(tx, job);
		return;
	}
	if (found == ERR_NONE && put->rule == DOCUMENT_MAKE) {
		refuse(job, kinds[put->key.kind].exists, &put->key);
		return;
	}
	if (found != ERR_NONE && put->rule == DOCUMENT_REPLACE) {
		refuse(job, kinds[put->key.kind].missing, &put->key);
		return;
	}
	put->stale = put->rule == DOCUMENT_REPLACE && !slice_eq(old.text, put->expected);
	if (put->stale || (found != ERR_NONE && !check_quota(tx, put)))
		return;
	put->put =
	    (struct document){put->key.name, put->text, old.created_ms, now_ms, .evaluated_ms = 0};
	document_row_put(tx, job, &put->key, &put->put);
}

static const struct job_ops put_ops = {.run = put_run, .flush = STORE_FLUSH_NOW};

void document_put_submit(struct store *store, struct document_put *put)
{
	store_submit(store, &put->job, &put_ops);
}

static void delete_run(struct store_tx *tx, struct store_job *job)
{
	struct document_delete *del = (struct document_delete *)job;
	if (!check_repository(tx, job, &del->key))
		return;
	enum error_code found = document_row_find(tx->db, &del->key, job->arena, &del->deleted);
	if (found == ERR_SETTING_NOT_FOUND) {
		refuse(job, kinds[del->key.kind].missing, &del->key);
		return;
	}
	if (found != ERR_NONE) {
		tx_fail(tx, job);
		return;
	}
	sqlite3_stmt *q = db_query(tx->db, Q_DOCUMENT_DROP);
	bind_document(q, &del->key);
	tx_exec(tx, job, q);
}

static const struct job_ops delete_ops = {
    .run = delete_run, .flush = STORE_FLUSH_NOW, .frees = true};

void document_delete_submit(struct store *store, struct document_delete *del)
{
	store_submit(store, &del->job, &delete_ops);
}
