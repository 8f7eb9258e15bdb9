/*
 * STS by the AWS Query protocol: scripts compute the registry's name from GetCallerIdentity, and play roles with
 * AssumeRole (sts_session.c).
 */
#include "server/ecr/sts.h"

#include "protocol/authorize.h"
#include "protocol/http_fields.h"
#include "server/identity.h"

enum { BODY_MAX = 64 * 1024, ANSWER_MAX = 64 * 1024 };

#define XMLNS "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\""

/* ---- asking ---- */

struct slice sts_parameter(struct call *c, const char *name)
{
	struct slice form = c->req->method == METHOD_GET ? c->req->query : c->req->body;

	return form_get(form, name, c->arena);
}

/* ---- answering ---- */

static enum http_step send_xml(struct call *c, int status, struct slice body)
{
	http_reply(c->req, status);
	http_reply_header(c->req, "Content-Type", slice_str("text/xml"));
	http_reply_header(c->req, "x-amzn-RequestId", slice_of(c->request_id, UUID_TEXT_LEN));
	http_reply_body(c->req, body);
	return HTTP_DONE;
}

static void put_escaped(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == '<')
			buf_puts(out, "&lt;");
		else if (c == '>')
			buf_puts(out, "&gt;");
		else if (c == '&')
			buf_puts(out, "&amp;");
		else if ((uint8_t)c >= ' ' || c == '\n' || c == '\t')
			buf_putc(out, c);
	}
}

enum http_step sts_error(struct call *c)
{
	struct sts_face face = error_sts_face(c->error.code);
	struct buf out;

	buf_init(&out, c->arena, ANSWER_MAX, 1024);
	buf_printf(&out,
	    "<ErrorResponse " XMLNS ">\n  <Error>\n    <Type>%s</Type>\n    <Code>%s</Code>\n"
	    "    <Message>",
	    face.status < 500 ? "Sender" : "Receiver", face.code);
	put_escaped(&out, error_message(&c->error, c->arena));
	buf_printf(&out, "</Message>\n  </Error>\n  <RequestId>%s</RequestId>\n</ErrorResponse>\n",
	    c->request_id);
	return send_xml(c, face.status, buf_slice(&out));
}

enum http_step sts_fail(struct call *c, enum error_code code, struct slice detail)
{
	call_fail(c, code)->detail = detail;
	return sts_error(c);
}

enum http_step sts_reply(struct call *c, const char *format, ...)
{
	const char *action = c->operation;
	struct buf out;
	va_list args;

	buf_init(&out, c->arena, ANSWER_MAX, 1024);
	buf_printf(&out, "<%sResponse " XMLNS ">\n  <%sResult>\n", action, action);
	va_start(args, format);
	buf_puts(&out, arena_vprintf(c->arena, format, args));
	va_end(args);
	buf_printf(&out,
	    "  </%sResult>\n  <ResponseMetadata>\n    <RequestId>%s</RequestId>\n"
	    "  </ResponseMetadata>\n</%sResponse>\n",
	    action, c->request_id, action);
	return send_xml(c, 200, buf_slice(&out));
}

/* ---- actions ---- */

static enum http_step get_caller_identity(struct call *c)
{
	struct slice account = c->who ? c->who->account : c->account;
	struct slice id = c->who ? c->who->user_id : c->account;

	return sts_reply(c,
	    "    <Arn>%.*s</Arn>\n    <UserId>%.*s</UserId>\n    <Account>%.*s</Account>\n",
	    SLICE_ARG(c->principal), SLICE_ARG(id), SLICE_ARG(account));
}

static const struct {
	const char *name;
	call_step *run;
	bool needs_iam;
} actions[] = {
    {"AssumeRole", sts_assume_role, true},
    {"GetCallerIdentity", get_caller_identity, false},
    {"GetSessionToken", sts_get_session_token, true},
};

static enum http_step run(struct http_request *req)
{
	struct call *c = call_of(req);
	struct slice name;

	if (!identify_body(c))
		return sts_error(c);
	name = sts_parameter(c, "Action");
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!slice_is(name, actions[i].name))
			continue;
		c->operation = actions[i].name;
		if (actions[i].needs_iam && !c->who)
			return sts_fail(c, ERR_STS_ACTION,
			    slice_str(
				"Drydock answers this action with --auth iam alone: without it "
				"there are no users and no roles."));
		return actions[i].run(c);
	}
	return sts_fail(c, ERR_STS_ACTION,
	    slice_str("Drydock answers AssumeRole, GetCallerIdentity and GetSessionToken of this "
		      "service."));
}

static enum http_step refuse(struct http_request *req)
{
	return sts_error(call_of(req));
}

static const struct http_handler handler = {.body_max = BODY_MAX, .end = run};
static const struct http_handler refusal = {.body_max = UINT64_MAX, .start = refuse};

const struct http_handler *ecr_sts_route(struct call *c)
{
	c->api = API_STS;
	return identify_api(c, "sts") ? &handler : &refusal;
}
