/*
 * The parts of a check. Storage-internal.
 *
 * Each part answers false when it could not be done at all (the database fails); what it finds wrong it
 * says with check_find.
 */
#ifndef DRYDOCK_STORAGE_CHECK_INTERNAL_H
#define DRYDOCK_STORAGE_CHECK_INTERNAL_H

#include "storage/core.h"
#include "storage/upkeep/check.h"

enum check_kind_index {
	CHECK_DATABASE,
	CHECK_BLOB_MISSING,
	CHECK_BLOB_CORRUPT,
	CHECK_BLOB_UNREADABLE,
	CHECK_IMAGE_CORRUPT,
	CHECK_IMAGE_INCOMPLETE,
	CHECK_IMAGE_WRONG,
	CHECK_REFERENCE_WRONG,
	CHECK_TAG_WRONG,
	CHECK_COUNT_WRONG,
	CHECK_ROW_LEFT_OVER,
	CHECK_FILE_LEFT_OVER,
	CHECK_KIND_COUNT
};

/* An image that a tag names, and that does not list it. */
struct check_doubt {
	int64_t repository_id;
	struct digest digest;
};

struct check {
	const struct check_options *options;
	struct check_result *result;
	struct store store;   /* never opened: its files, clock and writer's connection serve */
	struct store_tx tx;   /* for the functions that jobs share */
	struct store_job job; /* for their failures */
	struct arena arena;   /* of the item looked at */
	uint64_t bytes_total;
	struct digest
	    *broken; /* blobs that are not whole, in order, malloc'd; dropped when repairing */
	size_t broken_count, broken_cap;
	struct check_doubt *doubts; /* in order, malloc\'d */
	size_t doubt_count, doubt_cap;
};

/* The image that findings are about. */
struct check_image {
	struct slice account, region, repository, digest, tags;
};

/*
 * mends: whether it is mended when repairing; the caller does so. image may be NULL. True when it is to. After a read that
 * failed nothing is said, and nothing to be mended.
 */
bool check_find(struct check *ck, enum check_kind_index kind, const struct check_image *image,
    bool mends, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* False once a read of the database has failed: what it seemed to say is no finding, and nothing is mended by it. */
bool check_reads_well(const struct check *ck);
bool check_is_broken(const struct check *ck, const struct digest *digest);

bool check_blobs(struct check *ck);
/* After the commit: the files of blobs that were dropped. */
void check_remove_dropped(struct check *ck);
bool check_files(struct check *ck);
bool check_images(struct check *ck);
bool check_references(struct check *ck);
bool check_rows(struct check *ck);

#endif
