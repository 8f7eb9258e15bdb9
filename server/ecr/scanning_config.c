/* How a registry's images are to be scanned (ecr-behaviour 2.7, 8.4). The scans themselves are
 * elsewhere. */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/scan_filter.h"

static const char default_configuration[] = "{\"scanType\":\"BASIC\",\"rules\":[]}";

/* ---- the registry's configuration ---- */

static bool check_frequencies(struct call *c, bool enhanced, const cJSON *rules)
{
	const char *refused = enhanced ? "MANUAL" : "CONTINUOUS_SCAN";
	const cJSON *rule;

	cJSON_ArrayForEach(rule, rules) {
		if (!slice_is(json_string(rule, "scanFrequency"), refused))
			continue;
		call_fail_parameter(c, "scanFrequency",
		    enhanced
			? "Member must satisfy enum value set: [SCAN_ON_PUSH, CONTINUOUS_SCAN] "
			  "when scanType is ENHANCED"
			: "Member must satisfy enum value set: [SCAN_ON_PUSH, MANUAL] "
			  "when scanType is BASIC");
		return false;
	}
	return true;
}

static struct slice configuration_text(struct call *c, const char *type, const cJSON *rules)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 1024 * 1024, 256);
	json_begin(&w, &out);
	json_object(&w);
	json_put_cstr(&w, "scanType", type);
	json_key(&w, "rules");
	if (rules) {
		ecr_write_value(&w, ecr_input_member(c, "rules"), rules);
	} else {
		json_array(&w);
		json_array_end(&w);
	}
	json_object_end(&w);
	return buf_slice(&out);
}

static enum http_step put(struct call *c)
{
	const struct document_put *job = c->job_data;
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	json_key(w, "registryScanningConfiguration");
	json_raw(w, job->text);
	return ecr_reply(c);
}

enum http_step op_put_registry_scanning_configuration(struct call *c)
{
	const cJSON *rules = json_member(ecr_input(c), "rules");
	bool enhanced = slice_is(json_string(ecr_input(c), "scanType"), "ENHANCED");

	if (!check_frequencies(c, enhanced, rules))
		return ecr_error(c);
	return ecr_put_document(c, DOCUMENT_SCANNING, slice_str(""), DOCUMENT_PUT,
	    configuration_text(c, enhanced ? "ENHANCED" : "BASIC", rules), put);
}

enum http_step op_get_registry_scanning_configuration(struct call *c)
{
	struct slice text =
	    ecr_get_setting(c, DOCUMENT_SCANNING, slice_str(""), default_configuration);
	struct json_writer *w;

	if (!text.at)
		return ecr_error(c);
	w = ecr_begin(c);
	json_put_str(w, "registryId", c->account);
	json_key(w, "scanningConfiguration");
	json_raw(w, text);
	return ecr_reply(c);
}

/* ---- what it means for a repository ---- */

struct applied {
	const char *frequency;
	struct slice filter; /* the last that matched; absent: none did */
};

/* Continuous beats on push; of a manual rule nothing follows. */
static void apply_rule(const cJSON *rule, struct slice name, struct applied *out)
{
	bool continuous = slice_is(json_string(rule, "scanFrequency"), "CONTINUOUS_SCAN");
	bool on_push = slice_is(json_string(rule, "scanFrequency"), "SCAN_ON_PUSH");
	const cJSON *filter;

	if ((!continuous && !on_push) ||
	    (on_push && strcmp(out->frequency, "CONTINUOUS_SCAN") == 0))
		return;
	cJSON_ArrayForEach(filter, json_member(rule, "repositoryFilters")) {
		if (!scan_filter_matches(json_string(filter, "filter"), name))
			continue;
		out->frequency = continuous ? "CONTINUOUS_SCAN" : "SCAN_ON_PUSH";
		out->filter = json_string(filter, "filter");
	}
}

static struct applied apply(const cJSON *configuration, const struct repository *r)
{
	bool basic = slice_is(json_string(configuration, "scanType"), "BASIC");
	struct applied out = {.frequency = basic && r->scan_on_push ? "SCAN_ON_PUSH" : "MANUAL"};
	const cJSON *rule;

	cJSON_ArrayForEach(rule, json_member(configuration, "rules"))
		apply_rule(rule, r->name, &out);
	return out;
}

static void write_applied(
    struct call *c, struct json_writer *w, const cJSON *configuration, const struct repository *r)
{
	struct applied applied = apply(configuration, r);

	json_object(w);
	json_put_str(w, "repositoryArn", ecr_repository_arn(c, r->name));
	json_put_str(w, "repositoryName", r->name);
	json_put_bool(w, "scanOnPush", strcmp(applied.frequency, "MANUAL") != 0);
	json_put_cstr(w, "scanFrequency", applied.frequency);
	json_put_array(w, "appliedScanFilters");
	if (applied.filter.at) {
		json_object(w);
		json_put_str(w, "filter", applied.filter);
		json_put_cstr(w, "filterType", "WILDCARD");
		json_object_end(w);
	}
	json_array_end(w);
	json_object_end(w);
}

static void write_missing(struct call *c, struct json_writer *w, struct slice name)
{
	struct error missing = {
	    .code = ERR_REPOSITORY_NOT_FOUND, .registry = c->account, .repository = name};

	json_object(w);
	json_put_str(w, "repositoryName", name);
	json_put_cstr(w, "failureCode", "REPOSITORY_NOT_FOUND");
	json_put_str(w, "failureReason", error_message(&missing, c->arena));
	json_object_end(w);
}

enum { NAMES_MAX = 25 }; /* the model's */

struct named {
	struct repository at[NAMES_MAX]; /* id 0, and only a name: it is not there */
	size_t count;
};

/* False on a failure of storage, with c->error set. */
static bool find_named(struct call *c, struct named *out)
{
	const cJSON *name;

	out->count = 0;
	cJSON_ArrayForEach(name, json_member(ecr_input(c), "repositoryNames")) {
		struct repository_key key = {c->account, c->region, slice_str(name->valuestring)};
		struct repository *r = &out->at[out->count++];
		enum error_code code = repository_find(c->reader, &key, c->arena, r);

		if (code == ERR_REPOSITORY_NOT_FOUND) {
			*r = (struct repository){.name = key.name};
		} else if (code != ERR_NONE) {
			call_fail(c, code);
			return false;
		}
	}
	return true;
}

enum http_step op_batch_get_repository_scanning_configuration(struct call *c)
{
	struct slice text =
	    ecr_get_setting(c, DOCUMENT_SCANNING, slice_str(""), default_configuration);
	struct json_writer *w = ecr_begin(c);
	struct named named;
	cJSON *configuration;

	if (!text.at || !find_named(c, &named))
		return ecr_error(c);
	configuration = json_parse(text);
	json_put_array(w, "scanningConfigurations");
	for (size_t i = 0; i < named.count; i++)
		if (named.at[i].id)
			write_applied(c, w, configuration, &named.at[i]);
	json_array_end(w);
	json_put_array(w, "failures");
	for (size_t i = 0; i < named.count; i++)
		if (!named.at[i].id)
			write_missing(c, w, named.at[i].name);
	json_array_end(w);
	cJSON_Delete(configuration);
	return ecr_reply(c);
}
