/* DescribeImageReplicationStatus: where an image was copied to when it was pushed (ecr-behaviour 2.8). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "storage/images/replication.h"

static void write_replica(struct json_writer *w, const struct replica *replica)
{
	json_object(w);
	json_put_str(w, "region", replica->region);
	json_put_str(w, "registryId", replica->account);
	json_put_cstr(w, "status", replica->failure.at ? "FAILED" : "COMPLETE");
	json_put_str(w, "failureCode", replica->failure);
	json_object_end(w);
}

enum http_step op_describe_image_replication_status(struct call *c)
{
	struct replica *replicas;
	struct ecr_image_id asked;
	struct json_writer *w;
	struct repository r;
	struct image image;
	struct image_id id;
	size_t count;
	enum error_code code;

	if (!ecr_find_repository(c, &r) || !ecr_find_image(c, &r, &asked, &image))
		return ecr_error(c);
	code = replica_list(c->reader, image.id, c->arena, &replicas, &count);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	id = (struct image_id){.digest = image.digest, .tag = asked.tag};
	w = ecr_begin(c);
	json_put_str(w, "repositoryName", c->repository.name);
	json_key(w, "imageId");
	ecr_write_image_id(w, &id);
	json_put_array(w, "replicationStatuses");
	for (size_t i = 0; i < count; i++)
		write_replica(w, &replicas[i]);
	json_array_end(w);
	return ecr_reply(c);
}
