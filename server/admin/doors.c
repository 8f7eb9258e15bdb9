/* The token of --doors: where it comes from, and whether a request brings it. See doors.h. */
#include "server/admin/doors.h"

#include "protocol/base64.h"
#include "server/admin/admin.h"
#include "server/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool file_path(const char *folder, char path[4200])
{
	int len = snprintf(path, 4200, "%s/" DOORS_TOKEN_FILE, folder);

	return len > 0 && len < 4200;
}

/* ---- at the start ---- */

static bool write_file(const char *path, const char *token)
{
	char line[DOORS_TOKEN_MAX + 1];
	int len = snprintf(line, sizeof(line), "%s\n", token);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written = fd >= 0 && write(fd, line, (size_t)len) == len;

	return (fd < 0 || close(fd) == 0) && written;
}

/* From the folder's key, so that it needs no keeping: the file only tells it. */
static void make_token(struct app *app)
{
	uint8_t key[TOKEN_KEY_LEN];
	struct arena a;

	arena_init(&a);
	token_key_derive(store_token_key(app->store), "drydock doors token\n", key);
	struct slice text = base64url_encode(slice_of((const char *)key, sizeof(key)), &a);
	snprintf(app->doors_token, sizeof(app->doors_token), "%.*s", SLICE_ARG(text));
	arena_release(&a);
}

bool doors_setup(struct app *app, struct err *err)
{
	const struct config *config = app->config;
	char path[4200];

	if (!file_path(store_path(app->store), path))
		path[0] = '\0';
	if (unlink(path) != 0 && errno != ENOENT && config->doors == DOORS_TOKEN) {
		snprintf(err->text, sizeof(err->text), "%.300s cannot be replaced: %s", path,
		    strerror(errno));
		return false;
	}
	if (config->doors != DOORS_TOKEN)
		return true;
	if (config->doors_token[0]) {
		memcpy(app->doors_token, config->doors_token, sizeof(app->doors_token));
		return true;
	}
	make_token(app);
	if (!write_file(path, app->doors_token)) {
		snprintf(err->text, sizeof(err->text), "%.300s cannot be written: %s", path,
		    strerror(errno));
		return false;
	}
	log_say(LOG_LEVEL_INFO, "Drydock's own doors (/_drydock/, /metrics) want the token in %s",
	    path);
	return true;
}

/* ---- in a request ---- */

static enum http_step closed(struct http_request *req)
{
	return admin_say(call_of(req), 403, "These paths are closed on this server (--doors off).");
}

static enum http_step token_wanted(struct http_request *req)
{
	enum http_step step = admin_say(call_of(req), 401,
	    "These paths want a token on this server: \"Authorization: Bearer TOKEN\" or \"X-Drydock-Token: TOKEN\". "
	    "It is what --doors-token (DRYDOCK_DOORS_TOKEN) gave the server, else it is in " DOORS_TOKEN_FILE
	    " in the data folder.");

	http_reply_header(req, "WWW-Authenticate", slice_str("Bearer realm=\"drydock\""));
	return step;
}

static const struct http_handler closed_handler = {.body_max = UINT64_MAX, .start = closed};
static const struct http_handler wanted_handler = {.body_max = UINT64_MAX, .start = token_wanted};

/* What the request brings; absent: nothing. */
static struct slice token_of(struct http_request *req)
{
	static const struct slice scheme = SLICE("Bearer ");
	struct slice value = http_header_get(req, "authorization");

	if (value.len < scheme.len || !slice_eq_nocase(slice_of(value.at, scheme.len), scheme))
		return http_header_get(req, "x-drydock-token");
	value = slice_skip(value, scheme.len);
	while (value.len && value.at[0] == ' ')
		value = slice_skip(value, 1);
	return value;
}

const struct http_handler *doors_refuse(struct call *c)
{
	struct slice right = slice_str(c->app->doors_token), token;

	switch (c->app->config->doors) {
	case DOORS_OFF:
		return &closed_handler;
	case DOORS_TOKEN:
		token = token_of(c->req);
		if (right.len && token.len == right.len &&
		    CRYPTO_memcmp(token.at, right.at, right.len) == 0)
			return NULL;
		return &wanted_handler;
	default:
		return NULL;
	}
}

/* ---- for clients ---- */

void doors_token_find(const char *folder, const char *token, char out[DOORS_TOKEN_MAX])
{
	char path[4200];
	FILE *file = NULL;

	snprintf(out, DOORS_TOKEN_MAX, "%s", token);
	if (out[0] || !folder[0] || !file_path(folder, path) || !(file = fopen(path, "re")))
		return;
	if (!fgets(out, DOORS_TOKEN_MAX, file))
		out[0] = '\0';
	out[strspn(out, DOORS_TOKEN_LETTERS)] = '\0';
	fclose(file);
}
