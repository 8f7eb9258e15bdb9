/*
 * Previews in the background: made, aged out, cleared away. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_PREVIEW_DUE_H
#define DRYDOCK_STORAGE_PREVIEW_DUE_H

#include "storage/core.h"
#include "storage/lifecycle/preview.h"

/* After the commit of a start: makes the preview. */
void preview_make_submit(struct store *store, const struct preview_start *start);

/* In a run function: a repository's preview goes, and its items soon after. False: the job has failed. */
bool preview_drop(struct store_tx *tx, struct store_job *job, int64_t repository_id);
/* Clears away the items of dead sets, a page at a time, between other jobs. Any thread. */
void preview_purge_submit(struct store *store);
/* On the writer thread: ages out what is due. */
void preview_tend(struct store *store);
/* Before the writer runs: previews that a process left unfinished. False on a database error. */
bool preview_recover(struct store *store);

#endif
