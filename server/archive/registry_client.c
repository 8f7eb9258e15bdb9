/* The registry API, and of the ECR API what a login needs, from the client's side. */
#include "server/archive/registry_client.h"

#include "protocol/base64.h"
#include "protocol/json.h"
#include "server/archive/sign.h"
#include "server/log.h"

#include <stdio.h>

enum { ANSWER_MAX = 256 * 1024, GRACE_MS = 1000, PATH_MAX_LEN = 3072 };

/* The server within: it has the folder's lock, and a port that nobody was told. */
static bool serve_folder(struct registry_client *r, char *url, size_t room, struct err *err)
{
	static struct config config;
	struct gc_settings gc = {.grace_ms = r->options->config.gc_grace_s * 1000LL};
	struct store_options options = {.path = r->options->config.data,
	    .quotas = r->options->config.quotas,
	    .gc = &gc,
	    .lifecycle_interval_ms = -1};
	struct err why = {""};

	config = r->options->config;
	config.threads = 1;
	config.listen_port = 0;
	config.tls_host[0] = '\0';
	config.auth = AUTH_TOKEN;
	snprintf(config.listen_host, sizeof(config.listen_host), "127.0.0.1");
	log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	r->store = store_open(&options, &why);
	if (!r->store)
		return archive_fail(err,
		    "%.300s (while a server runs on that folder, go through it: --to or --from "
		    "http://127.0.0.1:5001)",
		    why.text);
	if (!app_start(&r->app, &config, NULL, r->store, NULL, err))
		return false;
	r->serving = true;
	snprintf(url, room, "http://127.0.0.1:%u", (unsigned)app_port(&r->app));
	return true;
}

/* What a refusal says, in either API's envelope. */
static bool refused(struct registry_client *r, const char *what, struct err *err)
{
	int status = r->http.status;
	struct slice message;
	struct arena a;
	cJSON *answer;

	arena_init(&a);
	answer = json_parse(client_text(&r->http, ANSWER_MAX, &a, err));
	message = json_string(answer, "message");
	if (!message.at)
		message =
		    json_string(cJSON_GetArrayItem(json_member(answer, "errors"), 0), "message");
	archive_fail(err, "%s: the server says %d%s%.*s", what, status, message.at ? ", " : "",
	    message.at ? (int)message.len : 0, message.at ? message.at : "");
	cJSON_Delete(answer);
	arena_release(&a);
	return false;
}

static bool send_whole(struct registry_client *r, const char *method, const char *path,
    const char *fields, struct slice body, struct err *err)
{
	return client_begin(&r->http, method, path, fields, (int64_t)body.len, err) &&
	    client_write(&r->http, body.at, body.len, err) && client_finish(&r->http, err);
}

/*
 * What signs an operation where nobody checks it (--auth token, open): an account other than the default one is asked
 * for as its own access key.
 */
static const char *unchecked_fields(struct registry_client *r, struct arena *a)
{
	const struct config *config = &r->options->config;
	bool named = strcmp(config->account, "000000000000") != 0;

	return arena_printf(a,
	    "Authorization: AWS4-HMAC-SHA256 Credential=%s/20260101/%s/ecr/aws4_request, "
	    "SignedHeaders=host;x-amz-date, "
	    "Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n",
	    named ? config->account : "drydock", config->region);
}

/* An operation of the ECR API. */
static bool api(struct registry_client *r, const char *operation, const char *body, struct err *err)
{
	const char *signature, *target, *fields;
	struct arena a;
	bool sent;

	arena_init(&a);
	target = arena_printf(&a, "AmazonEC2ContainerRegistry_V20150921.%s", operation);
	signature = r->sign ? sign_fields(client_authority(&r->http, &a), target,
				  r->options->config.region, slice_str(body), &a)
			    : unchecked_fields(r, &a);
	fields =
	    arena_printf(&a, "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: %s\r\n%s",
		target, signature);
	sent = send_whole(r, "POST", "/", fields, slice_str(body), err);
	arena_release(&a);
	return sent;
}

static bool log_in(struct registry_client *r, struct err *err)
{
	struct slice token;
	struct arena a;
	cJSON *answer;

	if (!api(r, "GetAuthorizationToken", "{}", err))
		return false;
	if (r->http.status == 400 && sign_possible()) {
		r->sign = true;
		if (!api(r, "GetAuthorizationToken", "{}", err))
			return false;
	}
	if (r->http.status != 200)
		return refused(r, "no login", err);
	arena_init(&a);
	answer = json_parse(client_text(&r->http, ANSWER_MAX, &a, err));
	token = json_string(
	    cJSON_GetArrayItem(json_member(answer, "authorizationData"), 0), "authorizationToken");
	snprintf(r->login, sizeof(r->login), "Authorization: Basic %.*s\r\n", (int)token.len,
	    token.at ? token.at : "");
	cJSON_Delete(answer);
	arena_release(&a);
	return token.at ? true : archive_fail(err, "no login: the server gives no token");
}

bool registry_client_open(
    struct registry_client *r, const struct archive_options *o, struct err *err)
{
	char url[64];

	*r = (struct registry_client){.options = o, .http = {.fd = -1}};
	if (!o->url && !serve_folder(r, url, sizeof(url), err))
		return false;
	return client_init(&r->http, o->url ? o->url : url, err) && log_in(r, err);
}

void registry_client_close(struct registry_client *r)
{
	client_release(&r->http);
	if (r->serving)
		app_stop(&r->app, GRACE_MS);
	if (r->store)
		store_close(r->store);
}

