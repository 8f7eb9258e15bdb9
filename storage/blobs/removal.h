/*
 * The one way in which a blob's file leaves blobs/. Storage-internal; on the writer's thread only.
 *
 * The rule: nothing durable is taken away before the commit that gives it up is on disk. A commit is flushed some
 * time later, where a journal may write a name's removal at any moment: were the name given up right away, a
 * power cut could leave a row (that clients and images count on) without its file. So
 *
 *	removal_add()     from the committed function of the job that dropped the rows
 *	removal_start()   or
 *	removal_then()    flushes the log, once for all files added, then takes their names away
 *
 * A file that waits for the flush still has its name, and no row. Content that is pushed again meanwhile takes it
 * over (removal_has) when it is known to be whole. After a flush that failed the files stay and wait for
 * the next one; those that wait when the store is closed are left to the sweep.
 *
 * What has no rows of its own is not of this module: folders set aside as a whole (reset.c flushes for itself),
 * uploads (a session is worth nothing after a power cut), and a file whose upload has failed (nothing was committed).
 */
#ifndef DRYDOCK_STORAGE_REMOVAL_H
#define DRYDOCK_STORAGE_REMOVAL_H

#include "storage/db/db.h"
#include "storage/jobs/job.h"

/* Files that may wait before who adds more is to call removal_then first. */
enum { REMOVALS_AT_ONCE = 256 };

struct removal {
	struct digest digest;
	bool whole;   /* its row said that all of it is on disk */
	bool covered; /* by the flush that is under way */
};

struct removals {
	struct removal *at; /* malloc'd */
	size_t count, cap;
	bool under_way;          /* a flush, and taking away after it */
	struct store_job *first; /* jobs to be submitted when that is over */
};

/*
 * From the committed function of a job that had set tx->last: the blob has no row any more, or never
 * had one, and its file is to go. whole: its bytes were on disk, as its row said.
 */
void removal_add(struct store *store, const struct digest *digest, bool whole);
/* In a run function: a file of these bytes is there, whole, that waits to be taken away. */
bool removal_has(const struct store *store, const struct digest *digest);
/* From the committed function of a job that has made a row for the file again. */
void removal_cancel(struct store *store, const struct digest *digest);
/* Forgets all that wait: they are set aside otherwise, or left to the sweep. */
void removal_forget(struct store *store);

/* How many wait. */
size_t removal_count(const struct store *store);
/* Has what waits taken away. */
void removal_start(struct store *store);
/*
 * The same, and submits a job when nothing waits any more, or the flush has failed: to the collector's thread when it has
 * work, else to the writer.
 */
void removal_then(struct store *store, struct store_job *job, const struct job_ops *ops);
/* Removes, on a worker, what was set aside (files.h): no name leads to it any more. Any thread. */
void clear_aside_submit(struct store *store);
/* When the store is closed. */
void removal_release(struct store *store);

#endif
