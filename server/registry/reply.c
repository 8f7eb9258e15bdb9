/* How the registry answers: ECR's error envelope (ecr-behaviour 6.1, 6.2) and the common headers.
 */
#include "server/registry/registry_internal.h"

#include "protocol/http_fields.h"
#include "protocol/json.h"
#include "protocol/names.h"

void registry_reply(struct call *c, int status)
{
	http_reply(c->req, status);
	http_reply_header(c->req, "Docker-Distribution-Api-Version", slice_str("registry/2.0"));
}

bool registry_quirk(const struct call *c, enum quirk quirk)
{
	return quirk_on(&c->app->config->quirks, quirk);
}

void registry_location(struct call *c, const char *format, ...)
{
	struct slice url = slice_str("");
	va_list args;
	char *path;

	va_start(args, format);
	path = arena_vprintf(c->arena, format, args);
	va_end(args);
	if (registry_quirk(c, QUIRK_ABSOLUTE_LOCATION))
		url = call_registry_url(c);
	http_reply_headerf(c->req, "Location", "%.*s/v2/%s", SLICE_ARG(url), path);
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

static struct slice envelope(struct call *c, const char *code)
{
	struct slice message = error_message(&c->error, c->arena);
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 1 << 20, 256 + message.len);
	json_begin(&w, &out);
	json_object(&w);
	json_put_array(&w, "errors");
	json_object(&w);
	json_put_cstr(&w, "code", code);
	if (message.len)
		json_put_str(&w, "message", message);
	json_object_end(&w);
	json_array_end(&w);
	json_object_end(&w);
	return buf_slice(&out);
}

enum http_step registry_error(struct call *c)
{
	bool by_spec = !registry_quirk(c, QUIRK_INVALID_PARAMETER_405);
	struct registry_face face = error_registry_face(c->error.code, by_spec);
	struct slice body;

	if (!c->error.upload.at)
		c->error.upload = c->reference;
	registry_reply(c, face.status);
	if (face.status == 401)
		challenge(c);
	if (face.code) {
		body = envelope(c, face.code);
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
