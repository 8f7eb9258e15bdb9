/*
 * What many operations read from a request and write into an answer: repositories, image ids, pages, tags. Mostly of members.c;
 * where a noun has a file of its own, of that one.
 */
#ifndef DRYDOCK_SERVER_ECR_MEMBERS_H
#define DRYDOCK_SERVER_ECR_MEMBERS_H

#include "protocol/json.h"
#include "server/call.h"

/* Finds the repository that the request names (c->repository); false with c->error set. */
bool ecr_find_repository(struct call *c, struct repository *out);

/* "[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+": ECR's idea of a digest. */
bool ecr_digest_shaped(struct slice text);

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
void ecr_write_failure(
    struct json_writer *w, const struct ecr_image_id *id, const char *code, struct slice reason);
/* imageIds; count is 0 when the member is absent. */
struct ecr_image_id *ecr_read_image_ids(struct call *c, size_t *count);
/* {imageDigest?, imageTag?}, of what is not absent. */
void ecr_write_image_id(struct json_writer *w, const struct image_id *id);

/* image_list.c: "ACTIVE", ...; and the one that a member of a filter names, IMAGE_ACTIVE where it is absent. */
const char *ecr_image_status_name(enum image_status status);
enum image_status ecr_read_image_status(const cJSON *filter, const char *member);
/*
 * The member imageId; false with c->error set when it cannot be one of an image: InvalidParameterException, or
 * ERR_IMAGE_NOT_FOUND for a digest of an algorithm that no image has here.
 */
bool ecr_read_image_id(struct call *c, struct ecr_image_id *out);

/* The image that imageId names; asked gets what was sent. False with c->error set: as above, or ERR_IMAGE_NOT_FOUND. */
bool ecr_find_image(
    struct call *c, const struct repository *r, struct ecr_image_id *asked, struct image *out);
/* scan.c: imageScanStatus, of an image that was scanned. */
void ecr_write_scan_status(struct json_writer *w);

/* nextToken and maxResults. */
struct ecr_page {
	struct slice after; /* the position the token holds; absent: the first page */
	size_t limit;
};
/*
 * exclusive names the member that may not come together with paging. False with c->error set: a token that is
 * not one of this list, or both.
 */
bool ecr_read_page(
    struct call *c, const char *exclusive, struct slice context, struct ecr_page *out);
/* The context of a whole registry's list: its name, the account, the region. */
struct slice ecr_list_context(struct call *c, const char *list);
/* Writes nextToken for a list that goes on after position. */
void ecr_write_next(
    struct call *c, struct json_writer *w, struct slice context, struct slice position);

/* "arn:aws:ecr:us-east-1:000000000000:repository/team/app" */
struct slice ecr_repository_arn(struct call *c, struct slice name);
/* repository.c: writes a repository object under name (NULL: as an array's element). */
void ecr_write_repository(
    struct call *c, struct json_writer *w, const char *name, const struct repository *r);

/* Mode and filters into *r; false with c->error set when they do not go together. */
bool ecr_read_mutability(
    struct call *c, struct slice mode, const cJSON *filters, struct repository *r);
/* Whether it may be set or removed; false with c->error set. */
bool ecr_check_tag(struct call *c, const struct resource_tag *tag);
/* A list of {Key, Value}; false with c->error set. */
bool ecr_read_tags(
    struct call *c, const cJSON *list, const struct resource_tag **out, size_t *out_count);

#endif
