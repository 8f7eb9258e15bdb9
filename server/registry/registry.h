/*
 * The registry API: /v2/, as the OCI distribution-spec and docker have it, and as ECR answers it.
 */
#ifndef DRYDOCK_SERVER_REGISTRY_H
#define DRYDOCK_SERVER_REGISTRY_H

#include "server/call.h"

/*
 * The handler for a path that starts with /v2. Fills the call; a request that is refused gets a
 * handler that says so.
 */
const struct http_handler *registry_route(struct call *c);

/* Answers with c->error in the registry's envelope. */
enum http_step registry_error(struct call *c);

#endif
