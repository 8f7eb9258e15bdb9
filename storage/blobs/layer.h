/*
 * Layers as the ECR API sees them: blobs of a repository, and whether its images use them.
 */
#ifndef DRYDOCK_STORAGE_LAYER_H
#define DRYDOCK_STORAGE_LAYER_H

#include "storage/blobs/blob.h"

enum layer_use {
	LAYER_UNUSED,   /* no image of the repository holds it */
	LAYER_ARCHIVED, /* only images that are in the archive do */
	LAYER_USED,
};

/* blob_id: of a blob that the repository sees (blob_stat). */
enum error_code layer_use(struct store_reader *reader, int64_t repository_id, int64_t blob_id,
    enum layer_use *out) __attribute__((warn_unused_result));

#endif
