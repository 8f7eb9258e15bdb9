/*
 * Each part of the server has a line in areas[]: whether it answers to its own names alone, and how it says no.
 *
 * Drydock's own doors do: a page that makes its name mean this machine could otherwise read what they say, as
 * browsers send no Origin with such a GET. The API takes POST alone, with which they do; it and the registry are
 * reached by whatever name a cluster gives them. Links to layers go to whoever has them.
 */
#include "server/browser.h"

#include "protocol/browser_rules.h"
#include "server/admin/admin.h"
#include "server/ecr/ecr.h"
#include "server/registry/registry.h"

static const char foreign[] = "Web pages of other origins may not use this interface.";
static const char misnamed[] =
    "This server does not go by the name in the Host field. Reach it by an address, by localhost or another name "
    "without a dot, or name it with --host-name NAME (DRYDOCK_HOST_NAME).";

static enum http_step refuse_text(struct http_request *req)
{
	return http_reply_text(req, 403, foreign);
}

static enum http_step refuse_door(struct http_request *req)
{
	return admin_say(call_of(req), 403, foreign);
}

static enum http_step refuse_registry(struct http_request *req)
{
	call_fail(call_of(req), ERR_ACCESS_DENIED)->detail = slice_str(foreign);
	return registry_error(call_of(req));
}

static enum http_step refuse_api(struct http_request *req)
{
	call_fail(call_of(req), ERR_ACCESS_DENIED)->detail = slice_str(foreign);
	return ecr_error(call_of(req));
}

static enum http_step refuse_name(struct http_request *req)
{
	return admin_say(call_of(req), 421, misnamed);
}

struct area {
	bool by_name; /* it answers to our own names alone */
	struct http_handler refusal;
};

static const struct area areas[] = {
    [API_NONE] = {false, {.body_max = UINT64_MAX, .start = refuse_text}},
    [API_LINK] = {false, {.body_max = UINT64_MAX, .start = refuse_text}},
    [API_REGISTRY] = {false, {.body_max = UINT64_MAX, .start = refuse_registry}},
    [API_ECR] = {false, {.body_max = UINT64_MAX, .start = refuse_api}},
    [API_STS] = {false, {.body_max = UINT64_MAX, .start = refuse_api}},
    [API_ADMIN] = {true, {.body_max = UINT64_MAX, .start = refuse_door}},
};

static const struct http_handler misnamed_refusal = {.body_max = UINT64_MAX, .start = refuse_name};

const struct http_handler *browser_refuse(struct call *c)
{
	const struct http_request *req = c->req;
	const struct area *area = &areas[c->api];
	struct browser_request request = {
	    .secure = req->secure,
	    .reads = req->method == METHOD_GET || req->method == METHOD_HEAD,
	    .by_name = area->by_name,
	    .host = req->host,
	    .origin = http_header_get(req, "origin"),
	    .fetch_site = http_header_get(req, "sec-fetch-site"),
	};

	switch (browser_judge(&request, &c->app->names)) {
	case BROWSER_MISNAMED:
		return &misnamed_refusal;
	case BROWSER_FOREIGN:
		return &area->refusal;
	default:
		return NULL;
	}
}
