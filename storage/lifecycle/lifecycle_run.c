/*
 * A run of lifecycle policies, repository by repository, on a thread of its own.
 *
 * Policy and images are read in one read transaction, the engine decides, and the decisions go to the writer in
 * batches, with pauses while others need it (await.h). Then referrers whose subject was deleted are gone through,
 * and again as long as some went, since those may have had referrers themselves. Reports have a bound: what does
 * not fit is left out, and `whole` says so.
 */
#include "storage/lifecycle/lifecycle_run.h"

#include "storage/db/meta.h"
#include "storage/images/archive_due.h"
#include "storage/images/orphan.h"
#include "storage/jobs/await.h"
#include "storage/lifecycle/lifecycle_batch.h"
#include "storage/lifecycle/lifecycle_due.h"
#include "storage/lifecycle/lifecycle_eval.h"
#include "storage/repositories/document_rows.h"
#include "storage/repositories/rows.h"

#include <stdlib.h>

struct runner {
	struct store *store;
	struct store_reader *reader;
	struct lifecycle_run *run;
	size_t room, report_room; /* for deeds and for reports, in bytes */
	bool again; /* orphans are gone through another time: what stays was reported */
};

/* True when the run is over: it has failed, or the store wants to close. */
static bool over(struct runner *r)
{
	struct store_job *job = &r->run->job;
	if (job->error.code == ERR_NONE && atomic_load(&r->store->winding_down))
		job->error.code = ERR_SHUTTING_DOWN;
	return job->error.code != ERR_NONE;
}

static void fail(struct runner *r, enum error_code code)
{
	job_fail(&r->run->job, code, "lifecycle run: %s", store_reader_cause(r->reader));
}

/* ---- reports ---- */

static void report_begin(
    struct lifecycle_report *report, const struct repository_key *key, int64_t id)
{
	*report = (struct lifecycle_report){.key = *key, .repository_id = id};
}

/* Tells who is to be told, and keeps it while there is room. */
static void report_end(struct runner *r, const struct lifecycle_report *report)
{
	struct lifecycle_run *run = r->run;
	struct arena *a = run->job.arena;
	const struct repository_key *key = &report->key;
	size_t size = sizeof(*report) + key->account.len + key->region.len + key->name.len;
	if (run->each)
		run->each(report);
	if (size > r->report_room) {
		r->report_room = 0;
		run->whole = false;
		return;
	}
	r->report_room -= size;
	struct lifecycle_report *kept = arena_alloc(a, sizeof(*kept));
	*kept = *report;
	kept->key.account = arena_dup(a, key->account);
	kept->key.region = arena_dup(a, key->region);
	kept->key.name = arena_dup(a, key->name);
	if (run->last)
		run->last->next = kept;
	else
		run->first = kept;
	run->last = kept;
}

static void count(struct lifecycle_report *report, const struct lifecycle_deed *deed)
{
	if (deed->result == LIFECYCLE_REFERENCED)
		report->referenced++;
	else if (deed->result == LIFECYCLE_OVERTAKEN)
		report->overtaken++;
	else if (deed->action == LIFECYCLE_EXPIRE)
		report->expired++;
	else
		report->archived++;
}

static void report_deed(
    struct runner *r, struct lifecycle_report *report, const struct lifecycle_deed *deed)
{
	struct arena *a = r->run->job.arena;
	size_t size = sizeof(*deed) + deed->tags.len + deed->parents.len;
	/* the note of an orphan that was none any more: nothing was to be done */
	if (deed->cause == LIFECYCLE_SUBJECT_DELETED &&
	    (deed->result == LIFECYCLE_OVERTAKEN ||
		(r->again && deed->result == LIFECYCLE_REFERENCED)))
		return;
	count(report, deed);
	if (size > r->room) {
		r->room = 0;
		r->run->whole = false;
		return;
	}
	r->room -= size;
	struct lifecycle_deed *kept = arena_alloc(a, sizeof(*kept));
	*kept = *deed;
	kept->next = NULL;
	kept->tags = arena_dup(a, deed->tags);
	kept->parents = arena_dup(a, deed->parents);
	if (report->last)
		report->last->next = kept;
	else
		report->first = kept;
	report->last = kept;
}

