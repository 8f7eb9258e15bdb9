/*
 * Images: manifests in a repository, their tags, and what they refer to.
 *
 * Both APIs push through image_put and delete through image_delete; everything that follows from a
 * push hangs on these two.
 */
#ifndef DRYDOCK_STORAGE_IMAGE_H
#define DRYDOCK_STORAGE_IMAGE_H

#include "protocol/manifest.h"
#include "storage/blobs/blob.h"

/* Written to disk: a number is never given a new meaning. */
enum image_status {
	IMAGE_ACTIVE = 0,
	IMAGE_ARCHIVED = 1,
	IMAGE_ACTIVATING = 2, /* on its way out of the archive: still not to be pulled */
	IMAGE_STATUS_COUNT,
	IMAGE_ANY_STATUS = IMAGE_STATUS_COUNT, /* of filters */
};

struct image {
	int64_t id;
	struct digest digest;
	struct slice media_type;
	struct slice artifact_type; /* absent when none */
	uint64_t size_bytes; /* layers' sum; of an index the largest child's (ECR DescribeImages) */
	int64_t pushed_ms;
	int64_t pulled_ms; /* lastRecordedPullTime, 0: never */
	enum image_status status;
	int64_t archived_ms, activated_ms; /* lastArchivedAt, lastActivatedAt; 0: never */
	int64_t scanned_ms;                /* of the last scan, 0: never */
	struct digest subject;             /* DIGEST_NONE when none */
	struct slice *tags;                /* in bytewise order */
	size_t tag_count;
};

/* The next name in tags that are each followed by a NUL, which are cut by it. False at the end. */
bool tags_next(struct slice *tags, struct slice *name);

/* By digest, by tag, or by both (then the tag must map to the digest). */
struct image_id {
	struct digest digest; /* DIGEST_NONE: not given */
	struct slice tag;     /* absent: not given */
};

enum tag_status { TAG_STATUS_ANY, TAG_STATUS_TAGGED, TAG_STATUS_UNTAGGED };

/* One image with its tags, whatever its status. ERR_IMAGE_NOT_FOUND. */
enum error_code image_find(struct store_reader *reader, int64_t repository_id,
    const struct image_id *id, struct arena *a, struct image *out)
    __attribute__((warn_unused_result));

/* A stored manifest; bytes in the arena when asked for. */
struct stored_manifest {
	int64_t image_id;
	int64_t repository_id;
	int64_t pulled_ms;
	struct digest digest;
	struct slice media_type;
	struct slice bytes; /* absent when only its size was asked for */
	uint64_t size;
};
/* The registry's read, of ACTIVE images only. ERR_REPOSITORY_NOT_FOUND, ERR_MANIFEST_UNKNOWN. */
enum error_code manifest_read(struct store_reader *reader, const struct repository_key *key,
    const struct image_id *id, bool with_bytes, struct arena *a, struct stored_manifest *out)
    __attribute__((warn_unused_result));

/*
 * A page of images by digest key order, those after `after` (NULL: from the first). It ends early once its images'
 * tags are some MiB (an image may have 1,000), so that a page's cost has a bound.
 */
struct image_page {
	struct image *at;
	size_t count;
	bool more;
};
enum error_code image_list(struct store_reader *reader, int64_t repository_id,
    enum tag_status status, const struct digest *after, size_t limit, struct arena *a,
    struct image_page *out) __attribute__((warn_unused_result));
/* The same for other than ACTIVE images. */
struct image_filter {
	enum tag_status tags;
	enum image_status status;
};
enum error_code image_list_filtered(struct store_reader *reader, int64_t repository_id,
    struct image_filter filter, const struct digest *after, size_t limit, struct arena *a,
    struct image_page *out) __attribute__((warn_unused_result));

/*
 * A page of (digest, tag) pairs, one per tag, and one without a tag per untagged image; ordered by digest
 * key, then tag; those after `after` (NULL: from the first).
 */
