/*
 * GET /v2/{name}/tags/list, as ECR answers it: text/plain, 100 tags a page unless ?n= says otherwise (1,000
 * at most), and a Link whose `last` is an opaque token, not a tag (ecr-behaviour 6.3).
 */
#include "server/registry/registry_internal.h"

#include "protocol/json.h"
#include "protocol/page_token.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

/* What a token of this list is sealed with: it is good for no other. */
static struct slice token_context(struct call *c)
{
	return arena_slicef(c->arena, "tags %.*s %.*s %.*s", SLICE_ARG(c->account),
	    SLICE_ARG(c->region), SLICE_ARG(c->repository.name));
}

static bool read_limit(struct call *c, size_t *limit)
{
	struct slice n = registry_query(c, "n");
	unsigned long long value;

	*limit = PAGE_DEFAULT;
	if (!n.at)
		return true;
	if (!slice_to_u64(n, &value) || value < 1)
		call_fail_parameter(
		    c, "maxResults", "Member must have value greater than or equal to 1");
	else if (value > PAGE_MAX)
		call_fail_parameter(
		    c, "maxResults", "Member must have value less than or equal to 1000");
	else
		*limit = (size_t)value;
	return c->error.code == ERR_NONE;
}

static bool read_last(struct call *c, struct slice *after)
{
	struct slice last = registry_query(c, "last");

	*after = (struct slice){0};
	if (!last.at)
		return true;
	*after = page_token_open(last, token_context(c), store_token_key(c->app->store), c->arena);
	if (after->at)
		return true;
	call_fail_parameter(c, "NextToken", "Invalid next token provided");
	return false;
}

static void link_next(struct call *c, struct slice last_tag, size_t limit)
{
	struct slice token = page_token_seal(
	    token_context(c), last_tag, store_token_key(c->app->store), c->arena);
	struct slice url = call_registry_url(c);

	http_reply_headerf(c->req, "Link", "<%.*s/v2/%.*s/tags/list?last=%.*s&n=%zu>; rel=\"next\"",
	    SLICE_ARG(url), SLICE_ARG(c->repository.name), SLICE_ARG(token), limit);
}

static struct slice list_body(struct call *c, const struct tag_page *page)
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
	struct repository repository;
	struct tag_page page;
	enum error_code code;
	struct slice after;
	size_t limit;

	if (!read_limit(c, &limit) || !read_last(c, &after))
		return registry_error(c);
	code = repository_find(c->reader, &c->repository, c->arena, &repository);
	if (code == ERR_NONE)
		code = tag_list(c->reader, repository.id, after, limit, c->arena, &page);
	if (code != ERR_NONE)
		return registry_fail(c, code);
	registry_reply(c, 200);
	http_reply_header(req, "Content-Type", slice_str(TYPE_TEXT));
	if (page.more)
		link_next(c, page.at[page.count - 1], limit);
	http_reply_body(req, list_body(c, &page));
	return HTTP_DONE;
}

const struct http_handler registry_tags = {.end = list_tags};
