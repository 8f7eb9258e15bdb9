#include "server/identity.h"

#include "protocol/ecr_host.h"
#include "protocol/http_fields.h"
#include "protocol/iam_config.h"
#include "protocol/names.h"
#include "protocol/policy_statement.h"
#include "protocol/token.h"
#include "server/signature.h"

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

/* ---- the registry ---- */

/* Whom the token names must still be there, and is judged by the policies of today. */
static bool use_token(struct call *c, const struct token *token)
{
	struct principal *who = arena_zalloc(c->arena, sizeof(*who));
	struct slice account = c->account;
	bool known = iam_config_resolve(c->app->iam, token->principal, c->arena, who) &&
	    call_act_as(c, who, token->policy);

	c->account = account; /* the registry that is meant, not the caller's own */
	if (!known)
		call_fail(c, ERR_NOT_AUTHORIZED);
	return known;
}

/*
 * ECR: a token works for every registry of its region that its principal may use, and another account's own policies
 * say whether it may. Where nobody was asked for proof the principal is the token's account, as its root.
 */
static void use_elsewhere(struct call *c, struct slice account)
{
	struct principal *who = arena_zalloc(c->arena, sizeof(*who));

	if (principal_of_arn(account, c->arena, who))
		c->who = who;
}

/* ECR: a token works for no other region's registries. */
static bool check_token(struct call *c, enum token_fault fault, bool elsewhere)
{
	if (fault == TOKEN_EXPIRED)
		call_fail(c, ERR_TOKEN_EXPIRED);
	else if (fault != TOKEN_OK || elsewhere)
		call_fail(c, ERR_NOT_AUTHORIZED);
	return c->error.code == ERR_NONE;
}

bool identify_registry(struct call *c)
{
	struct token token = {0};
	enum token_fault fault = token_open(http_header_get(c->req, "authorization"),
	    call_seal_key(c), call_now_ms(c), c->arena, &token);
	enum auth_mode mode = c->app->config->auth;
	bool sealed = fault == TOKEN_OK;
	bool named;

	use_defaults(c);
	if (sealed) {
		c->account = token.account;
		c->region = token.region;
	}
	named = use_host(c);
	if (sealed)
		c->principal = token.principal;
	else
		name_principal(c);
	if (mode != AUTH_OPEN &&
	    !check_token(c, fault, sealed && named && !slice_eq(token.region, c->region)))
		return false;
	if (mode == AUTH_IAM)
		return use_token(c, &token);
	if (mode == AUTH_TOKEN && !slice_eq(token.account, c->account))
		use_elsewhere(c, token.account);
	return true;
}

/* ---- the API ---- */

bool identify_sts(struct call *c)
{
	struct slice form = http_header_get(c->req, "content-type"), region, why;
	struct sigv4_request request = signature_request(c);
	struct sigv4_credential credential;

	if (http_header_get(c->req, "x-amz-target").at)
		return false;
	if (sts_host_parse(c->req->host, &region) || form_get(c->req->query, "Action", c->arena).at)
		return true;
	if (sigv4_find(&request, c->arena, &credential, &why) >= SIGV4_HEADER)
		return slice_is(credential.service, "sts");
	return c->app->config->auth == AUTH_IAM &&
	    slice_is(http_media_type(form), "application/x-www-form-urlencoded");
}

/* Where signatures cannot be checked they must at least be there, unless nothing is asked. */
static bool read_scope(struct call *c)
{
	struct sigv4_request request = signature_request(c);
	struct sigv4_credential credential;
	struct slice why = {0};
	enum sigv4_form form = sigv4_find(&request, c->arena, &credential, &why);

	if (form >= SIGV4_HEADER && account_id_valid(credential.access_key))
		c->account = credential.access_key;
	if (form >= SIGV4_HEADER && region_valid(credential.region))
		c->region = credential.region;
	use_host(c);
	name_principal(c);
	if (form >= SIGV4_HEADER || c->app->config->auth == AUTH_OPEN)
		return true;
	call_fail(c, form == SIGV4_ABSENT ? ERR_MISSING_AUTHENTICATION : ERR_INCOMPLETE_SIGNATURE)
	    ->detail = why;
	return false;
}

bool identify_api(struct call *c, const char *service)
{
	struct slice region = {0};

	use_defaults(c);
	if (c->app->config->auth != AUTH_IAM)
		return read_scope(c);
	if (use_host(c))
		region = c->region;
	else
		sts_host_parse(c->req->host, &region);
	if (!signature_read(c, service, region))
		return false;
	use_host(c);
	return true;
}

bool identify_body(struct call *c)
{
	return !c->signature || signature_verify(c);
}
