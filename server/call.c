#include "server/call.h"

#include "protocol/authorize.h"
#include "protocol/ecr_host.h"
#include "protocol/http_fields.h"
#include "protocol/names.h"

struct call *call_of(struct http_request *req)
{
	return req->user;
}

/* splitmix64: request ids need to be distinct, not secret. */
static uint64_t next_random(struct app_loop *loop)
{
	uint64_t z = loop->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void make_request_id(struct app_loop *loop, char text[UUID_TEXT_LEN + 1])
{
	uint64_t words[2] = {next_random(loop), next_random(loop)};
	uint8_t id[16];

	memcpy(id, words, sizeof(id));
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
	uuid_format(id, text);
}

struct call *call_new(struct http_request *req)
{
	struct app_loop *loop = http_loop_user(req->loop);
	struct call *c = arena_zalloc(req->arena, sizeof(*c));

	c->app = loop->app;
	c->req = req;
	c->reader = loop->reader;
	c->arena = req->arena;
	c->path = percent_decode(req->raw_path, req->arena);
	if (!c->path.at)
		c->path = req->raw_path; /* names nothing, but by its start an API */
	make_request_id(loop, c->request_id);
	req->user = c;
	return c;
}

void call_keep(struct call *c, struct arena *kept)
{
	struct call *copy = arena_zalloc(kept, sizeof(*copy));

	copy->app = c->app;
	copy->req = c->req;
	copy->reader = c->reader;
	copy->arena = c->arena; /* the connection's: kept becomes it */
	copy->api = c->api;
	copy->path = arena_dup(kept, c->path);
	copy->operation = c->operation;
	copy->repository.name = arena_dup(kept, c->repository.name);
	copy->reference = arena_dup(kept, c->reference);
	copy->error.code = c->error.code;
	copy->error.detail = arena_dup(kept, c->error.detail);
	memcpy(copy->request_id, c->request_id, sizeof(copy->request_id));
	if (c->release)
		c->release(c);
	copy->req->user = copy;
}

int64_t call_now_ms(const struct call *c)
{
	return clock_now_ms(store_clock(c->app->store));
}

const uint8_t *call_seal_key(const struct call *c)
{
	return c->app->seal_key;
}

bool call_act_as(struct call *c, struct principal *who, struct slice policy)
{
	struct policy_document *session = arena_zalloc(c->arena, sizeof(*session));
	const char *why;

	c->who = who;
	c->principal = who->arn;
	c->account = who->account;
	c->session_policy = policy;
	if (!policy.at)
		return true;
	who->session = session;
	if (policy_document_parse(policy, POLICY_OF_IDENTITY, c->arena, session, &why))
		return true;
	call_fail(c, ERR_UNRECOGNIZED_CLIENT);
	return false;
}

/* Why storage has failed, when it was a read of this call's; else absent. */
static struct slice read_failure(struct call *c, enum error_code code)
{
	const char *cause = "";

	if (code == ERR_STORAGE_FAILED || code == ERR_STORAGE_FULL)
		cause = store_reader_cause(c->reader);
	return cause[0] ? arena_dup(c->arena, slice_str(cause)) : (struct slice){0};
}

struct error *call_fail(struct call *c, enum error_code code)
{
	struct error *e = &c->error;

	if (e->code != code)
		*e = (struct error){.code = code};
	if (!e->registry.at)
		e->registry = c->account;
	if (!e->repository.at)
		e->repository = c->repository.name;
	if (!e->upload.at)
		e->upload = c->reference;
	if (!e->detail.at)
		e->detail = read_failure(c, code);
	if (!e->digest.at && c->reference.at && memchr(c->reference.at, ':', c->reference.len))
		e->digest = c->reference;
	return e;
}

struct error *call_fail_parameter(struct call *c, const char *member, const char *constraint)
{
	struct error *e = call_fail(c, ERR_INVALID_PARAMETER);

	e->member = slice_str(member);
	e->detail = slice_str(constraint);
	return e;
}

/* Back on the loop: the transport goes on with what next answers. */
static enum http_step job_finished(struct http_request *req)
{
	struct call *c = call_of(req);

	if (c->job->error.code != ERR_NONE) {
		c->error = c->job->error;
		call_fail(c, c->error.code);
	}
	return c->next(c);
}

static void resume_request(struct http_task *task)
{
	struct call *c = (struct call *)((char *)task - offsetof(struct call, task));

	http_resume(c->req);
}

/* On a thread of the store's. */
static void job_done(struct store_job *job)
{
	struct call *c = job->owner;

	http_post(c->req->loop, &c->task);
}

void call_await(struct call *c, struct store_job *job, void *data, call_step *next)
{
	c->job = job;
	c->job_data = data;
	c->next = next;
	c->task.run = resume_request;
	c->req->resume = job_finished;
	job->owner = c;
	job->arena = c->arena;
	job->done = job_done;
}

struct long_work {
	struct store_job job;
	void (*work)(struct call *c);
};

static void do_long_work(struct store *store, struct store_job *job)
{
	(void)store;
	((struct long_work *)(void *)job)->work(job->owner);
}

static const struct job_ops long_work_ops = {.work = do_long_work};

enum http_step call_work(
    struct call *c, void *data, uint64_t bytes, void (*work)(struct call *c), call_step *next)
{
	struct long_work *job;

	c->job_data = data;
	if (bytes <= CALL_LOOP_BYTES) {
		work(c);
		return next(c);
	}
	job = arena_zalloc(c->arena, sizeof(*job));
	job->work = work;
	call_await(c, &job->job, data, next);
	store_submit_apart(c->app->store, &job->job, &long_work_ops);
	return HTTP_WAIT;
}

/* ":5001" of "localhost:5001"; empty when there is no port. */
static struct slice port_of(struct slice host)
{
	size_t i = host.len;

	while (i > 0 && host.at[i - 1] >= '0' && host.at[i - 1] <= '9')
		i--;
	if (i == 0 || i == host.len || host.at[i - 1] != ':')
		return slice_of("", 0);
	return slice_skip(host, i - 1);
}

/* Host goes into answers: only what a host and port can consist of. */
static bool host_printable(struct slice host)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]";

	for (size_t i = 0; i < host.len; i++)
		if (!memchr(allowed, host.at[i], sizeof(allowed) - 1))
			return false;
	return host.len > 0;
}

static struct slice reached_host(struct call *c)
{
	struct slice host = c->req->host;

	if (host_printable(host))
		return host;
	return slice_str(c->req->secure ? c->app->tls_authority : c->app->authority);
}

struct slice call_registry_host(struct call *c)
{
	struct slice reached = reached_host(c), port = port_of(reached);
	struct ecr_host host;

	if (c->app->config->addresses == ADDRESS_LOCALHOST)
		return arena_slicef(c->arena, "%.*s.dkr.ecr.%.*s.localhost%.*s",
		    SLICE_ARG(c->account), SLICE_ARG(c->region), SLICE_ARG(port));
	if (c->app->config->addresses == ADDRESS_ECR)
		port = slice_of("", 0);
	else if (!ecr_host_parse(reached, &host))
		return reached;
	return arena_slicef(c->arena, "%.*s.dkr.ecr.%.*s.%s%.*s", SLICE_ARG(c->account),
	    SLICE_ARG(c->region), dns_suffix_of_region(c->region), SLICE_ARG(port));
}

struct slice call_registry_url(struct call *c)
{
	bool https = c->req->secure || c->app->config->addresses == ADDRESS_ECR;
	struct slice host = call_registry_host(c);

	return arena_slicef(c->arena, "http%s://%.*s", https ? "s" : "", SLICE_ARG(host));
}
