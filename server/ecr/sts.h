/*
 * What the files of STS share: the AWS Query protocol (form in, XML out) and its actions. STS API Reference,
 * version 2011-06-15.
 */
#ifndef DRYDOCK_SERVER_ECR_STS_H
#define DRYDOCK_SERVER_ECR_STS_H

#include "server/ecr/ecr.h"

/* The handler of a request to STS. */
const struct http_handler *ecr_sts_route(struct call *c);

/* A parameter of the form or the query; absent when it is not there. */
struct slice sts_parameter(struct call *c, const char *name);
/*
 * Answers "<{action}Response>...": format is what stands in its result element, all of it XML already, followed by its
 * arguments.
 */
enum http_step sts_reply(struct call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Sets c->error, its detail in words, and answers with it. */
enum http_step sts_fail(struct call *c, enum error_code code, struct slice detail);

/* sts_session.c, with --auth iam alone */
call_step sts_assume_role, sts_get_session_token;

#endif
