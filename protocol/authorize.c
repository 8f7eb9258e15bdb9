/*
 * The evaluation: each statement of each policy is judged once, in a fixed order, and of each kind the first that
 * applies is noted: a Deny, an Allow of the identity's policies, of the session's, and of the resource's side by
 * how closely it names the caller.
 *
 * The decision is taken from these notes alone, by the rules at the head of authorize.h. So a trace is the same
 * evaluation with every judgement kept, and cannot say anything else than the decision.
 */
#include "protocol/authorize.h"

enum { TOLD_MAX = 8 };

/* What the principal and the resource say of themselves. */
struct told {
	struct policy_key keys[TOLD_MAX];
	struct slice values[TOLD_MAX];
	size_t count;
};

/* The first statement of a kind that was met. */
struct found {
	bool there;
	struct authorize_step step;
};

struct evaluation {
	const struct authorize_request *request;
	struct statement_request about;
	struct policy_context context;
	struct told told;
	struct arena *arena;
	struct found deny, identity, session;
	struct found resource[PRINCIPAL_BY_NAME + 1]; /* by how they name the principal */
	struct authorize_step *steps;                 /* NULL: not wanted */
	size_t step_count;
};

/* ---- context ---- */

static void tell(struct told *told, const char *name, struct slice value)
{
	if (!value.at)
		return;
	told->values[told->count] = value;
	told->keys[told->count] =
	    (struct policy_key){slice_str(name), &told->values[told->count], 1};
	told->count++;
}

static void tell_all(struct told *told, const struct authorize_request *request)
{
	static const struct slice types[] = {
	    [PRINCIPAL_ROOT] = SLICE("Account"),
	    [PRINCIPAL_USER] = SLICE("User"),
	    [PRINCIPAL_ROLE] = SLICE("AssumedRole"),
	};
	const struct principal *who = request->principal;

	told->count = 0;
	tell(told, "aws:PrincipalArn", who->kind == PRINCIPAL_ROLE ? who->role_arn : who->arn);
	tell(told, "aws:PrincipalAccount", who->account);
	tell(told, "aws:PrincipalType", types[who->kind]);
	tell(told, "aws:username", who->user_name);
	tell(told, "aws:userid", who->kind == PRINCIPAL_ROOT ? who->account : who->user_id);
	tell(told, "aws:ResourceAccount", request->resource_account);
	tell(told, "aws:PrincipalIsAWSService", slice_str("false"));
	tell(told, "aws:ViaAWSService", slice_str("false"));
}

static struct policy_context context_of(
    const struct authorize_request *request, const struct told *told)
{
	return (struct policy_context){request->keys, request->key_count, told->keys, told->count};
}

struct policy_context authorize_context(const struct authorize_request *request, struct arena *a)
{
	struct told *told = arena_zalloc(a, sizeof(*told));

	tell_all(told, request);
	return context_of(request, told);
}

/* ---- statements ---- */

static void note(struct found *found, const struct authorize_step *step)
{
	if (found->there)
		return;
	found->there = true;
	found->step = *step;
}

static void note_step(struct evaluation *e, const struct authorize_step *step)
{
	if (e->steps)
		e->steps[e->step_count++] = *step;
	if (step->judgement.verdict != STATEMENT_APPLIES)
		return;
	if (!step->at->allow)
		note(&e->deny, step);
	else if (step->source == AUTHORIZE_IDENTITY)
		note(&e->identity, step);
	else if (step->source == AUTHORIZE_SESSION)
		note(&e->session, step);
	else
		note(&e->resource[step->judgement.principal], step);
}

static void look_at(struct evaluation *e, enum authorize_source source, size_t index,
    const struct policy_document *policy)
{
	for (size_t i = 0; policy && i < policy->count; i++) {
		struct authorize_step step = {.source = source,
		    .policy = index,
		    .statement = i,
		    .at = &policy->statements[i]};

		policy_statement_judge(step.at, &e->about, e->arena, &step.judgement);
		note_step(e, &step);
	}
}

static void look_at_all(struct evaluation *e)
{
	const struct principal *who = e->request->principal;

	for (size_t i = 0; i < who->identity_count; i++)
		look_at(e, AUTHORIZE_IDENTITY, i, who->identity[i]);
	look_at(e, AUTHORIZE_SESSION, 0, who->session);
	look_at(e, AUTHORIZE_REPOSITORY, 0, e->request->repository_policy);
	look_at(e, AUTHORIZE_REGISTRY, 0, e->request->registry_policy);
}

static size_t count_statements(const struct authorize_request *request)
{
	const struct principal *who = request->principal;
	const struct policy_document *others[] = {
	    who->session, request->repository_policy, request->registry_policy};
	size_t n = 0;

	for (size_t i = 0; i < who->identity_count; i++)
		n += who->identity[i]->count;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		n += others[i] ? others[i]->count : 0;
	return n;
}

/* ---- the decision ---- */

static void ground(struct authorize_decision *out, const struct found *found)
{
	if (found->there)
		out->grounds[out->ground_count++] = found->step;
}

static void refuse(struct authorize_decision *out, enum authorize_source lacking)
{
	*out = (struct authorize_decision){.source = lacking};
}

