/* Signing requests to the ECR API with the key that the environment holds, as the AWS tools do. */
#ifndef DRYDOCK_SERVER_ARCHIVE_SIGN_H
#define DRYDOCK_SERVER_ARCHIVE_SIGN_H

#include "protocol/arena.h"

/* True when AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set. */
bool sign_possible(void);
/*
 * The header lines that sign a POST to / of this host ("127.0.0.1:5001"), each with its CRLF, in the arena. target:
 * X-Amz-Target, which is sent besides.
 */
const char *sign_fields(
    const char *host, const char *target, const char *region, struct slice body, struct arena *a);

#endif
