/*
 * Images that go into the archive and come back, each with the referrers that follow it.
 *
 * One job does either. may_move() says ECR's refusals; move_all() moves the image and then its referrers, some
 * levels deep, but for one that an index which stays active names. There is no timer for each activation: its end
 * is a time in the table `archive`, and what is over is ended by the schedule, and by each job that must see
 * statuses as they are by now (archive_end_due).
 */
#include "storage/images/archive.h"

#include "storage/images/archive_due.h"
#include "storage/images/push_effects.h"
#include "storage/repositories/rows.h"

#include <stdlib.h>

enum {
	DUE_AT_ONCE = 64,    /* activations ended by one query */
	FOLLOWERS_DEPTH = 8, /* a signature of a signature of ... */
};

static void refuse(struct archive_update *up, enum error_code code)
{
	char text[DIGEST_TEXT_MAX];
	struct slice digest = digest_format(&up->id.digest, text);
	job_refuse(&up->job, code, &up->key);
	if (up->id.digest.algorithm != DIGEST_NONE)
		up->job.error.digest = arena_dup(up->job.arena, digest);
	up->job.error.tag = up->id.tag;
}

static bool not_supported(struct archive_update *up, const char *why)
{
	refuse(up, ERR_STORAGE_CLASS_UPDATE);
	up->job.error.detail = slice_str(why);
	return false;
}

/* The image meant. False with the job's error set. */
static bool find(
    struct store_tx *tx, struct archive_update *up, int64_t repository_id, struct image_row *row)
{
	enum error_code code = image_row_named(tx, &up->job, repository_id, &up->id, row);
	if (code == ERR_IMAGE_NOT_FOUND)
		refuse(up, code);
	up->digest = row->digest;
	return code == ERR_NONE;
}

bool archive_held(struct store_tx *tx, struct store_job *job, const struct image_row *row)
{
	bool active = false;
	struct digest parent;
	sqlite3_stmt *q = db_query(tx->db, Q_CHILD_PARENTS);
	bind_int(q, 1, row->repository_id);
	bind_digest(q, 2, &row->digest);
	while (!active && db_step(tx->db, q) == SQLITE_ROW) {
		if (!column_digest(q, 0, &parent))
			continue;
		sqlite3_stmt *pullable = db_query(tx->db, Q_IMAGE_PULLABLE);
		bind_int(pullable, 1, row->repository_id);
		bind_digest(pullable, 2, &parent);
		int step = db_step(tx->db, pullable);
		db_done(pullable);
		active = step == SQLITE_ROW;
		if (step != SQLITE_ROW && step != SQLITE_DONE) {
			tx_fail(tx, job);
			break;
		}
	}
	db_done(q);
	return active;
}

static bool may_move(struct store_tx *tx, struct archive_update *up, const struct image_row *row)
{
	struct image_row subject;
	if (up->restore && row->status != IMAGE_ARCHIVED)
		return not_supported(up,
		    row->status == IMAGE_ACTIVE
			? "The image is not archived: its storage class is STANDARD already"
			: "The image is being activated already");
	if (!up->restore && row->status == IMAGE_ARCHIVED)
		return not_supported(up, "The image is archived already");
	if (!up->restore && row->status == IMAGE_ACTIVATING)
		return not_supported(
		    up, "The image is being activated: archive it once it is ACTIVE");
	if (row->subject.algorithm != DIGEST_NONE &&
	    image_row_find(tx, &up->job, row->repository_id, &row->subject, &subject) == ERR_NONE)
		return not_supported(up, "The image is a referrer: it follows its subject");
	if (!up->restore && archive_held(tx, &up->job, row))
		return not_supported(up,
		    "A manifest list that is not archived references the image: archive that "
		    "first");
	return up->job.error.code == ERR_NONE;
}

/* Digests of the referrers of an image, in the job's arena. */
static struct digest *read_referrers(
    struct store_tx *tx, struct store_job *job, const struct image_row *row, size_t *count)
{
	size_t cap = 0;
	struct digest *all = NULL;
	sqlite3_stmt *q = db_query(tx->db, Q_IMAGE_REFERRERS);
	bind_int(q, 1, row->repository_id);
	bind_digest(q, 2, &row->digest);
	*count = 0;
	while (db_step(tx->db, q) == SQLITE_ROW) {
		if (*count == cap) {
			struct digest *more = arena_array(job->arena, cap * 2 + 8, sizeof(*all));
			if (cap > 0)
				memcpy(more, all, cap * sizeof(*all));
			all = more;
			cap = cap * 2 + 8;
		}
		*count += column_digest(q, 0, &all[*count]);
	}
	db_done(q);
	return all;
}

