#include "server/access.h"

#include "protocol/authorize.h"
#include "server/policy_cache.h"
#include "server/policy_keys.h"
#include "storage/repositories/document.h"
#include "storage/repositories/settings.h"

/* What cannot be read allows nothing, and forbids nothing: false with c->error set. */
static bool unreadable(struct call *c, enum error_code code)
{
	call_fail(c, code);
	return false;
}

/* ---- policies ---- */

/*
 * A document's policy, NULL when there is none. False with c->error set when it cannot be read: what cannot be read
 * allows nothing.
 */
static bool find_policy(
    struct call *c, enum document_kind kind, struct slice name, const struct policy_document **out)
{
	struct document_key key = {c->account, c->region, kind, name};
	enum policy_place place =
	    kind == DOCUMENT_REGISTRY_POLICY ? POLICY_PLACE_REGISTRY : POLICY_PLACE_REPOSITORY;
	struct app_loop *loop = http_loop_user(c->req->loop);
	enum error_code code;
	struct document found;
	const char *why;

	*out = NULL;
	code = document_get(c->reader, &key, c->arena, &found);
	switch (code) {
	case ERR_NONE:
		break;
	case ERR_REPOSITORY_NOT_FOUND:
	case ERR_REPOSITORY_POLICY_NOT_FOUND:
	case ERR_REGISTRY_POLICY_NOT_FOUND:
		return true;
	default:
		return unreadable(c, code);
	}
	*out = policy_cache_get(loop->policies, place, found.text, &why);
	if (*out)
		return true;
	call_fail(c, ERR_STORAGE_FAILED)->detail =
	    arena_slicef(c->arena, "a policy that was kept is none: %s", why);
	return false;
}

static bool find_policies(
    struct call *c, const struct access *access, struct authorize_request *request)
{
	bool one = access->repository.at && !slice_is(access->repository, "*");

	return find_policy(c, DOCUMENT_REGISTRY_POLICY, slice_str(""), &request->registry_policy) &&
	    (!one ||
		find_policy(c, DOCUMENT_REPOSITORY_POLICY, access->repository,
		    &request->repository_policy));
}

/* ---- facts ---- */

/* True of a policy whose outcome may depend on more than who does what on which resource. */
static bool asks_for_facts(const struct policy_document *policy)
{
	for (size_t i = 0; policy && i < policy->count; i++) {
		const struct policy_statement *s = &policy->statements[i];

		if (s->condition_count)
			return true;
		for (size_t j = 0; j < s->resource_count; j++)
			if (s->resources[j].variables)
				return true;
	}
	return false;
}

static bool facts_matter(const struct authorize_request *request)
{
	const struct principal *who = request->principal;
	bool matter = asks_for_facts(who->session) || asks_for_facts(request->repository_policy) ||
	    asks_for_facts(request->registry_policy);

	for (size_t i = 0; i < who->identity_count && !matter; i++)
		matter = asks_for_facts(who->identity[i]);
	return matter;
}

static const char *key_name(struct call *c, const char *head, struct slice tag)
{
	return arena_printf(c->arena, "%s/%.*s", head, SLICE_ARG(tag));
}

/*
 * A repository that is not there has none. False with c->error set when they cannot be read: left out, they would take
 * the condition from a Deny.
 */
static bool put_resource_tags(struct call *c, const struct access *access, struct policy_keys *keys)
{
	struct repository_key key = {c->account, c->region, access->repository};
	struct resource_tag *tags = arena_array(c->arena, RESOURCE_TAGS_MAX, sizeof(*tags));
	struct repository found;
	enum error_code code;
	size_t count;

	if (!access->repository.at)
		return true;
	code = repository_find(c->reader, &key, c->arena, &found);
	if (code == ERR_REPOSITORY_NOT_FOUND)
		return true;
	if (code == ERR_NONE)
		code = repository_tags(c->reader, found.id, c->arena, tags, &count);
	if (code != ERR_NONE)
		return unreadable(c, code);
	for (size_t i = 0; i < count; i++) {
		policy_keys_put(keys, key_name(c, "aws:ResourceTag", tags[i].key), tags[i].value);
		policy_keys_put(keys, key_name(c, "ecr:ResourceTag", tags[i].key), tags[i].value);
	}
	return true;
}

