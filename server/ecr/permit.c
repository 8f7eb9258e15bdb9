/*
 * What an operation's request is about, and what it asks for in IAM's terms.
 *
 * An ARN is read here, too, and not by the operation that takes it: so no function of an operation runs before the
 * policies have been asked.
 */
#include "server/ecr/permit.h"

#include "protocol/names.h"
#include "server/access.h"
#include "server/ecr/ecr_call.h"
#include "server/ecr/operations.h"

/* "arn:aws:ecr:us-east-1:000000000000:repository/team/app"; its account is the
 * registry that is meant. */
static bool parse_arn(struct slice arn, struct slice region, struct repository_key *out)
{
	static const struct slice type = SLICE("repository/");
	struct slice scheme = slice_cut(&arn, ':'), partition = slice_cut(&arn, ':');
	struct slice service = slice_cut(&arn, ':');

	out->region = slice_cut(&arn, ':');
	out->account = slice_cut(&arn, ':');
	if (!slice_is(scheme, "arn") || !slice_is(service, "ecr") ||
	    !slice_eq(out->region, region) || !account_id_valid(out->account) ||
	    !slice_is(partition, partition_of_region(region)) || !slice_starts(arn, type))
		return false;
	out->name = slice_skip(arn, type.len);
	return repository_name_valid(out->name);
}

static bool read_arn(struct call *c, const char *member)
{
	struct repository_key key;

	if (!parse_arn(json_string(ecr_input(c), member), c->region, &key)) {
		call_fail_parameter(c, member, "Invalid ARN");
		return false;
	}
	c->repository = key;
	c->account = key.account;
	return true;
}

bool ecr_read_resource(struct call *c)
{
	const struct ecr_operation *operation = ecr_operation(c);
	struct slice registry = json_string(ecr_input(c), "registryId");

	if (registry.at)
		c->account = registry;
	c->repository = (struct repository_key){c->account, c->region, {0}};
	if (operation->flags & RESOURCE_ARN)
		return read_arn(c, operation->resource);
	if (operation->resource && !(operation->flags & RESOURCE_LIST))
		c->repository.name = json_string(ecr_input(c), operation->resource);
	return true;
}

/* tags: [{Key, Value}]; tagKeys: ["..."], which have no values. */
static void read_tags(struct call *c, struct access *access)
{
	const cJSON *tags = json_member(ecr_input(c), "tags"), *keys, *item;
	struct resource_tag *list;

	keys = json_member(ecr_input(c), "tagKeys");
	list = arena_array(c->arena,
	    (size_t)cJSON_GetArraySize(tags) + (size_t)cJSON_GetArraySize(keys) + 1, sizeof(*list));
	access->tags = list;
	cJSON_ArrayForEach(item, tags)
		list[access->tag_count++] =
		    (struct resource_tag){json_string(item, "Key"), json_string(item, "Value")};
	cJSON_ArrayForEach(item, keys)
		list[access->tag_count++].key = slice_str(item->valuestring);
}

/* Each that is named, else all of them. */
static bool permit_list(struct call *c, struct access *access, const char *member)
{
	const cJSON *names = json_member(ecr_input(c), member), *name;

	access->repository = slice_str("*");
	if (!names)
		return access_allow(c, access);
	cJSON_ArrayForEach(name, names) {
		access->repository = slice_str(name->valuestring);
		if (!access_allow(c, access))
			return false;
	}
	return true;
}

bool ecr_permit(struct call *c)
{
	const struct ecr_operation *operation = ecr_operation(c);
	struct access access = {
	    .operation = operation->action ? operation->action : operation->name,
	    .repository = c->repository.name,
	};

	if (!c->who)
		return true;
	if (operation->flags & REQUEST_TAGS)
		read_tags(c, &access);
	if (operation->flags & RESOURCE_LIST)
		return permit_list(c, &access, operation->resource);
	return access_allow(c, &access);
}
