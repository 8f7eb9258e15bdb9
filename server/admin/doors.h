/*
 * Who may use Drydock's own doors (--doors): everybody, who brings the token, or nobody.
 *
 * The token is --doors-token's, or follows from the data folder's key and is written to DATA/doors-token, for the owner
 * alone: who may read the folder may use the doors. It is the same after each start.
 */
#ifndef DRYDOCK_SERVER_ADMIN_DOORS_H
#define DRYDOCK_SERVER_ADMIN_DOORS_H

#include "server/call.h"

#define DOORS_TOKEN_FILE "doors-token"

/* Once, at the start: fills app->doors_token where one is wanted, and writes the file. False with *err filled. */
bool doors_setup(struct app *app, struct err *err);
/* NULL when the request may go on; else the handler that refuses it. Compares in constant time. */
const struct http_handler *doors_refuse(struct call *c);

/*
 * The token for a server on a data folder, for clients on the same machine: token (of --doors-token) when there is one,
 * else what DATA/doors-token has. "" when there is neither.
 */
void doors_token_find(const char *folder, const char *token, char out[DOORS_TOKEN_MAX]);

#endif
