/*
 * Looks through a whole data folder that nobody else has open: is everything what it says it is?
 *
 * Every blob is hashed; what each image's manifest names is looked for; everything that is said twice (an
 * image's tags, its references, counts) is compared; files and rows that nothing speaks of are found. Nothing is
 * written, unless it is to be repaired: then blobs that are not whole are dropped, so that clients upload
 * them again, what follows from manifests and rows is made anew, and what is left over is removed.
 * Images that lack a blob stay, and are found again until they were pushed anew or deleted.
 *
 * Blocking, on the calling thread; memory does not grow with what is stored.
 */
#ifndef DRYDOCK_STORAGE_CHECK_H
#define DRYDOCK_STORAGE_CHECK_H

#include "protocol/slice.h"
#include "storage/db/err.h"

#include <stdbool.h>
#include <stdint.h>

/* One thing that is wrong. Everything is borrowed for the call. */
struct check_finding {
	const char *kind; /* a word for programs: check_kinds() has them all */
	const char *text; /* a sentence for people, with what was or can be done */
	bool mended;
	struct slice account, region, repository; /* of an image's; absent otherwise */
	struct slice image;                       /* its digest */
	struct slice tags;                        /* its tags, "v1, latest"; empty: none */
};

struct check_options {
	const char *path;
	bool repair;
	void (*finding)(void *arg, const struct check_finding *finding);
	/* Blobs' bytes looked at so far, and in all; may be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct check_result {
	uint64_t repositories, images, blobs, bytes; /* looked at */
	uint64_t findings, mended;
};

/*
 * False with *err filled when it could not be done: there is no data folder, it has an owner, it needs
 * another version, the disk fails. What was repaired until then stays.
 */
bool store_check(const struct check_options *options, struct check_result *result, struct err *err)
    __attribute__((warn_unused_result));

/* The kinds of findings, NULL past the last: for tests and documentation. */
const char *check_kind(size_t index);

#endif
