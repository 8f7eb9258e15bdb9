/*
 * A template's JSON, read into a struct.
 *
 * It was held against ECR's model when it was put, so here what is not as it should be counts as not there.
 * Exclusion filters stay JSON, as a repository keeps them.
 */
#include "protocol/creation_template.h"

#include "protocol/json.h"

static struct slice read_text(struct arena *a, const cJSON *object, const char *name)
{
	struct slice text = json_string(object, name);

	return text.len ? arena_dup(a, text) : (struct slice){0};
}

static void read_tags(struct arena *a, const cJSON *list, struct creation_template *out)
{
	size_t count = (size_t)cJSON_GetArraySize(list);
	struct template_tag *tags = arena_array(a, count + 1, sizeof(*tags));
	const cJSON *item;

	out->tags = tags;
	cJSON_ArrayForEach(item, list) {
		tags[out->tag_count].key = arena_dup(a, json_string(item, "Key"));
		tags[out->tag_count++].value = arena_dup(a, json_string(item, "Value"));
	}
}

static void read_scenarios(const cJSON *list, struct creation_template *out)
{
	static const char *const names[] = {
	    [TEMPLATE_CREATE_ON_PUSH] = "CREATE_ON_PUSH",
	    [TEMPLATE_PULL_THROUGH_CACHE] = "PULL_THROUGH_CACHE",
	    [TEMPLATE_REPLICATION] = "REPLICATION",
	};
	const cJSON *item;

	cJSON_ArrayForEach(item, list) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (cJSON_IsString(item) && strcmp(item->valuestring, names[i]) == 0)
				out->applied[i] = true;
	}
}

static struct slice print(struct arena *a, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);
	struct slice copy = arena_dup(a, slice_str(text));

	cJSON_free(text);
	return copy;
}

bool creation_template_parse(struct slice text, struct arena *a, struct creation_template *out)
{
	cJSON *tree = json_parse(text);
	const cJSON *encryption = json_member(tree, "encryptionConfiguration");
	const cJSON *filters = json_member(tree, "imageTagMutabilityExclusionFilters");
	bool good = cJSON_IsObject(tree);

	*out = (struct creation_template){.mutability = read_text(a, tree, "imageTagMutability")};
	if (cJSON_IsArray(filters))
		out->exclusion_filters = print(a, filters);
	out->encryption_type = read_text(a, encryption, "encryptionType");
	out->kms_key = read_text(a, encryption, "kmsKey");
	out->repository_policy = read_text(a, tree, "repositoryPolicy");
	out->lifecycle_policy = read_text(a, tree, "lifecyclePolicy");
	out->role = read_text(a, tree, "customRoleArn");
	read_tags(a, json_member(tree, "resourceTags"), out);
	read_scenarios(json_member(tree, "appliedFor"), out);
	cJSON_Delete(tree);
	return good;
}
