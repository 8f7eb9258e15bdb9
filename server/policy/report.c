/* What is decided, as text for people and as JSON for programs. */
#include "server/policy/explain.h"

enum { REPORT_MAX = 8 * 1024 * 1024, REASON_MAX = 8 * 1024 };

struct report {
	struct question *q;
	struct policy_context context;
	struct authorize_decision decision;
	const struct authorize_step *steps;
	size_t count;
};

static void decide(struct report *r, struct question *q)
{
	*r = (struct report){.q = q, .context = authorize_context(&q->request, &q->arena)};
	authorize_traced(&q->request, &q->arena, &r->decision, &r->steps, &r->count);
}

static const char *source_name(enum authorize_source source)
{
	static const char *const names[] = {
	    [AUTHORIZE_IDENTITY] = "identity",
	    [AUTHORIZE_SESSION] = "session",
	    [AUTHORIZE_REPOSITORY] = "repository",
	    [AUTHORIZE_REGISTRY] = "registry",
	    [AUTHORIZE_ACCOUNT] = "account",
	};

	return names[source];
}

static const struct loaded_policy *policy_of(
    const struct question *q, const struct authorize_step *step)
{
	switch (step->source) {
	case AUTHORIZE_SESSION:
		return &q->session;
	case AUTHORIZE_REPOSITORY:
		return &q->repository;
	case AUTHORIZE_REGISTRY:
		return &q->registry;
	default:
		return &q->identity[step->policy];
	}
}

/* A statement as it is written, on one line. */
static struct slice statement_json(struct question *q, const struct authorize_step *step)
{
	const cJSON *list = json_member(policy_of(q, step)->tree, "Statement");
	const cJSON *item =
	    cJSON_IsArray(list) ? cJSON_GetArrayItem(list, (int)step->statement) : list;
	char *text = cJSON_PrintUnformatted(item);
	struct slice copy = arena_dup(&q->arena, slice_str(text));

	cJSON_free(text);
	return copy;
}

static bool is_ground(const struct report *r, const struct authorize_step *step)
{
	for (size_t i = 0; i < r->decision.ground_count; i++)
		if (r->decision.grounds[i].at == step->at)
			return true;
	return false;
}

/* ---- why ---- */

static void put_values(struct buf *b, const struct policy_key *key)
{
	for (size_t i = 0; i < key->count; i++)
		buf_printf(b, "%s\"%.*s\"", i ? ", " : "", SLICE_ARG(key->values[i]));
}

/* ", and ${aws:username} has no value in it", for the first of the texts that has such a variable. */
static bool put_variable(struct buf *b, struct report *r, const struct policy_text *text)
{
	struct slice expanded, name;

	if (policy_text_expand(
		text, &r->context, POLICY_TEXT_PLAIN, &r->q->arena, &expanded, &name))
		return false;
	buf_printf(b, " (${%.*s} has no value in this request)", SLICE_ARG(name));
	return true;
}

static struct slice condition_reason(struct report *r, const struct policy_condition *c)
{
	const struct policy_key *key = policy_context_find(&r->context, c->key);
	struct buf b;

	buf_init(&b, &r->q->arena, REASON_MAX, 256);
	buf_printf(&b, "its condition %.*s on %.*s is not met: ", SLICE_ARG(c->operator_name),
	    SLICE_ARG(c->key));
	if (key) {
		buf_puts(&b, "the request says ");
		put_values(&b, key);
	} else {
		buf_printf(&b, "the request has no such key (--context %.*s=... gives it one)",
		    SLICE_ARG(c->key));
	}
	for (size_t i = 0; key && i < c->count; i++)
		if (put_variable(&b, r, &c->values[i].text))
			break;
	return buf_slice(&b);
}

static struct slice resource_reason(struct report *r, const struct policy_statement *s)
{
	struct buf b;

	buf_init(&b, &r->q->arena, REASON_MAX, 256);
	buf_printf(&b, "its %s %.*s",
	    s->not_resource ? "NotResource names" : "Resource does not name",
	    SLICE_ARG(r->q->request.resource));
	for (size_t i = 0; i < s->resource_count; i++)
		if (put_variable(&b, r, &s->resources[i]))
			break;
	return buf_slice(&b);
}

static struct slice variable_reason(struct report *r, const struct policy_statement *s)
{
	struct buf b;

	buf_init(&b, &r->q->arena, REASON_MAX, 256);
	buf_puts(&b, "its NotResource cannot be known");
	for (size_t i = 0; i < s->resource_count; i++)
		if (put_variable(&b, r, &s->resources[i]))
			break;
	return buf_slice(&b);
}

static struct slice applies_reason(struct question *q, const struct authorize_step *step)
{
	bool own = slice_eq(q->who.account, q->request.resource_account);

	if (step->judgement.principal == PRINCIPAL_BY_ACCOUNT && step->at->allow && own)
		return slice_str(
		    "it applies, but names the account, which leaves the matter to its "
		    "identity policies");
	return slice_str("it applies");
}

static struct slice reason(struct report *r, const struct authorize_step *step)
{
	struct question *q = r->q;
	const struct policy_statement *s = step->at;

	switch (step->judgement.verdict) {
	case STATEMENT_OTHER_PRINCIPAL:
		return arena_slicef(&q->arena, "its %s %.*s",
		    s->not_principal ? "NotPrincipal names" : "Principal does not name",
		    SLICE_ARG(q->who.arn));
	case STATEMENT_OTHER_ACTION:
		return arena_slicef(&q->arena, "its %s %.*s",
		    s->not_action ? "NotAction names" : "Action does not name",
		    SLICE_ARG(q->request.action));
	case STATEMENT_OTHER_RESOURCE:
		return resource_reason(r, s);
	case STATEMENT_VARIABLE:
		return variable_reason(r, s);
	case STATEMENT_CONDITION_NOT_MET:
		return condition_reason(r, step->judgement.condition);
	default:
		return applies_reason(q, step);
	}
}

