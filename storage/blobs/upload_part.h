/*
 * A part of a layer as the ECR API sends it: base64, whole in memory (ECR API UploadLayerPart).
 *
 * Decoding, hashing and writing up to 20 MiB would hold up an event loop's other connections, so that a
 * worker does it.
 */
#ifndef DRYDOCK_STORAGE_UPLOAD_PART_H
#define DRYDOCK_STORAGE_UPLOAD_PART_H

#include "storage/blobs/upload.h"

/*
 * Appends what base64 stands for, and keeps it as one part. upload is the caller's from upload_acquire, and
 * is given back in any case; base64 must be well-formed and live until done. The errors of upload_append
 * and upload_keep; after ERR_LAYER_TOO_LARGE the session holds what it held before this part or some of it.
 */
struct upload_part {
	struct store_job job;
	struct upload *upload;
	struct slice base64;
	uint64_t size; /* out: bytes the upload holds */
};
void upload_part_submit(struct store *store, struct upload_part *part);

#endif
