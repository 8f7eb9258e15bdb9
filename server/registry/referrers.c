/*
 * GET /v2/{name}/referrers/{digest}: what was attached to an image. OCI distribution-spec "Listing
 * Referrers"; ecr-behaviour 6.6.
 */
#include "server/registry/registry_internal.h"

#include "protocol/json.h"
#include "storage/images/referrer.h"

enum { REFERRERS_MAX = 50 }; /* a page: the most that ECR's own ListImageReferrers gives */

static void put_descriptor(struct call *c, struct json_writer *w, const struct referrer *r)
{
	struct slice annotations = referrer_annotations(r, c->arena);
	char text[DIGEST_TEXT_MAX];

	json_object(w);
	json_put_str(w, "mediaType", r->media_type);
	json_put_num(w, "size", (int64_t)r->size);
	json_put_str(w, "digest", digest_format(&r->digest, text));
	json_put_str(w, "artifactType", r->artifact_type);
	if (annotations.at) {
		json_key(w, "annotations");
		json_raw(w, annotations);
	}
	json_object_end(w);
}

static struct slice index_body(struct call *c, const struct referrer_page *page)
{
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 4 * MANIFEST_BYTES_MAX, 1024);
	json_begin(&w, &out);
	json_object(&w);
	json_put_num(&w, "schemaVersion", 2);
	json_put_cstr(&w, "mediaType", MEDIA_OCI_INDEX);
	json_put_array(&w, "manifests");
	for (size_t i = 0; i < page->count; i++)
		put_descriptor(c, &w, &page->at[i]);
	json_array_end(&w);
	json_object_end(&w);
	return buf_slice(&out);
}

/* "&artifactType=..." for the next page, escaped anew. */
static struct slice filter_parameter(struct call *c, struct slice type)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
	struct buf out;

	if (!type.at)
		return slice_str("");
	buf_init(&out, c->arena, 32 * 1024, 64);
	buf_puts(&out, "&artifactType=");
	for (size_t i = 0; i < type.len; i++) {
		if (memchr(plain, type.at[i], sizeof(plain) - 1))
			buf_putc(&out, type.at[i]);
		else
			buf_printf(&out, "%%%02X", (unsigned char)type.at[i]);
	}
	return buf_slice(&out);
}

static void link_next(struct call *c, const struct page_request *asked,
    const struct referrer_page *page, struct slice type)
{
	char text[DIGEST_TEXT_MAX];
	struct slice path = arena_slicef(c->arena, "%.*s/referrers/%.*s",
	    SLICE_ARG(c->repository.name), SLICE_ARG(c->reference));

	registry_page_token_link(c, asked, path,
	    digest_format(&page->at[page->count - 1].digest, text), filter_parameter(c, type));
}

/* Reads what is asked for; false with c->error set. */
static bool read_query(struct call *c, struct referrer_query *query, struct page_request *asked)
{
	struct slice context;

	query->key = c->repository;
	if (!registry_digest(c, c->reference, &query->subject))
		return false;
	context = arena_slicef(c->arena, "referrers %.*s %.*s %.*s %.*s", SLICE_ARG(c->account),
	    SLICE_ARG(c->region), SLICE_ARG(c->repository.name), SLICE_ARG(c->reference));
	if (!registry_page_tokens(c, context, REFERRERS_MAX, asked))
		return false;
	if (asked->after.at)
		digest_parse(asked->after, &query->after);
	query->limit = asked->limit;
	return true;
}

struct listing {
	struct slice type; /* of artifacts; absent: all */
	struct page_request asked;
	struct referrer_page page;
	struct slice body;
};

static void write_body(struct call *c)
{
	struct listing *list = c->job_data;

	list->body = index_body(c, &list->page);
}

static enum http_step give_listing(struct call *c)
{
	const struct listing *list = c->job_data;

	registry_reply(c, 200);
	http_reply_header(c->req, "Content-Type", slice_str(MEDIA_OCI_INDEX));
	if (list->type.at)
		http_reply_header(c->req, "OCI-Filters-Applied", slice_str("artifactType"));
	if (list->page.more && list->page.count > 0)
		link_next(c, &list->asked, &list->page, list->type);
	http_reply_body(c->req, list->body);
	return HTTP_DONE;
}

static enum http_step list_referrers(struct http_request *req)
{
	struct call *c = call_of(req);
	struct listing *list = arena_zalloc(c->arena, sizeof(*list));
	struct referrer_query query = {.types = &list->type};
	enum error_code code;

	list->type = registry_query(c, "artifactType");
	query.type_count = list->type.at ? 1 : 0;
	if (!read_query(c, &query, &list->asked))
		return registry_error(c);
	code = referrer_list(c->reader, &query, c->arena, &list->page);
	/* where a push makes its repository, one that is not there is one that is empty */
	if (code == ERR_REPOSITORY_NOT_FOUND && !registry_quirk(c, QUIRK_REPOSITORY_MUST_EXIST))
		list->page = (struct referrer_page){0};
	else if (code != ERR_NONE)
		return registry_fail(c, code);
	return call_work(c, list, referrer_page_bytes(&list->page), write_body, give_listing);
}

const struct http_handler registry_referrers = {.end = list_referrers};
