/* AssumeRole and GetSessionToken: temporary credentials, of which nothing is kept (protocol/session_token.h). */
#include "server/ecr/sts.h"

#include "protocol/iam_config.h"
#include "protocol/session_token.h"
#include "protocol/timestamp.h"
#include "server/policy_keys.h"

#include <stdlib.h>
#include <sys/random.h>

enum {
	ROLE_ARN_MIN = 20,
	ROLE_ARN_MAX = 2048,
	SESSION_NAME_MIN = 2,
	DURATION_MIN_S = 900,
	CHAINED_MAX_S = 3600,
	TOKEN_DEFAULT_S = 43200,
	TOKEN_MAX_S = 129600,
};

/* ---- the parameters ---- */

/* "1 validation error detected: ...", as STS says it of a parameter. */
static bool refuse_value(
    struct call *c, const char *member, struct slice value, const char *constraint)
{
	struct slice shown =
	    value.at ? arena_slicef(c->arena, "'%.*s'", SLICE_ARG(value)) : slice_str("null");

	call_fail(c, ERR_VALIDATION)->detail = arena_slicef(c->arena,
	    "1 validation error detected: Value %.*s at '%s' failed to satisfy constraint: %s",
	    SLICE_ARG(shown), member, constraint);
	return false;
}

static bool refuse_words(struct call *c, enum error_code code, const char *why)
{
	call_fail(c, code)->detail = slice_str(why);
	return false;
}