static void put_request_tags(struct call *c, const struct access *access, struct policy_keys *keys)
{
	struct slice *names = arena_array(c->arena, access->tag_count + 1, sizeof(*names));

	for (size_t i = 0; i < access->tag_count; i++) {
		names[i] = access->tags[i].key;
		policy_keys_put(
		    keys, key_name(c, "aws:RequestTag", names[i]), access->tags[i].value);
	}
	policy_keys_put_list(keys, "aws:TagKeys", names, access->tag_count);
}

static struct slice resource_of(struct call *c, struct slice repository)
{
	if (!repository.at)
		return slice_str("*");
	return arena_slicef(c->arena, "arn:%s:ecr:%.*s:%.*s:repository/%.*s",
	    partition_of_region(c->region), SLICE_ARG(c->region), SLICE_ARG(c->account),
	    SLICE_ARG(repository));
}

/* Gathering them takes longer than the decision: only where a policy might ask for one. False with c->error set. */
static bool put_facts(
    struct call *c, const struct access *access, struct authorize_request *request)
{
	struct policy_keys keys;

	if (!facts_matter(request))
		return true;
	policy_keys_init(&keys, c, 2 * RESOURCE_TAGS_MAX + access->tag_count + 1);
	if (!put_resource_tags(c, access, &keys))
		return false;
	put_request_tags(c, access, &keys);
	request->keys = keys.at;
	request->key_count = keys.count;
	return true;
}

/* ---- the decision ---- */

/* Of a request whose principal and policies are known. False with c->error set when it cannot be told. */
static bool decide(struct call *c, const struct access *access, struct authorize_request *request,
    struct authorize_decision *out)
{
	request->action = arena_slicef(c->arena, "ecr:%s", access->operation);
	request->resource = resource_of(c, access->repository);
	request->resource_account = c->account;
	if (!put_facts(c, access, request))
		return false;
	authorize(request, c->arena, out);
	return true;
}

bool access_allow(struct call *c, const struct access *access)
{
	struct authorize_request request = {.principal = c->who};
	struct authorize_decision decision;

	if (!c->who)
		return true;
	if (!find_policies(c, access, &request) || !decide(c, access, &request, &decision))
		return false;
	if (!decision.allowed)
		call_fail(c, ERR_ACCESS_DENIED)->detail =
		    authorize_sentence(&request, &decision, c->arena);
	return decision.allowed;
}

bool access_allow_on(struct call *c, const char *operation, struct slice repository)
{
	struct access access = {.operation = operation, .repository = repository};

	return access_allow(c, &access);
}

bool access_would_allow(
    struct call *c, const char *operation, struct slice repository, bool *allowed)
{
	struct error kept = c->error;

	*allowed = access_allow_on(c, operation, repository);
	if (!*allowed && c->error.code != ERR_ACCESS_DENIED)
		return false;
	c->error = kept;
	return true;
}

bool access_try_policy(struct call *c, const char *operation, struct slice repository,
    const struct policy_document *policy, bool *allowed)
{
	struct access access = {.operation = operation, .repository = repository};
	struct authorize_request request = {.principal = c->who, .repository_policy = policy};
	struct authorize_decision decision;
	struct principal root;

	*allowed = true;
	if (!c->who && !principal_of_arn(c->principal, c->arena, &root))
		return true;
	if (!c->who)
		request.principal = &root;
	if (!find_policy(c, DOCUMENT_REGISTRY_POLICY, slice_str(""), &request.registry_policy) ||
	    !decide(c, &access, &request, &decision))
		return false;
	*allowed = decision.allowed;
	return true;
}

/* Exclusions name users and roles; a session's pulls are its role's. Without iam nobody is one. */
bool access_pull_counts(struct call *c, bool *counts)
{
	enum error_code code;
	bool excluded;
	struct slice arn;

	*counts = true;
	if (!c->who)
		return true;
	arn = c->who->role_arn.at ? c->who->role_arn : c->who->arn;
	code = pull_time_excluded(c->reader, c->account, c->region, arn, &excluded);
	if (code != ERR_NONE)
		return unreadable(c, code);
	*counts = !excluded;
	return true;
}