/* Moves an image, and with it what refers to it, but for what a list that stays active names. */
static bool move_all(struct store_tx *tx, struct store_job *job, struct image_row *row,
    enum image_status to, int64_t when_ms, int depth)
{
	size_t count;
	if (!image_row_move(tx, job, row, to, when_ms))
		return false;
	struct digest *referrers = read_referrers(tx, job, row, &count);
	for (size_t i = 0; i < count && depth < FOLLOWERS_DEPTH; i++) {
		struct image_row next;
		enum error_code code =
		    image_row_find(tx, job, row->repository_id, &referrers[i], &next);
		if (code != ERR_NONE || next.status == to ||
		    (to == IMAGE_ARCHIVED && archive_held(tx, job, &next)))
			continue;
		if (!move_all(tx, job, &next, to, when_ms, depth + 1))
			return false;
	}
	return job->error.code == ERR_NONE;
}

bool archive_take(struct store_tx *tx, struct store_job *job, struct image_row *row, int64_t now_ms)
{
	return move_all(tx, job, row, IMAGE_ARCHIVED, now_ms, 0);
}

static void update_run(struct store_tx *tx, struct store_job *job)
{
	struct archive_update *up = (struct archive_update *)job;
	struct image_row row = {0};
	int64_t repository_id, when_ms = clock_now_ms(&tx->store->clock);
	if (!archive_end_due(tx, job, when_ms) ||
	    !job_repository_id(tx, job, &up->key, &repository_id) ||
	    !find(tx, up, repository_id, &row) || !may_move(tx, up, &row))
		return;
	up->status = up->restore ? IMAGE_ACTIVATING : IMAGE_ARCHIVED;
	if (up->restore)
		when_ms += ARCHIVE_ACTIVATION_MS;
	move_all(tx, job, &row, up->status, when_ms, 0);
}

static const struct job_ops update_ops = {.run = update_run, .flush = STORE_FLUSH_NOW};

void archive_update_submit(struct store *store, struct archive_update *update)
{
	store_submit(store, &update->job, &update_ops);
}

/* ---- the end of activations ---- */

struct due_image {
	int64_t repository_id, due_ms;
	struct digest digest;
};

static size_t read_due(struct db *db, int64_t now_ms, struct due_image due[DUE_AT_ONCE])
{
	size_t count = 0;
	sqlite3_stmt *q = db_query(db, Q_ARCHIVE_DUE);
	bind_int(q, 1, now_ms);
	bind_int(q, 2, DUE_AT_ONCE);
	while (count < DUE_AT_ONCE && db_step(db, q) == SQLITE_ROW) {
		due[count].repository_id = sqlite3_column_int64(q, 0);
		due[count].due_ms = sqlite3_column_int64(q, 2);
		count += column_digest(q, 1, &due[count].digest);
	}
	db_done(q);
	return count;
}

bool archive_end_due(struct store_tx *tx, struct store_job *job, int64_t now_ms)
{
	struct due_image due[DUE_AT_ONCE];
	struct image_row row;
	size_t count;
	while (job->arena && (count = read_due(tx->db, now_ms, due)) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (image_row_find(tx, job, due[i].repository_id, &due[i].digest, &row) !=
				ERR_NONE ||
			    !image_row_move(tx, job, &row, IMAGE_ACTIVE, due[i].due_ms) ||
			    !restore_effects(tx, job, &row))
				return false;
		}
	}
	return true;
}

/* Has an arena of its own: nobody waits for it. */
struct archive_end {
	struct store_job job;
	struct arena arena;
};

static void end_run(struct store_tx *tx, struct store_job *job)
{
	archive_end_due(tx, job, clock_now_ms(&tx->store->clock));
}

static void end_done(struct store_job *job)
{
	arena_release(job->arena);
	free(job);
}

static const struct job_ops end_ops = {.run = end_run};

void archive_tend(struct store *store)
{
	struct due_image due[DUE_AT_ONCE];
	if (read_due(&store->writer.db, clock_now_ms(&store->clock), due) == 0)
		return;
	struct archive_end *end = calloc(1, sizeof(*end));
	if (!end)
		abort();
	arena_init(&end->arena);
	end->job.arena = &end->arena;
	end->job.done = end_done;
	store_submit(store, &end->job, &end_ops);
}