/* ---- one repository ---- */

/* Has the writer do a batch, and reports it. False when the repository's rest is to be left. */
static bool do_batch(
    struct runner *r, struct lifecycle_report *report, struct lifecycle_batch *batch)
{
	struct store_job *job = &r->run->job;
	bool stopped = report->stopped;
	report->stopped = true; /* unless all goes well */
	if (over(r))
		return false;
	batch->key = report->key;
	batch->repository_id = report->repository_id;
	if (lifecycle_batch_await(r->store, batch) != ERR_NONE) {
		job->error.code = batch->job.error.code;
		job->error.detail = arena_dup(job->arena, batch->job.error.detail);
		return false;
	}
	report->stopped = stopped || batch->stopped;
	for (size_t i = 0; i < batch->count && !batch->stopped; i++)
		report_deed(r, report, &batch->items[i].deed);
	return !batch->stopped;
}

static void fill_item(const struct lifecycle_eval *eval, const struct lifecycle_outcome *outcome,
    struct lifecycle_item *item)
{
	const struct lifecycle_seen *seen = &eval->seen[outcome->id];
	bool by_subject = outcome->subject.algorithm != DIGEST_NONE;
	*item = (struct lifecycle_item){
	    .deed = {.digest = outcome->digest,
		.cause = by_subject ? LIFECYCLE_WITH_SUBJECT : LIFECYCLE_BY_RULE,
		.action = outcome->action,
		.priority = eval->policy.rules[outcome->rule].priority},
	    .held = outcome->decision == LIFECYCLE_PROTECTED,
	    .image_id = seen->image_id,
	    .mark = seen->mark,
	};
}

/* How many outcomes there is something to do or say about: all but the kept ones, which are last. */
static size_t outcomes_to_do(const struct lifecycle *engine)
{
	size_t n = lifecycle_action_count(engine);
	struct lifecycle_outcome outcome;
	for (; n < lifecycle_count(engine); n++) {
		lifecycle_outcome(engine, n, &outcome);
		if (outcome.decision == LIFECYCLE_KEPT)
			break;
	}
	return n;
}

static void carry_out(struct runner *r, struct lifecycle_report *report,
    const struct lifecycle_eval *eval, struct slice policy, int64_t now_ms)
{
	size_t n = outcomes_to_do(eval->engine), at = 0;
	struct lifecycle_item items[LIFECYCLE_BATCH_MAX];
	struct lifecycle_outcome outcome;
	struct lifecycle_batch batch;
	struct arena a;
	bool more = true;
	arena_init(&a);
	while (more) {
		lifecycle_batch_init(&batch, &a);
		batch.policy = policy;
		batch.decided_ms = now_ms;
		batch.items = items;
		for (; at < n && batch.count < LIFECYCLE_BATCH_MAX; at++) {
			lifecycle_outcome(eval->engine, at, &outcome);
			fill_item(eval, &outcome, &items[batch.count++]);
		}
		batch.evaluated = at == n;
		more = do_batch(r, report, &batch) && at < n;
		arena_reset(&a);
	}
	arena_release(&a);
}

/* The repository's policy and its id, as of the snapshot that was begun. False: there is none, or a failure. */
static bool find_policy(struct runner *r, const struct repository_key *key, struct arena *a,
    struct slice *policy, int64_t *id)
{
	struct document_key document = {
	    key->account, key->region, DOCUMENT_LIFECYCLE_POLICY, key->name};
	struct document found;
	enum error_code code = row_repository_id(&r->reader->db, key, id);
	if (code == ERR_NONE)
		code = document_row_find(&r->reader->db, &document, a, &found);
	if (code == ERR_NONE)
		*policy = found.text;
	else if (code >= ERR_STORAGE_FULL)
		fail(r, code);
	return code == ERR_NONE;
}

