/*
 * GET /v2/{name}/tags/list and GET /v2/_catalog. OCI distribution-spec "Listing Tags";
 * ecr-behaviour 6.3.
 */
#include "server/registry/registry_internal.h"

#include "protocol/json.h"

static struct slice tags_body(struct call *c, const struct tag_page *page)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 1 << 20, 1024);
	json_begin(&w, &out);
	json_object(&w);
	json_put_str(&w, "name", c->repository.name);
	json_put_array(&w, "tags");
	for (size_t i = 0; i < page->count; i++)
		json_str(&w, page->at[i]);
	json_array_end(&w);
	json_object_end(&w);
	return buf_slice(&out);
}

static enum http_step list_tags(struct http_request *req)
{
	struct call *c = call_of(req);
	bool as_ecr = registry_quirk(c, QUIRK_OPAQUE_PAGING);
	struct repository repository;
	struct page_request asked;
	struct tag_page page;
	enum error_code code;

	if (!registry_page_names(c, "tags", &asked))
		return registry_error(c);
	code = repository_find(c->reader, &c->repository, c->arena, &repository);
	if (code == ERR_NONE)
		code =
		    tag_list(c->reader, repository.id, asked.after, asked.limit, c->arena, &page);
	if (code != ERR_NONE)
		return registry_fail(c, code);
	registry_reply(c, 200);
	http_reply_header(req, "Content-Type", slice_str(as_ecr ? TYPE_TEXT : TYPE_JSON));
	if (page.more && page.count > 0)
		registry_page_link(c, &asked,
		    arena_slicef(c->arena, "%.*s/tags/list", SLICE_ARG(c->repository.name)),
		    page.at[page.count - 1]);
	http_reply_body(req, tags_body(c, &page));
	return HTTP_DONE;
}

const struct http_handler registry_tags = {.end = list_tags};

static struct slice catalog_body(struct call *c, const struct repository_page *page)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 1 << 20, 1024);
	json_begin(&w, &out);
	json_object(&w);
	json_put_array(&w, "repositories");
	for (size_t i = 0; i < page->count; i++)
		json_str(&w, page->at[i].name);
	json_array_end(&w);
	json_object_end(&w);
	return buf_slice(&out);
}

static enum http_step list_repositories(struct http_request *req)
{
	struct call *c = call_of(req);
	struct repository_page page;
	struct page_request asked;
	enum error_code code;

	if (!registry_page_names(c, "repositories", &asked))
		return registry_error(c);
	code = repository_list(
	    c->reader, c->account, c->region, asked.after, asked.limit, c->arena, &page);
	if (code != ERR_NONE)
		return registry_fail(c, code);
	registry_reply(c, 200);
	http_reply_header(req, "Content-Type", slice_str(TYPE_JSON));
	if (page.more && page.count > 0)
		registry_page_link(c, &asked, slice_str("_catalog"), page.at[page.count - 1].name);
	http_reply_body(req, catalog_body(c, &page));
	return HTTP_DONE;
}

const struct http_handler registry_catalog = {.end = list_repositories};
