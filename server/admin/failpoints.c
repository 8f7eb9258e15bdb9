/*
 * POST /_drydock/failpoints, of development builds: arms failpoints (storage/fault.h) while the server runs. The body is
 * the plan, as DRYDOCK_FAIL has it; an empty one disarms. The answer says how often the plan before made a step fail.
 */
#include "server/admin/admin_internal.h"

#include "storage/db/fault.h"

#ifdef DRYDOCK_FAULTS

static enum http_step arm(struct http_request *req)
{
	struct call *c = call_of(req);
	char *plan = arena_printf(c->arena, "%.*s", SLICE_ARG(req->body));
	unsigned fired = fault_fired();
	struct json_writer w;
	struct buf body;

	if (!fault_arm(req->body.len ? plan : NULL))
		return admin_say(
		    c, 400, "The body must be empty or a plan: \"sql:3,write:1-=ENOSPC\".");
	admin_begin(c, &body, &w);
	json_put_num(&w, "fired", fired);
	json_object_end(&w);
	return admin_send(c, 200, &body);
}

const struct http_handler failpoints_handler = {.body_max = ADMIN_BODY_MAX, .end = arm};

#endif
