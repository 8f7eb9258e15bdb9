/*
 * The archive: images that are kept but not to be pulled (ecr-behaviour 8.8).
 *
 * An image is put there and called back by its digest or a tag; its referrers follow it. One that is called
 * back is ACTIVATING for a while of the store's clock. A push of it brings it back at once (image_put).
 */
#ifndef DRYDOCK_STORAGE_ARCHIVE_H
#define DRYDOCK_STORAGE_ARCHIVE_H

#include "storage/images/image.h"

/* How long an activation takes; with real ECR, up to 20 minutes. */
#define ARCHIVE_ACTIVATION_MS (60 * 1000LL)

/*
 * ERR_REPOSITORY_NOT_FOUND, ERR_IMAGE_NOT_FOUND, ERR_STORAGE_CLASS_UPDATE with its message as detail: it has
 * that class already, it is a referrer of an image that is there, or an index that is ACTIVE names it.
 */
struct archive_update {
	struct store_job job; /* its arena must be set */
	struct repository_key key;
	struct image_id id;
	bool restore;
	enum image_status status; /* out */
	struct digest digest;     /* out */
};
void archive_update_submit(struct store *store, struct archive_update *update);

#endif
