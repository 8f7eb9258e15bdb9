#include "storage/schedule.h"

#include "storage/archive_due.h"
#include "storage/core.h"
#include "storage/gc_internal.h"
#include "storage/lifecycle_due.h"
#include "storage/preview_due.h"

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
