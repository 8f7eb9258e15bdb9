/* PutLifecyclePolicy, GetLifecyclePolicy, DeleteLifecyclePolicy (ecr-behaviour 2.6). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/lifecycle_policy.h"

bool ecr_check_lifecycle(struct call *c, struct slice text, const char *member)
{
	uint64_t quota = quota_of(store_quotas(c->app->store), QUOTA_LIFECYCLE_RULES);
	size_t rules_max = quota < LIFECYCLE_RULES_MAX ? (size_t)quota : LIFECYCLE_RULES_MAX;
	struct lifecycle_policy policy;
	struct slice why;

	if (lifecycle_policy_parse(text, rules_max, c->arena, &policy, &why))
		return true;
	call_fail_parameter(c, member, NULL)->detail =
	    arena_slicef(c->arena, "Lifecycle policy validation failure: %.*s", SLICE_ARG(why));
	return false;
}

static struct json_writer *begin(struct call *c, struct slice text)
{
	struct json_writer *w = ecr_begin(c);

	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_put_str(w, "lifecyclePolicyText", text);
	return w;
}

/* Before the first evaluation it is 0, as in the AWS CLI's samples. */
static enum http_step write_policy(struct call *c, const struct document *policy)
{
	struct json_writer *w = begin(c, policy->text);

	json_put_time(w, "lastEvaluatedAt", policy->evaluated_ms);
	return ecr_reply(c);
}

static enum http_step put(struct call *c)
{
	const struct document_put *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	begin(c, job->text);
	return ecr_reply(c);
}

enum http_step op_put_lifecycle_policy(struct call *c)
{
	struct slice text = json_string(ecr_input(c), "lifecyclePolicyText");
	struct repository found;

	if (!ecr_find_repository(c, &found) || !ecr_check_lifecycle(c, text, "LifecyclePolicyText"))
		return ecr_error(c);
	return ecr_put_document(
	    c, DOCUMENT_LIFECYCLE_POLICY, c->repository.name, DOCUMENT_PUT, text, put);
}

enum http_step op_get_lifecycle_policy(struct call *c)
{
	struct document found;

	if (!ecr_get_document(c, DOCUMENT_LIFECYCLE_POLICY, c->repository.name, &found))
		return ecr_error(c);
	return write_policy(c, &found);
}

static enum http_step deleted(struct call *c)
{
	const struct document_delete *job = c->job_data;

	return c->error.code == ERR_NONE ? write_policy(c, &job->deleted) : ecr_error(c);
}

enum http_step op_delete_lifecycle_policy(struct call *c)
{
	return ecr_delete_document(c, DOCUMENT_LIFECYCLE_POLICY, c->repository.name, deleted);
}
