/*
 * May the caller do this? The one question that both APIs ask before they do anything (--auth iam; ecr-behaviour
 * 6.1, 6.3, 7). In the other modes of access the answer is yes, and costs nothing, but for a token that is used at
 * another account's host name (identity.c).
 *
 * Held against the caller's identity and session policies, the repository's policy and the registry's, with
 * the facts of the request (policy_keys.h, tags). On the call's loop.
 */
#ifndef DRYDOCK_SERVER_ACCESS_H
#define DRYDOCK_SERVER_ACCESS_H

#include "server/call.h"

struct policy_document;

struct access {
	const char *operation; /* "PutImage": the action is ecr:PutImage */
	struct slice
	    repository; /* its name; "*": all of the registry's; absent: the registry itself */
	const struct resource_tag
	    *tags; /* of the request: aws:RequestTag/KEY; value absent: a key alone */
	size_t tag_count;
};

/*
 * False with c->error set: ERR_ACCESS_DENIED with ECR's sentence, or what kept the policies, or a fact that they ask
 * for, from being read: what is not known allows nothing.
 */
bool access_allow(struct call *c, const struct access *access) __attribute__((warn_unused_result));
/* The same of an operation on a repository, as above. */
bool access_allow_on(struct call *c, const char *operation, struct slice repository)
    __attribute__((warn_unused_result));
/* The same, and a refusal is no error. False with c->error set when it cannot be told. */
bool access_would_allow(struct call *c, const char *operation, struct slice repository,
    bool *allowed) __attribute__((warn_unused_result));

/*
 * Would the caller be allowed, were this the repository's policy? Asked in all modes of access: where nobody is known
 * to be more, the caller is the account's root. False with c->error set when it cannot be told.
 */
bool access_try_policy(struct call *c, const char *operation, struct slice repository,
    const struct policy_document *policy, bool *allowed) __attribute__((warn_unused_result));

/* Whether the caller's pulls are to be noted (RegisterPullTimeUpdateExclusion). False with c->error set when that cannot be told. */
bool access_pull_counts(struct call *c, bool *counts) __attribute__((warn_unused_result));

#endif
