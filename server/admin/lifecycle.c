/* Running lifecycle policies at once, and what came of it. */
#include "protocol/names.h"
#include "server/admin/admin_internal.h"
#include "storage/lifecycle/lifecycle_run.h"

/* Of facts in an answer: some ten thousand images. */
enum { REPORT_BYTES = 2 * 1024 * 1024 };

static const char *const actions[] = {"EXPIRE", "TRANSITION"}; /* by enum lifecycle_action */

static void write_result(struct call *c, struct json_writer *w, const struct lifecycle_deed *deed)
{
	if (deed->result == LIFECYCLE_CARRIED_OUT)
		return;
	json_put_object(w, "failure");
	if (deed->result == LIFECYCLE_REFERENCED) {
		json_put_cstr(w, "failureCode", "ImageReferencedByManifestList");
		json_put_str(w, "failureReason",
		    arena_slicef(c->arena, "Requested image referenced by manifest list: [%.*s]",
			SLICE_ARG(deed->parents)));
	} else {
		json_put_cstr(w, "failureCode", "ImageChanged");
		json_put_cstr(w, "failureReason",
		    "The image, or what it depends on, has changed since it was decided: the next run "
		    "decides anew");
	}
	json_object_end(w);
}

static void write_deed(struct call *c, struct json_writer *w, const struct lifecycle_deed *deed)
{
	static const char *const causes[] = {
	    "rule", "its subject goes by this rule", "its subject was deleted"};
	struct slice rest = deed->tags, tag;
	char text[DIGEST_TEXT_MAX];

	json_object(w);
	json_put_str(w, "imageDigest", digest_format(&deed->digest, text));
	json_put_array(w, "imageTags");
	while (tags_next(&rest, &tag))
		json_str(w, tag);
	json_array_end(w);
	json_put_cstr(w, "action", actions[deed->action]);
	if (deed->priority)
		json_put_num(w, "appliedRulePriority", deed->priority);
	json_put_cstr(w, "cause", causes[deed->cause]);
	write_result(c, w, deed);
	json_object_end(w);
}

static void write_report(
    struct call *c, struct json_writer *w, const struct lifecycle_report *report)
{
	json_object(w);
	json_put_str(w, "registryId", report->key.account);
	json_put_str(w, "region", report->key.region);
	json_put_str(w, "repositoryName", report->key.name);
	json_put_bool(w, "hasLifecyclePolicy", report->has_policy);
	json_put_bool(w, "complete", !report->stopped);
	json_put_num(w, "expiredImageCount", (int64_t)report->expired);
	json_put_num(w, "archivedImageCount", (int64_t)report->archived);
	json_put_num(w, "failureCount", (int64_t)(report->referenced + report->overtaken));
	json_put_array(w, "images");
	for (const struct lifecycle_deed *deed = report->first; deed && !json_full(w);
	     deed = deed->next)
		write_deed(c, w, deed);
	json_array_end(w);
	json_object_end(w);
}

struct run_report {
	const struct lifecycle_run *run;
	struct buf body;
};

static void compose(struct call *c)
{
	struct run_report *answer = c->job_data;
	const struct lifecycle_run *run = answer->run;
	struct json_writer w;

	admin_begin(c, &answer->body, &w);
	json_put_time(&w, "evaluatedAt", run->now_ms);
	json_put_bool(&w, "allImagesListed", run->whole);
	json_put_array(&w, "repositories");
	for (const struct lifecycle_report *report = run->first; report && !json_full(&w);
	     report = report->next)
		write_report(c, &w, report);
	json_array_end(&w);
	json_object_end(&w);
}

static enum http_step composed(struct call *c)
{
	struct run_report *answer = c->job_data;

	if (!answer->body.overflow)
		return admin_send(c, 200, &answer->body);
	return admin_say(c, 200, "The run is over, but its report is too large to be sent.");
}

/* Bytes of the answer, about. */
static uint64_t report_bytes(const struct lifecycle_run *run)
{
	enum { OF_REPORT = 256, OF_DEED = 256 };
	uint64_t bytes = 0;

	for (const struct lifecycle_report *report = run->first; report; report = report->next) {
		bytes += OF_REPORT;
		for (const struct lifecycle_deed *deed = report->first; deed; deed = deed->next)
			bytes += OF_DEED + deed->tags.len;
	}
	return bytes;
}

static enum http_step ran(struct call *c)
{
	struct run_report *answer = arena_zalloc(c->arena, sizeof(*answer));

	answer->run = c->job_data;
	if (c->error.code != ERR_NONE)
		return admin_error(c);
	return call_work(c, answer, report_bytes(answer->run), compose, composed);
}

/* A member, or what stands for it when it is absent; false when it is not of the form. */
static bool read_member(struct call *c, const cJSON *in, const char *name, const char *fallback,
    bool (*valid)(struct slice text), struct slice *out)
{
	struct slice text = json_string(in, name);

	if (!text.at && json_member(in, name))
		return false;
	*out = arena_dup(c->arena, text.at ? text : slice_str(fallback));
	return !text.at || valid(text);
}

/* {}, or nothing, stands for everything. */
static bool read_key(struct call *c, const cJSON *in, struct repository_key *key)
{
	const struct config *config = c->app->config;
	int members = cJSON_GetArraySize(in);

	if (!cJSON_IsObject(in))
		return false;
	if (members == 0)
		return true;
	members -=
	    json_has(in, "repositoryName") + json_has(in, "registryId") + json_has(in, "region");
	return members == 0 && json_string(in, "repositoryName").at &&
	    read_member(c, in, "repositoryName", "", repository_name_valid, &key->name) &&
	    read_member(c, in, "registryId", config->account, account_id_valid, &key->account) &&
	    read_member(c, in, "region", config->region, region_valid, &key->region);
}

static enum http_step run(struct http_request *req)
{
	struct call *c = call_of(req);
	struct lifecycle_run *job = arena_zalloc(c->arena, sizeof(*job));
	cJSON *in = json_parse(req->body.len ? req->body : slice_str("{}"));
	bool good = read_key(c, in, &job->key);

	cJSON_Delete(in);
	if (!good)
		return admin_say(c, 400,
		    "The body must be empty, {}, or {\"repositoryName\": \"team/app\"}, with "
		    "\"registryId\" and \"region\" when they are not the default ones.");
	job->report_max = REPORT_BYTES;
	call_await(c, &job->job, job, ran);
	lifecycle_run_submit(c->app->store, job);
	return HTTP_WAIT;
}

const struct http_handler lifecycle_run_handler = {.body_max = ADMIN_BODY_MAX, .end = run};
