/*
 * Repositories: reads, and the jobs that make, change and delete them.
 *
 * How many a registry has is a number of its own that changes in the same transaction, so that the quota costs no
 * counting. A deletion drops what is small and marks the rest for purge.c, so that it takes as long for a hundred
 * thousand images as for none.
 */
#include "storage/repositories/repository.h"

#include "storage/repositories/document_rows.h"
#include "storage/repositories/repository_rows.h"
#include "storage/repositories/rows.h"

void repository_row_read(sqlite3_stmt *q, struct arena *a, struct repository *out)
{
	out->id = sqlite3_column_int64(q, 0);
	out->account = column_dup(q, 1, a);
	out->region = column_dup(q, 2, a);
	out->name = column_dup(q, 3, a);
	out->created_ms = sqlite3_column_int64(q, 4);
	out->mutability = (enum mutability)sqlite3_column_int(q, 5);
	out->mutability_filters = column_dup(q, 6, a);
	out->scan_on_push = sqlite3_column_int(q, 7) != 0;
	out->encryption_type = column_dup(q, 8, a);
	out->kms_key = column_dup(q, 9, a);
	out->extras = NULL;
}

enum error_code repository_find(struct store_reader *reader, const struct repository_key *key,
    struct arena *a, struct repository *out)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_REPOSITORY_FIND);
	bind_key(q, key);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW)
		repository_row_read(q, a, out);
	db_done(q);
	if (step == SQLITE_ROW)
		return ERR_NONE;
	return step == SQLITE_DONE ? ERR_REPOSITORY_NOT_FOUND : db_failure(&reader->db);
}

enum error_code repository_list(struct store_reader *reader, struct slice account,
    struct slice region, struct slice after, size_t limit, struct arena *a,
    struct repository_page *out)
{
	struct slice first = SLICE("");
	sqlite3_stmt *q = db_query(&reader->db, Q_REPOSITORY_LIST);
	bind_text(q, 1, account);
	bind_text(q, 2, region);
	bind_text(q, 3, after.at ? after : first);
	*out = (struct repository_page){.at = arena_array(a, limit, sizeof(*out->at))};
	int step;
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW && out->count < limit)
		repository_row_read(q, a, &out->at[out->count++]);
	db_done(q);
	out->more = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}

enum error_code repository_tags(struct store_reader *reader, int64_t repository_id, struct arena *a,
    struct resource_tag tags[RESOURCE_TAGS_MAX], size_t *count)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_RESOURCE_TAG_LIST);
	bind_int(q, 1, repository_id);
	int step;
	*count = 0;
	while ((step = db_step(&reader->db, q)) == SQLITE_ROW && *count < RESOURCE_TAGS_MAX) {
		tags[*count].key = column_dup(q, 0, a);
		tags[(*count)++].value = column_dup(q, 1, a);
	}
	db_done(q);
	return step == SQLITE_ROW || step == SQLITE_DONE ? ERR_NONE : db_failure(&reader->db);
}

int64_t repository_count(
    struct store_tx *tx, struct store_job *job, const struct repository *r, int change)
{
	int64_t count = -1;
	sqlite3_stmt *q = db_query(tx->db, Q_REGISTRY_COUNT);
	bind_text(q, 1, r->account);
	bind_text(q, 2, r->region);
	bind_int(q, 3, change);
	if (db_step(tx->db, q) == SQLITE_ROW)
		count = sqlite3_column_int64(q, 0);
	else
		tx_fail(tx, job);
	db_done(q);
	return count;
}

/* Whether the registry may have one more. Nothing is written before that is known. */
static bool check_quota(struct store_tx *tx, struct store_job *job, const struct repository *r)
{
	uint64_t most = quota_of(&tx->store->quotas, QUOTA_REPOSITORIES), count = 0;
	sqlite3_stmt *q = db_query(tx->db, Q_REGISTRY_COUNTED);
	bind_text(q, 1, r->account);
	bind_text(q, 2, r->region);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW)
		count = (uint64_t)sqlite3_column_int64(q, 0);
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE) {
		tx_fail(tx, job);
		return false;
	}
	if (count < most)
		return true;
	job->error.code = ERR_LIMIT_EXCEEDED;
	job->error.detail = quota_message(&tx->store->quotas, QUOTA_REPOSITORIES, job->arena);
	return false;
}

static bool add_tags(struct store_tx *tx, struct store_job *job, int64_t id,
    const struct resource_tag *tags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sqlite3_stmt *q = db_query(tx->db, Q_RESOURCE_TAG_PUT);
		bind_int(q, 1, id);
		bind_text(q, 2, tags[i].key);
		bind_text(q, 3, tags[i].value);
		if (!tx_exec(tx, job, q))
			return false;
	}
	return true;
}

static bool add_policy(struct store_tx *tx, struct store_job *job, const struct repository *r,
    enum document_kind kind, struct slice text)
{
	struct document_key key = {r->account, r->region, kind, r->name};
	struct document policy = {r->name, text, r->created_ms, r->created_ms, 0};
	return !text.at || document_row_put(tx, job, &key, &policy);
}

