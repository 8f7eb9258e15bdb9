#include "storage/repository.h"

#include "storage/purge.h"
#include "storage/rows.h"

/* The columns of SQL_OF_REPOSITORY. */
static void read_repository(sqlite3_stmt *q, struct arena *a, struct repository *out)
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
}

enum error_code repository_find(struct store_reader *reader, const struct repository_key *key,
    struct arena *a, struct repository *out)
{
	sqlite3_stmt *q = db_query(&reader->db, Q_REPOSITORY_FIND);
	bind_key(q, key);
	int step = db_step(&reader->db, q);
	if (step == SQLITE_ROW)
		read_repository(q, a, out);
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
		read_repository(q, a, &out->at[out->count++]);
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

bool repository_add(struct store_tx *tx, struct store_job *job, struct repository *r)
{
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
	return true;
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
	if (!repository_add(tx, job, &create->repository))
		return;
	for (size_t i = 0; i < create->tag_count; i++) {
		sqlite3_stmt *q = db_query(tx->db, Q_RESOURCE_TAG_PUT);
		bind_int(q, 1, r->id);
		bind_text(q, 2, create->tags[i].key);
		bind_text(q, 3, create->tags[i].value);
		if (!tx_exec(tx, job, q))
			return;
	}
}

void repository_create_submit(struct store *store, struct repository_create *create)
{
	create->job.run = create_run;
	create->job.flush = STORE_FLUSH_NOW;
	store_submit(store, &create->job);
}

/*
 * A deleted repository is only moved aside here, which costs the same however much is in it; the purge
 * then removes its rows a few at a time, between other jobs.
 */
static void doom(struct store_tx *tx, struct repository_delete *del)
{
	static const enum db_query steps[] = {Q_RESOURCE_TAG_DROP, Q_REPOSITORY_DOOM};
	for (size_t i = 0; i < 2; i++) {
		sqlite3_stmt *q = db_query(tx->db, steps[i]);
		bind_int(q, 1, del->deleted.id);
		if (!tx_exec(tx, &del->job, q))
			return;
	}
}

static void delete_run(struct store_tx *tx, struct store_job *job)
{
	struct repository_delete *del = (struct repository_delete *)job;
	int64_t images = 0;
	sqlite3_stmt *q = db_query(tx->db, Q_REPOSITORY_FIND);
	bind_key(q, &del->key);
	int step = db_step(tx->db, q);
	if (step == SQLITE_ROW) {
		read_repository(q, job->arena, &del->deleted);
		images = sqlite3_column_int64(q, 10);
	}
	db_done(q);
	if (step == SQLITE_DONE)
		job_refuse(job, ERR_REPOSITORY_NOT_FOUND, &del->key);
	else if (step != SQLITE_ROW)
		tx_fail(tx, job);
	else if (images > 0 && !del->force)
		job_refuse(job, ERR_REPOSITORY_NOT_EMPTY, &del->key);
	else
		doom(tx, del);
}

static void delete_settle(struct store *store, struct store_job *job)
{
	struct repository_delete *del = (struct repository_delete *)job;
	if (job->error.code != ERR_NONE)
		return;
	upload_kill(&store->uploads, del->deleted.id);
	purge_submit(store);
}

void repository_delete_submit(struct store *store, struct repository_delete *del)
{
	del->job.run = delete_run;
	del->job.settle = delete_settle;
	del->job.flush = STORE_FLUSH_NOW;
	store_submit(store, &del->job);
}
