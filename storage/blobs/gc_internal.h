/*
 * The collector's own: its steps, and the sweep of files. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_GC_INTERNAL_H
#define DRYDOCK_STORAGE_GC_INTERNAL_H

#include "storage/blobs/gc.h"
#include "storage/core.h"

/* On the writer thread: submits a collection when one is due. */
void gc_tend(struct store *store);

enum { GC_FILES_PER_STEP = 64 };

/* Blobs whose rows a transaction dropped, or whose files have none: for removal_add once it is committed. */
struct gc_files {
	struct digest at[GC_FILES_PER_STEP];
	size_t count;
};
void gc_files_remove(struct store *store, const struct gc_files *files, bool whole);

/*
 * The sweep: files without a row, one folder of blobs/ at a time, first on a worker, then, what looks
 * like one, on the writer. Calls over(store, run) on the writer thread when it is through or has failed.
 */
void sweep_begin(
    struct store *store, struct gc_run *run, void (*over)(struct store *store, struct gc_run *run));

#endif
