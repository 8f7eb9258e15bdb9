/*
 * Repositories that a push makes: all of them in profile oci; in profile ecr those that a
 * repository creation template applied for CREATE_ON_PUSH speaks of (ecr-behaviour 8.3).
 */
#include "server/registry/registry_internal.h"

#include "server/access.h"
#include "storage/repositories/template.h"

/* The settings a template has for this repository; NULL without one, and with c->error set when that cannot be read. */
static struct repository *template_settings(struct call *c)
{
	struct repository *r = arena_alloc(c->arena, sizeof(*r));
	enum error_code code =
	    template_repository(c->reader, &c->repository, TEMPLATE_CREATE_ON_PUSH, c->arena, r);

	if (code != ERR_NONE && code != ERR_TEMPLATE_NOT_FOUND)
		call_fail(c, code);
	return code == ERR_NONE ? r : NULL;
}

/* What a repository made by a push is made with; NULL as above when a push makes none. */
static struct repository *settings_of(struct call *c)
{
	struct repository *r;

	if (registry_quirk(c, QUIRK_REPOSITORY_MUST_EXIST))
		return template_settings(c);
	r = arena_zalloc(c->arena, sizeof(*r));
	r->account = c->repository.account;
	r->region = c->repository.region;
	r->name = c->repository.name;
	r->encryption_type = slice_str("AES256");
	return r;
}

struct repository *registry_creation(struct call *c)
{
	struct repository *r = settings_of(c);

	return r && access_allow_on(c, "CreateRepository", c->repository.name) ? r : NULL;
}

struct creation {
	struct repository_create create;
	call_step *next;
};

/* That another request has made it meanwhile is as good. */
static enum http_step created(struct call *c)
{
	struct creation *job = c->job_data;

	if (c->error.code == ERR_REPOSITORY_EXISTS)
		c->error = (struct error){0};
	return c->error.code == ERR_NONE ? job->next(c) : registry_error(c);
}

enum http_step registry_create(struct call *c, const struct repository *settings, call_step *next)
{
	struct creation *job = arena_zalloc(c->arena, sizeof(*job));

	c->error = (struct error){0};
	job->create.repository = *settings;
	job->next = next;
	call_await(c, &job->create.job, job, created);
	repository_create_submit(c->app->store, &job->create);
	return HTTP_WAIT;
}
