/*
 * What the API's files share. To add an operation: a function `enum http_step op_name(struct call *c)`
 * in the file of its noun, declared here, and a line in the table of dispatch.c. By the time it runs, the
 * request has been held against the model; it reads members with json_...(ecr_input(c), ...), and ends
 * with ecr_reply() or ecr_error().
 */
#ifndef DRYDOCK_SERVER_ECR_INTERNAL_H
#define DRYDOCK_SERVER_ECR_INTERNAL_H

#include "protocol/json.h"
#include "protocol/model.h"
#include "server/ecr/ecr.h"

/* The validated request. */
const cJSON *ecr_input(const struct call *c);

/*
 * An answer: ecr_begin opens the result object, the handler writes members, ecr_reply closes and sends it.
 * ERR_LIMIT_EXCEEDED is answered instead when it outgrew ECR_ANSWER_MAX.
 */
enum { ECR_ANSWER_MAX = 64 * 1024 * 1024 };
struct json_writer *ecr_begin(struct call *c);
enum http_step ecr_reply(struct call *c);
/* ecr_error() after call_fail(). */
enum http_step ecr_fail(struct call *c, enum error_code code);

/*
 * Reads registryId and repositoryName into c->repository (and c->account: a registry named by registryId is
 * the one that is meant).
 */
void ecr_read_repository(struct call *c);
/* Finds the repository that ecr_read_repository named; false with c->error set. */
bool ecr_find_repository(struct call *c, struct repository *out);

/* One image id of a request: {imageDigest?, imageTag?}, as sent and as understood. */
struct ecr_image_id {
	struct slice digest_text, tag; /* as sent; absent when not */
	struct image_id id;
	const char *failure_code; /* NULL: well-formed */
	const char *failure_reason;
};
/* Said of an image that is not there. */
#define ECR_IMAGE_NOT_FOUND_CODE "ImageNotFound"
#define ECR_IMAGE_NOT_FOUND_REASON "Requested image not found"
/* An element of failures[]; the id echoes exactly what was sent. */
void ecr_write_failure(struct json_writer *w, const struct ecr_image_id *id, const char *code,
    struct slice reason);
/* imageIds; count is 0 when the member is absent. */
struct ecr_image_id *ecr_read_image_ids(struct call *c, size_t *count);
/* {imageDigest?, imageTag?}, of what is not absent. */
void ecr_write_image_id(struct json_writer *w, const struct image_id *id);

/* nextToken and maxResults. */
struct ecr_page {
	struct slice after; /* the position the token holds; absent: the first page */
	size_t limit;
};
/*
 * exclusive names the member that may not come together with paging. False with c->error set: a token that is
 * not one of this list, or both.
 */
bool ecr_read_page(struct call *c, const char *exclusive, struct slice context, struct ecr_page *out);
/* Writes nextToken for a list that goes on after position. */
void ecr_write_next(struct call *c, struct json_writer *w, struct slice context, struct slice position);

/* "arn:aws:ecr:us-east-1:000000000000:repository/team/app" */
struct slice ecr_repository_arn(struct call *c, struct slice name);
/* Writes a repository object under name (NULL: as an array's element). */
void ecr_write_repository(struct call *c, struct json_writer *w, const char *name, const struct repository *r);

/* sts.c: GetCallerIdentity, XML. */
extern const struct http_handler ecr_sts;

call_step op_get_authorization_token;
call_step op_create_repository, op_describe_repositories, op_delete_repository;
call_step op_put_image, op_batch_get_image, op_batch_delete_image, op_list_images, op_describe_images;

#endif
