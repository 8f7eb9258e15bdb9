/*
 * POST /v2/{name}/blobs/uploads/?mount={digest}&from={name}: a blob that is here already. OCI
 * distribution-spec "Mounting a blob from another repository"; ecr-behaviour 6.5.
 */
#include "server/registry/registry_internal.h"

#include "protocol/names.h"
#include "server/access.h"
#include "storage/blobs/blob_link.h"

struct mount {
	struct blob_mount job;
	call_step *next;
};

/*
 * A mount that cannot be is no error: the answer is that of a new upload (so the specification says
 * of invalid arguments, too). One of which storage cannot tell whether it may be is an error.
 */
bool registry_mount_asked(struct call *c, bool *asked)
{
	struct slice from = registry_query(c, "from");
	struct slice source = from.at ? from : slice_str("*");
	struct digest digest;
	enum error_code code;

	*asked = false;
	if (digest_parse(registry_query(c, "mount"), &digest) != DIGEST_OK)
		return true;
	if (from.at && !repository_name_valid(from))
		return true;
	if (!access_would_allow(c, "GetDownloadUrlForLayer", source, asked))
		return false;
	if (!*asked || !registry_quirk(c, QUIRK_MOUNT_NEEDS_IMAGE))
		return true;
	*asked = from.at != NULL;
	if (!*asked)
		return true;
	code = blob_mounting_enabled(c->reader, &c->repository, asked);
	if (code != ERR_NONE)
		call_fail(c, code);
	return code == ERR_NONE;
}

static enum http_step mounted(struct call *c)
{
	struct mount *mount = c->job_data;
	char *text = arena_alloc(c->arena, DIGEST_TEXT_MAX);

	if (c->error.code == ERR_NONE && !mount->job.mounted)
		return mount->next(c);
	if (c->error.code != ERR_NONE)
		return registry_error(c);
	registry_reply(c, 201);
	registry_location(c, "%.*s/blobs/%.*s", SLICE_ARG(c->repository.name),
	    SLICE_ARG(digest_format(&mount->job.digest, text)));
	registry_digest_header(c, &mount->job.digest);
	return HTTP_DONE;
}

enum http_step registry_mount(struct call *c, call_step *next)
{
	struct mount *mount = arena_zalloc(c->arena, sizeof(*mount));

	mount->next = next;
	mount->job.key = c->repository;
	mount->job.from = registry_query(c, "from");
	mount->job.needs_image = registry_quirk(c, QUIRK_MOUNT_NEEDS_IMAGE);
	digest_parse(registry_query(c, "mount"), &mount->job.digest);
	call_await(c, &mount->job.job, mount, mounted);
	blob_mount_submit(c->app->store, &mount->job);
	return HTTP_WAIT;
}