static bool add_extras(struct store_tx *tx, struct store_job *job, const struct repository *r)
{
	const struct repository_extras *extras = r->extras;
	return !extras ||
	    (add_tags(tx, job, r->id, extras->tags, extras->tag_count) &&
		add_policy(tx, job, r, DOCUMENT_REPOSITORY_POLICY, extras->repository_policy) &&
		add_policy(tx, job, r, DOCUMENT_LIFECYCLE_POLICY, extras->lifecycle_policy));
}

bool repository_add(struct store_tx *tx, struct store_job *job, struct repository *r)
{
	if (!check_quota(tx, job, r) || repository_count(tx, job, r, 1) < 0)
		return false;
	r->created_ms = clock_now_ms(&tx->store->clock);
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_ADD);
	bind_text(q, 1, r->account);
	bind_text(q, 2, r->region);
	bind_text(q, 3, r->name);
	bind_int(q, 4, r->created_ms);
	bind_int(q, 5, r->mutability);
	bind_text(q, 6, r->mutability_filters);
	bind_int(q, 7, r->scan_on_push);
	bind_text(q, 8, r->encryption_type);
	bind_text(q, 9, r->kms_key);
	if (!tx_exec(tx, job, q))
		return false;
	r->id = sqlite3_last_insert_rowid(tx->db->handle);
	return add_extras(tx, job, r);
}

static void create_run(struct store_tx *tx, struct store_job *job)
{
	struct repository_create *create = (struct repository_create *)job;
	const struct repository *r = &create->repository;
	struct repository_key key = {r->account, r->region, r->name};
	int64_t id;
	enum error_code found = row_repository_id(tx->db, &key, &id);
	if (found == ERR_NONE) {
		job_refuse(job, ERR_REPOSITORY_EXISTS, &key);
		return;
	}
	if (found != ERR_REPOSITORY_NOT_FOUND) {
		tx_fail(tx, job);
		return;
	}
	if (repository_add(tx, job, &create->repository))
		add_tags(tx, job, r->id, create->tags, create->tag_count);
}

static const struct job_ops create_ops = {.run = create_run, .flush = STORE_FLUSH_NOW};

void repository_create_submit(struct store *store, struct repository_create *create)
{
	store_submit(store, &create->job, &create_ops);
}

static void update_run(struct store_tx *tx, struct store_job *job)
{
	struct repository_update *update = (struct repository_update *)job;
	bool mutability = update->what == REPOSITORY_SET_MUTABILITY;
	sqlite3_stmt *q =
	    db_query(tx->db, mutability ? Q_REPOSITORY_MUTABILITY : Q_REPOSITORY_SCANNING);
	bind_key(q, &update->key);
	bind_int(q, 4, mutability ? (int64_t)update->mutability : update->scan_on_push);
	if (mutability)
		bind_text(q, 5, update->mutability_filters);
	if (tx_exec(tx, job, q) && sqlite3_changes(tx->db->handle) == 0)
		job_refuse(job, ERR_REPOSITORY_NOT_FOUND, &update->key);
}

static const struct job_ops update_ops = {.run = update_run, .flush = STORE_FLUSH_NOW};

void repository_update_submit(struct store *store, struct repository_update *update)
{
	store_submit(store, &update->job, &update_ops);
}

static void check_tag_count(struct store_tx *tx, struct repository_tag *tag, int64_t id)
{
	uint64_t limit = quota_of(&tx->store->quotas, QUOTA_RESOURCE_TAGS);
	sqlite3_stmt *q = db_query(tx->db, Q_RESOURCE_TAG_COUNT);
	bind_int(q, 1, id);
	int step = db_step(tx->db, q);
	bool full = step == SQLITE_ROW && (uint64_t)sqlite3_column_int64(q, 0) > limit;
	db_done(q);
	if (step != SQLITE_ROW)
		tx_fail(tx, &tag->job);
	if (!full)
		return;
	job_refuse(&tag->job, ERR_TOO_MANY_TAGS, &tag->key);
	tag->job.error.detail = arena_slicef(tag->job.arena, "%llu", (unsigned long long)limit);
}

static void tag_run(struct store_tx *tx, struct store_job *job)
{
	struct repository_tag *tag = (struct repository_tag *)job;
	int64_t id;
	if (!job_repository_id(tx, job, &tag->key, &id) ||
	    !add_tags(tx, job, id, tag->put, tag->put_count))
		return;
	for (size_t i = 0; i < tag->drop_count; i++) {
		sqlite3_stmt *q = db_query(tx->db, Q_RESOURCE_TAG_DROP_ONE);
		bind_int(q, 1, id);
		bind_text(q, 2, tag->drop[i]);
		if (!tx_exec(tx, job, q))
			return;
	}
	if (tag->put_count)
		check_tag_count(tx, tag, id);
}

static const struct job_ops tag_ops = {.run = tag_run, .flush = STORE_FLUSH_NOW};

void repository_tag_submit(struct store *store, struct repository_tag *tag)
{
	store_submit(store, &tag->job, &tag_ops);
}
