/* Where requests go, and what is written down about them. */
#include "server/app.h"

#include "server/admin/admin.h"
#include "server/admin/doors.h"
#include "server/browser.h"
#include "server/call.h"
#include "server/ecr/ecr.h"
#include "server/http/authority.h"
#include "server/http/tls.h"
#include "server/log.h"
#include "server/log_out.h"
#include "server/memory_limit.h"
#include "server/policy_cache.h"
#include "server/registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static enum http_step nothing_here(struct http_request *req)
{
	return http_reply_text(req, 404,
	    "Nothing is here. The registry API is under /v2/, the ECR API takes POST /, Drydock's own "
	    "doors are under /_drydock/.");
}

static const struct http_handler nothing_handler = {.body_max = UINT64_MAX, .start = nothing_here};

static enum call_api api_of(struct call *c)
{
	if (slice_is(c->path, "/v2") || slice_starts(c->path, slice_str("/v2/")))
		return API_REGISTRY;
	if (slice_is(c->path, "/") && (c->req->method == METHOD_POST || ecr_takes_get(c)))
		return API_ECR; /* or STS's, which ecr_route tells apart */
	if (slice_starts(c->path, slice_str(ECR_LINK_PATH)))
		return API_LINK;
	if (slice_starts(c->path, slice_str("/_drydock/")) || slice_is(c->path, "/metrics"))
		return API_ADMIN;
	return API_NONE;
}

static const struct http_handler *route(struct http_request *req)
{
	struct call *c = call_new(req);
	const struct http_handler *refusal;

	c->api = api_of(c);
	refusal = browser_refuse(c);
	if (refusal)
		return refusal;
	switch (c->api) {
	case API_REGISTRY:
		return registry_route(c);
	case API_ECR:
	case API_STS:
		return ecr_route(c);
	case API_ADMIN:
		return admin_route(c);
	case API_LINK:
		return ecr_link_route(c);
	case API_NONE:
		break;
	}
	return &nothing_handler;
}

/* Answers with c->error, in the envelope of the API that it came by. */
static void answer_error(struct call *c)
{
	switch (c->api) {
	case API_REGISTRY:
		registry_error(c);
		break;
	case API_ECR:
		ecr_error(c);
		break;
	case API_STS:
		sts_error(c);
		break;
	case API_ADMIN:
		admin_error(c);
		break;
	case API_LINK:
	case API_NONE:
		break;
	}
}

/*
 * What the transport refuses by itself. A body that is too large, or for which there is no room on the disk or in memory, is
 * answered in the envelope of the API it came by; a head that could not be read belongs to none.
 */
static void refuse(struct http_request *req, int status, const char *reason)
{
	struct call *c = call_of(req);

	if (status == 500)
		log_say(LOG_LEVEL_ERROR, "request %s: %s", c ? c->request_id : "without a head",
		    reason);
	if ((status != 413 && status != 503 && status != 507) || !c || c->api <= API_LINK) {
		http_reply_text(req, status, reason);
		return;
	}
	call_fail(c,
	    status == 413       ? ERR_BODY_TOO_LARGE
		: status == 503 ? ERR_MEMORY_SHORT
				: ERR_STORAGE_FULL);
	answer_error(c);
}

/* The name by which an answer's error is known to clients, for the log. */
static const char *error_name(const struct call *c)
{
	const struct error_entry *entry;

	if (!c || c->error.code == ERR_NONE)
		return NULL;
	entry = error_entry(c->error.code);
	switch (c->api) {
	case API_REGISTRY:
		return entry->registry_code ? entry->registry_code : "UNAUTHORIZED";
	case API_STS:
		return error_sts_face(c->error.code).code;
	default:
		return entry->exception;
	}
}

static void keep(struct http_request *req, struct arena *kept)
{
	if (call_of(req))
		call_keep(call_of(req), kept);
}

static void finished(struct http_request *req)
{
	struct call *c = call_of(req);
	struct log_request line = {
	    .operation = c ? c->operation : NULL,
	    .method = req->method_name,
	    .target = req->target,
	    .error = error_name(c),
	    .status = req->aborted && req->reply.status == 0 ? 499 : req->reply.status,
	    .bytes_in = req->bytes_in,
	    .bytes_out = req->bytes_out,
	    .duration_us = req->ended_us - req->started_us,
	};

	if (c) {
		line.repository = c->repository.name;
		line.reference = c->reference;
		line.request_id = c->request_id;
		if (c->error.code == ERR_STORAGE_FAILED || c->error.code == ERR_STORAGE_FULL)
			line.cause = c->error.detail;
	}
	log_request(&line);
	if (c && c->release)
		c->release(c);
}

/* In debug builds, where the functional tests look for it; elsewhere /metrics counts. */
static void say_busy(struct http_request *req, int64_t cpu_us)
{
#ifndef DRYDOCK_FAULTS /* a development build says it; /metrics counts it in every build */
	(void)req;
	(void)cpu_us;
#else
	const struct call *c = req ? call_of(req) : NULL;
	struct slice method = slice_str("no request"), target = slice_str("");

	if (req && req->method != METHOD_NONE) {
		method = req->method_name;
		target = req->raw_path;
	}
	log_say(LOG_LEVEL_WARN, "busy loop: a turn took %lld ms of CPU time: %.*s %.*s%s%s",
	    (long long)(cpu_us / 1000), SLICE_ARG(method), SLICE_ARG(target), c ? " " : "",
	    c && c->operation ? c->operation : "");
#endif
}

