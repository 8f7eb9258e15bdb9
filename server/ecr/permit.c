/* What an operation's request asks for, in IAM's terms. */
#include "server/ecr/ecr_internal.h"

#include "server/access.h"

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

static bool names_member(struct call *c, const char *name)
{
	const struct model_shape *input = ecr_operation(c)->input;
	const struct model_member *m = input ? input->members : NULL;

	while (m && m->name && strcmp(m->name, name) != 0)
		m++;
	return m && m->name;
}

/* Each that is named, else all of them. */
static bool permit_list(struct call *c, struct access *access)
{
	const cJSON *names = json_member(ecr_input(c), "repositoryNames"), *name;

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

bool ecr_permit(struct call *c, const char *action)
{
	struct access access = {.operation = action, .repository = c->repository.name};

	if (!c->who || names_member(c, "resourceArn"))
		return true;
	read_tags(c, &access);
	return names_member(c, "repositoryNames") ? permit_list(c, &access)
						  : access_allow(c, &access);
}

bool ecr_permit_arn(struct call *c)
{
	struct access access = {
	    .operation = ecr_operation(c)->name, .repository = c->repository.name};

	if (!c->who)
		return true;
	read_tags(c, &access);
	return access_allow(c, &access);
}
