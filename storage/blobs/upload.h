/*
 * Uploads: blobs on their way in.
 *
 * A session survives a restart of the process (spool.h): what was acknowledged of it is there
 * again. Its bytes are in a slot of the spool while they are few, and in a file of their own once
 * they exceed BLOB_INLINE_MAX. One request at a time may hold a session.
 *
 *	upload_begin()                 POST: makes the session
 *	upload_acquire()               PATCH, PUT: now this request holds it
 *	  upload_append() ...          each slice of the body, hashed as it is written
 *	upload_keep()  or              PATCH's end: what came is kept
 *	upload_finish_submit()         PUT's end: verified, becomes a blob, the session is gone
 *	  or upload_abandon()          the client vanished: what came so far is kept
 *
 * All but finishing and cancelling is done at once, on the request's thread, and does not block
 * beyond the page cache. A session is forgotten 24 hours after its last request, and when the
 * machine (not only the process) went down.
 */
#ifndef DRYDOCK_STORAGE_UPLOAD_H
#define DRYDOCK_STORAGE_UPLOAD_H

#include "storage/blobs/blob.h"

struct upload; /* a session held by one request */

/* What its parts have been like so far. */
enum upload_parts { PARTS_GOOD, PARTS_LAST_SMALL, PARTS_TOO_SMALL };

/*
 * A new session; id is filled (random UUID v4). algorithm: to hash with as bytes come; DIGEST_NONE
 * means sha256. ERR_REPOSITORY_NOT_FOUND, ERR_STORAGE_*, ERR_THROTTLED (thousands of requests hold
 * one each).
 */
enum error_code upload_begin(struct store *store, struct store_reader *reader,
    const struct repository_key *key, enum digest_algorithm algorithm, uint8_t id[16])
    __attribute__((warn_unused_result));
/* The same as a job, for callers without a reader. */
struct upload_start {
	struct store_job job;
	struct repository_key key;
	enum digest_algorithm algorithm;
	uint8_t id[16];
};
void upload_start_submit(struct store *store, struct upload_start *start);

/* Bytes acknowledged so far. ERR_REPOSITORY_NOT_FOUND, ERR_UPLOAD_UNKNOWN (also: another
 * repository's). */
enum error_code upload_stat(struct store_reader *reader, const struct repository_key *key,
    const uint8_t id[16], uint64_t *size) __attribute__((warn_unused_result));

/* ERR_REPOSITORY_NOT_FOUND, ERR_UPLOAD_UNKNOWN, ERR_UPLOAD_BUSY, ERR_STORAGE_FAILED. */
enum error_code upload_acquire(struct store *store, struct store_reader *reader,
    const struct repository_key *key, const uint8_t id[16], struct upload **out)
    __attribute__((warn_unused_result));
/* Bytes it holds now, appended ones included. */
uint64_t upload_size(const struct upload *upload);
/*
 * With no bytes yet: hash with this algorithm, so that finishing need not read the bytes again. No
 * effect later.
 */
void upload_expect(struct upload *upload, enum digest_algorithm algorithm);
/* ERR_STORAGE_FULL, ERR_STORAGE_FAILED, ERR_LAYER_TOO_LARGE: then abandon it or cancel it. */
enum error_code upload_append(struct upload *upload, struct slice bytes);
/* Gives the session back from a request that ended early; keeps the bytes so far. */
void upload_abandon(struct upload *upload);
/* Gives it back unchanged (nothing was appended). */
void upload_release(struct upload *upload);

/*
 * Keeps what was appended and gives the session back. size: all it holds. ERR_UPLOAD_UNKNOWN (it
 * was ended meanwhile), ERR_STORAGE_* (then it is gone, and its space with it).
 */
enum error_code upload_keep(struct upload *upload, uint64_t *size);

/* The least that a part of an upload may have, but for its last: what upload_keep ends is a part.
 */
enum { UPLOAD_PART_MIN = 5 * 1024 * 1024 };
/* Whether a part that was not the last (by what was appended since, too) had less than
 * UPLOAD_PART_MIN. */
bool upload_part_too_small(const struct upload *upload);
/* How many parts it has so far; those beyond 65,535 are not counted. */
size_t upload_part_count(const struct upload *upload);
/* The same in a job's clothes; done is called before this returns. */
struct upload_park {
	struct store_job job;
	struct upload *upload;
	uint64_t size; /* out */
};
void upload_park_submit(struct store *store, struct upload_park *park);

/*
 * Verifies and commits. ERR_LAYER_DIGEST_MISMATCH (the session and its bytes are gone),
 * ERR_REPOSITORY_NOT_FOUND (deleted meanwhile), ERR_UPLOAD_UNKNOWN, ERR_STORAGE_FULL (the session
 * is gone, and its space with it), ERR_STORAGE_FAILED (it may be tried again). The caller holds it
 * no longer in any case.
 */
struct upload_finish {
	struct store_job job;
	struct upload *upload;
	struct digest digest;
	uint64_t size;       /* out */
	bool was_there;      /* out: the repository had that blob already */
	struct digest found; /* storage's */
	bool linked;         /* storage's: its file has the blob's name */
	bool taken_over;     /* storage's: a file that waited for its removal is the blob's again */
};
void upload_finish_submit(struct store *store, struct upload_finish *finish);

/* Forgets a session. ERR_REPOSITORY_NOT_FOUND, ERR_UPLOAD_UNKNOWN, ERR_UPLOAD_BUSY. */
struct upload_cancel {
	struct store_job job;
	struct repository_key key;
	uint8_t id[16];
};
void upload_cancel_submit(struct store *store, struct upload_cancel *cancel);

#endif
