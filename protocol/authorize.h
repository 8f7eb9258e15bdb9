/*
 * May this principal do this? IAM's evaluation for ECR (ecr-behaviour 6.1, 7; IAM User Guide "Policy
 * evaluation logic"): an explicit deny anywhere wins; within an account either an identity or a
 * repository (or registry) policy may allow; across accounts both sides must.
 *
 * Pure; the caller brings the policies, parsed, and the facts of the request.
 */
#ifndef DRYDOCK_PROTOCOL_AUTHORIZE_H
#define DRYDOCK_PROTOCOL_AUTHORIZE_H

#include "protocol/policy_document.h"

enum principal_kind {
	PRINCIPAL_ROOT, /* arn:aws:iam::ACCOUNT:root: all is allowed in its own account */
	PRINCIPAL_USER,      /* arn:aws:iam::ACCOUNT:user/NAME */
	PRINCIPAL_ROLE,      /* a session: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION */

};

/* Who asks. Everything is borrowed for the call. */
struct principal {
	enum principal_kind kind;
	struct slice arn;      /* as GetCallerIdentity tells it */
	struct slice role_arn; /* of a session: arn:aws:iam::ACCOUNT:role/NAME; else absent */
	struct slice account;
	struct slice user_id; /* aws:userid */
	const struct policy_document *const *identity; /* its own, its groups' and its role's */
	size_t identity_count;
	const struct policy_document *session; /* of AssumeRole's Policy: only narrows; NULL: none */
};

/* One key of the request's context, "aws:SourceIp"; keys compare in any case. */
struct authorize_key {
	struct slice name;
	const struct slice *values;
	size_t count; /* one unless the key has several values (aws:TagKeys) */
};

struct authorize_request {
	const struct principal *principal;
	struct slice action;           /* "ecr:PutImage" */
	struct slice resource;         /* an ARN, or "*" for what is the registry's */
	struct slice resource_account; /* whose registry */
	const struct policy_document *repository_policy; /* NULL: none, or no repository is meant */
	const struct policy_document *registry_policy;   /* NULL: none */
	const struct authorize_key *keys;
	size_t key_count;
};

enum authorize_source { /* whose statement decided */
	AUTHORIZE_IDENTITY,
	AUTHORIZE_SESSION,
	AUTHORIZE_REPOSITORY,
	AUTHORIZE_REGISTRY,
	AUTHORIZE_ACCOUNT, /* the account's root, in its own account: no statement */
};

struct authorize_decision {
	bool allowed;
	bool explicit_deny;
	enum authorize_source source; /* of the deciding statement, or (implicit deny) what lacks an allow */
	size_t policy;                         /* index into identity, for AUTHORIZE_IDENTITY */
	const struct policy_statement *statement; /* NULL: none decided */
};

void authorize(const struct authorize_request *request, struct authorize_decision *out);

/*
 * ECR's sentence for a refusal: "User: ARN is not authorized to perform: ecr:X on resource: ARN because
 * no identity-based policy allows the ecr:X action". In the arena.
 */
struct slice authorize_sentence(const struct authorize_request *request,
    const struct authorize_decision *decision, struct arena *a);

#endif
