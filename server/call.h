/*
 * A call: one request as the registry, the ECR API and the administration see it.
 *
 * Made in the request's arena when the request is routed, gone with the request. Handlers keep what they
 * need in it, submit storage jobs through it, and never free anything.
 *
 *	static enum http_step created(struct call *c);
 *
 *	static enum http_step create(struct call *c)
 *	{
 *		struct repository_create *job = arena_zalloc(c->arena, sizeof(*job));
 *
 *		...
 *		call_await(c, &job->job, job, created);
 *		repository_create_submit(c->app->store, job);
 *		return HTTP_WAIT;
 *	}
 *
 * All of it runs on the loop that owns the connection.
 */
#ifndef DRYDOCK_SERVER_CALL_H
#define DRYDOCK_SERVER_CALL_H

#include "protocol/errors.h"
#include "protocol/names.h"
#include "server/app.h"
#include "storage/images/image.h"

struct call;
struct principal; /* protocol/authorize.h */
struct signature; /* signature.c's */
typedef enum http_step call_step(struct call *c);

/*
 * What a request is for, decided once, where it is routed: refusals, errors and the log go by it, never by the
 * path's text. API_NONE (nothing is there) and API_LINK (to a layer) answer in plain text.
 */
enum call_api { API_NONE, API_LINK, API_REGISTRY, API_ECR, API_STS, API_ADMIN };

struct call {
	struct app *app;
	struct http_request *req;
	struct store_reader *reader;
	struct arena *arena;
	enum call_api api;
	struct slice path; /* decoded; as it was sent when one of its escapes is none */

	/* whose registry is meant, and who asks */
	struct slice account, region;
	struct slice principal; /* an ARN */
	/*
	 * The same as policies see it, and a session's own policy as text: with --auth iam, and of a token that is used
	 * at another account's host name; else NULL.
	 */
	const struct principal *who;
	struct slice session_policy; /* absent: none */
	bool temporary;              /* by temporary credentials */
	struct signature *signature; /* to be verified when the body is there */

	/* what is asked, for handlers, errors and the log */
	const char *operation;            /* "PutManifest", "CreateRepository" */
	struct repository_key repository; /* name absent until known */
	struct slice reference; /* tag, digest or upload id as it was written; absent: none */
	struct error error;
	char request_id[UUID_TEXT_LEN + 1];

	/* waiting for a job */
	struct store_job *job;
	void *job_data; /* the typed job that embeds it */
	call_step *next;
	struct http_task task;

	const void *route;               /* the API's own entry for this operation */
	void *state;                     /* the handler's own, in the arena */
	void (*release)(struct call *c); /* frees what is not the arena's; NULL: nothing */
};

/* The call of a request, NULL before it was routed. */
struct call *call_of(struct http_request *req);
struct call *call_new(struct http_request *req);

/*
 * Copies into `kept` what log and counters will say of a call whose reply is complete, and makes that the request's call:
 * the arena that it was made in goes.
 */
void call_keep(struct call *c, struct arena *kept);

int64_t call_now_ms(const struct call *c);
/* With which all is sealed that clients bring back: tokens, session tokens, links, places in lists (app.h). */
const uint8_t *call_seal_key(const struct call *c);

/*
 * From here on the call is this principal's, in its account; policy is the text of its session's policy (absent:
 * none). False with c->error set when that is none.
 */
bool call_act_as(struct call *c, struct principal *who, struct slice policy);

/*
 * Sets the call's error, with the facts known here (registry, repository, the reference of a path); returns it to be completed.
 * What storage said of an error (its digests, detail) is kept when the code is the same; of a read that failed just now
 * the cause is added, for the log.
 */
struct error *call_fail(struct call *c, enum error_code code);
struct error *call_fail_parameter(struct call *c, const char *member, const char *constraint);

/*
 * To be called before a job is submitted, whose done it takes: when the job is finished, next runs on this
 * loop, with c->error holding the job's outcome. Return HTTP_WAIT after submitting.
 */
void call_await(struct call *c, struct store_job *job, void *data, call_step *next);

/*
 * Does work, which goes through so many bytes, then next, with data as c->job_data for both. What is short is done
 * at once; what is longer than CALL_LOOP_BYTES on a thread of storage's, so that nobody else of this loop waits for
 * it (next is the loop's again). work may use the arena, the request's body and c->error; it neither reads from
 * storage nor replies. Return what it returns.
 */
enum { CALL_LOOP_BYTES = 64 * 1024 };
enum http_step call_work(
    struct call *c, void *data, uint64_t bytes, void (*work)(struct call *c), call_step *next);

/* The address under which this call's registry was reached: "localhost:5001", or ECR's own form. */
struct slice call_registry_host(struct call *c);
/* The same with its scheme: "http://localhost:5001"; https when reached so, and for ECR's own form. */
struct slice call_registry_url(struct call *c);

#endif
