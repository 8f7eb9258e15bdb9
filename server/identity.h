/*
 * Who asks, and whose registry is meant: account, region and principal of a call.
 *
 * An ECR host name wins; then, on the API, the region of the credential scope and the account of the
 * access key (with --auth iam its owner's, else the key itself when it is twelve digits); on the registry, what
 * the token seals; else the defaults (ecr-behaviour 6.1, 7; ARCHITECTURE.md "Identity").
 */
#ifndef DRYDOCK_SERVER_IDENTITY_H
#define DRYDOCK_SERVER_IDENTITY_H

#include "server/call.h"

/*
 * All fill account, region and principal, and return false with c->error set when the mode of access
 * refuses: ERR_NOT_AUTHORIZED or ERR_TOKEN_EXPIRED here.
 */
bool identify_registry(struct call *c);
/* ERR_MISSING_AUTHENTICATION, ERR_INCOMPLETE_SIGNATURE, and with --auth iam the others of signature.h here. */
bool identify_api(struct call *c, const char *service);
/* To be asked when the body is there, before anything is done: false with c->error set. */
bool identify_body(struct call *c);

/* True when a request to / is for STS: by its scope, its host name, or its form. */
bool identify_sts(struct call *c);

#endif
