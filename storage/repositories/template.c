/*
 * Which template makes a repository: the name is cut off at its slashes from behind, one look-up for each, so that
 * the longest prefix wins; ROOT comes last.
 *
 * A template that ECR could not carry out (resource tags or a KMS key, and no role) makes none. The same code runs
 * on a reader and in the writer's transaction.
 */
#include "storage/repositories/template.h"

#include "protocol/names.h"
#include "storage/repositories/document_rows.h"

static enum error_code look_up(struct db *db, const struct repository_key *key, struct slice prefix,
    enum template_scenario scenario, struct arena *a, struct creation_template *out)
{
	struct document_key wanted = {key->account, key->region, DOCUMENT_TEMPLATE, prefix};
	struct document found;
	enum error_code code = document_row_find(db, &wanted, a, &found);

	if (code != ERR_NONE)
		return code == ERR_SETTING_NOT_FOUND ? ERR_TEMPLATE_NOT_FOUND : code;
	if (!creation_template_parse(found.text, a, out) || !out->applied[scenario])
		return ERR_TEMPLATE_NOT_FOUND;
	return ERR_NONE;
}

static enum error_code find_for(struct db *db, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct creation_template *out)
{
	struct slice prefix = key->name;
	enum error_code code = ERR_TEMPLATE_NOT_FOUND;
	const char *slash;

	while (code == ERR_TEMPLATE_NOT_FOUND &&
	    (slash = prefix.len ? memrchr(prefix.at, '/', prefix.len) : NULL) != NULL) {
		prefix.len = (size_t)(slash - prefix.at);
		code = look_up(db, key, prefix, scenario, a, out);
	}
	if (code == ERR_TEMPLATE_NOT_FOUND)
		code = look_up(db, key, slice_str("ROOT"), scenario, a, out);
	return code;
}

static enum mutability mutability_of(struct slice name)
{
	if (slice_is(name, "IMMUTABLE"))
		return TAGS_IMMUTABLE;
	if (slice_is(name, "IMMUTABLE_WITH_EXCLUSION"))
		return TAGS_IMMUTABLE_WITH_EXCLUSION;
	if (slice_is(name, "MUTABLE_WITH_EXCLUSION"))
		return TAGS_MUTABLE_WITH_EXCLUSION;
	return TAGS_MUTABLE;
}

static const struct repository_extras *extras_of(
    const struct creation_template *template, struct arena *a)
{
	struct repository_extras *extras = arena_zalloc(a, sizeof(*extras));
	struct resource_tag *tags = arena_array(a, template->tag_count + 1, sizeof(*tags));

	for (size_t i = 0; i < template->tag_count; i++)
		tags[i] = (struct resource_tag){template->tags[i].key, template->tags[i].value};
	extras->tags = tags;
	extras->tag_count = template->tag_count;
	extras->repository_policy = template->repository_policy;
	extras->lifecycle_policy = template->lifecycle_policy;
	return extras;
}

static enum error_code make_repository(struct db *db, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct repository *out)
{
	struct creation_template template;
	enum error_code code = find_for(db, key, scenario, a, &template);
	bool kms;

	if (code != ERR_NONE)
		return code;
	kms = template.encryption_type.at && !slice_is(template.encryption_type, "AES256");
	if ((kms || template.tag_count > 0) && !template.role.at)
		return ERR_TEMPLATE_NOT_FOUND;
	*out = (struct repository){.account = key->account,
	    .region = key->region,
	    .name = key->name,
	    .mutability = mutability_of(template.mutability),
	    .mutability_filters = template.exclusion_filters,
	    .encryption_type = kms ? template.encryption_type : slice_str("AES256"),
	    .extras = extras_of(&template, a)};
	if (kms)
		out->kms_key = template.kms_key.at
		    ? template.kms_key
		    : arena_slicef(a, "arn:%s:kms:%.*s:%.*s:alias/aws/ecr",
			  partition_of_region(key->region), SLICE_ARG(key->region),
			  SLICE_ARG(key->account));
	return ERR_NONE;
}

enum error_code template_for(struct store_reader *reader, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct creation_template *out)
{
	return find_for(&reader->db, key, scenario, a, out);
}

enum error_code template_repository(struct store_reader *reader, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct repository *out)
{
	return make_repository(&reader->db, key, scenario, a, out);
}

enum error_code template_repository_tx(struct store_tx *tx, const struct repository_key *key,
    enum template_scenario scenario, struct arena *a, struct repository *out)
{
	return make_repository(tx->db, key, scenario, a, out);
}
