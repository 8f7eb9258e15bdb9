/* PutSigningConfiguration, GetSigningConfiguration, DeleteSigningConfiguration
 * (ecr-behaviour 2.11). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/operations.h"

static const char member[] = "signingConfiguration";

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

/* "arn:aws:signer:REGION:ACCOUNT:/signing-profiles/NAME": of any account, but of this region. */
static bool check_profiles(struct call *c, const cJSON *rules)
{
	const cJSON *rule;

	cJSON_ArrayForEach(rule, rules) {
		struct slice arn = json_string(rule, "signingProfileArn");

		for (int i = 0; i < 3; i++)
			slice_cut(&arn, ':');
		if (slice_eq(slice_cut(&arn, ':'), c->region))
			continue;
		call_fail_parameter(c, "signingProfileArn", NULL)->detail = arena_slicef(
		    c->arena, "Signing profile must be in the region %.*s", SLICE_ARG(c->region));
		return false;
	}
	return true;
}

enum http_step op_put_signing_configuration(struct call *c)
{
	const cJSON *configuration = json_member(ecr_input(c), member);

	if (!check_profiles(c, json_member(configuration, "rules")))
		return ecr_error(c);
	return ecr_put_document(c, DOCUMENT_SIGNING, slice_str(""), DOCUMENT_PUT,
	    ecr_value_text(c, ecr_input_member(c, member), configuration), put);
}

static enum http_step write_configuration(struct call *c, struct slice text)
{
	struct json_writer *w = ecr_begin(c);

	json_put_str(w, "registryId", c->account);
	json_key(w, member);
	json_raw(w, text);
	return ecr_reply(c);
}

enum http_step op_get_signing_configuration(struct call *c)
{
	struct document found;

	if (!ecr_get_document(c, DOCUMENT_SIGNING, slice_str(""), &found))
		return ecr_error(c);
	return write_configuration(c, found.text);
}

static enum http_step deleted(struct call *c)
{
	const struct document_delete *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	return write_configuration(c, job->deleted.text);
}

enum http_step op_delete_signing_configuration(struct call *c)
{
	return ecr_delete_document(c, DOCUMENT_SIGNING, slice_str(""), deleted);
}
