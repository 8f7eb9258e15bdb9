/* PutReplicationConfiguration, DescribeRegistry (ecr-behaviour 2.8). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/operations.h"

static const char member[] = "replicationConfiguration";

struct destinations {
	struct repository_key *at; /* account and region, each once */
	size_t count, limit;
};

/* False when there are more of them than may be. */
static bool note_destination(struct destinations *all, struct slice account, struct slice region)
{
	for (size_t i = 0; i < all->count; i++)
		if (slice_eq(all->at[i].account, account) && slice_eq(all->at[i].region, region))
			return true;
	if (all->count == all->limit)
		return false;
	all->at[all->count++] = (struct repository_key){.account = account, .region = region};
	return true;
}

static bool check_destination(struct call *c, const cJSON *destination, struct destinations *all)
{
	struct slice account = json_string(destination, "registryId");
	struct slice region = json_string(destination, "region");

	if (slice_eq(account, c->account) && slice_eq(region, c->region)) {
		call_fail_parameter(
		    c, member, "Replication destination cannot be the same as the source registry");
		return false;
	}
	if (note_destination(all, account, region))
		return true;
	call_fail_parameter(c, member, NULL)->detail =
	    quota_message(store_quotas(c->app->store), QUOTA_REPLICATION_DESTINATIONS, c->arena);
	return false;
}

static bool check_rules(struct call *c, const cJSON *rules)
{
	const struct quotas *quotas = store_quotas(c->app->store);
	struct destinations all = {
	    .limit = (size_t)quota_of(quotas, QUOTA_REPLICATION_DESTINATIONS)};
	const cJSON *rule, *destination;

	all.at = arena_array(c->arena, all.limit, sizeof(*all.at));
	cJSON_ArrayForEach(rule, rules) {
		cJSON_ArrayForEach(destination, json_member(rule, "destinations")) {
			if (!check_destination(c, destination, &all))
				return false;
		}
	}
	return true;
}

static enum http_step put(struct call *c)
{
	const struct document_put *job = c->job_data;
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	json_key(w, member);
	json_raw(w, job->text);
	return ecr_reply(c);
}

enum http_step op_put_replication_configuration(struct call *c)
{
	const cJSON *configuration = json_member(ecr_input(c), member);

	if (!check_rules(c, json_member(configuration, "rules")))
		return ecr_error(c);
	return ecr_put_document(c, DOCUMENT_REPLICATION, slice_str(""), DOCUMENT_PUT,
	    ecr_value_text(c, ecr_input_member(c, member), configuration), put);
}

enum http_step op_describe_registry(struct call *c)
{
	struct slice rules =
	    ecr_get_setting(c, DOCUMENT_REPLICATION, slice_str(""), "{\"rules\":[]}");
	struct json_writer *w;

	if (!rules.at)
		return ecr_error(c);
	w = ecr_begin(c);
	json_put_str(w, "registryId", c->account);
	json_key(w, member);
	json_raw(w, rules);
	return ecr_reply(c);
}
