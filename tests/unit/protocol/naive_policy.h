/*
 * A second evaluator of policies, to hold the real one against: written from the IAM User Guide's pages, straight
 * over the JSON, recursive and slow, and without any of protocol/'s code. For short, well-formed policies only.
 */
#ifndef DRYDOCK_TESTS_UNIT_PROTOCOL_NAIVE_POLICY_H
#define DRYDOCK_TESTS_UNIT_PROTOCOL_NAIVE_POLICY_H

#include <cjson/cJSON.h>

enum naive_outcome {
	NAIVE_ALLOWED,
	NAIVE_DENIED_BY_IDENTITY, /* an explicit deny in one of these */
	NAIVE_DENIED_BY_SESSION,
	NAIVE_DENIED_BY_RESOURCE,
	NAIVE_NO_IDENTITY_ALLOW, /* an allow is missing in all of these */
	NAIVE_NO_SESSION_ALLOW,
	NAIVE_NO_RESOURCE_ALLOW,
	NAIVE_OUTCOME_COUNT
};

/* A case as in policy_case.h. */
enum naive_outcome naive_decide(const cJSON *a_case);

#endif