/* The session's policy, where there is one, must allow what something else does. */
static bool session_allows(struct evaluation *e, struct authorize_decision *out)
{
	if (e->request->principal->session && !e->session.there) {
		refuse(out, AUTHORIZE_SESSION);
		return false;
	}
	ground(out, &e->session);
	return true;
}

/* The caller's own side: its account's root, or an identity policy and the session's. */
static void decide_identity(struct evaluation *e, struct authorize_decision *out)
{
	if (e->request->principal->kind == PRINCIPAL_ROOT) {
		if (!out->ground_count)
			out->source = AUTHORIZE_ACCOUNT;
		out->allowed = true;
		return;
	}
	if (!e->identity.there) {
		refuse(out, AUTHORIZE_IDENTITY);
		return;
	}
	if (!out->ground_count)
		out->source = AUTHORIZE_IDENTITY;
	ground(out, &e->identity);
	out->allowed = session_allows(e, out);
}

/* The Allow of the resource's side that names the principal most closely; NULL: none. */
static const struct found *resource_allow(const struct evaluation *e)
{
	for (size_t i = PRINCIPAL_BY_NAME; i > PRINCIPAL_NOT_NAMED; i--)
		if (e->resource[i].there)
			return &e->resource[i];
	return NULL;
}

static void take_resource(struct authorize_decision *out, const struct found *allow)
{
	ground(out, allow);
	out->source = allow->step.source;
}

static void decide_within_account(struct evaluation *e, struct authorize_decision *out)
{
	const struct found *allow = resource_allow(e);
	enum principal_match by = allow ? allow->step.judgement.principal : PRINCIPAL_NOT_NAMED;

	if (e->request->resource_must_allow && !allow) {
		refuse(out, AUTHORIZE_REPOSITORY);
	} else if (by == PRINCIPAL_BY_NAME) {
		take_resource(out, allow);
		out->allowed = true;
	} else if (by == PRINCIPAL_BY_ROLE) {
		take_resource(out, allow);
		out->allowed = session_allows(e, out);
	} else {
		if (e->request->resource_must_allow)
			take_resource(out, allow);
		decide_identity(e, out);
	}
}

static void decide_across_accounts(struct evaluation *e, struct authorize_decision *out)
{
	const struct found *allow = resource_allow(e);

	if (!allow) {
		refuse(out, AUTHORIZE_REPOSITORY);
		return;
	}
	take_resource(out, allow);
	decide_identity(e, out);
}

static void decide(struct evaluation *e, struct authorize_decision *out)
{
	const struct authorize_request *request = e->request;
	const struct principal *who = request->principal;
	bool own = slice_eq(who->account, request->resource_account);
	bool token = slice_eq_nocase(request->action, slice_str("ecr:GetAuthorizationToken"));

	*out = (struct authorize_decision){.allowed = false};
	if (e->deny.there) {
		out->explicit_deny = true;
		out->source = e->deny.step.source;
		ground(out, &e->deny);
	} else if (token || (own && who->kind == PRINCIPAL_ROOT && !request->resource_must_allow)) {
		decide_identity(e, out);
	} else if (own) {
		decide_within_account(e, out);
	} else {
		decide_across_accounts(e, out);
	}
}

static void evaluate(
    struct evaluation *e, const struct authorize_request *request, struct authorize_decision *out)
{
	e->request = request;
	tell_all(&e->told, request);
	e->context = context_of(request, &e->told);
	e->about = (struct statement_request){
	    request->principal, request->action, request->resource, &e->context};
	look_at_all(e);
	decide(e, out);
}

void authorize(
    const struct authorize_request *request, struct arena *scratch, struct authorize_decision *out)
{
	struct evaluation e = {.arena = scratch};

	evaluate(&e, request, out);
}

void authorize_traced(const struct authorize_request *request, struct arena *a,
    struct authorize_decision *out, const struct authorize_step **steps, size_t *count)
{
	struct evaluation e = {.arena = a};

	e.steps = arena_array(a, count_statements(request) + 1, sizeof(*e.steps));
	evaluate(&e, request, out);
	*steps = e.steps;
	*count = e.step_count;
}

/* ---- words ---- */

struct slice authorize_sentence(const struct authorize_request *request,
    const struct authorize_decision *decision, struct arena *a)
{
	static const char *const kinds[] = {
	    [AUTHORIZE_IDENTITY] = "identity-based",
	    [AUTHORIZE_SESSION] = "session",
	    [AUTHORIZE_REPOSITORY] = "resource-based",
	    [AUTHORIZE_REGISTRY] = "resource-based",
	    [AUTHORIZE_ACCOUNT] = "identity-based",
	};
	const char *kind = kinds[decision->source];
	char *head =
	    arena_printf(a, "User: %.*s is not authorized to perform: %.*s on resource: %.*s",
		SLICE_ARG(request->principal->arn), SLICE_ARG(request->action),
		SLICE_ARG(request->resource));

	if (decision->explicit_deny)
		return arena_slicef(a, "%s with an explicit deny in %s %s policy", head,
		    *kind == 'i' ? "an" : "a", kind);
	return arena_slicef(a, "%s because no %s policy allows the %.*s action", head, kind,
	    SLICE_ARG(request->action));
}
