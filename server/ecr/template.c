/*
 * Repository creation templates (ecr-behaviour 2.10, 8.3): kept as an object of the members of
 * RepositoryCreationTemplate but the times. What one means for a repository is storage/repositories/template.h.
 */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/policy_document.h"

/* ---- what a request makes of a template ---- */

static bool plain_mode(struct slice mutability)
{
	return mutability.at && !slice_ends(mutability, slice_str("_WITH_EXCLUSION"));
}

/* The member as the template is to have it: the request's, else the old template's (NULL: there is
 * none). */
static const cJSON *merged(struct call *c, const cJSON *old, const char *name)
{
	const cJSON *value = json_member(ecr_input(c), name);

	if (value)
		return value;
	/* filters go with the mode that needed them */
	if (strcmp(name, "imageTagMutabilityExclusionFilters") == 0 &&
	    plain_mode(json_string(ecr_input(c), "imageTagMutability")))
		return NULL;
	return json_member(old, name);
}

static void write_encryption(struct json_writer *w, const cJSON *encryption)
{
	struct slice type = json_string(encryption, "encryptionType");
	struct slice key = json_string(encryption, "kmsKey");

	json_put_object(w, "encryptionConfiguration");
	json_put_str(w, "encryptionType", type.at ? type : slice_str("AES256"));
	if (key.len)
		json_put_str(w, "kmsKey", key);
	json_object_end(w);
}

/* Each scenario once, however often it was named. */
static void write_applied(struct json_writer *w, const cJSON *list)
{
	static const char *const scenarios[] = {
	    "CREATE_ON_PUSH", "PULL_THROUGH_CACHE", "REPLICATION"};
	bool written[3] = {false};
	const cJSON *item;

	json_put_array(w, "appliedFor");
	cJSON_ArrayForEach(item, list) {
		for (size_t i = 0; i < 3; i++) {
			if (written[i] || !cJSON_IsString(item) ||
			    strcmp(item->valuestring, scenarios[i]) != 0)
				continue;
			json_str(w, slice_str(scenarios[i]));
			written[i] = true;
		}
	}
	json_array_end(w);
}

/* Empty strings clear; of encryption and mutability the defaults are told, as ECR does. */
static void write_member(
    struct json_writer *w, const struct model_member *member, const cJSON *value)
{
	if (strcmp(member->name, "encryptionConfiguration") == 0) {
		write_encryption(w, value);
	} else if (strcmp(member->name, "appliedFor") == 0) {
		write_applied(w, value);
	} else if (strcmp(member->name, "imageTagMutability") == 0 && !value) {
		json_put_cstr(w, member->name, "MUTABLE");
	} else if (value && !(cJSON_IsString(value) && !*value->valuestring)) {
		json_key(w, member->name);
		ecr_write_value(w, member->shape, value);
	}
}

static struct slice template_text(struct call *c, const cJSON *old)
{
	const struct model_member *member = ecr_model(c)->input->members;
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, ECR_DOCUMENT_MAX, 1024);
	json_begin(&w, &out);
	json_object(&w);
	for (; member->name; member++)
		write_member(&w, member, merged(c, old, member->name));
	json_object_end(&w);
	return buf_slice(&out);
}

static bool check_policies(struct call *c)
{
	struct slice repository = json_string(ecr_input(c), "repositoryPolicy");
	struct slice lifecycle = json_string(ecr_input(c), "lifecyclePolicy");
	struct policy_document policy;

	return (repository.len == 0 ||
		   ecr_check_policy(c, repository, &policy, "repositoryPolicy",
		       "Invalid repository policy provided")) &&
	    (lifecycle.len == 0 || ecr_check_lifecycle(c, lifecycle, "lifecyclePolicy"));
}

static bool check_template(struct call *c, const cJSON *old)
{
	const cJSON *mode = merged(c, old, "imageTagMutability");
	const cJSON *filters = merged(c, old, "imageTagMutabilityExclusionFilters");
	const struct resource_tag *tags;
	struct repository ignored;
	size_t count;

	return ecr_read_mutability(
		   c, slice_str(mode ? mode->valuestring : NULL), filters, &ignored) &&
	    ecr_read_tags(c, json_member(ecr_input(c), "resourceTags"), &tags, &count) &&
	    check_policies(c);
}

/* ---- answers ---- */

