/*
 * What the files of Drydock's own doors share: a JSON object as the answer, or a message in one.
 */
#ifndef DRYDOCK_SERVER_ADMIN_INTERNAL_H
#define DRYDOCK_SERVER_ADMIN_INTERNAL_H

#include "protocol/json.h"
#include "server/admin/admin.h"

enum { ADMIN_BODY_MAX = 4096, ADMIN_ANSWER_MAX = 16 * 1024 * 1024 };

/* Opens the answer's object; the caller writes members, ends it, and sends it. */
void admin_begin(struct call *c, struct buf *body, struct json_writer *w);
enum http_step admin_send(struct call *c, int status, struct buf *body);

/* lifecycle.c */
extern const struct http_handler lifecycle_run_handler;
/* failpoints.c, of development builds */
#ifdef DRYDOCK_FAULTS
extern const struct http_handler failpoints_handler;
#endif

#endif
