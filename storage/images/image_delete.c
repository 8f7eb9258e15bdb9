/* Deleting images and tags (ecr-behaviour 2.3 BatchDeleteImage). */
#include "storage/images/image.h"

#include "storage/images/image_rows.h"
#include "storage/repositories/rows.h"

struct delete_state {
	struct store_tx *tx;
	struct image_delete *del;
	int64_t repository_id;
};

static bool same_id(const struct image_id *a, const struct image_id *b)
{
	bool tags = (a->tag.at == NULL) == (b->tag.at == NULL) && slice_eq(a->tag, b->tag);
	return tags && digest_eq(&a->digest, &b->digest);
}

static bool repeated(const struct image_delete *del, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (same_id(&del->items[i].id, &del->items[index].id))
			return true;
	}
	return false;
}

static bool takes_in(const struct image_id *gone, const struct image_id *id)
{
	bool digest = id->digest.algorithm == DIGEST_NONE || digest_eq(&gone->digest, &id->digest);
	return digest && (!id->tag.at || (gone->tag.at && slice_eq(gone->tag, id->tag)));
}

/* Has an earlier item taken away what this one names? */
static bool taken(const struct image_delete *del, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		const struct image_delete_item *item = &del->items[i];
		for (size_t j = 0; j < item->gone_count; j++) {
			if (takes_in(&item->gone[j], &del->items[index].id))
				return true;
		}
	}
	return false;
}

static struct image_id *gone_new(struct delete_state *s, struct image_delete_item *item, size_t n)
{
	item->gone = arena_array(s->del->job.arena, n, sizeof(*item->gone));
	item->gone_count = n;
	return item->gone;
}

/* Deletes the image with all its tags, unless an index needs it. */
static void delete_image(
    struct delete_state *s, struct image_delete_item *item, const struct image_row *row)
{
	struct store_job *job = &s->del->job;
	if (!s->del->even_referenced)
		item->parents = image_row_parents(s->tx, job, row);
	if (item->parents.at)
		item->result = IMAGE_REFERENCED;
	if (item->parents.at || job->error.code != ERR_NONE)
		return;
	struct slice rest = row->tags, tag;
	struct image_id *gone = gone_new(s, item, row->tag_count > 0 ? row->tag_count : 1);
	gone->digest = row->digest;
	while (tags_next(&rest, &tag))
		*gone++ = (struct image_id){row->digest, tag};
	image_row_remove(s->tx, job, row);
}

/* Removes one tag, and the image with its last unless only the tag is meant. */
static void delete_tag(
    struct delete_state *s, struct image_delete_item *item, struct image_row *row)
{
	if (row->tag_count <= 1 && !s->del->tag_only) {
		delete_image(s, item, row);
	} else if (image_row_remove_tag(s->tx, &s->del->job, row, item->id.tag)) {
		*gone_new(s, item, 1) = (struct image_id){row->digest, item->id.tag};
	}
}

/* What the item names. False when it is not there (result says how) or the job has failed. */
static bool find(struct delete_state *s, struct image_delete_item *item, struct image_row *row)
{
	struct store_job *job = &s->del->job;
	struct digest digest = item->id.digest;
	if (item->id.tag.at) {
		if (tag_row_find(s->tx, job, s->repository_id, item->id.tag, &digest) != ERR_NONE)
			return false;
		if (item->id.digest.algorithm != DIGEST_NONE &&
		    !digest_eq(&item->id.digest, &digest)) {
			item->result = IMAGE_TAG_MISMATCH;
			return false;
		}
	}
	return image_row_find(s->tx, job, s->repository_id, &digest, row) == ERR_NONE;
}

static void delete_item(struct delete_state *s, size_t index)
{
	struct image_delete_item *item = &s->del->items[index];
	struct image_row row;
	item->gone = NULL;
	item->gone_count = 0;
	item->parents = slice_of(NULL, 0);
	item->result = repeated(s->del, index) ? IMAGE_DELETE_SKIPPED : IMAGE_NOT_THERE;
	if (item->result == IMAGE_DELETE_SKIPPED)
		return;
	if (!find(s, item, &row)) {
		if (taken(s->del, index))
			item->result = IMAGE_DELETE_SKIPPED;
		return;
	}
	item->result = IMAGE_DELETED;
	if (item->id.tag.at)
		delete_tag(s, item, &row);
	else
		delete_image(s, item, &row);
}

static void delete_run(struct store_tx *tx, struct store_job *job)
{
	struct delete_state s = {.tx = tx, .del = (struct image_delete *)job};
	if (!job_repository_id(tx, job, &s.del->key, &s.repository_id))
		return;
	for (size_t i = 0; i < s.del->count && job->error.code == ERR_NONE; i++)
		delete_item(&s, i);
}

static const struct job_ops delete_ops = {
    .run = delete_run, .flush = STORE_FLUSH_NOW, .frees = true};

void image_delete_submit(struct store *store, struct image_delete *del)
{
	store_submit(store, &del->job, &delete_ops);
}
