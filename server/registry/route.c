/*
 * The registry's route table, and what every request passes before its handler: its name is looked
 * at, then who asks. To add a route: a resource in path.c, a line here, a handler.
 */
#include "server/registry/registry_internal.h"

#include "protocol/names.h"
#include "server/access.h"
#include "server/identity.h"

/* clang-format off */
static const struct registry_route routes[] = {
    {RESOURCE_ROOT, METHOD_GET, "CheckVersion", &registry_root, NULL, NULL},
    {RESOURCE_CATALOG, METHOD_GET, "ListRepositories", &registry_catalog, "DescribeRepositories", NULL},
    {RESOURCE_TAGS, METHOD_GET, "ListTags", &registry_tags, "ListImages", NULL},
    {RESOURCE_REFERRERS, METHOD_GET, "ListReferrers", &registry_referrers, "BatchGetImage", NULL},
    {RESOURCE_MANIFEST, METHOD_GET, "GetManifest", &registry_manifest_get, "BatchGetImage", NULL},
    {RESOURCE_MANIFEST, METHOD_PUT, "PutManifest", &registry_manifest_put, "PutImage", NULL},
    {RESOURCE_MANIFEST, METHOD_DELETE, "DeleteManifest", &registry_manifest_delete, "BatchDeleteImage", NULL},
    {RESOURCE_BLOB, METHOD_GET, "GetBlob", &registry_blob_get, "GetDownloadUrlForLayer", NULL},
    {RESOURCE_BLOB, METHOD_HEAD, "GetBlob", &registry_blob_get, "BatchCheckLayerAvailability", NULL},
    {RESOURCE_BLOB, METHOD_DELETE, "DeleteBlob", &registry_blob_delete, "BatchDeleteImage", NULL},
    {RESOURCE_UPLOADS, METHOD_POST, "StartUpload", &registry_upload_start, "InitiateLayerUpload", "UploadLayerPart"},
    {RESOURCE_UPLOAD, METHOD_GET, "GetUpload", &registry_upload_status, "UploadLayerPart", NULL},
    {RESOURCE_UPLOAD, METHOD_PATCH, "AppendUpload", &registry_upload_patch, "UploadLayerPart", NULL},
    {RESOURCE_UPLOAD, METHOD_PUT, "FinishUpload", &registry_upload_put, "CompleteLayerUpload", "UploadLayerPart"},
    {RESOURCE_UPLOAD, METHOD_DELETE, "CancelUpload", &registry_upload_cancel, "UploadLayerPart", NULL},
};
/* clang-format on */

enum { ROUTE_COUNT = sizeof(routes) / sizeof(routes[0]) };

const struct registry_route *registry_route_at(size_t index)
{
	return index < ROUTE_COUNT ? &routes[index] : NULL;
}

static enum http_step refuse(struct http_request *req)
{
	return registry_error(call_of(req));
}

static const struct http_handler refusal = {.body_max = UINT64_MAX, .start = refuse};

/* HEAD, without a line of its own, is GET whose body the transport leaves out. */
static const struct registry_route *find_route(enum resource resource, enum http_method method)
{
	for (size_t i = 0; i < ROUTE_COUNT; i++)
		if (routes[i].resource == resource && routes[i].method == method)
			return &routes[i];
	return method == METHOD_HEAD ? find_route(resource, METHOD_GET) : NULL;
}

/* False with c->error set. */
static bool permit(struct call *c, const struct registry_route *route)
{
	struct slice repository =
	    route->resource == RESOURCE_CATALOG ? slice_str("*") : c->repository.name;
	bool body = c->req->chunked || c->req->content_length > 0;

	if (!route->action)
		return true;
	return access_allow_on(c, route->action, repository) &&
	    (!body || !route->with_body || access_allow_on(c, route->with_body, repository));
}

/* False with c->error set when the path's words are not what they must be. */
static bool check_path(struct call *c, const struct registry_path *path)
{
	if (path->resource == RESOURCE_NONE)
		call_fail(c, ERR_ROUTE_UNKNOWN);
	else if (path->resource != RESOURCE_ROOT && path->resource != RESOURCE_CATALOG &&
	    !repository_name_valid(path->name))
		call_fail(c, ERR_NAME_INVALID);
	return c->error.code == ERR_NONE;
}

const struct http_handler *registry_route(struct call *c)
{
	struct registry_path path = registry_path_parse(c->path);
	const struct registry_route *route = find_route(path.resource, c->req->method);

	if (route)
		c->operation = route->operation;
	if (!identify_registry(c))
		return &refusal;
	c->repository = (struct repository_key){c->account, c->region, path.name};
	c->reference = path.reference;
	if (!check_path(c, &path))
		return &refusal;
	if (!route) {
		call_fail(c, ERR_METHOD_NOT_ALLOWED);
		return &refusal;
	}
	if (!permit(c, route))
		return &refusal;
	return route->handler;
}

static enum http_step version(struct http_request *req)
{
	struct call *c = call_of(req);

	registry_reply(c, 200);
	http_reply_header(req, "Content-Type", slice_str(TYPE_JSON));
	http_reply_body(req, slice_str("{}"));
	return HTTP_DONE;
}

const struct http_handler registry_root = {.end = version};
