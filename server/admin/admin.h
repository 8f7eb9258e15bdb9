/*
 * Drydock's own doors, for tests, teachers and operators: /_drydock/... and /metrics. Who may use them is
 * --doors' to say (doors.h): everybody who reaches the port, who has a token, or nobody.
 */
#ifndef DRYDOCK_SERVER_ADMIN_H
#define DRYDOCK_SERVER_ADMIN_H

#include "server/call.h"

/* The handler for a path under /_drydock/ or /metrics. */
const struct http_handler *admin_route(struct call *c);
/* Answers with c->error as {"message": ...}. */
enum http_step admin_error(struct call *c);

/* Answers {"message": ...}, as all of the doors do. */
enum http_step admin_say(struct call *c, int status, const char *message);

#endif
