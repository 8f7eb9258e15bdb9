/*
 * Taking blobs' files away, after the flush of the commits that dropped their rows.
 *
 * One round is two jobs. The first changes nothing, but is STORE_FLUSH_NOW: the flush that it waits for covers all
 * commits before it, so those of every file that was added until it ran. The second, alone at the end
 * of its transaction, renames these files out of blobs/; workers unlink them there. Between its settling and the
 * next transaction no job can have made a row that counts on one of them.
 */
#include "storage/blobs/removal.h"

#include "storage/core.h"

#include <stdlib.h>

struct round {
	struct store_job flush, take;
	struct store *store;
	bool flushed;
};

static void clear_aside_work(struct store *store, struct store_job *job)
{
	(void)job;
	files_remove_aside(&store->files);
}

static const struct job_ops clear_aside_ops = {.work = clear_aside_work};

void clear_aside_submit(struct store *store)
{
	struct store_job *job = calloc(1, sizeof(*job));
	if (!job)
		abort();
	job->done = store_job_free;
	store_submit(store, job, &clear_aside_ops);
}

static struct removal *find(const struct store *store, const struct digest *digest)
{
	const struct removals *r = &store->removals;
	for (size_t i = 0; i < r->count; i++) {
		if (digest_eq(&r->at[i].digest, digest))
			return &r->at[i];
	}
	return NULL;
}

void removal_add(struct store *store, const struct digest *digest, bool whole)
{
	struct removals *r = &store->removals;
	struct removal *entry = find(store, digest);
	if (!entry && r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : REMOVALS_AT_ONCE;
		r->at = realloc(r->at, r->cap * sizeof(*r->at));
		if (!r->at)
			abort();
	}
	if (!entry)
		entry = &r->at[r->count++];
	*entry = (struct removal){.digest = *digest, .whole = whole};
}

bool removal_has(const struct store *store, const struct digest *digest)
{
	const struct removal *entry = find(store, digest);
	return entry && entry->whole;
}

void removal_cancel(struct store *store, const struct digest *digest)
{
	struct removals *r = &store->removals;
	struct removal *entry = r->count > 0 ? find(store, digest) : NULL;
	if (entry)
		*entry = r->at[--r->count];
}

void removal_forget(struct store *store)
{
	store->removals.count = 0;
}

size_t removal_count(const struct store *store)
{
	return store->removals.count;
}

/* The first of a round's jobs runs: its flush covers the commits of all that were added so far. */
static void flush_run(struct store_tx *tx, struct store_job *job)
{
	struct removals *r = &tx->store->removals;
	(void)job;
	for (size_t i = 0; i < r->count; i++)
		r->at[i].covered = true;
}

static const struct job_ops take_ops;

static void flush_done(struct store_job *job)
{
	struct round *round = (struct round *)job;
	round->flushed = job->error.code == ERR_NONE;
	store_submit(round->store, &round->take, &take_ops);
}

/* The jobs after it could have made rows for the files that its settling takes away. */
static void take_run(struct store_tx *tx, struct store_job *job)
{
	(void)job;
	tx->last = true;
}

static void take_covered(struct store *store)
{
	struct removals *r = &store->removals;
	size_t stay = 0, before = r->count;
	for (size_t i = 0; i < r->count; i++) {
		if (!r->at[i].covered)
			r->at[stay++] = r->at[i];
		else if (files_set_blob_aside(&store->files, &r->at[i].digest) != 0)
			atomic_store(&store->sweep_due, true);
	}
	r->count = stay;
	if (stay < before)
		clear_aside_submit(store);
}

static void submit_waiting(struct store *store)
{
	for (struct store_job *job; (job = store->removals.first);) {
		store->removals.first = job->next;
		store_submit_to(store, &store->collector, job, job->ops);
	}
}

/* Also when its own commit failed, in which nothing was written: the flush before it is what counts. */
static void take_over(struct store *store, struct store_job *job)
{
	struct removals *r = &store->removals;
	const struct round *round = job->owner;
	r->under_way = false;
	if (round->flushed) {
		take_covered(store);
	} else {
		for (size_t i = 0; i < r->count; i++)
			r->at[i].covered = false;
	}
	if (r->count > 0 && round->flushed)
		removal_start(store);
	else
		submit_waiting(store);
}

static const struct job_ops take_ops = {
    .run = take_run, .committed = take_over, .failed = take_over, .frees = true};

static void take_done(struct store_job *job)
{
	free(job->owner);
}

static const struct job_ops flush_ops = {.run = flush_run, .flush = STORE_FLUSH_NOW, .frees = true};

void removal_start(struct store *store)
{
	struct removals *r = &store->removals;
	if (r->under_way || r->count == 0)
		return;
	struct round *round = calloc(1, sizeof(*round));
	if (!round)
		abort();
	round->store = store;
	round->flush.done = flush_done;
	round->take.done = take_done;
	round->take.owner = round;
	r->under_way = true;
	store_submit(store, &round->flush, &flush_ops);
}

void removal_then(struct store *store, struct store_job *job, const struct job_ops *ops)
{
	job->ops = ops;
	job->next = store->removals.first;
	store->removals.first = job;
	if (store->removals.count > 0)
		removal_start(store);
	else if (!store->removals.under_way)
		submit_waiting(store);
}

void removal_release(struct store *store)
{
	free(store->removals.at);
	store->removals = (struct removals){NULL, 0, 0, false, NULL};
}
