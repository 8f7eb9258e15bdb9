/*
 * A case of authorization as JSON, as the files of testdata/policies/ hold them:
 *
 *	{"why": "...", "principal": ARN, "user_id": ..., "action": ..., "resource": ..., "account": ...,
 *	 "context": {KEY: VALUE or [VALUE...]}, "identity": [POLICY...], "session": POLICY,
 *	 "repository": POLICY, "registry": POLICY, "trust": POLICY,
 *	 "expect": {"allowed": ..., "by": "registry 0/1", "sentence": ...}}
 */
#ifndef DRYDOCK_TESTS_UNIT_PROTOCOL_POLICY_CASE_H
#define DRYDOCK_TESTS_UNIT_PROTOCOL_POLICY_CASE_H

#include "support.h"

#include "protocol/authorize.h"

struct policy_case {
	struct authorize_request request;
	struct principal who;
};

/* Fails the test when a part is malformed. All in the arena; *out must not be moved. */
void policy_case_read(const cJSON *tree, struct arena *a, struct policy_case *out);

#endif
