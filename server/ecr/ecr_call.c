/*
 * A call's own part of the API: its input as a tree, its answer as text that is written member by member.
 *
 * The tree may be many times the body, so that it is counted before it is built, and goes as soon as there is an answer: a
 * client that is slow to take that does not keep us what it asked.
 */
#include "server/ecr/ecr_call.h"

#include "protocol/http_fields.h"

struct ecr_call {
	const struct ecr_operation *operation;
	const struct model_operation *model;
	cJSON *input;
	size_t input_bytes; /* counted for it */
	struct buf out;
	struct json_writer writer;
};

static struct ecr_call *ecr_call_of(const struct call *c)
{
	return c->state;
}

const struct ecr_operation *ecr_operation(const struct call *c)
{
	return ecr_call_of(c)->operation;
}

const struct model_operation *ecr_model(const struct call *c)
{
	return ecr_call_of(c)->model;
}

const cJSON *ecr_input(const struct call *c)
{
	return ecr_call_of(c)->input;
}

static void release(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);

	cJSON_Delete(e->input);
	e->input = NULL;
	memory_give(c->arena->memory, e->input_bytes);
	e->input_bytes = 0;
}

void ecr_call_start(
    struct call *c, const struct ecr_operation *operation, const struct model_operation *model)
{
	struct ecr_call *e = arena_zalloc(c->arena, sizeof(*e));

	e->operation = operation;
	e->model = model;
	c->state = e;
	c->release = release;
}

/* An empty body stands for {}. */
void ecr_read_input(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);
	struct slice body = c->req->body;
	size_t bytes = json_cost(body);

	if (!memory_take(c->arena->memory, bytes)) {
		call_fail(c, ERR_MEMORY_SHORT);
		return;
	}
	e->input_bytes = bytes;
	e->input = json_parse(body.len ? body : slice_str("{}"));
	if (!cJSON_IsObject(e->input))
		call_fail(c, ERR_SERIALIZATION);
	else if (e->model->input && !model_check(e->model->input, e->input, c->arena, &c->error))
		call_fail(c, c->error.code);
	else
		model_prune(e->model->input, e->input);
}

struct json_writer *ecr_begin(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);

	buf_init(&e->out, c->arena, ECR_ANSWER_MAX, 1024);
	e->out.may_starve = true;
	json_begin(&e->writer, &e->out);
	json_object(&e->writer);
	return &e->writer;
}

/* Why storage failed. */
static struct slice log_cause(struct call *c)
{
	bool storage = c->error.code == ERR_STORAGE_FAILED || c->error.code == ERR_STORAGE_FULL;

	return storage ? arena_dup(c->arena, c->error.detail) : (struct slice){0};
}

/* The answer has its own bytes: of the input remains what the log will name. */
static void forget_input(struct call *c)
{
	if (!ecr_call_of(c) || !ecr_input(c))
		return; /* refused before it had an operation, or a body */
	c->repository.name = arena_dup(c->arena, c->repository.name);
	c->reference = arena_dup(c->arena, c->reference);
	c->error = (struct error){.code = c->error.code, .detail = log_cause(c)};
	release(c);
}

static void send(struct call *c, int status, struct slice body)
{
	http_reply(c->req, status);
	http_reply_header(c->req, "Content-Type", slice_str("application/x-amz-json-1.1"));
	http_reply_header(c->req, "x-amzn-RequestId", slice_of(c->request_id, UUID_TEXT_LEN));
	http_reply_body(c->req, body);
	forget_input(c);
}

bool ecr_answer_full(const struct call *c)
{
	return ecr_call_of(c)->out.overflow;
}

enum http_step ecr_reply(struct call *c)
{
	struct ecr_call *e = ecr_call_of(c);

	json_object_end(&e->writer);
	if (e->out.starved)
		return ecr_fail(c, ERR_MEMORY_SHORT);
	if (e->out.overflow) {
		call_fail(c, ERR_LIMIT_EXCEEDED)->detail = slice_str(ECR_ANSWER_TOO_LARGE);
		return ecr_error(c);
	}
	send(c, 200, buf_slice(&e->out));
	return HTTP_DONE;
}

/* What InvalidLayerPartException says besides: where the upload stands. */
static void put_upload(struct json_writer *w, const struct error *e)
{
	json_put_str(w, "registryId", e->registry);
	json_put_str(w, "repositoryName", e->repository);
	json_put_str(w, "uploadId", e->upload);
	if (e->last_valid_byte >= 0)
		json_put_num(w, "lastValidByteReceived", e->last_valid_byte);
}

enum http_step ecr_error(struct call *c)
{
	const struct error_entry *entry = error_entry(c->error.code);
	struct slice message = error_message(&c->error, c->arena);
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, ECR_ANSWER_MAX, 256);
	json_begin(&w, &out);
	json_object(&w);
	json_put_cstr(&w, "__type", entry->exception);
	if (message.len)
		json_put_str(&w, "message", message);
	if (c->error.code == ERR_LAYER_PART_INVALID)
		put_upload(&w, &c->error);
	json_object_end(&w);
	send(c, entry->api_status, buf_slice(&out));
	return HTTP_DONE;
}

enum http_step ecr_fail(struct call *c, enum error_code code)
{
	call_fail(c, code);
	return ecr_error(c);
}
