/*
 * The question that a copy asks of its destination: see replication_access.h.
 *
 * The evaluation is authorize's, as for any caller. What a condition may ask of a copy is what can be said of it:
 * there is no client with an address. The destination repository's tags are among it, so that a Deny on a tag holds.
 */
#include "storage/images/replication_access.h"

#include "protocol/authorize.h"
#include "protocol/names.h"
#include "protocol/timestamp.h"
#include "storage/repositories/document_rows.h"

#include <inttypes.h>

enum {
	OF_EVERY_COPY = 4,
	KEYS_PER_TAG = 2,
	KEYS_MAX = OF_EVERY_COPY + KEYS_PER_TAG * RESOURCE_TAGS_MAX
};

struct facts {
	struct policy_key keys[KEYS_MAX];
	struct slice values[KEYS_MAX];
	size_t count;
};

static void put_fact(struct facts *f, struct slice name, struct slice value)
{
	f->values[f->count] = value;
	f->keys[f->count] = (struct policy_key){name, &f->values[f->count], 1};
	f->count++;
}

/* aws:ResourceTag/KEY and ecr:ResourceTag/KEY of the destination repository. */
static bool put_tags(struct store_tx *tx, struct store_job *job, int64_t id, struct facts *f)
{
	int step;
	sqlite3_stmt *q = db_query(tx->db, Q_RESOURCE_TAG_LIST);
	bind_int(q, 1, id);
	while ((step = db_step(tx->db, q)) == SQLITE_ROW && f->count + KEYS_PER_TAG <= KEYS_MAX) {
		struct slice key = column_slice(q, 0), value = column_dup(q, 1, job->arena);
		put_fact(
		    f, arena_slicef(job->arena, "aws:ResourceTag/%.*s", SLICE_ARG(key)), value);
		put_fact(
		    f, arena_slicef(job->arena, "ecr:ResourceTag/%.*s", SLICE_ARG(key)), value);
	}
	db_done(q);
	if (step != SQLITE_DONE)
		tx_fail(tx, job);
	return step == SQLITE_DONE;
}

static bool put_facts(struct store_tx *tx, struct store_job *job,
    const struct replication_access *access, struct facts *f)
{
	int64_t now_s = clock_now_ms(&tx->store->clock) / 1000;
	char *text = arena_alloc(job->arena, TIMESTAMP_TEXT_MAX);
	put_fact(f, slice_str("aws:CurrentTime"), timestamp_format(now_s * 1000, text));
	put_fact(f, slice_str("aws:EpochTime"), arena_slicef(job->arena, "%" PRId64, now_s));
	put_fact(f, slice_str("aws:SecureTransport"), slice_str("true"));
	put_fact(f, slice_str("aws:RequestedRegion"), access->to->region);
	return put_tags(tx, job, access->to_id, f);
}

/* The registry's policy, NULL when there is none. False when the job has failed. */
static bool find_policy(struct store_tx *tx, struct store_job *job, const struct repository_key *to,
    const struct policy_document **out)
{
	struct document_key key = {to->account, to->region, DOCUMENT_REGISTRY_POLICY, SLICE("")};
	struct policy_document *policy = arena_zalloc(job->arena, sizeof(*policy));
	struct document found;
	const char *why;
	enum error_code code = document_row_find(tx->db, &key, job->arena, &found);
	*out = NULL;
	if (code == ERR_SETTING_NOT_FOUND)
		return true;
	if (code != ERR_NONE)
		tx_fail(tx, job);
	else if (!policy_document_parse(found.text, POLICY_OF_REPOSITORY, job->arena, policy, &why))
		job->error.code = ERR_ACCESS_DENIED;
	*out = policy;
	return job->error.code == ERR_NONE;
}

bool replication_allowed(
    struct store_tx *tx, struct store_job *job, const struct replication_access *access)
{
	const struct repository_key *to = access->to;
	struct facts *facts = arena_zalloc(job->arena, sizeof(*facts));
	struct authorize_request request = {
	    .action = slice_str(access->action), .resource_account = to->account};
	struct authorize_decision decision = {.allowed = false};
	struct principal source;

	if (!find_policy(tx, job, to, &request.registry_policy) ||
	    (request.registry_policy && !put_facts(tx, job, access, facts)))
		return false;
	request.resource = arena_slicef(job->arena, "arn:%s:ecr:%.*s:%.*s:repository/%.*s",
	    partition_of_region(to->region), SLICE_ARG(to->region), SLICE_ARG(to->account),
	    SLICE_ARG(to->name));
	request.keys = facts->keys;
	request.key_count = facts->count;
	if (principal_of_arn(access->source_account, job->arena, &source)) {
		request.principal = &source;
		authorize(&request, job->arena, &decision);
	}
	if (!decision.allowed)
		job->error.code = ERR_ACCESS_DENIED;
	return decision.allowed;
}
