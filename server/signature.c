#include "server/signature.h"

#include "protocol/iam_config.h"
#include "protocol/session_token.h"

/* Of one call, until its body is there. */
struct signature {
	struct sigv4_request request;
	enum sigv4_form form;
	struct sigv4_credential credential;
	struct slice time, secret;
};

struct sigv4_request signature_request(struct call *c)
{
	struct sigv4_field *fields =
	    arena_array(c->arena, c->req->field_count + 1, sizeof(*fields));

	for (size_t i = 0; i < c->req->field_count; i++)
		fields[i] = (struct sigv4_field){c->req->fields[i].name, c->req->fields[i].value};
	return (struct sigv4_request){
	    .method = c->req->method_name,
	    .path = c->req->raw_path,
	    .query = c->req->query,
	    .fields = fields,
	    .field_count = c->req->field_count,
	};
}

static bool refuse(struct call *c, enum error_code code, struct slice why)
{
	call_fail(c, code)->detail = why;
	return false;
}

/* ---- its form, time and scope ---- */

static bool read_form(struct call *c, struct signature *s)
{
	struct slice why = {0};
	int64_t now_ms = call_now_ms(c) - clock_offset_ms(store_clock(c->app->store));

	s->request = signature_request(c);
	s->form = sigv4_find(&s->request, c->arena, &s->credential, &why);
	if (s->form == SIGV4_ABSENT)
		return refuse(c, ERR_MISSING_AUTHENTICATION, why);
	if (s->form == SIGV4_INCOMPLETE)
		return refuse(c, ERR_INCOMPLETE_SIGNATURE, why);
	switch (sigv4_read_time(
	    &s->request, s->form, &s->credential, now_ms, c->arena, &s->time, &why)) {
	case SIGV4_MALFORMED:
		return refuse(c, ERR_INCOMPLETE_SIGNATURE, why);
	case SIGV4_REFUSED:
		return refuse(c, ERR_SIGNATURE_REFUSED, why);
	default:
		return true;
	}
}

static bool check_scope(
    struct call *c, const struct signature *s, const char *service, struct slice wanted)
{
	struct slice region = s->credential.region, why;

	if (!region_valid(region) || (wanted.at && !slice_eq(wanted, region)))
		return refuse(c, ERR_SIGNATURE_REFUSED,
		    arena_slicef(c->arena,
			"Credential should be scoped to a valid region, not '%.*s'. ",
			SLICE_ARG(region)));
	if (!slice_is(s->credential.service, service))
		return refuse(c, ERR_SIGNATURE_REFUSED,
		    arena_slicef(c->arena, "Credential should be scoped to correct service: '%s'. ",
			service));
	if (!sigv4_covers(&s->request, &s->credential, c->arena, &why))
		return refuse(c, ERR_SIGNATURE_REFUSED, why);
	c->region = region;
	return true;
}

/* ---- whose it is ---- */

static bool use_session(struct call *c, struct signature *s, struct slice text)
{
	const uint8_t *key = call_seal_key(c);
	struct slice id = s->credential.access_key;
	struct principal *who = arena_zalloc(c->arena, sizeof(*who));
	char *secret = arena_alloc(c->arena, SESSION_SECRET_LEN);
	struct session_token token;

	if (!session_token_open(text, id, key, c->arena, &token) ||
	    !iam_config_resolve(c->app->iam, token.principal, c->arena, who))
		return refuse(c, ERR_UNRECOGNIZED_CLIENT, (struct slice){0});
	if (call_now_ms(c) >= token.expires_ms)
		return refuse(c, ERR_CREDENTIALS_EXPIRED, (struct slice){0});
	session_secret(id, key, secret);
	s->secret = slice_of(secret, SESSION_SECRET_LEN);
	c->temporary = true;
	return call_act_as(c, who, token.policy);
}

static bool use_key(struct call *c, struct signature *s)
{
	struct slice token = sigv4_token(&s->request, s->form, c->arena);
	const struct iam_key *key = iam_config_key(c->app->iam, s->credential.access_key);
	struct principal *who;

	if (session_key_id_shaped(s->credential.access_key))
		return use_session(c, s, token);
	if (!key || token.at)
		return refuse(c, ERR_UNRECOGNIZED_CLIENT, (struct slice){0});
	who = arena_zalloc(c->arena, sizeof(*who));
	iam_principal_as(key->owner, slice_str("instance"), c->arena, who);
	s->secret = key->secret;
	return call_act_as(c, who, (struct slice){0});
}

bool signature_read(struct call *c, const char *service, struct slice region)
{
	struct signature *s = arena_zalloc(c->arena, sizeof(*s));

	c->signature = s;
	return read_form(c, s) && check_scope(c, s, service, region) && use_key(c, s);
}

/* ---- whether it did ---- */

/*
 * Of the canonical request as much as helps to find what differs: a head of 32 KiB, escaped, would be sent back as
 * three times that.
 */
enum { SHOWN_MAX = 8 * 1024 };

static struct slice shown(struct slice text)
{
	return text.len <= SHOWN_MAX ? text : slice_of(text.at, SHOWN_MAX);
}

bool signature_verify(struct call *c)
{
	struct signature *s = c->signature;
	struct sigv4_calculation right;
	char hash[SIGV4_HASH_LEN];

	sigv4_hash(c->req->body, hash);
	if (sigv4_verify(&s->request, &s->credential, s->time, s->secret,
		slice_of(hash, SIGV4_HASH_LEN), c->arena, &right))
		return true;
	return refuse(c, ERR_INVALID_SIGNATURE,
	    arena_slicef(c->arena,
		"\n\nThe Canonical String for this request should have been\n'%.*s%s'\n\nThe "
		"String-to-Sign should have been\n'%.*s'\n",
		SLICE_ARG(shown(right.canonical_request)),
		right.canonical_request.len > SHOWN_MAX ? "..." : "",
		SLICE_ARG(right.string_to_sign)));
}
