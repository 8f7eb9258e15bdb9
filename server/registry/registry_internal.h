/*
 * What the registry's files share: its routes, its replies.
 */
#ifndef DRYDOCK_SERVER_REGISTRY_INTERNAL_H
#define DRYDOCK_SERVER_REGISTRY_INTERNAL_H

#include "server/registry/registry.h"

#define TYPE_JSON "application/json; charset=utf-8"
#define TYPE_TEXT "text/plain; charset=utf-8"

/* What a path names, by its tail; the repository is what stands before. */
enum resource {
	RESOURCE_NONE,
	RESOURCE_ROOT,     /* /v2/ */
	RESOURCE_TAGS,     /* /v2/{name}/tags/list */
	RESOURCE_MANIFEST, /* /v2/{name}/manifests/{reference} */
	RESOURCE_BLOB,     /* /v2/{name}/blobs/{digest} */
	RESOURCE_UPLOADS,  /* /v2/{name}/blobs/uploads/ */
	RESOURCE_UPLOAD,   /* /v2/{name}/blobs/uploads/{uuid} */
};

struct registry_path {
	enum resource resource;
	struct slice name;      /* the repository, unchecked */
	struct slice reference; /* tag, digest or uuid, unchecked */
};
/* Reads a decoded path that starts with /v2; RESOURCE_NONE when it is none of ours. */
struct registry_path registry_path_parse(struct slice path);

/* One line per route, in route.c. */
struct registry_route {
	enum resource resource;
	enum http_method method;
	const char *operation; /* its name in the log */
	const struct http_handler *handler;
};
/* Walks the table, for tests: NULL past the last. */
const struct registry_route *registry_route_at(size_t index);

/* Begins an answer: the status and what every answer of the registry carries. */
void registry_reply(struct call *c, int status);
/* registry_error() after call_fail(). */
enum http_step registry_fail(struct call *c, enum error_code code);
/* Adds the Docker-Content-Digest header. */
void registry_digest_header(struct call *c, const struct digest *digest);

/* Reads a digest from a path or query; false with c->error set. */
bool registry_digest(struct call *c, struct slice text, struct digest *out);
/* The decoded value of a query parameter; absent when it is not there. */
struct slice registry_query(struct call *c, const char *key);

/* The handlers of each route. */
extern const struct http_handler registry_root;
extern const struct http_handler registry_tags;
extern const struct http_handler registry_manifest_get, registry_manifest_put,
    registry_manifest_delete;
extern const struct http_handler registry_blob_get, registry_blob_delete;
extern const struct http_handler registry_upload_start, registry_upload_status,
    registry_upload_patch, registry_upload_put, registry_upload_cancel;

#endif
