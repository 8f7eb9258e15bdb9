/*
 * Blobs: content that a repository may see.
 *
 * Content is kept once for all registries; a repository sees a blob only through a row of its own
 * (made when it was pushed or mounted there). Small content is a row, large content a file.
 */
#ifndef DRYDOCK_STORAGE_BLOB_H
#define DRYDOCK_STORAGE_BLOB_H

#include "protocol/digest.h"
#include "storage/repository.h"

enum {
	/*
	 * Content up to this many bytes is a row. A file costs the CPU of a row of some 100 KiB
	 * (measured); what is inline is in memory whole while it is read.
	 */
	BLOB_INLINE_MAX = 64 * 1024,
};

struct blob {
	int64_t id;
	uint64_t size;
	struct slice data; /* inline content in the arena, absent when in a file or not asked for */
	int fd;            /* open file of large content, the caller closes; -1 otherwise */
};

/* Size only. ERR_REPOSITORY_NOT_FOUND, ERR_BLOB_UNKNOWN. */
enum error_code blob_stat(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct blob *out);
/* With its content. ERR_REPOSITORY_NOT_FOUND, ERR_BLOB_UNKNOWN, ERR_STORAGE_FAILED. */
enum error_code blob_open(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct arena *a, struct blob *out);

#endif
