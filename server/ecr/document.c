/* What the operations on policies, templates, rules and settings share: documents in, documents
 * out. */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"

struct document_key ecr_document_key(
    const struct call *c, enum document_kind kind, struct slice name)
{
	return (struct document_key){c->account, c->region, kind, name};
}

bool ecr_get_document(
    struct call *c, enum document_kind kind, struct slice name, struct document *out)
{
	struct document_key key = ecr_document_key(c, kind, name);
	enum error_code code = document_get(c->reader, &key, c->arena, out);

	if (code == ERR_NONE)
		return true;
	call_fail(c, code)->detail = name;
	return false;
}

struct slice ecr_get_setting(
    struct call *c, enum document_kind kind, struct slice name, const char *fallback)
{
	struct document found;

	if (ecr_get_document(c, kind, name, &found))
		return found.text;
	if (c->error.code != ERR_SETTING_NOT_FOUND)
		return (struct slice){0};
	c->error = (struct error){0};
	return slice_str(fallback);
}

enum http_step ecr_put_document(struct call *c, enum document_kind kind, struct slice name,
    enum document_rule rule, struct slice text, call_step *next)
{
	struct document_put *job = arena_zalloc(c->arena, sizeof(*job));

	job->key = ecr_document_key(c, kind, name);
	job->rule = rule;
	job->text = text;
	call_await(c, &job->job, job, next);
	document_put_submit(c->app->store, job);
	return HTTP_WAIT;
}

enum http_step ecr_replace_document(struct call *c, enum document_kind kind,
    const struct document *old, struct slice text, call_step *next)
{
	struct document_put *job = arena_zalloc(c->arena, sizeof(*job));

	job->key = ecr_document_key(c, kind, old->name);
	job->rule = DOCUMENT_REPLACE;
	job->expected = old->text;
	job->text = text;
	call_await(c, &job->job, job, next);
	document_put_submit(c->app->store, job);
	return HTTP_WAIT;
}

enum http_step ecr_delete_document(
    struct call *c, enum document_kind kind, struct slice name, call_step *next)
{
	struct document_delete *job = arena_zalloc(c->arena, sizeof(*job));

	job->key = ecr_document_key(c, kind, name);
	call_await(c, &job->job, job, next);
	document_delete_submit(c->app->store, job);
	return HTTP_WAIT;
}

/* ---- values as the model knows them ---- */

const struct model_shape *ecr_shape_member(const struct model_shape *shape, const char *name)
{
	const struct model_member *member = shape->members;

	while (strcmp(member->name, name) != 0)
		member++;
	return member->shape;
}

const struct model_shape *ecr_input_member(const struct call *c, const char *name)
{
	return ecr_shape_member(ecr_model(c)->input, name);
}

void ecr_write_members(struct json_writer *w, const struct model_shape *shape, const cJSON *object)
{
	for (const struct model_member *m = shape->members; m->name; m++) {
		const cJSON *value = json_member(object, m->name);

		if (!value)
			continue;
		json_key(w, m->name);
		ecr_write_value(w, m->shape, value);
	}
}

/* Deep as the model is, which is not much. */
void ecr_write_value(struct json_writer *w, const struct model_shape *shape, const cJSON *value)
{
	const cJSON *item;
	int64_t number;

	if (shape->type == SHAPE_STRUCTURE) {
		json_object(w);
		ecr_write_members(w, shape, value);
		json_object_end(w);
	} else if (shape->type == SHAPE_LIST) {
		json_array(w);
		cJSON_ArrayForEach(item, value)
			ecr_write_value(w, shape->element, item);
		json_array_end(w);
	} else if (cJSON_IsBool(value)) {
		json_boolean(w, cJSON_IsTrue(value));
	} else if (json_integer(value, &number)) {
		json_num(w, number);
	} else {
		json_str(w, slice_str(cJSON_IsString(value) ? value->valuestring : ""));
	}
}

struct slice ecr_value_text(struct call *c, const struct model_shape *shape, const cJSON *value)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, ECR_DOCUMENT_MAX, 256);
	json_begin(&w, &out);
	ecr_write_value(&w, shape, value);
	return buf_slice(&out);
}

void ecr_write_text(struct json_writer *w, const struct model_shape *shape, struct slice text)
{
	cJSON *tree = json_parse(text);

	ecr_write_members(w, shape, tree);
	cJSON_Delete(tree);
}

struct slice ecr_prefix_name(struct slice prefix)
{
	if (prefix.len > 1 && prefix.at[prefix.len - 1] == '/')
		prefix.len--;
	return prefix;
}
