/*
 * The list of what may be due: a line for each part.
 *
 * Each part looks whether something of its own is due and submits a job for it; nothing long is done here, as the
 * writer waits meanwhile.
 */
#include "storage/upkeep/schedule.h"

#include "storage/blobs/gc_internal.h"
#include "storage/core.h"
#include "storage/images/archive_due.h"
#include "storage/lifecycle/lifecycle_due.h"
#include "storage/lifecycle/preview_due.h"

void schedule_tend(struct store *store)
{
	if (atomic_load(&store->closing))
		return;
	uploads_expire(store);
	removal_start(store);
	archive_tend(store);
	lifecycle_tend(store);
	preview_tend(store);
	gc_tend(store);
}

void store_scheduled(struct store *store, struct store_scheduled *scheduled)
{
	scheduled->collections = atomic_load(&store->collections_begun);
	scheduled->lifecycle_runs = atomic_load(&store->lifecycle_runs_begun);
}
