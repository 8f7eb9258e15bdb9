/*
 * StartImageScan, DescribeImageScanFindings (ecr-behaviour 2.7, 8.4). There is nothing here to look
 * vulnerabilities up in: a scan ends as FAILED and says so, never as COMPLETE without findings.
 */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "storage/images/scan.h"

void ecr_write_scan_status(struct json_writer *w)
{
	json_put_object(w, "imageScanStatus");
	json_put_cstr(w, "status", "FAILED");
	json_put_cstr(w, "description", SCAN_FAILURE);
	json_object_end(w);
}

static void write_head(struct call *c, struct json_writer *w, const struct image_id *id)
{
	json_put_str(w, "registryId", c->account);
	json_put_str(w, "repositoryName", c->repository.name);
	json_key(w, "imageId");
	ecr_write_image_id(w, id);
}

static enum http_step started(struct call *c)
{
	struct scan_start *job = c->job_data;
	struct image_id id = {.digest = job->digest, .tag = job->id.tag};
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	write_head(c, w, &id);
	json_put_object(w, "imageScanStatus");
	json_put_cstr(w, "status", "IN_PROGRESS");
	json_object_end(w);
	return ecr_reply(c);
}

/* With ENHANCED scanning Inspector scans when it sees fit. False with c->error set. */
static bool scanning_is_basic(struct call *c)
{
	struct slice text = ecr_get_setting(c, DOCUMENT_SCANNING, slice_str(""), "{}");
	cJSON *configuration = text.at ? json_parse(text) : NULL;
	bool enhanced = slice_is(json_string(configuration, "scanType"), "ENHANCED");

	cJSON_Delete(configuration);
	if (enhanced)
		call_fail(c, ERR_VALIDATION)->detail = slice_str("This feature is disabled");
	return text.at && !enhanced;
}

enum http_step op_start_image_scan(struct call *c)
{
	struct scan_start *job = arena_zalloc(c->arena, sizeof(*job));
	struct ecr_image_id asked;
	struct repository r;

	if (!ecr_find_repository(c, &r) || !scanning_is_basic(c) || !ecr_read_image_id(c, &asked))
		return ecr_error(c);
	job->key = c->repository;
	job->id = asked.id;
	call_await(c, &job->job, job, started);
	scan_start_submit(c->app->store, job);
	return HTTP_WAIT;
}

enum http_step op_describe_image_scan_findings(struct call *c)
{
	struct ecr_image_id asked;
	struct ecr_page page;
	struct image_id id;
	struct json_writer *w;
	struct repository r;
	struct image image;

	/* No list of findings ever has a second page: no token is one of it. */
	if (!ecr_find_repository(c, &r) ||
	    !ecr_read_page(c, NULL, slice_str(c->operation), &page) ||
	    !ecr_find_image(c, &r, &asked, &image))
		return ecr_error(c);
	if (!image.scanned_ms) {
		call_fail(c, ERR_SCAN_NOT_FOUND)->digest = asked.digest_text;
		c->error.tag = asked.tag;
		return ecr_error(c);
	}
	id = (struct image_id){.digest = image.digest, .tag = asked.tag};
	w = ecr_begin(c);
	write_head(c, w, &id);
	ecr_write_scan_status(w);
	return ecr_reply(c);
}
