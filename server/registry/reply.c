/* How the registry answers: ECR's error envelope (ecr-behaviour 6.1, 6.2) and the common headers. */
#include "server/registry/registry_internal.h"

#include "protocol/http_fields.h"
#include "protocol/json.h"
#include "protocol/names.h"

void registry_reply(struct call *c, int status)
{
	http_reply(c->req, status);
	http_reply_header(c->req, "Docker-Distribution-Api-Version", slice_str("registry/2.0"));
}

void registry_digest_header(struct call *c, const struct digest *digest)
{
	char *text = arena_alloc(c->arena, DIGEST_TEXT_MAX);

	http_reply_header(c->req, "Docker-Content-Digest", digest_format(digest, text));
}

static void challenge(struct call *c)
{
	http_reply_headerf(c->req, "Www-Authenticate",
	    "Basic realm=\"https://%.*s.dkr.ecr.%.*s.%s/\",service=\"ecr.amazonaws.com\"",
	    SLICE_ARG(c->account), SLICE_ARG(c->region), dns_suffix_of_region(c->region));
}

static struct slice envelope(struct call *c, const struct error_entry *entry)
{
	struct slice message = error_message(&c->error, c->arena);
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 1 << 20, 256 + message.len);
	json_begin(&w, &out);
	json_object(&w);
	json_put_array(&w, "errors");
	json_object(&w);
	json_put_cstr(&w, "code", entry->registry_code);
	if (message.len)
		json_put_str(&w, "message", message);
	json_object_end(&w);
	json_array_end(&w);
	json_object_end(&w);
	return buf_slice(&out);
}

enum http_step registry_error(struct call *c)
{
	const struct error_entry *entry = error_entry(c->error.code);
	struct slice body;

	registry_reply(c, entry->registry_status);
	if (entry->registry_status == 401)
		challenge(c);
	if (entry->registry_code) {
		body = envelope(c, entry);
		http_reply_header(c->req, "Content-Type", slice_str(TYPE_JSON));
	} else {
		body = error_message(&c->error, c->arena);
		http_reply_header(c->req, "Content-Type", slice_str(TYPE_TEXT));
	}
	http_reply_body(c->req, body);
	return HTTP_DONE;
}

enum http_step registry_fail(struct call *c, enum error_code code)
{
	call_fail(c, code);
	return registry_error(c);
}

bool registry_digest(struct call *c, struct slice text, struct digest *out)
{
	if (digest_parse(text, out) == DIGEST_OK)
		return true;
	call_fail(c, ERR_DIGEST_INVALID_TEXT)->digest = text;
	return false;
}

struct slice registry_query(struct call *c, const char *key)
{
	return query_get(c->req->query, key, c->arena);
}
