/* GetAuthorizationToken (ecr-behaviour 2.1). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/operations.h"

static void write_authorization(struct call *c, struct json_writer *w, int64_t expires_ms)
{
	struct token token = {
	    .account = c->account,
	    .region = c->region,
	    .principal = c->principal,
	    .expires_ms = expires_ms,
	    .policy = c->session_policy,
	};

	json_object(w);
	json_put_str(w, "authorizationToken", token_seal(&token, call_seal_key(c), c->arena));
	json_put_time(w, "expiresAt", expires_ms);
	json_put_str(w, "proxyEndpoint", call_registry_url(c));
	json_object_end(w);
}

/* One entry for each registry asked for, else one for the caller's own. */
enum http_step op_get_authorization_token(struct call *c)
{
	const cJSON *ids = json_member(ecr_input(c), "registryIds"), *id;
	int64_t expires_ms = call_now_ms(c) + TOKEN_LIFETIME_MS;
	struct json_writer *w = ecr_begin(c);

	json_put_array(w, "authorizationData");
	cJSON_ArrayForEach(id, ids) {
		c->account = slice_str(id->valuestring);
		write_authorization(c, w, expires_ms);
	}
	if (!ids)
		write_authorization(c, w, expires_ms);
	json_array_end(w);
	return ecr_reply(c);
}
