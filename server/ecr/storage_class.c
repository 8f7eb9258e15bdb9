/* UpdateImageStorageClass: into the archive, and out of it again (ecr-behaviour 2.3, 8.8). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "storage/images/archive.h"

static enum http_step updated(struct call *c)
{
	struct archive_update *job = c->job_data;
	struct image_id id = {.digest = job->digest, .tag = job->id.tag};
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_key(w, "imageId");
	ecr_write_image_id(w, &id);
	json_put_cstr(w, "imageStatus", ecr_image_status_name(job->status));
	return ecr_reply(c);
}

enum http_step op_update_image_storage_class(struct call *c)
{
	struct slice target = json_string(ecr_input(c), "targetStorageClass");
	struct archive_update *job = arena_zalloc(c->arena, sizeof(*job));
	struct ecr_image_id asked;

	if (!ecr_read_image_id(c, &asked))
		return ecr_error(c);
	job->key = c->repository;
	job->id = asked.id;
	job->restore = slice_is(target, "STANDARD");
	call_await(c, &job->job, job, updated);
	archive_update_submit(c->app->store, job);
	return HTTP_WAIT;
}
