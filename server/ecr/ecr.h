/*
 * The ECR control-plane API (AWS JSON 1.1) and STS (AWS Query: server/ecr/sts.c), both at POST /.
 */
#ifndef DRYDOCK_SERVER_ECR_H
#define DRYDOCK_SERVER_ECR_H

#include "server/call.h"

/* The handler for a POST to /. */
const struct http_handler *ecr_route(struct call *c);
/* True of a GET whose query names an action of STS's, as presigned URLs do: it is for ecr_route, too. */
bool ecr_takes_get(struct call *c);

/* The handler of a link that GetDownloadUrlForLayer gave; its path begins so. */
#define ECR_LINK_PATH "/_drydock/layers/"
const struct http_handler *ecr_link_route(struct call *c);

/* Answers with c->error as AWS JSON; in STS's envelope: sts_error. */
enum http_step ecr_error(struct call *c);
enum http_step sts_error(struct call *c);

#endif
