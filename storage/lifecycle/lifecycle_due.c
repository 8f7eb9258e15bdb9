/*
 * The runs of all lifecycle policies that the schedule begins.
 *
 * When the last run began is kept in the data folder by the commit that ends the run: one that is cut off is due
 * again at the next start. A flag keeps the schedule from beginning a run while one of its own goes on.
 */
#include "storage/lifecycle/lifecycle_due.h"

#include "storage/db/meta.h"
#include "storage/lifecycle/lifecycle_run.h"

#include <stdlib.h>

void lifecycle_load(struct store *store)
{
	int64_t last_ms;
	/* When it cannot be read, the interval counts from now, as in a new folder. */
	bool known = meta_get_int(&store->writer.db, META_LIFECYCLE_RUN, &last_ms) == FOUND;
	store->lifecycle_last_ms = known ? last_ms : clock_now_ms(&store->clock);
}

/* Has an arena of its own: nobody waits for it. */
struct scheduled_run {
	struct lifecycle_run run;
	struct arena arena;
};

static void note_run(struct store_tx *tx, struct store_job *job)
{
	struct lifecycle_run *run = (struct lifecycle_run *)job;
	if (!meta_put(tx->db, META_LIFECYCLE_RUN, &run->now_ms, sizeof(run->now_ms)))
		tx_fail(tx, job);
}

static const struct job_ops scheduled_ops = {
    .work = lifecycle_run_work, .run = note_run, .frees = true};

static void scheduled_done(struct store_job *job)
{
	struct store *store = job->owner;
	atomic_store(&store->lifecycle_scheduled, false);
	arena_release(job->arena);
	free(job);
}

/* A clock that was moved back makes nothing due; the interval counts from then on. */
void lifecycle_tend(struct store *store)
{
	int64_t now_ms = clock_now_ms(&store->clock);
	if (now_ms < store->lifecycle_last_ms)
		store->lifecycle_last_ms = now_ms;
	if (store->lifecycle_interval_ms < 0 ||
	    now_ms - store->lifecycle_last_ms < store->lifecycle_interval_ms ||
	    atomic_load(&store->winding_down) || atomic_exchange(&store->lifecycle_scheduled, true))
		return;
	struct scheduled_run *scheduled = calloc(1, sizeof(*scheduled));
	if (!scheduled)
		abort();
	arena_init(&scheduled->arena);
	scheduled->run.job.arena = &scheduled->arena;
	scheduled->run.job.owner = store;
	scheduled->run.job.done = scheduled_done;
	scheduled->run.each = store->lifecycle_ran;
	store->lifecycle_last_ms = now_ms;
	atomic_fetch_add(&store->lifecycle_runs_begun, 1);
	store_submit_to(store, &store->lifecycle_runs, &scheduled->run.job, &scheduled_ops);
}
