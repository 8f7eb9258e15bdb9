/*
 * Scans of images, such as they are: this version has nothing to look vulnerabilities up in, so that a scan
 * has failed once it was asked for. What is kept is when that was: an image is scanned once in 24 hours.
 */
#ifndef DRYDOCK_STORAGE_SCAN_H
#define DRYDOCK_STORAGE_SCAN_H

#include "storage/images/image.h"

/* What a scan ends with. */
#define SCAN_FAILURE                                                                               \
	"This version of Drydock has no source of vulnerabilities: the image was not looked into"

/*
 * ERR_REPOSITORY_NOT_FOUND, ERR_IMAGE_NOT_FOUND, ERR_IMAGE_ARCHIVED, ERR_IMAGE_UNSUPPORTED (an index, or what
 * is no container image), ERR_LIMIT_EXCEEDED with its message (ecr-behaviour 2, S14).
 */
struct scan_start {
	struct store_job job; /* its arena must be set */
	struct repository_key key;
	struct image_id id;
	struct digest digest; /* out */
};
void scan_start_submit(struct store *store, struct scan_start *start);

#endif
