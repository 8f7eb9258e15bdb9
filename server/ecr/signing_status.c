/*
 * DescribeImageSigningStatus (ecr-behaviour 2.11, 8.7): one entry for each profile whose rule matches the
 * repository. There is no signer here, and so no signature: each says FAILED, and why.
 */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/wildcard.h"

/* A rule without filters is one for all repositories. */
static bool rule_matches(const cJSON *rule, struct slice repository)
{
	const cJSON *filters = json_member(rule, "repositoryFilters"), *filter;

	cJSON_ArrayForEach(filter, filters) {
		struct slice text = json_string(filter, "filter");

		if (text.at && wildcard_match(text, repository))
			return true;
	}
	return cJSON_GetArraySize(filters) == 0;
}

/* Several rules may name one profile. */
static bool named_before(const cJSON *rules, const cJSON *rule, struct slice repository)
{
	const cJSON *other;

	cJSON_ArrayForEach(other, rules) {
		if (other == rule)
			return false;
		if (rule_matches(other, repository) &&
		    slice_eq(json_string(other, "signingProfileArn"),
			json_string(rule, "signingProfileArn")))
			return true;
	}
	return false;
}

static void write_statuses(struct json_writer *w, const cJSON *rules, struct slice repository)
{
	const cJSON *rule;

	cJSON_ArrayForEach(rule, rules) {
		if (!rule_matches(rule, repository) || named_before(rules, rule, repository))
			continue;
		json_object(w);
		json_put_str(w, "signingProfileArn", json_string(rule, "signingProfileArn"));
		json_put_cstr(w, "status", "FAILED");
		json_put_cstr(w, "failureCode", "SigningNotAvailable");
		json_put_cstr(w, "failureReason",
		    "This version of Drydock does not sign: it has no AWS Signer behind it");
		json_object_end(w);
	}
}

enum http_step op_describe_image_signing_status(struct call *c)
{
	struct ecr_image_id asked;
	struct json_writer *w;
	struct repository r;
	struct image image;
	struct image_id id;
	struct document_key key = ecr_document_key(c, DOCUMENT_SIGNING, slice_str(""));
	struct document found = {.text = SLICE("{}")};
	cJSON *configuration;
	enum error_code code;

	if (!ecr_find_repository(c, &r) || !ecr_find_image(c, &r, &asked, &image))
		return ecr_error(c);
	code = document_get(c->reader, &key, c->arena, &found);
	if (code != ERR_NONE && code != ERR_SIGNING_NOT_FOUND)
		return ecr_fail(c, code);
	id = (struct image_id){.digest = image.digest, .tag = asked.tag};
	configuration = json_parse(found.text);
	w = ecr_begin(c);
	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_key(w, "imageId");
	ecr_write_image_id(w, &id);
	json_put_array(w, "signingStatuses");
	write_statuses(w, json_member(configuration, "rules"), c->repository.name);
	json_array_end(w);
	cJSON_Delete(configuration);
	return ecr_reply(c);
}
