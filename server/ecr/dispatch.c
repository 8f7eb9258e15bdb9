/*
 * From a POST to an operation: X-Amz-Target names it, operations.c says how long its body may be, the model checks that,
 * the policies are asked, its function answers. Whatever differs between operations is a column of the table.
 */
#include "server/ecr/ecr_call.h"
#include "server/ecr/operations.h"
#include "server/ecr/permit.h"
#include "server/ecr/sts.h"

#include "protocol/http_fields.h"
#include "server/identity.h"

/* The operation's name behind "PREFIX.", absent when the target has another prefix. */
static struct slice target_of(struct slice target, const struct model *model)
{
	struct slice prefix = slice_str(model->target_prefix);

	if (!slice_starts(target, prefix) || target.len <= prefix.len ||
	    target.at[prefix.len] != '.')
		return (struct slice){0};
	return slice_skip(target, prefix.len + 1);
}

/* Finds what X-Amz-Target asks for; NULL with c->error set. */
static const struct ecr_operation *find_target(struct call *c)
{
	struct slice target = http_header_get(c->req, "x-amz-target");
	struct slice name = target_of(target, &model_ecr);
	const struct model_operation *model = name.at ? model_find(&model_ecr, name) : NULL;
	const struct ecr_operation *operation = NULL;

	if (model) {
		c->operation = model->name;
		operation = ecr_operation_find(name);
		if (operation)
			ecr_call_start(c, operation, model);
		else
			call_fail(c, ERR_OPERATION_NOT_OFFERED)->detail = name;
		return operation;
	}
	name = target_of(target, &model_ecr_public);
	if (name.at && model_find(&model_ecr_public, name))
		call_fail(c, ERR_OPERATION_NOT_OFFERED)->detail = target;
	else
		call_fail(c, ERR_UNKNOWN_OPERATION);
	return NULL;
}

/* Everything that looks at the whole body. */
static void read_body(struct call *c)
{
	if (identify_body(c))
		ecr_read_input(c);
}

static enum http_step run_operation(struct call *c)
{
	if (c->error.code != ERR_NONE || !ecr_read_resource(c) || !ecr_permit(c))
		return ecr_error(c);
	return ecr_operation(c)->run(c);
}

static enum http_step run(struct http_request *req)
{
	return call_work(call_of(req), NULL, req->body.len, read_body, run_operation);
}

static enum http_step refuse(struct http_request *req)
{
	return ecr_error(call_of(req));
}

/*
 * A body becomes a tree in memory, so each operation gets what it can need and no more. The longest texts of the
 * model are policies of some tens of KiB; a manifest has 4 MiB, every byte of which may come escaped as
 * \u00xx; a part of a layer 20 MiB in base64, some of its slashes escaped.
 */
static const struct http_handler handlers[BODY_KINDS] = {
    [BODY_PLAIN] = {.body_max = 1024 * 1024, .end = run},
    [BODY_MANIFEST] = {.body_max = 26 * 1024 * 1024, .end = run},
    [BODY_PART] = {.body_max = 29 * 1024 * 1024, .end = run},
};
static const struct http_handler refusal = {.body_max = UINT64_MAX, .start = refuse};

const struct http_handler *ecr_route(struct call *c)
{
	const struct ecr_operation *operation;

	if (identify_sts(c))
		return ecr_sts_route(c);
	operation = identify_api(c, "ecr") ? find_target(c) : NULL;
	return operation ? &handlers[operation->body] : &refusal;
}

bool ecr_takes_get(struct call *c)
{
	return c->req->method == METHOD_GET && form_get(c->req->query, "Action", c->arena).at;
}