static void write_template(struct json_writer *w, const struct document *template)
{
	struct slice text = template->text;

	/* what is between its braces: at least the prefix */
	json_object(w);
	json_raw(w, slice_of(text.at + 1, text.len - 2));
	json_put_time(w, "createdAt", template->created_ms);
	json_put_time(w, "updatedAt", template->updated_ms);
	json_object_end(w);
}

static enum http_step reply_template(struct call *c, const struct document *template)
{
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	json_put_str(w, "registryId", c->account);
	json_key(w, "repositoryCreationTemplate");
	write_template(w, template);
	return ecr_reply(c);
}

static struct slice template_name(const struct call *c)
{
	return ecr_prefix_name(json_string(ecr_input(c), "prefix"));
}

/* ---- operations ---- */

static enum http_step created(struct call *c)
{
	const struct document_put *job = c->job_data;

	return reply_template(c, &job->put);
}

enum http_step op_create_repository_creation_template(struct call *c)
{
	if (!check_template(c, NULL))
		return ecr_error(c);
	return ecr_put_document(
	    c, DOCUMENT_TEMPLATE, template_name(c), DOCUMENT_MAKE, template_text(c, NULL), created);
}

static enum http_step updated(struct call *c)
{
	const struct document_put *job = c->job_data;

	if (c->error.code == ERR_NONE && job->stale)
		return op_update_repository_creation_template(c);
	return reply_template(c, &job->put);
}

/* The prefix is told as it was when the template was made. */
enum http_step op_update_repository_creation_template(struct call *c)
{
	struct slice text = {0};
	struct document old;
	cJSON *tree;

	if (!ecr_get_document(c, DOCUMENT_TEMPLATE, template_name(c), &old))
		return ecr_error(c);
	tree = json_parse(old.text);
	if (check_template(c, tree))
		text = template_text(c, tree);
	cJSON_Delete(tree);
	if (!text.at)
		return ecr_error(c);
	return ecr_replace_document(c, DOCUMENT_TEMPLATE, &old, text, updated);
}

static enum http_step deleted(struct call *c)
{
	const struct document_delete *job = c->job_data;

	return reply_template(c, &job->deleted);
}

enum http_step op_delete_repository_creation_template(struct call *c)
{
	return ecr_delete_document(c, DOCUMENT_TEMPLATE, template_name(c), deleted);
}

enum { PREFIXES_MAX = 1000 }; /* of a request: the model sets no limit */

static bool write_named(struct call *c, struct json_writer *w, const cJSON *prefixes)
{
	const cJSON *prefix;

	cJSON_ArrayForEach(prefix, prefixes) {
		struct slice name = ecr_prefix_name(slice_str(prefix->valuestring));
		struct document found;

		if (ecr_get_document(c, DOCUMENT_TEMPLATE, name, &found))
			write_template(w, &found);
		else if (c->error.code != ERR_TEMPLATE_NOT_FOUND)
			return false;
	}
	c->error = (struct error){0};
	return true;
}

/* Of prefixes that have no template nothing is said: the operation declares no error for them. */
static enum http_step describe_named(struct call *c, const cJSON *prefixes)
{
	struct json_writer *w = ecr_begin(c);

	if (cJSON_GetArraySize(prefixes) > PREFIXES_MAX) {
		call_fail_parameter(
		    c, "prefixes", "Member must have length less than or equal to 1000");
		return ecr_error(c);
	}
	json_put_str(w, "registryId", c->account);
	json_put_array(w, "repositoryCreationTemplates");
	if (!write_named(c, w, prefixes))
		return ecr_error(c);
	json_array_end(w);
	return ecr_reply(c);
}

enum http_step op_describe_repository_creation_templates(struct call *c)
{
	struct document_key key = ecr_document_key(c, DOCUMENT_TEMPLATE, slice_str(""));
	const cJSON *prefixes = json_member(ecr_input(c), "prefixes");
	struct slice context = ecr_list_context(c, "templates");
	struct document_page found;
	struct json_writer *w;
	struct ecr_page page;
	enum error_code code;

	if (!ecr_read_page(c, "prefixes", context, &page))
		return ecr_error(c);
	if (prefixes)
		return describe_named(c, prefixes);
	code = document_list(c->reader, &key, page.after, page.limit, c->arena, &found);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	w = ecr_begin(c);
	json_put_str(w, "registryId", c->account);
	json_put_array(w, "repositoryCreationTemplates");
	for (size_t i = 0; i < found.count; i++)
		write_template(w, &found.at[i]);
	json_array_end(w);
	if (found.more)
		ecr_write_next(c, w, context, found.at[found.count - 1].name);
	return ecr_reply(c);
}