/* The decision in words of ours. */
static const char *summary(const struct report *r)
{
	static const char *const lacking[] = {
	    [AUTHORIZE_IDENTITY] = "no identity policy allows it, and no policy of the resource's "
				   "does so by itself",
	    [AUTHORIZE_SESSION] = "the session's policy does not allow it",
	    [AUTHORIZE_REPOSITORY] = "it is another account's, and neither the repository's policy "
				     "nor the registry's allows it",
	};
	bool own = slice_eq(r->q->who.account, r->q->request.resource_account);

	if (r->decision.explicit_deny)
		return "a Deny applies, and a Deny wins over every Allow";
	if (!r->decision.allowed)
		return lacking[r->decision.source];
	if (r->decision.source == AUTHORIZE_ACCOUNT)
		return "the account's root may do all in its own account that no policy denies";
	if (own)
		return "a statement allows it, and no Deny applies";
	return "the resource's account allows it and the caller's does, and no Deny applies";
}

/* ---- text ---- */

static void print_name(const struct authorize_step *step, FILE *out)
{
	fprintf(out, "Statement[%zu]", step->statement);
	if (step->at->sid.at)
		fprintf(out, " \"%.*s\"", SLICE_ARG(step->at->sid));
	fprintf(out, ", %s", step->at->allow ? "Allow" : "Deny");
}

static void print_steps(struct report *r, FILE *out)
{
	const struct loaded_policy *policy = NULL;

	if (!r->count)
		fputs("\nThere was no policy to look at.\n", out);
	for (size_t i = 0; i < r->count; i++) {
		const struct authorize_step *step = &r->steps[i];
		const struct loaded_policy *next = policy_of(r->q, step);
		struct slice why = reason(r, step);

		if (next != policy)
			fprintf(out, "\n%s policy, %s\n", source_name(step->source), next->from);
		policy = next;
		fprintf(out, "  %c ", is_ground(r, step) ? '>' : ' ');
		print_name(step, out);
		fprintf(out, ": %.*s\n", SLICE_ARG(why));
	}
}

static void print_grounds(struct report *r, FILE *out)
{
	for (size_t i = 0; i < r->decision.ground_count; i++) {
		const struct authorize_step *g = &r->decision.grounds[i];

		fprintf(out, "decided by the %s policy, %s, ", source_name(g->source),
		    policy_of(r->q, g)->from);
		print_name(g, out);
		fprintf(out, ":\n  %.*s\n", SLICE_ARG(statement_json(r->q, g)));
	}
}

void report_text(struct question *q, FILE *out)
{
	const struct authorize_request *request = &q->request;
	struct slice sentence;
	struct report r;

	decide(&r, q);
	fprintf(out, "%s: %s\n", r.decision.allowed ? "allowed" : "denied", summary(&r));
	fprintf(out, "  principal  %.*s\n  action     %.*s\n  resource   %.*s\n",
	    SLICE_ARG(q->who.arn), SLICE_ARG(request->action), SLICE_ARG(request->resource));
	print_grounds(&r, out);
	if (!r.decision.allowed) {
		sentence = authorize_sentence(request, &r.decision, &q->arena);
		fprintf(out, "the caller reads:\n  %.*s\n", SLICE_ARG(sentence));
	}
	print_steps(&r, out);
}

/* ---- JSON ---- */

static void write_step(struct json_writer *w, struct report *r, const struct authorize_step *step)
{
	json_object(w);
	json_put_cstr(w, "source", source_name(step->source));
	json_put_cstr(w, "policy", policy_of(r->q, step)->from);
	json_put_num(w, "index", (int64_t)step->statement);
	json_put_str(w, "sid", step->at->sid);
	json_put_cstr(w, "effect", step->at->allow ? "Allow" : "Deny");
	json_put_bool(w, "applies", step->judgement.verdict == STATEMENT_APPLIES);
	json_put_bool(w, "decides", is_ground(r, step));
	json_put_str(w, "because", reason(r, step));
	json_key(w, "statement");
	json_raw(w, statement_json(r->q, step));
	json_object_end(w);
}

static void write_report(struct json_writer *w, struct report *r)
{
	const struct authorize_decision *d = &r->decision;
	const struct authorize_request *request = &r->q->request;

	json_object(w);
	json_put_bool(w, "allowed", d->allowed);
	json_put_bool(w, "explicitDeny", d->explicit_deny);
	json_put_cstr(w, "source", source_name(d->source));
	json_put_cstr(w, "because", summary(r));
	if (!d->allowed)
		json_put_str(w, "message", authorize_sentence(request, d, &r->q->arena));
	json_put_str(w, "principal", r->q->who.arn);
	json_put_str(w, "action", request->action);
	json_put_str(w, "resource", request->resource);
	json_put_array(w, "statements");
	for (size_t i = 0; i < r->count; i++)
		write_step(w, r, &r->steps[i]);
	json_array_end(w);
	json_object_end(w);
}

void report_json(struct question *q, FILE *out)
{
	struct json_writer w;
	struct report r;
	struct buf b;

	decide(&r, q);
	buf_init(&b, &q->arena, REPORT_MAX, 4096);
	json_begin(&w, &b);
	write_report(&w, &r);
	fprintf(out, "%.*s\n", SLICE_ARG(buf_slice(&b)));
}
