/*
 * The rows an image consists of, as the writer's jobs change them. Storage-internal.
 *
 * The key's column `tagged` says the image's status too: 0 and 1 are an ACTIVE image without and
 * with tags, 2 and 3 an ARCHIVED, 4 and 5 an ACTIVATING one. So what is not ACTIVE is out of the
 * way of all that is about images to be pulled, and each status can be listed from any digest on
 * without passing over others.
 *
 * An image's row keeps its tags in bytewise order, each followed by a NUL, and says whether it has
 * any in its key (tagged); the tag table says the same the other way round. Both change here only,
 * together.
 */
#ifndef DRYDOCK_STORAGE_IMAGE_ROWS_H
#define DRYDOCK_STORAGE_IMAGE_ROWS_H

#include "storage/core.h"
#include "storage/images/image.h"

struct image_row {
	int64_t repository_id, id;
	struct digest digest;
	bool tagged;
	enum image_status status;
	struct digest subject;
	struct slice artifact_type, media_type; /* in the arena */
	int64_t pushed_ms, pulled_ms, archived_ms, activated_ms, scanned_ms;
	size_t tag_count;
	struct slice tags; /* in the arena */
};

/* ERR_NONE, ERR_IMAGE_NOT_FOUND, or the job has failed (ERR_STORAGE_*). */
enum error_code image_row_find(struct store_tx *tx, struct store_job *job, int64_t repository_id,
    const struct digest *digest, struct image_row *out) __attribute__((warn_unused_result));
/* The digest a tag names: the same answers. */
enum error_code tag_row_find(struct store_tx *tx, struct store_job *job, int64_t repository_id,
    struct slice tag, struct digest *out) __attribute__((warn_unused_result));

/*
 * By digest, by tag, or by both, which then must go together: the same answers. (A mismatch is
 * ERR_IMAGE_NOT_FOUND.)
 */
enum error_code image_row_named(struct store_tx *tx, struct store_job *job, int64_t repository_id,
    const struct image_id *id, struct image_row *out) __attribute__((warn_unused_result));

/* Puts a tag on a row or takes it off; *row follows. False when the job has failed. */
bool image_row_add_tag(
    struct store_tx *tx, struct store_job *job, struct image_row *row, struct slice tag);
bool image_row_remove_tag(
    struct store_tx *tx, struct store_job *job, struct image_row *row, struct slice tag);

/* The value of `tagged`, and what one says. */
int image_row_place(const struct image_row *row);
void image_row_set_place(struct image_row *row, int place);
/*
 * Gives it another status; *row follows. when_ms: since when it is ARCHIVED or ACTIVE, or when it
 * will no longer be ACTIVATING. False when the job has failed.
 */
bool image_row_move(struct store_tx *tx, struct store_job *job, struct image_row *row,
    enum image_status to, int64_t when_ms);

/*
 * Removes the row, its manifest and what it refers to; not its rows in tag and not the repository's
 * count. False when the job has failed.
 */
bool image_row_drop(struct store_tx *tx, struct store_job *job, const struct image_row *row);
/*
 * Deletes the image: the above, its tags, and one less in the count; what refers to it is an orphan from now on.
 * Whether it may go is the caller's business. False when the job has failed.
 */
bool image_row_remove(struct store_tx *tx, struct store_job *job, const struct image_row *row);
/* The indexes in the repository that name it, "sha256:.., sha256:.."; absent when none, or the job has failed. */
struct slice image_row_parents(
    struct store_tx *tx, struct store_job *job, const struct image_row *row);
/* Adds to the repository's count of images. */
bool image_count_add(struct store_tx *tx, struct store_job *job, int64_t repository_id, int by);

bool tags_have(struct slice tags, struct slice name);
/* The tags with one more or one less, in order, in the arena. */
struct slice tags_with(struct slice tags, struct slice name, struct arena *a);
struct slice tags_without(struct slice tags, struct slice name, struct arena *a);
/* In a run function: the whole of a put, which stands for a part of another job; only put->job's error and arena are used. */
void image_put_in(struct store_tx *tx, struct image_put *put);

#endif
