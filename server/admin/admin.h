/*
 * Drydock's own doors, for tests, teachers and operators: /_drydock/... and /metrics. They want no
 * credentials: whoever reaches the port may move the clock and empty the store.
 */
#ifndef DRYDOCK_SERVER_ADMIN_H
#define DRYDOCK_SERVER_ADMIN_H

#include "server/call.h"

/* The handler for a path under /_drydock/ or /metrics. */
const struct http_handler *admin_route(struct call *c, struct slice path);

#endif
