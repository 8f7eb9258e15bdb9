/* Principals whose pulls do not count as pulls (ecr-behaviour 2.12). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

enum { EXCLUSIONS_PAGE_MAX = 100 }; /* of the answer's list, in the model */

static enum http_step registered(struct call *c)
{
	const struct document_put *job = c->job_data;
	struct json_writer *w;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	w = ecr_begin(c);
	json_put_str(w, "principalArn", job->key.name);
	json_put_time(w, "createdAt", job->put.created_ms);
	return ecr_reply(c);
}

enum http_step op_register_pull_time_update_exclusion(struct call *c)
{
	struct slice principal = json_string(ecr_input(c), "principalArn");

	return ecr_put_document(
	    c, DOCUMENT_EXCLUSION, principal, DOCUMENT_MAKE, slice_str(""), registered);
}

static enum http_step deregistered(struct call *c)
{
	const struct document_delete *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	json_put_str(ecr_begin(c), "principalArn", job->key.name);
	return ecr_reply(c);
}

enum http_step op_deregister_pull_time_update_exclusion(struct call *c)
{
	struct slice principal = json_string(ecr_input(c), "principalArn");

	return ecr_delete_document(c, DOCUMENT_EXCLUSION, principal, deregistered);
}

enum http_step op_list_pull_time_update_exclusions(struct call *c)
{
	struct document_key key = ecr_document_key(c, DOCUMENT_EXCLUSION, slice_str(""));
	struct slice context = ecr_list_context(c, "exclusions");
	struct document_page found;
	struct json_writer *w;
	struct ecr_page page;
	enum error_code code;

	if (!ecr_read_page(c, NULL, context, &page))
		return ecr_error(c);
	if (page.limit > EXCLUSIONS_PAGE_MAX)
		page.limit = EXCLUSIONS_PAGE_MAX;
	code = document_list(c->reader, &key, page.after, page.limit, c->arena, &found);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	w = ecr_begin(c);
	json_put_array(w, "pullTimeUpdateExclusions");
	for (size_t i = 0; i < found.count; i++)
		json_str(w, found.at[i].name);
	json_array_end(w);
	if (found.more)
		ecr_write_next(c, w, context, found.at[found.count - 1].name);
	return ecr_reply(c);
}
