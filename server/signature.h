/*
 * Whose key signed a request to the API, and whether it did (--auth iam). In two steps, because the signature
 * covers the body:
 *
 *	signature_read(c)      the head is known: the key, its times, its scope; fills c->who and c->principal
 *	signature_verify(c)    the body is known too
 *
 * Whether a signature is too old is judged by the machine's own clock, by which the SDKs sign, not by Drydock's,
 * which a test may have moved; temporary credentials expire by Drydock's.
 */
#ifndef DRYDOCK_SERVER_SIGNATURE_H
#define DRYDOCK_SERVER_SIGNATURE_H

#include "protocol/sigv4.h"
#include "server/call.h"

/* The request as its signature sees it, in the call's arena. */
struct sigv4_request signature_request(struct call *c);

/*
 * service, region: what the scope must be for, "ecr" or "sts", and where (absent: anywhere). Fills account,
 * region, who and principal. False with c->error set.
 */
bool signature_read(struct call *c, const char *service, struct slice region);
/* False with c->error set: ERR_INVALID_SIGNATURE. Only after signature_read. */
bool signature_verify(struct call *c);

#endif
