/*
 * What follows a push, in its transaction: a scan, and copies to where the registry replicates to. Not
 * chained: a copy is scanned where it arrives, and goes no further. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_PUSH_EFFECTS_H
#define DRYDOCK_STORAGE_PUSH_EFFECTS_H

#include "storage/images/image_rows.h"

struct push {
	const struct repository_key *key;
	bool scan_on_push; /* the repository's own setting */
	bool fresh;        /* the image is new, or back from the archive */
	bool replica;      /* it came by replication */
	struct image_row *row;
	const struct slice *tags; /* that were pushed */
	size_t tag_count;
};
/* The job needs an arena. False when it has failed. */
bool push_effects(struct store_tx *tx, struct store_job *job, const struct push *push);
/* The same for an image that is back from the archive; nothing when its repository goes. */
bool restore_effects(struct store_tx *tx, struct store_job *job, struct image_row *row);

/* Whether it is a container image, of one platform. */
bool scan_possible(const struct image_row *row);
/* Notes a scan now. */
bool image_row_scanned(struct store_tx *tx, struct store_job *job, struct image_row *row);

#endif
