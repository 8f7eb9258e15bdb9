/*
 * Judging one statement: principal, action, resource, conditions, in this order. The first that says no is the
 * verdict, and is told as such by `drydock policy explain`.
 *
 * How closely the principal is named is kept apart, by name, by role or by account: within one account that
 * decides which other policies must allow as well.
 */
#include "protocol/policy_statement.h"

#include "protocol/names.h"

/* ---- principals ---- */

static struct slice last_part(struct slice path)
{
	size_t at = path.len;

	while (at && path.at[at - 1] != '/')
		at--;
	return slice_skip(path, at);
}

static bool read_session(
    struct slice partition, struct slice rest, struct arena *a, struct principal *out)
{
	struct slice role = slice_cut(&rest, '/');

	out->kind = PRINCIPAL_ROLE;
	out->role_arn = arena_slicef(a, "arn:%.*s:iam::%.*s:role/%.*s", SLICE_ARG(partition),
	    SLICE_ARG(out->account), SLICE_ARG(role));
	return role.len > 0 && rest.len > 0;
}

static bool read_role(
    struct slice partition, struct slice path, struct arena *a, struct principal *out)
{
	struct slice name = last_part(path);

	out->kind = PRINCIPAL_ROLE;
	out->role_arn = out->arn;
	out->arn = arena_slicef(a, "arn:%.*s:sts::%.*s:assumed-role/%.*s/session",
	    SLICE_ARG(partition), SLICE_ARG(out->account), SLICE_ARG(name));
	return name.len > 0;
}

/* What is behind the account: "root", "user/NAME", "role/NAME", "assumed-role/NAME/SESSION". */
static bool read_resource(struct slice partition, struct slice service, struct slice resource,
    struct arena *a, struct principal *out)
{
	struct slice kind;

	if (slice_is(service, "iam") && slice_is(resource, "root")) {
		out->kind = PRINCIPAL_ROOT;
		return true;
	}
	kind = slice_cut(&resource, '/');
	if (slice_is(service, "sts"))
		return slice_is(kind, "assumed-role") && read_session(partition, resource, a, out);
	if (slice_is(service, "iam") && slice_is(kind, "role"))
		return read_role(partition, resource, a, out);
	out->kind = PRINCIPAL_USER;
	out->user_name = last_part(resource);
	return slice_is(service, "iam") && slice_is(kind, "user") && out->user_name.len > 0;
}

bool principal_of_arn(struct slice arn, struct arena *a, struct principal *out)
{
	struct slice rest = arn, head, partition, service, region;

	*out = (struct principal){.arn = arn};
	if (account_id_valid(arn)) {
		out->account = arn;
		out->arn = arena_slicef(a, "arn:aws:iam::%.*s:root", SLICE_ARG(arn));
		return true;
	}
	head = slice_cut(&rest, ':');
	partition = slice_cut(&rest, ':');
	service = slice_cut(&rest, ':');
	region = slice_cut(&rest, ':');
	out->account = slice_cut(&rest, ':');
	return slice_is(head, "arn") && slice_starts(partition, slice_str("aws")) &&
	    region.len == 0 && account_id_valid(out->account) &&
	    read_resource(partition, service, rest, a, out);
}

/* "AROA...:session" is the role "AROA..." */
static bool has_unique_id(const struct principal *who, struct slice id)
{
	struct slice rest = who->user_id;

	return id.len > 0 && slice_eq(slice_cut(&rest, ':'), id);
}

static enum principal_match match_one(const struct policy_principal *p, const struct principal *who)
{
	switch (p->type) {
	case POLICY_EVERYBODY:
		return PRINCIPAL_BY_NAME;
	case POLICY_ACCOUNT:
		return slice_eq(p->account, who->account) ? PRINCIPAL_BY_ACCOUNT
							  : PRINCIPAL_NOT_NAMED;
	case POLICY_AWS:
		if (slice_eq(p->name, who->arn))
			return PRINCIPAL_BY_NAME;
		if (who->kind == PRINCIPAL_ROLE &&
		    (slice_eq(p->name, who->role_arn) || has_unique_id(who, p->name)))
			return PRINCIPAL_BY_ROLE;
		return has_unique_id(who, p->name) ? PRINCIPAL_BY_NAME : PRINCIPAL_NOT_NAMED;
	default: /* a service, a federated one: none of these calls with an access key */
		return PRINCIPAL_NOT_NAMED;
	}
}

/* The closest of all that are listed. */
static enum principal_match match_principal(
    const struct policy_statement *s, const struct principal *who)
{
	enum principal_match best = PRINCIPAL_NOT_NAMED;

	if (s->principal_count == 0)
		return PRINCIPAL_BY_NAME;
	for (size_t i = 0; i < s->principal_count; i++) {
		enum principal_match match = match_one(&s->principals[i], who);

		if (match > best)
			best = match;
	}
	if (s->not_principal)
		return best == PRINCIPAL_NOT_NAMED ? PRINCIPAL_BY_NAME : PRINCIPAL_NOT_NAMED;
	return best;
}

/* ---- actions and resources ---- */

static bool has_action(const struct policy_statement *s, struct slice action)
{
	bool found = false;

	for (size_t i = 0; i < s->action_count && !found; i++)
		found = policy_pattern_match_nocase(s->actions[i], action);
	return found != s->not_action;
}

static enum statement_verdict judge_resource(const struct policy_statement *s,
    const struct statement_request *request, struct arena *scratch)
{
	bool found = false, unresolved = false;
	struct slice pattern, variable;

	if (s->resource_count == 0)
		return STATEMENT_APPLIES;
	for (size_t i = 0; i < s->resource_count; i++) {
		if (policy_text_expand(&s->resources[i], request->context, POLICY_TEXT_PATTERN,
			scratch, &pattern, &variable))
			found = found || policy_pattern_match(pattern, request->resource);
		else
			unresolved = true;
	}
	if (s->not_resource && unresolved)
		return STATEMENT_VARIABLE;
	return found != s->not_resource ? STATEMENT_APPLIES : STATEMENT_OTHER_RESOURCE;
}

void policy_statement_judge(const struct policy_statement *s,
    const struct statement_request *request, struct arena *scratch, struct statement_judgement *out)
{
	*out = (struct statement_judgement){.principal = match_principal(s, request->principal)};
	if (out->principal == PRINCIPAL_NOT_NAMED)
		out->verdict = STATEMENT_OTHER_PRINCIPAL;
	else if (!has_action(s, request->action))
		out->verdict = STATEMENT_OTHER_ACTION;
	else
		out->verdict = judge_resource(s, request, scratch);
	for (size_t i = 0; i < s->condition_count && out->verdict == STATEMENT_APPLIES; i++) {
		if (policy_condition_judge(&s->conditions[i], request->context, scratch))
			continue;
		out->verdict = STATEMENT_CONDITION_NOT_MET;
		out->condition = &s->conditions[i];
	}
}
