/*
 * Blobs: content that a repository may see.
 *
 * Content is kept once for all registries; a repository sees a blob only through a row of its own
 * (made when it was pushed or mounted there). Small content is a row, large content a file.
 */
#ifndef DRYDOCK_STORAGE_BLOB_H
#define DRYDOCK_STORAGE_BLOB_H

#include "protocol/digest.h"
#include "storage/repositories/repository.h"

enum {
	/*
	 * Content up to this many bytes is a row. A file costs the CPU of a row of some 100 KiB
	 * (measured); what is inline is in memory whole while it is read.
	 */
	BLOB_INLINE_MAX = 64 * 1024,
};

struct db;
struct files;

struct blob {
	int64_t id;
	uint64_t size;
	struct slice data; /* inline content in the arena, absent when in a file or not asked for */
	int fd;            /* open file of large content, the caller closes; -1 otherwise */
	bool fading;       /* of blob_stat: see blob_renew */
};

/*
 * Size only. ERR_REPOSITORY_NOT_FOUND, ERR_BLOB_UNKNOWN, ERR_STORAGE_*.
 *
 * A blob whose file is not there, or has another size (somebody deleted it, a copy of the folder was cut off), is unknown
 * here and everywhere a client could go by it: when it is read, mounted, named by a manifest. Its row stays, so that the
 * images that hold it are whole again as soon as the same bytes are uploaded: upload_finish puts them in its place.
 *
 * Who tells a client that a blob is there promises that it stays for a while: the client will not upload it,
 * and name it in a manifest. When *out is fading that promise cannot be given yet: have it renewed, and
 * look again.
 */
enum error_code blob_stat(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct blob *out) __attribute__((warn_unused_result));
/* With its content. ERR_REPOSITORY_NOT_FOUND, ERR_BLOB_UNKNOWN, ERR_STORAGE_*. */
enum error_code blob_open(struct store_reader *reader, const struct repository_key *key,
    const struct digest *digest, struct arena *a, struct blob *out)
    __attribute__((warn_unused_result));

/*
 * Blobs that fade (no image of the repository holds them, and part of the grace time since anyone last relied
 * on them is over) begin their grace time anew. When this is done, what blob_stat finds is not collected
 * before at least seven eighths of the grace time have passed; what the collector was quicker with, it does
 * not find. Never an error but ERR_STORAGE_*.
 */
struct blob_renew {
	struct store_job job;
	struct repository_key key;
	const struct digest *digests;
	size_t count;
};
void blob_renew_submit(struct store *store, struct blob_renew *renew);

/*
 * Whether the content of a blob that has a row is there, as far as a look at its file tells: ERR_NONE, ERR_BLOB_UNKNOWN,
 * ERR_STORAGE_*. Storage-internal; costs nothing when it is small, else an fstatat.
 */
enum error_code blob_look(struct db *db, struct files *files, int64_t id,
    const struct digest *digest, uint64_t size) __attribute__((warn_unused_result));

#endif
