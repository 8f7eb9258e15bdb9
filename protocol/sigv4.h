/*
 * AWS Signature Version 4: who signed a request, when and for what, and whether the signature is theirs (IAM
 * User Guide, "AWS Signature Version 4 for API requests"). What exactly is signed: sigv4_canonical.h.
 *
 *	form = sigv4_find(&request, arena, &credential, &why);
 *	... find the secret of credential.access_key ...
 *	sigv4_read_time(&request, form, &credential, now_ms, arena, &time, &why)
 *	sigv4_covers(&request, &credential, &why)
 *	... the body is there ...
 *	sigv4_verify(&request, &credential, time, secret, body_hash, arena, &calculated)
 *
 * Where something is refused, *why gets AWS's sentence, in the arena. Pure; the slices borrow from the
 * request, or from the arena.
 */
#ifndef DRYDOCK_PROTOCOL_SIGV4_H
#define DRYDOCK_PROTOCOL_SIGV4_H

#include "protocol/sigv4_canonical.h"

struct sigv4_credential {
	struct slice access_key, date, region, service;
	struct slice signed_headers, signature;
};

/*
 * Reads "AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=...,
 * Signature=..."; false when the header is not of that form, or SignedHeaders not lower-case, sorted and without
 * doubles.
 */
bool sigv4_parse(struct slice authorization, struct sigv4_credential *out);

enum sigv4_form {
	SIGV4_ABSENT,     /* the request is not signed */
	SIGV4_INCOMPLETE, /* it tries to be: *why */
	SIGV4_HEADER,
	SIGV4_QUERY, /* a presigned URL */
};
/*
 * The Authorization header; without one, the parameters X-Amz-Algorithm, X-Amz-Credential, ... INCOMPLETE, too, when
 * the query is not sigv4_query_clear.
 */
enum sigv4_form sigv4_find(const struct sigv4_request *request, struct arena *a,
    struct sigv4_credential *out, struct slice *why);

/* X-Amz-Security-Token, of the header or the query; absent when there is none. */
struct slice sigv4_token(
    const struct sigv4_request *request, enum sigv4_form form, struct arena *a);

enum sigv4_fault {
	SIGV4_GOOD,
	SIGV4_MALFORMED, /* IncompleteSignature's: something is missing or has not its form */
	SIGV4_REFUSED,   /* InvalidSignature's */
};
#define SIGV4_SKEW_MS (15 * 60 * 1000LL)
/*
 * X-Amz-Date, else Date, as *time ("20150830T123600Z"): the day must be the scope's, and it must be within
 * SIGV4_SKEW_MS of now_ms; for a presigned URL not later than that, nor earlier than X-Amz-Expires allows (1 to
 * 604800 seconds; without it SIGV4_SKEW_MS).
 */
enum sigv4_fault sigv4_read_time(const struct sigv4_request *request, enum sigv4_form form,
    const struct sigv4_credential *credential, int64_t now_ms, struct arena *a, struct slice *time,
    struct slice *why);

/* Signed must be Host and every X-Amz-... header that was sent. False: *why. */
bool sigv4_covers(const struct sigv4_request *request, const struct sigv4_credential *credential,
    struct arena *a, struct slice *why);

/* What the signature should have been made of. */
struct sigv4_calculation {
	struct slice canonical_request, string_to_sign;
};
/*
 * Compares in constant time. body_hash: sigv4_hash of the body that came, whatever X-Amz-Content-Sha256 says
 * (UNSIGNED-PAYLOAD is S3's alone).
 */
bool sigv4_verify(const struct sigv4_request *request, const struct sigv4_credential *credential,
    struct slice time, struct slice secret, struct slice body_hash, struct arena *a,
    struct sigv4_calculation *out);

#endif