static void *loop_start(struct http_loop *loop)
{
	struct app *app = http_server_user(http_loop_server(loop));
	struct app_loop *state = calloc(1, sizeof(*state));
	struct err err;

	if (!state)
		abort();
	state->app = app;
	state->policies = policy_cache_new();
	state->reader = store_reader_open(app->store, &err);
	if (!state->reader) {
		log_say(LOG_LEVEL_ERROR, "%s", err.text);
		log_out_end();
		exit(1);
	}
	if (getrandom(&state->random, sizeof(state->random), 0) != sizeof(state->random))
		abort();
	return state;
}

static void loop_stop(struct http_loop *loop, void *user)
{
	struct app_loop *state = user;

	(void)loop;
	policy_cache_free(state->policies);
	store_reader_close(state->reader);
	free(state);
}

static void handshake_failed(struct http_request *req, const char *why)
{
	struct slice remote = http_remote(req);

	log_say(LOG_LEVEL_WARN, "no TLS with %.*s: %s", SLICE_ARG(remote), why);
}

/* What TLS needs: the user's certificate, or the authority, made when there is none. */
static bool tls_start(struct app *app, const struct config *config, struct err *err)
{
	struct tls_options options = {
	    .names = app->tls_names, .name_count = config->tls_name_count};

	if (!config->tls_host[0])
		return true;
	for (unsigned i = 0; i < config->tls_name_count; i++)
		app->tls_names[i] = config->tls_names[i];
	if (config->tls_certificate[0]) {
		options.certificate = config->tls_certificate;
		options.key = config->tls_key;
	} else {
		app->ca = authority_open(config->tls_authority, app->tls_names,
		    config->tls_name_count, err->text, sizeof(err->text));
		if (!app->ca)
			return false;
		options.authority = app->ca;
	}
	app->tls = tls_new(&options, err->text, sizeof(err->text));
	return app->tls != NULL;
}

/* "127.0.0.1:5001"; empty without a port. */
static void say_authority(char *out, size_t room, const char *host, uint16_t port)
{
	out[0] = '\0';
	if (port)
		snprintf(out, room, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
}

/* As many loops as were asked for, else one per core, but no more than memory is there for. */
static unsigned choose_threads(const struct config *config, const struct memory_limit *memory)
{
	unsigned cores = http_cores();

	if (config->threads || !memory || !memory->threads_max || memory->threads_max > cores)
		return config->threads;
	return memory->threads_max;
}

static bool listen_and_serve(struct app *app, const struct config *config,
    const struct memory_limit *memory, struct err *err)
{
	struct http_options options = {
	    .host = config->listen_host,
	    .port = config->listen_port,
	    .tls_only = !config->listen_host[0],
	    .tls = app->tls,
	    .tls_host = config->tls_host,
	    .tls_port = config->tls_port,
	    .threads = choose_threads(config, memory),
	    .max_connections = config->max_connections,
	    .memory_bytes = memory ? memory->total : 0,
	    .body_folder = store_path(app->store),
	    .user = app,
	    .loop_start = loop_start,
	    .loop_stop = loop_stop,
	    .route = route,
	    .refuse = refuse,
	    .keep = keep,
	    .finished = finished,
	    .busy = say_busy,
	    .handshake_failed = handshake_failed,
	};

	app->http = http_server_new(&options, err->text, sizeof(err->text));
	if (!app->http)
		return false;
	say_authority(app->authority, sizeof(app->authority), config->listen_host, app_port(app));
	say_authority(
	    app->tls_authority, sizeof(app->tls_authority), config->tls_host, app_tls_port(app));
	return http_server_start(app->http, err->text, sizeof(err->text));
}

static void app_release(struct app *app)
{
	http_server_free(app->http);
	tls_free(app->tls);
	authority_free(app->ca);
	app->http = NULL;
	app->tls = NULL;
	app->ca = NULL;
}

static void list_names(struct app *app)
{
	const struct config *config = app->config;
	size_t count = 0;

	for (unsigned i = 0; i < config->tls_name_count; i++)
		app->name_list[count++] = config->tls_names[i];
	for (unsigned i = 0; i < config->host_name_count; i++)
		app->name_list[count++] = config->host_names[i];
	app->name_list[count++] = config->listen_host;
	app->name_list[count++] = config->tls_host;
	app->names = (struct browser_names){app->name_list, count};
}

bool app_start(struct app *app, const struct config *config, const struct memory_limit *memory,
    struct store *store, const struct iam_config *iam, struct err *err)
{
	*app = (struct app){.config = config, .store = store, .iam = iam};
	memcpy(app->seal_key, store_token_key(store), TOKEN_KEY_LEN);
	if (config->auth == AUTH_IAM)
		token_key_derive(store_token_key(store), "drydock proved callers\n", app->seal_key);
	list_names(app);
	if (doors_setup(app, err) && tls_start(app, config, err) &&
	    listen_and_serve(app, config, memory, err))
		return true;
	app_release(app);
	return false;
}

void app_stop(struct app *app, int grace_ms)
{
	http_server_stop(app->http, (uint32_t)grace_ms);
	app_release(app);
}

uint16_t app_port(const struct app *app)
{
	return http_server_port(app->http);
}

uint16_t app_tls_port(const struct app *app)
{
	return http_server_tls_port(app->http);
}
