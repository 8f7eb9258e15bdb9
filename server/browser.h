/*
 * Requests that web pages make: whose page may use what of this server (protocol/browser_rules.h has the rules).
 *
 * On a call's loop, before anything else is asked of it.
 */
#ifndef DRYDOCK_SERVER_BROWSER_H
#define DRYDOCK_SERVER_BROWSER_H

#include "server/call.h"

/* NULL when the request may go on; else the handler that refuses it. Goes by c->api. */
const struct http_handler *browser_refuse(struct call *c);

#endif
