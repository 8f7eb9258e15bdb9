/*
 * GET /v2/{name}/referrers/{digest}: what was attached to an image. OCI distribution-spec "Listing
 * Referrers"; ecr-behaviour 6.6.
 */
#include "server/registry/registry_internal.h"

#include "protocol/json.h"
#include "storage/referrer.h"

enum { REFERRERS_MAX = 50 }; /* a page: the most that ECR's own ListImageReferrers gives */

static void put_descriptor(struct json_writer *w, const struct referrer *r)
{
	char text[DIGEST_TEXT_MAX];

	json_object(w);
	json_put_str(w, "mediaType", r->media_type);
	json_put_num(w, "size", (int64_t)r->size);
	json_put_str(w, "digest", digest_format(&r->digest, text));
	json_put_str(w, "artifactType", r->artifact_type);
	if (r->annotations.at) {
		json_key(w, "annotations");
		json_raw(w, r->annotations);
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
		put_descriptor(&w, &page->at[i]);
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

static enum http_step list_referrers(struct http_request *req)
{
	struct call *c = call_of(req);
	struct slice type = registry_query(c, "artifactType");
	struct referrer_query query = {.types = &type, .type_count = type.at ? 1 : 0};
	struct page_request asked;
	struct referrer_page page;
	enum error_code code;

	if (!read_query(c, &query, &asked))
		return registry_error(c);
	code = referrer_list(c->reader, &query, c->arena, &page);
	/* where a push makes its repository, one that is not there is one that is empty */
	if (code == ERR_REPOSITORY_NOT_FOUND && !registry_quirk(c, QUIRK_REPOSITORY_MUST_EXIST))
		page = (struct referrer_page){0};
	else if (code != ERR_NONE)
		return registry_fail(c, code);
	registry_reply(c, 200);
	http_reply_header(req, "Content-Type", slice_str(MEDIA_OCI_INDEX));
	if (type.at)
		http_reply_header(req, "OCI-Filters-Applied", slice_str("artifactType"));
	if (page.more && page.count > 0)
		link_next(c, &asked, &page, type);
	http_reply_body(req, index_body(c, &page));
	return HTTP_DONE;
}

const struct http_handler registry_referrers = {.end = list_referrers};