bool registry_client_create(struct registry_client *r, bool *created, struct err *err)
{
	struct slice type;
	struct arena a;
	char body[400];
	cJSON *answer;
	bool good;

	snprintf(body, sizeof(body), "{\"repositoryName\":\"%s\"}", r->options->repository);
	if (!api(r, "CreateRepository", body, err))
		return false;
	*created = r->http.status == 200;
	if (r->http.status != 200 && r->http.status != 400)
		return refused(r, "the repository cannot be made", err);
	arena_init(&a);
	answer = json_parse(client_text(&r->http, ANSWER_MAX, &a, err));
	type = json_string(answer, "__type");
	/* who may not make one may still push to it: that is told by the push */
	good = *created || slice_is(type, "RepositoryAlreadyExistsException") ||
	    slice_is(type, "AccessDeniedException");
	if (!good)
		archive_fail(err, "the repository cannot be made: %.*s",
		    SLICE_ARG(json_string(answer, "message")));
	cJSON_Delete(answer);
	arena_release(&a);
	return good;
}

static const char *path_of(
    struct registry_client *r, char path[PATH_MAX_LEN], const char *kind, const char *what)
{
	snprintf(path, PATH_MAX_LEN, "/v2/%s/%s/%s", r->options->repository, kind, what);
	return path;
}

static int ask_blob(
    struct registry_client *r, const char *method, const struct digest *digest, struct err *err)
{
	char path[PATH_MAX_LEN], text[DIGEST_TEXT_MAX];

	digest_format(digest, text);
	if (!send_whole(r, method, path_of(r, path, "blobs", text), r->login, slice_str(""), err))
		return -1;
	if (r->http.status == 200)
		return 1;
	if (r->http.status == 404) {
		struct arena a;

		arena_init(&a);
		client_text(&r->http, ANSWER_MAX, &a, err);
		arena_release(&a);
		return 0;
	}
	refused(r, text, err);
	return -1;
}

int registry_client_has_blob(
    struct registry_client *r, const struct digest *digest, struct err *err)
{
	return ask_blob(r, "HEAD", digest, err);
}

int registry_client_get_blob(
    struct registry_client *r, const struct digest *digest, struct err *err)
{
	return ask_blob(r, "GET", digest, err);
}

/* Location, of which a server may also give the whole address. */
static void keep_location(struct registry_client *r)
{
	const char *at = r->http.location, *path = strstr(at, "://");

	if (path)
		path = strchr(path + 3, '/');
	snprintf(r->upload, sizeof(r->upload), "%s", path ? path : at);
}

bool registry_client_upload_begin(struct registry_client *r, struct err *err)
{
	char path[PATH_MAX_LEN], fields[sizeof(r->login) + 64];

	if (!send_whole(
		r, "POST", path_of(r, path, "blobs", "uploads/"), r->login, slice_str(""), err))
		return false;
	if (r->http.status != 202)
		return refused(r, "no upload", err);
	keep_location(r);
	snprintf(fields, sizeof(fields), "%sContent-Type: application/octet-stream\r\n", r->login);
	return client_begin(&r->http, "PATCH", r->upload, fields, CLIENT_CHUNKED, err);
}

bool registry_client_upload_write(
    struct registry_client *r, const void *at, size_t len, struct err *err)
{
	return client_write(&r->http, at, len, err);
}

bool registry_client_upload_finish(
    struct registry_client *r, const struct digest *digest, struct err *err)
{
	char path[PATH_MAX_LEN], text[DIGEST_TEXT_MAX];

	digest_format(digest, text);
	if (!client_finish(&r->http, err))
		return false;
	if (r->http.status != 202)
		return refused(r, text, err);
	keep_location(r);
	snprintf(path, sizeof(path), "%s%cdigest=%s", r->upload, strchr(r->upload, '?') ? '&' : '?',
	    text);
	if (!send_whole(r, "PUT", path, r->login, slice_str(""), err))
		return false;
	return r->http.status == 201 || refused(r, text, err);
}

bool registry_client_put_manifest(struct registry_client *r, const char *reference,
    struct slice media_type, struct slice bytes, struct err *err)
{
	char path[PATH_MAX_LEN], fields[sizeof(r->login) + 512];

	snprintf(
	    fields, sizeof(fields), "%sContent-Type: %.*s\r\n", r->login, SLICE_ARG(media_type));
	if (!send_whole(r, "PUT", path_of(r, path, "manifests", reference), fields, bytes, err))
		return false;
	return r->http.status == 201 || refused(r, reference, err);
}

struct slice registry_client_manifest(struct registry_client *r, const char *reference,
    struct slice *media_type, struct arena *a, struct err *err)
{
	char path[PATH_MAX_LEN], fields[sizeof(r->login) + 512];

	snprintf(fields, sizeof(fields), "%sAccept: %s, %s, %s, %s\r\n", r->login, MEDIA_OCI_INDEX,
	    MEDIA_OCI_MANIFEST, MEDIA_DOCKER_LIST, MEDIA_DOCKER_MANIFEST);
	if (!send_whole(
		r, "GET", path_of(r, path, "manifests", reference), fields, slice_str(""), err))
		return slice_of(NULL, 0);
	if (r->http.status != 200) {
		refused(r, reference, err);
		return slice_of(NULL, 0);
	}
	*media_type = arena_dup(a, slice_str(r->http.content_type));
	return client_text(&r->http, MANIFEST_BYTES_MAX, a, err);
}
