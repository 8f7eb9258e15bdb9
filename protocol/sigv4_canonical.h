/*
 * What AWS Signature Version 4 signs: the canonical request, the string to sign, the signature (IAM User
 * Guide, "Create a signed AWS API request"). AWS's own test vectors are in testdata/sigv4. Pure; linear but for
 * the sorting of the query.
 */
#ifndef DRYDOCK_PROTOCOL_SIGV4_CANONICAL_H
#define DRYDOCK_PROTOCOL_SIGV4_CANONICAL_H

#include "protocol/arena.h"

#include <stdint.h>

struct sigv4_field {
	struct slice name, value;
};

/* A request as it was sent: nothing decoded. */
struct sigv4_request {
	struct slice method, path;
	struct slice query; /* absent without '?' */
	const struct sigv4_field *fields;
	size_t field_count;
	/* S3's rule: the path's dots and doubled slashes stand as they are. */
	bool path_as_sent;
};

enum { SIGV4_HASH_LEN = 64 }; /* hexadecimal digits of a SHA-256, and of a signature */

/*
 * signed_headers: "host;x-amz-date", whose fields are taken in this order (one that is not there as empty).
 * body_hash: SIGV4_HASH_LEN lower-case digits, or what stands for them. A parameter X-Amz-Signature of the query
 * is left out. In the arena.
 */
struct slice sigv4_canonical_request(const struct sigv4_request *request,
    struct slice signed_headers, struct slice body_hash, struct arena *a);

/*
 * Whether a query says the same to its signature, for which its parameters are sorted, and to who reads one of them
 * by name: none is given twice, and every escape is one. Both decode by form_decode.
 */
bool sigv4_query_clear(struct slice query, struct arena *a);

/* time: "20150830T123600Z"; scope: "20150830/us-east-1/ecr/aws4_request". In the arena. */
struct slice sigv4_string_to_sign(
    struct slice time, struct slice scope, struct slice canonical_request, struct arena *a);

/* The signature of a string to sign, lower-case; secret and the scope's parts as they are written there. */
void sigv4_signature(struct slice secret, struct slice date, struct slice region,
    struct slice service, struct slice string_to_sign, char out[SIGV4_HASH_LEN]);

/* The SHA-256 of a body. */
void sigv4_hash(struct slice bytes, char out[SIGV4_HASH_LEN]);

#endif