struct image_id_page {
	struct image_id *at;
	size_t count;
	bool more;
};
enum error_code image_id_list(struct store_reader *reader, int64_t repository_id,
    enum tag_status status, const struct image_id *after, size_t limit, struct arena *a,
    struct image_id_page *out) __attribute__((warn_unused_result));

enum error_code image_id_list_filtered(struct store_reader *reader, int64_t repository_id,
    struct image_filter filter, const struct image_id *after, size_t limit, struct arena *a,
    struct image_id_page *out) __attribute__((warn_unused_result));

/* A page of tags in bytewise order, those after `after` (absent: from the first). */
struct tag_page {
	struct slice *at;
	size_t count;
	bool more;
};
enum error_code tag_list(struct store_reader *reader, int64_t repository_id, struct slice after,
    size_t limit, struct arena *a, struct tag_page *out) __attribute__((warn_unused_result));

/*
 * The one write path of an image. Fill the inputs; manifest, parsed and tags must live until done.
 * Checks, in this order: the repository exists; an index's children and an image's config and layers
 * (foreign layers aside) are in this repository (ERR_REFERENCED_IMAGES_NOT_FOUND, ERR_LAYERS_NOT_FOUND
 * with the digests that are missing, in the manifest's order); the same digest with the same tag (or no
 * tag) is there already and refuse_same (ERR_IMAGE_EXISTS); a tag that may not move
 * (ERR_IMAGE_TAG_EXISTS); 1,000 tags an image, 100,000 images a repository (ERR_LIMIT_EXCEEDED). Then the
 * image, its tags and its references are committed at once, after every large blob it names has been
 * flushed to disk. A moved tag leaves the image it left, untagged if it was the last.
 */
struct image_put {
	struct store_job job;
	struct repository_key key;
	struct slice manifest;
	const struct manifest *parsed;
	struct digest digest;
	const struct slice *tags;
	size_t tag_count;
	bool refuse_same;
	bool replica; /* it is a copy that replication makes */
	bool
	    tags_stay; /* one that names another image and could move is refused: ERR_ACCESS_DENIED */
	bool sparse;   /* an index's children need not be here (OCI distribution-spec) */
	/*
	 * To be made when the repository is not there, with these settings, in the same transaction: a put that
	 * is refused makes none. NULL: it must be there.
	 */
	struct repository *create;
	bool created;      /* out: the digest was new in the repository */
	int64_t pushed_ms; /* out: imagePushedAt, of the first push of that digest */
};
void image_put_submit(struct store *store, struct image_put *put);

enum image_delete_result {
	IMAGE_DELETED,        /* tag removed or image deleted: see gone */
	IMAGE_NOT_THERE,      /* ImageNotFound */
	IMAGE_TAG_MISMATCH,   /* ImageTagDoesNotMatchDigest */
	IMAGE_REFERENCED,     /* a manifest list in the repository names it: parents */
	IMAGE_DELETE_SKIPPED, /* collapsed into an earlier item of the same request */
};
struct image_delete_item {
	struct image_id id;              /* in */
	enum image_delete_result result; /* out */
	struct image_id *gone;           /* out: what BatchDeleteImage returns for it */
	size_t gone_count;
	struct slice parents; /* out: "sha256:.., sha256:.." */
};
/*
 * Items are done in order, by ecr-behaviour 2.3 BatchDeleteImage: a tag alone (or with its digest) removes
 * the tag, and the image with its last tag; a digest alone deletes the image with all its tags.
 * ERR_REPOSITORY_NOT_FOUND for the whole; each item's outcome is its result.
 */
struct image_delete {
	struct store_job job;
	struct repository_key key;
	struct image_delete_item *items;
	size_t count;
	bool tag_only;        /* an image stays, untagged, when its last tag is removed */
	bool even_referenced; /* an image may go although an index names it */
};
void image_delete_submit(struct store *store, struct image_delete *del);

/*
 * Remembers that an image was pulled now, at most once a day per image; returns at once, nobody waits
 * (ECR: lastRecordedPullTime).
 */
void image_note_pull(struct store *store, const struct stored_manifest *manifest);

#endif
