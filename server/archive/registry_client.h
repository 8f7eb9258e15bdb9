/*
 * A repository as import and export see it: on a running server, or in a data folder that a server within this
 * process opens for the time. Blocking; everything fails with *err filled, in the server's words where it spoke.
 */
#ifndef DRYDOCK_SERVER_ARCHIVE_REGISTRY_CLIENT_H
#define DRYDOCK_SERVER_ARCHIVE_REGISTRY_CLIENT_H

#include "protocol/manifest.h"
#include "server/app.h"
#include "server/archive/archive.h"
#include "server/archive/client.h"

struct registry_client {
	struct client http;
	const struct archive_options *options;
	char login[8192];  /* the Authorization header line of the registry */
	bool sign;         /* its API wants signatures that are right (--auth iam) */
	char upload[2048]; /* where the upload under way goes on */
	/* of a data folder */
	struct store *store;
	struct app app;
	bool serving;
};

/* Opens, and logs in with GetAuthorizationToken. */
bool registry_client_open(
    struct registry_client *r, const struct archive_options *o, struct err *err);
void registry_client_close(struct registry_client *r);

/* Makes the repository when it is not there, and says so in *created. Who may not make any goes on all the same. */
bool registry_client_create(struct registry_client *r, bool *created, struct err *err);
/* 1: it is there, 0: it is not, -1: failed. */
int registry_client_has_blob(
    struct registry_client *r, const struct digest *digest, struct err *err);
/* A blob: begin, write each piece, finish with its digest, which the server checks. */
bool registry_client_upload_begin(struct registry_client *r, struct err *err);
bool registry_client_upload_write(
    struct registry_client *r, const void *at, size_t len, struct err *err);
bool registry_client_upload_finish(
    struct registry_client *r, const struct digest *digest, struct err *err);
bool registry_client_put_manifest(struct registry_client *r, const char *reference,
    struct slice media_type, struct slice bytes, struct err *err);

/* A manifest's bytes in the arena, its media type beside them; absent on failure. */
struct slice registry_client_manifest(struct registry_client *r, const char *reference,
    struct slice *media_type, struct arena *a, struct err *err);
/* Asks for a blob: its bytes are read with client_read(&r->http). 1, 0: it is not there, -1. */
int registry_client_get_blob(
    struct registry_client *r, const struct digest *digest, struct err *err);

#endif
