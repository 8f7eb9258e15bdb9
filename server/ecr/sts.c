/*
 * sts:GetCallerIdentity, by the AWS Query protocol (form in, XML out): scripts compute the registry's
 * name from it. AWS STS API Reference "GetCallerIdentity"; the errors' envelope is STS's.
 */
#include "server/ecr/ecr_internal.h"

#include "protocol/http_fields.h"

enum { BODY_MAX = 64 * 1024 };

static enum http_step send_xml(struct call *c, int status, struct slice body)
{
	http_reply(c->req, status);
	http_reply_header(c->req, "Content-Type", slice_str("text/xml"));
	http_reply_header(c->req, "x-amzn-RequestId", slice_of(c->request_id, UUID_TEXT_LEN));
	http_reply_body(c->req, body);
	return HTTP_DONE;
}

static enum http_step unknown_action(struct call *c)
{
	return send_xml(c, 400,
	    arena_slicef(c->arena,
		"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>"
		"<Type>Sender</Type><Code>InvalidAction</Code><Message>Drydock answers only "
		"GetCallerIdentity of this service.</Message></Error><RequestId>%s</RequestId>"
		"</ErrorResponse>\n",
		c->request_id));
}

static enum http_step answer(struct http_request *req)
{
	struct call *c = call_of(req);

	if (!slice_is(query_get(req->body, "Action", c->arena), "GetCallerIdentity"))
		return unknown_action(c);
	c->operation = "GetCallerIdentity";
	return send_xml(c, 200,
	    arena_slicef(c->arena,
		"<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
		"<GetCallerIdentityResult><Arn>%.*s</Arn><UserId>%.*s</UserId><Account>%.*s</Account>"
		"</GetCallerIdentityResult><ResponseMetadata><RequestId>%s</RequestId>"
		"</ResponseMetadata></GetCallerIdentityResponse>\n",
		SLICE_ARG(c->principal), SLICE_ARG(c->account), SLICE_ARG(c->account),
		c->request_id));
}

const struct http_handler ecr_sts = {.body_max = BODY_MAX, .end = answer};
