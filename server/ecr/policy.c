/* Repository and registry policies (ecr-behaviour 2.5, 7). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/policy_document.h"
#include "server/access.h"

bool ecr_check_policy(struct call *c, struct slice text, struct policy_document *out,
    const char *member, const char *constraint)
{
	const char *why; /* ours alone: ECR has one text for all faults */

	if (policy_document_parse(text, POLICY_OF_REPOSITORY, c->arena, out, &why))
		return true;
	call_fail_parameter(c, member, constraint);
	return false;
}

static enum http_step write_policy(struct call *c, struct slice text)
{
	struct json_writer *w = ecr_begin(c);

	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_put_str(w, "policyText", text);
	return ecr_reply(c);
}

static enum http_step put(struct call *c)
{
	const struct document_put *job = c->job_data;

	return c->error.code == ERR_NONE ? write_policy(c, job->text) : ecr_error(c);
}

static enum http_step deleted(struct call *c)
{
	const struct document_delete *job = c->job_data;

	return c->error.code == ERR_NONE ? write_policy(c, job->deleted.text) : ecr_error(c);
}

static enum http_step get_policy(struct call *c, enum document_kind kind, struct slice name)
{
	struct document found;

	if (!ecr_get_document(c, kind, name, &found))
		return ecr_error(c);
	return write_policy(c, found.text);
}

/* ---- of a repository ---- */

/* A policy that keeps its own caller from setting another is refused, unless forced. */
static bool check_lock_out(struct call *c, const struct policy_document *policy)
{
	bool allowed;

	if (json_bool(ecr_input(c), "force", false))
		return true;
	if (!access_try_policy(c, "SetRepositoryPolicy", c->repository.name, policy, &allowed))
		return false;
	if (!allowed)
		call_fail_parameter(c, "PolicyText", "Invalid repository policy provided");
	return allowed;
}

enum http_step op_set_repository_policy(struct call *c)
{
	struct slice text = json_string(ecr_input(c), "policyText");
	struct policy_document policy;
	struct repository found;

	if (!ecr_find_repository(c, &found) ||
	    !ecr_check_policy(
		c, text, &policy, "PolicyText", "Invalid repository policy provided") ||
	    !check_lock_out(c, &policy))
		return ecr_error(c);
	return ecr_put_document(
	    c, DOCUMENT_REPOSITORY_POLICY, c->repository.name, DOCUMENT_PUT, text, put);
}

enum http_step op_get_repository_policy(struct call *c)
{
	return get_policy(c, DOCUMENT_REPOSITORY_POLICY, c->repository.name);
}

enum http_step op_delete_repository_policy(struct call *c)
{
	return ecr_delete_document(c, DOCUMENT_REPOSITORY_POLICY, c->repository.name, deleted);
}

/* ---- of the registry ---- */

enum http_step op_put_registry_policy(struct call *c)
{
	struct slice text = json_string(ecr_input(c), "policyText");
	struct policy_document policy;

	if (!ecr_check_policy(c, text, &policy, "PolicyText", "Invalid registry policy provided"))
		return ecr_error(c);
	return ecr_put_document(
	    c, DOCUMENT_REGISTRY_POLICY, slice_str(""), DOCUMENT_PUT, text, put);
}

enum http_step op_get_registry_policy(struct call *c)
{
	return get_policy(c, DOCUMENT_REGISTRY_POLICY, slice_str(""));
}

enum http_step op_delete_registry_policy(struct call *c)
{
	return ecr_delete_document(c, DOCUMENT_REGISTRY_POLICY, slice_str(""), deleted);
}
