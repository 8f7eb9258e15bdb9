#include "server/identity.h"

#include "protocol/ecr_host.h"
#include "protocol/names.h"
#include "protocol/sigv4.h"
#include "protocol/token.h"

static void use_defaults(struct call *c)
{
	c->account = slice_str(c->app->config->account);
	c->region = slice_str(c->app->config->region);
}

/* A host name of ECR's says which registry is meant, whatever the credentials say. */
static bool use_host(struct call *c)
{
	struct ecr_host host;

	if (!ecr_host_parse(c->req->host, &host))
		return false;
	if (host.account.at)
		c->account = host.account;
	c->region = host.region;
	return true;
}

static void name_principal(struct call *c)
{
	c->principal = arena_slicef(c->arena, "arn:%s:iam::%.*s:root",
	    partition_of_region(c->region), SLICE_ARG(c->account));
}

bool identify_registry(struct call *c)
{
	struct token token = {0};
	enum token_fault fault = token_open(http_header_get(c->req, "authorization"),
	    store_token_key(c->app->store), call_now_ms(c), c->arena, &token);
	bool sealed = fault == TOKEN_OK;
	bool named;

	use_defaults(c);
	if (sealed) {
		c->account = token.account;
		c->region = token.region;
	}
	named = use_host(c);
	if (c->app->config->auth == AUTH_TOKEN) {
		/* ECR: a token works for every registry of its region, and for no other region's. */
		bool elsewhere = sealed && named && !slice_eq(token.region, c->region);

		if (fault == TOKEN_EXPIRED)
			call_fail(c, ERR_TOKEN_EXPIRED);
		else if (!sealed || elsewhere)
			call_fail(c, ERR_NOT_AUTHORIZED);
	}
	if (sealed)
		c->principal = token.principal;
	else
		name_principal(c);
	return c->error.code == ERR_NONE;
}

bool identify_api(struct call *c, struct slice *service)
{
	struct slice header = http_header_get(c->req, "authorization");
	struct sigv4_credential credential;
	bool parsed = header.at && sigv4_parse(header, &credential);

	use_defaults(c);
	*service = (struct slice){0};
	if (parsed) {
		if (account_id_valid(credential.access_key))
			c->account = credential.access_key;
		if (region_valid(credential.region))
			c->region = credential.region;
		*service = credential.service;
	}
	use_host(c);
	name_principal(c);
	if (c->app->config->auth == AUTH_TOKEN && !parsed)
		call_fail(c, header.at ? ERR_INCOMPLETE_SIGNATURE : ERR_MISSING_AUTHENTICATION);
	return c->error.code == ERR_NONE;
}
