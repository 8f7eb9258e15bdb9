#include "storage/schedule.h"

#include "storage/archive_due.h"
#include "storage/core.h"
#include "storage/gc_internal.h"

void schedule_tend(struct store *store)
{
	if (atomic_load(&store->closing))
		return;
	uploads_expire(store);
	archive_tend(store);
	gc_tend(store);
}