/* What would change the session, but is not done here, must not be passed over. */
static bool check_offered(struct call *c)
{
	static const char *const others[] = {"Tags.member.1.Key", "TransitiveTagKeys.member.1",
	    "PolicyArns.member.1.arn", "SerialNumber", "TokenCode", "SourceIdentity"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (sts_parameter(c, others[i]).at) {
			call_fail(c, ERR_VALIDATION)->detail = arena_slicef(
			    c->arena, "Drydock does not offer the parameter %s", others[i]);
			return false;
		}
	return true;
}

static bool read_duration(struct call *c, int64_t fallback_s, int64_t max_s, int64_t *out)
{
	struct slice text = sts_parameter(c, "DurationSeconds");
	unsigned long long seconds;

	*out = fallback_s;
	if (!text.at)
		return true;
	if (!slice_to_u64(text, &seconds) || seconds < DURATION_MIN_S)
		return refuse_value(c, "durationSeconds", text,
		    "Member must have value greater than or equal to 900");
	if (seconds > (unsigned long long)max_s)
		return refuse_value(c, "durationSeconds", text,
		    arena_printf(c->arena, "Member must have value less than or equal to %lld",
			(long long)max_s));
	*out = (int64_t)seconds;
	return true;
}

static bool read_policy(struct call *c, struct slice *out)
{
	struct policy_document parsed;
	const char *why;

	*out = sts_parameter(c, "Policy");
	if (!out->at)
		return true;
	if (out->len < 1 || out->len > TOKEN_POLICY_MAX)
		return refuse_value(
		    c, "policy", (struct slice){0}, "Member must have length from 1 to 2048");
	if (policy_document_parse(*out, POLICY_OF_IDENTITY, c->arena, &parsed, &why))
		return true;
	call_fail(c, ERR_POLICY_MALFORMED)->detail =
	    arena_slicef(c->arena, "The policy is not in the valid JSON format: %s", why);
	return false;
}

/* ---- credentials ---- */

/* The Credentials element, of a principal that has this ARN. */
static const char *make_credentials(
    struct call *c, struct slice arn, struct slice policy, int64_t duration_s)
{
	const uint8_t *key = call_seal_key(c);
	int64_t until_ms = call_now_ms(c) / 1000 * 1000 + duration_s * 1000;
	char id[SESSION_KEY_ID_LEN], secret[SESSION_SECRET_LEN], time[TIMESTAMP_TEXT_MAX];
	struct session_token session = {slice_of(id, SESSION_KEY_ID_LEN), arn, policy, until_ms};
	uint8_t random[SESSION_RANDOM_LEN];
	struct slice token, until;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort();
	session_key_id(random, id);
	session_secret(session.access_key, key, secret);
	token = session_token_seal(&session, key, c->arena);
	until = timestamp_format(until_ms, time);
	return arena_printf(c->arena,
	    "    <Credentials>\n      <AccessKeyId>%.*s</AccessKeyId>\n"
	    "      <SecretAccessKey>%.*s</SecretAccessKey>\n      <SessionToken>%.*s</SessionToken>\n"
	    "      <Expiration>%.*s</Expiration>\n    </Credentials>\n",
	    SESSION_KEY_ID_LEN, id, SESSION_SECRET_LEN, secret, SLICE_ARG(token), SLICE_ARG(until));
}

/* ---- AssumeRole ---- */

/* A role that is not there is refused in the same words as one that does not trust the caller. */
static bool may_assume(struct call *c, const struct iam_principal *role, struct slice arn)
{
	struct slice session = sts_parameter(c, "RoleSessionName");
	struct authorize_decision decision = {.allowed = false};
	struct authorize_request request = {
	    .principal = c->who,
	    .action = slice_str("sts:AssumeRole"),
	    .resource = arn,
	    .resource_must_allow = true,
	};
	struct policy_keys keys;

	if (c->who->kind == PRINCIPAL_ROOT)
		return refuse_words(
		    c, ERR_ACCESS_DENIED, "Roles may not be assumed by root accounts.");
	policy_keys_init(&keys, c, 2);
	policy_keys_put(&keys, "sts:ExternalId", sts_parameter(c, "ExternalId"));
	policy_keys_put(&keys, "sts:RoleSessionName", session);
	request.keys = keys.at;
	request.key_count = keys.count;
	if (role && role->trust) {
		request.resource_account = role->account;
		request.repository_policy = role->trust;
		authorize(&request, c->arena, &decision);
	}
	if (!decision.allowed)
		call_fail(c, ERR_ACCESS_DENIED)->detail = arena_slicef(c->arena,
		    "User: %.*s is not authorized to perform: sts:AssumeRole on resource: %.*s",
		    SLICE_ARG(c->principal), SLICE_ARG(arn));
	return decision.allowed;
}

static bool read_names(struct call *c, struct slice *arn, struct slice *session)
{
	*arn = sts_parameter(c, "RoleArn");
	*session = sts_parameter(c, "RoleSessionName");
	if (!arn->at)
		return refuse_value(c, "roleArn", *arn, "Member must not be null");
	if (arn->len < ROLE_ARN_MIN || arn->len > ROLE_ARN_MAX ||
	    !slice_starts(*arn, slice_str("arn:")))
		return refuse_words(
		    c, ERR_VALIDATION, arena_printf(c->arena, "%.*s is invalid", SLICE_ARG(*arn)));
	if (!session->at)
		return refuse_value(c, "roleSessionName", *session, "Member must not be null");
	if (!iam_name_valid(*session) || session->len < SESSION_NAME_MIN)
		return refuse_value(c, "roleSessionName", *session,
		    "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}");
	return true;
}

static bool check_role_duration(
    struct call *c, const struct iam_principal *role, int64_t duration_s)
{
	if (duration_s > role->session_max_s)
		return refuse_words(c, ERR_VALIDATION,
		    "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
	if (duration_s > CHAINED_MAX_S && c->who->kind == PRINCIPAL_ROLE)
		return refuse_words(c, ERR_VALIDATION,
		    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
		    "by role chaining");
	return true;
}

enum http_step sts_assume_role(struct call *c)
{
	const struct iam_principal *role;
	struct slice arn, session, policy;
	struct principal as;
	int64_t duration_s;

	if (!read_names(c, &arn, &session) || !check_offered(c) ||
	    !read_duration(c, IAM_SESSION_S_DEFAULT, IAM_SESSION_S_MAX, &duration_s) ||
	    !read_policy(c, &policy))
		return sts_error(c);
	role = iam_config_find(c->app->iam, arn);
	if (role && role->kind != PRINCIPAL_ROLE)
		role = NULL;
	if (!may_assume(c, role, arn) || !check_role_duration(c, role, duration_s))
		return sts_error(c);
	iam_principal_as(role, session, c->arena, &as);
	return sts_reply(c,
	    "    <AssumedRoleUser>\n      <AssumedRoleId>%.*s</AssumedRoleId>\n"
	    "      <Arn>%.*s</Arn>\n    </AssumedRoleUser>\n%s",
	    SLICE_ARG(as.user_id), SLICE_ARG(as.arn),
	    make_credentials(c, as.arn, policy, duration_s));
}

/* ---- GetSessionToken ---- */

/* The caller's own, for a while: not of what is temporary already. */
enum http_step sts_get_session_token(struct call *c)
{
	bool root = c->who->kind == PRINCIPAL_ROOT;
	int64_t duration_s;

	if (c->temporary || c->who->kind == PRINCIPAL_ROLE)
		return sts_fail(c, ERR_ACCESS_DENIED,
		    slice_str("Cannot call GetSessionToken with session credentials"));
	if (!check_offered(c) || !read_duration(c, TOKEN_DEFAULT_S, TOKEN_MAX_S, &duration_s))
		return sts_error(c);
	if (root && duration_s > CHAINED_MAX_S)
		duration_s = CHAINED_MAX_S;
	return sts_reply(c, "%s", make_credentials(c, c->who->arn, (struct slice){0}, duration_s));
}
