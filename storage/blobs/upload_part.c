/*
 * A part of a layer that came as base64, appended on a worker.
 *
 * It is decoded in pieces into the same scratch memory, so that a part of 20 MiB costs one piece of memory beside
 * the request's body, and its event loop nothing.
 */
#include "storage/blobs/upload_part.h"

#include "protocol/base64.h"

/* Characters decoded at a time, a multiple of four: the bytes of one piece are all the memory it needs. */
enum { PIECE = 256 * 1024 };

static enum error_code append_piece(struct upload *upload, struct slice text, struct arena *scratch)
{
	struct slice bytes = base64_decode(text, scratch);
	return bytes.at ? upload_append(upload, bytes) : ERR_SERIALIZATION;
}

static enum error_code append_all(struct upload *upload, struct slice text)
{
	struct arena scratch;
	enum error_code failure = ERR_NONE;
	arena_init(&scratch);
	while (text.len > 0 && failure == ERR_NONE) {
		size_t len = text.len < PIECE ? text.len : PIECE;
		failure = append_piece(upload, slice_of(text.at, len), &scratch);
		text = slice_skip(text, len);
		arena_reset(&scratch);
	}
	arena_release(&scratch);
	return failure;
}

static void part_work(struct store *store, struct store_job *job)
{
	struct upload_part *part = (struct upload_part *)job;
	(void)store;
	job->error.code = append_all(part->upload, part->base64);
	if (job->error.code == ERR_NONE)
		job->error.code = upload_keep(part->upload, &part->size);
	else
		upload_abandon(part->upload);
	part->upload = NULL;
}

static const struct job_ops part_ops = {.work = part_work};

void upload_part_submit(struct store *store, struct upload_part *part)
{
	store_submit(store, &part->job, &part_ops);
}
