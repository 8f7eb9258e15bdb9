/*
 * Garbage collection, while everything goes on.
 *
 * Garbage is what a repository sees and none of its images holds, once the grace time since somebody last
 * relied on it is over (stray.h): the repository no longer sees it then, and the content of what no repository
 * sees goes. Also idle uploads that are too old, and, after a crash, files that no row speaks of.
 *
 * It runs by itself every interval on Drydock's clock, and when asked. Its cost is that of the strays
 * (and, once after a crash, of a look at each file's name), in steps of a millisecond or so between
 * which other jobs run.
 *
 * A push cannot lose what it was told is there: an upload's end, a mount and a renewal (blob_renew) change the
 * stray's time in the writer's transactions, one after another, and the decision to collect is taken in
 * one too; nor as long as an upload to the same repository goes on that began within the grace time.
 *
 * A file goes after the commit that dropped its row is on disk (removal.h): one flush for the files of many steps.
 * The same content, pushed again before that, takes the file over. A crash in between, of the process or of
 * the machine, leaves a file without a row, never a row without a file.
 */
#ifndef DRYDOCK_STORAGE_GC_H
#define DRYDOCK_STORAGE_GC_H

#include "storage/jobs/job.h"

/* What one collection found. Bytes are those of contents. */
struct gc_result {
	uint64_t blobs, bytes;                 /* freed */
	uint64_t waiting_blobs, waiting_bytes; /* held by no image, within the grace time */
	uint64_t files, file_bytes;            /* left by a crash, removed */
	uint64_t uploads;                      /* given up */
};

enum { GC_STORES_GRACE = -1 };

/*
 * Collects now. done is called when it is over, which may take many transactions; result then says what was
 * done, also with ERR_STORAGE_*.
 */
struct gc_run {
	struct store_job job;
	int64_t
	    grace_ms; /* for this time; GC_STORES_GRACE: the store's; 0: whatever was promised to anybody */
	struct gc_result result; /* out */
	bool due;                /* storage's: it came of the interval, nobody asked for it */
};
void gc_submit(struct store *store, struct gc_run *run);

#endif