/* Decides and carries out a repository's policy. False when it has none, or on a failure. */
static bool run_policy(
    struct runner *r, const struct repository_key *key, struct lifecycle_report *report)
{
	struct db *db = &r->reader->db;
	struct lifecycle_eval eval = {.engine = NULL};
	enum lifecycle_eval_result result = LIFECYCLE_NO_POLICY;
	struct slice policy;
	struct arena a;
	int64_t now_ms = clock_now_ms(&r->store->clock), id;
	if (!db_run(db, Q_BEGIN_READ)) {
		fail(r, db_failure(db));
		return false;
	}
	arena_init(&a);
	bool found = find_policy(r, key, &a, &policy, &id);
	if (found) {
		report_begin(report, key, id);
		report->has_policy = true;
		result = lifecycle_evaluate(r->reader, id, policy, now_ms, &a, &eval);
		if (result == LIFECYCLE_EVAL_FAILED)
			fail(r, db_failure(db));
	}
	db_run(db, Q_COMMIT);
	if (result == LIFECYCLE_EVALUATED)
		carry_out(r, report, &eval, policy, now_ms);
	else
		report->stopped = found;
	lifecycle_eval_release(&eval);
	arena_release(&a);
	return found;
}

/* ---- orphans ---- */

/* How many; 0 at the end, or when the run has failed. */
static size_t fill_orphans(struct runner *r, int64_t repository_id, struct digest *after,
    struct lifecycle_item items[LIFECYCLE_BATCH_MAX])
{
	struct digest digests[LIFECYCLE_BATCH_MAX];
	struct db *db = &r->reader->db;
	size_t n;
	if (orphan_list(db, repository_id, after, digests, LIFECYCLE_BATCH_MAX, &n) == FAILED) {
		fail(r, db_failure(db));
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		items[i] = (struct lifecycle_item){.deed = {.digest = digests[i],
						       .cause = LIFECYCLE_SUBJECT_DELETED,
						       .action = LIFECYCLE_EXPIRE}};
	if (n > 0)
		*after = digests[n - 1];
	return n;
}

/* Once through a repository's orphans. Whether some went: then what referred to them is an orphan now. */
static bool sweep_once(struct runner *r, struct lifecycle_report *report)
{
	struct lifecycle_item items[LIFECYCLE_BATCH_MAX];
	struct digest after = {.algorithm = DIGEST_NONE};
	uint64_t before = report->expired;
	struct lifecycle_batch batch;
	struct arena a;
	bool more = true;
	arena_init(&a);
	while (more) {
		lifecycle_batch_init(&batch, &a);
		batch.items = items;
		batch.count = fill_orphans(r, report->repository_id, &after, items);
		more = batch.count > 0 && do_batch(r, report, &batch);
		arena_reset(&a);
	}
	arena_release(&a);
	report->stopped = report->stopped || over(r);
	return report->expired > before && !report->stopped;
}

static void sweep(struct runner *r, struct lifecycle_report *report)
{
	r->again = false;
	while (!r->store->keep_orphans && !over(r) && sweep_once(r, report))
		r->again = true;
}

/* False also when the run has failed. */
static bool has_policy(struct runner *r, const struct repository_key *key)
{
	struct arena a;
	struct slice policy;
	int64_t id;
	arena_init(&a);
	bool found = find_policy(r, key, &a, &policy, &id);
	arena_release(&a);
	return found;
}

/* False: there is none, or the run has failed. */
static bool find_key(struct runner *r, int64_t id, struct arena *a, struct repository_key *out)
{
	struct db *db = &r->reader->db;
	sqlite3_stmt *q = db_query(db, Q_REPOSITORY_BY_ID);
	bind_int(q, 1, id);
	enum found found = db_found(db_step(db, q));
	if (found == FOUND) {
		out->account = column_dup(q, 1, a);
		out->region = column_dup(q, 2, a);
		out->name = column_dup(q, 3, a);
	}
	db_done(q);
	if (found == FAILED)
		fail(r, db_failure(db));
	return found == FOUND && out->account.len > 0;
}

/* ---- all of them ---- */

static void run_one(struct runner *r, const struct repository_key *key)
{
	struct lifecycle_report report;
	int64_t id;
	enum error_code code = row_repository_id(&r->reader->db, key, &id);
	if (code == ERR_REPOSITORY_NOT_FOUND)
		job_refuse(&r->run->job, code, key);
	else if (code != ERR_NONE)
		fail(r, code);
	if (code != ERR_NONE)
		return;
	report_begin(&report, key, id);
	run_policy(r, key, &report);
	sweep(r, &report);
	report_end(r, &report);
}

/* The next repository that has a policy, in the arena. */
static bool next_policy(struct runner *r, struct repository_key *key, struct arena *a)
{
	struct db *db = &r->reader->db;
	sqlite3_stmt *q = db_query(db, Q_POLICY_NEXT);
	bind_text(q, 1, key->account);
	bind_text(q, 2, key->region);
	bind_text(q, 3, key->name);
	int step = db_step(db, q);
	if (step == SQLITE_ROW) {
		key->account = column_dup(q, 0, a);
		key->region = column_dup(q, 1, a);
		key->name = column_dup(q, 2, a);
	}
	db_done(q);
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		fail(r, db_failure(db));
	return step == SQLITE_ROW;
}

static void run_policies(struct runner *r)
{
	struct slice none = slice_str("");
	struct repository_key at = {none, none, none};
	struct lifecycle_report report;
	struct arena arenas[2]; /* the key that was, and the next one */
	arena_init(&arenas[0]);
	arena_init(&arenas[1]);
	for (int turn = 0; !over(r); turn = !turn) {
		arena_reset(&arenas[turn]);
		if (!next_policy(r, &at, &arenas[turn]))
			break;
		if (!run_policy(r, &at, &report))
			continue; /* it went meanwhile */
		sweep(r, &report);
		report_end(r, &report);
	}
	arena_release(&arenas[0]);
	arena_release(&arenas[1]);
}

/* The next repository with orphans; false at the end, or when the run has failed. */
static bool next_with_orphans(struct runner *r, int64_t *id)
{
	struct db *db = &r->reader->db;
	enum found found = orphan_repository(db, *id, id);
	if (found == FAILED)
		fail(r, db_failure(db));
	return found == FOUND;
}

/* Of the repositories that have no policy. */
static void sweep_others(struct runner *r)
{
	struct lifecycle_report report;
	struct repository_key key;
	struct arena a;
	arena_init(&a);
	for (int64_t id = 0; !over(r) && next_with_orphans(r, &id);) {
		if (find_key(r, id, &a, &key) && !has_policy(r, &key) && !over(r)) {
			report_begin(&report, &key, id);
			sweep(r, &report);
			report_end(r, &report);
		}
		arena_reset(&a);
	}
	arena_release(&a);
}

/* ---- the job ---- */

static void end_due_run(struct store_tx *tx, struct store_job *job)
{
	archive_end_due(tx, job, clock_now_ms(&tx->store->clock));
}

/* Activations that are over by now are over for the engine too. */
static bool end_activations(struct runner *r)
{
	struct arena a;
	static const struct job_ops ops = {.run = end_due_run, .frees = true};
	struct store_job job = {.arena = &a};
	arena_init(&a);
	enum error_code code = job_await(r->store, &job, &ops);
	if (code != ERR_NONE)
		job_fail(&r->run->job, code, "lifecycle run: activations could not be ended");
	arena_release(&a);
	return code == ERR_NONE;
}

void lifecycle_run_work(struct store *store, struct store_job *job)
{
	struct lifecycle_run *run = (struct lifecycle_run *)job;
	struct runner r = {.store = store, .run = run};
	r.room = r.report_room = run->report_max;
	struct err err = {""};
	run->first = run->last = NULL;
	run->whole = true;
	run->now_ms = clock_now_ms(&store->clock);
	r.reader = store_reader_open(store, &err);
	if (!r.reader) {
		job_fail(job, ERR_STORAGE_FAILED, "%s", err.text);
		return;
	}
	if (!over(&r) && end_activations(&r)) {
		if (run->key.name.at)
			run_one(&r, &run->key);
		else
			run_policies(&r);
		if (!run->key.name.at && !store->keep_orphans)
			sweep_others(&r);
	}
	store_reader_close(r.reader);
}

static const struct job_ops run_ops = {.work = lifecycle_run_work};

void lifecycle_run_submit(struct store *store, struct lifecycle_run *run)
{
	store_submit_to(store, &store->lifecycle_runs, &run->job, &run_ops);
}
