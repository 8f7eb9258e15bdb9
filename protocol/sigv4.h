/*
 * Reading the Authorization header of AWS Signature Version 4.
 *
 * "AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=..., Signature=..."
 * (AWS General Reference, "Signing AWS API requests"). This reads the parts; it verifies nothing. Pure;
 * the slices borrow from the header.
 */
#ifndef DRYDOCK_PROTOCOL_SIGV4_H
#define DRYDOCK_PROTOCOL_SIGV4_H

#include "protocol/slice.h"

struct sigv4_credential {
	struct slice access_key, date, region, service;
	struct slice signed_headers, signature;
};

/* False when the header is not of that form. */
bool sigv4_parse(struct slice authorization, struct sigv4_credential *out);

#endif
