/*
 * What the registry's files share: its routes, its replies.
 */
#ifndef DRYDOCK_SERVER_REGISTRY_INTERNAL_H
#define DRYDOCK_SERVER_REGISTRY_INTERNAL_H

#include "protocol/page_token.h"
#include "server/registry/registry.h"

#define TYPE_JSON "application/json; charset=utf-8"
#define TYPE_TEXT "text/plain; charset=utf-8"

/* What a path names, by its tail; the repository is what stands before. */
enum resource {
	RESOURCE_NONE,
	RESOURCE_ROOT,      /* /v2/ */
	RESOURCE_CATALOG,   /* /v2/_catalog */
	RESOURCE_TAGS,      /* /v2/{name}/tags/list */
	RESOURCE_REFERRERS, /* /v2/{name}/referrers/{digest} */
	RESOURCE_MANIFEST,  /* /v2/{name}/manifests/{reference} */
	RESOURCE_BLOB,      /* /v2/{name}/blobs/{digest} */
	RESOURCE_UPLOADS,   /* /v2/{name}/blobs/uploads/ */
	RESOURCE_UPLOAD,    /* /v2/{name}/blobs/uploads/{uuid} */
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
	const char *action;    /* what IAM calls it, of the repository; NULL: a token is enough */
	const char *with_body; /* the same besides, when a body comes; or NULL */
};
/* Walks the table, for tests: NULL past the last. */
const struct registry_route *registry_route_at(size_t index);

/* Begins an answer: the status and what every answer of the registry carries. */
void registry_reply(struct call *c, int status);
/* registry_error() after call_fail(). */
enum http_step registry_fail(struct call *c, enum error_code code);
bool registry_quirk(const struct call *c, enum quirk quirk);
/* Adds a Location, of a path under /v2/. */
void registry_location(struct call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds the Docker-Content-Digest header. */
void registry_digest_header(struct call *c, const struct digest *digest);

/* Reads a digest from a path or query; false with c->error set. */
bool registry_digest(struct call *c, struct slice text, struct digest *out);
/* The decoded value of a query parameter; absent when it is not there. */
struct slice registry_query(struct call *c, const char *key);

/*
 * A push to a repository that is not there, create.c: the settings of the repository that it makes,
 * NULL when it must make none; then with c->error set when it is the caller who must not, or when storage cannot tell.
 */
struct repository *registry_creation(struct call *c);
/* Makes it, then goes on with next; answers with the error when it cannot be made. */
enum http_step registry_create(struct call *c, const struct repository *settings, call_step *next);

/* One page of a list, page.c: how many, and after which name (absent: from the first). */
struct page_request {
	size_t limit;
	struct slice after;
	struct slice
	    context; /* what a token of this list is sealed with: it is good for no other */
};
/* Reads ?n= and ?last=; false with c->error set. list: "tags", "repositories". */
bool registry_page_names(struct call *c, const char *list, struct page_request *page);
/* Of a list whose `last` is always a token; n defaults to and is at most max. */
bool registry_page_tokens(
    struct call *c, struct slice context, size_t max, struct page_request *page);
/* Adds the Link to the next page, which begins behind the name `last`; path is under /v2/. */
void registry_page_link(
    struct call *c, const struct page_request *page, struct slice path, struct slice last);
/* The same for registry_page_tokens; more: further parameters, "" or "&key=value". */
void registry_page_token_link(struct call *c, const struct page_request *page, struct slice path,
    struct slice last, struct slice more);

/*
 * POST with ?mount=, mount.c: 201 when the blob could be mounted, else goes on with next, which
 * begins an upload.
 */
/* Whether one is asked for that may be. False with c->error set when that cannot be told. */
bool registry_mount_asked(struct call *c, bool *asked) __attribute__((warn_unused_result));
enum http_step registry_mount(struct call *c, call_step *next);

/* The handlers of each route. */
extern const struct http_handler registry_root;
extern const struct http_handler registry_catalog, registry_tags, registry_referrers;
extern const struct http_handler registry_manifest_get, registry_manifest_put,
    registry_manifest_delete;
extern const struct http_handler registry_blob_get, registry_blob_delete;
extern const struct http_handler registry_upload_start, registry_upload_status,
    registry_upload_patch, registry_upload_put, registry_upload_cancel;

#endif
