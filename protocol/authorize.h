/*
 * May this principal do this? IAM's evaluation for ECR (ecr-behaviour 6.1, 7; IAM User Guide "Policy
 * evaluation logic", its table of resource-based policies and implicit denies, and "Cross-account policy
 * evaluation logic").
 *
 *	1. A Deny that applies, in any policy, refuses: the account's root too.
 *	2. The root may do all in its own account.
 *	3. In one account the repository's policy or the registry's (scope V2: a resource-based policy of all that
 *	   is in the registry) is enough when it names the user, the role's session or everybody; when it names
 *	   the role, a session policy must allow too; when it names the account it leaves the matter to the
 *	   identity policies. Otherwise an identity policy must allow, and the session policy where there is one.
 *	4. Across accounts a repository or registry policy must allow (naming the account is enough), and the
 *	   caller's own side as in 3; the root's own side always does.
 *	5. ecr:GetAuthorizationToken is allowed by identity policies alone.
 *
 * Pure; the caller brings the policies, parsed, and the facts of the request. Cost: each statement is looked
 * at once; nothing backtracks.
 *
 *	struct authorize_request request = {.principal = &who, .action = slice_str("ecr:PutImage"), ...};
 *	struct authorize_decision decision;
 *
 *	authorize(&request, arena, &decision);
 *	if (!decision.allowed)
 *		... authorize_sentence(&request, &decision, arena) ...
 */
#ifndef DRYDOCK_PROTOCOL_AUTHORIZE_H
#define DRYDOCK_PROTOCOL_AUTHORIZE_H

#include "protocol/policy_statement.h"

struct authorize_request {
	const struct principal *principal;
	struct slice action;           /* "ecr:PutImage" */
	struct slice resource;         /* an ARN, or "*" for what is the registry's */
	struct slice resource_account; /* whose registry */
	/* NULL: none, or no repository is meant. For sts:AssumeRole the role's trust policy. */
	const struct policy_document *repository_policy;
	const struct policy_document *registry_policy; /* NULL: none */
	/* Trust policies: without their Allow (or their leaving it to the account) nothing is allowed. */
	bool resource_must_allow;
	/*
	 * The context: aws:SourceIp, aws:SecureTransport, aws:CurrentTime, aws:PrincipalTag/KEY,
	 * aws:ResourceTag/KEY, ... Where they are not among these, aws:PrincipalArn (of a session its role's),
	 * aws:PrincipalAccount, aws:PrincipalType, aws:username, aws:userid, aws:ResourceAccount,
	 * aws:PrincipalIsAWSService and aws:ViaAWSService are told from the principal and the resource.
	 */
	const struct policy_key *keys;
	size_t key_count;
};

enum authorize_source { /* whose policy */
	AUTHORIZE_IDENTITY,
	AUTHORIZE_SESSION,
	AUTHORIZE_REPOSITORY,
	AUTHORIZE_REGISTRY,
	AUTHORIZE_ACCOUNT /* none: the account's root, in its own account */
};

/* A statement that was looked at. */
struct authorize_step {
	enum authorize_source source;
	size_t policy;    /* index into identity, for AUTHORIZE_IDENTITY; else 0 */
	size_t statement; /* index into the policy's */
	const struct policy_statement *at;
	struct statement_judgement judgement;
};

enum { AUTHORIZE_GROUNDS_MAX = 3 };

struct authorize_decision {
	bool allowed;
	bool explicit_deny;
	/* Whose statement decided; when it is refused without a Deny, whose Allow is missing. */
	enum authorize_source source;
	/* The Deny; or what allows it: the resource's side, the identity's, the session's. */
	struct authorize_step grounds[AUTHORIZE_GROUNDS_MAX];
	size_t ground_count;
};

/* scratch: for variables of policies; what *out holds is borrowed from request, not from there. */
void authorize(
    const struct authorize_request *request, struct arena *scratch, struct authorize_decision *out);

/* The same; *steps, in the arena, are all statements in the order in which they were looked at. */
void authorize_traced(const struct authorize_request *request, struct arena *a,
    struct authorize_decision *out, const struct authorize_step **steps, size_t *count);

/* What conditions and variables are held against: the request's keys, and those told from it. In the arena. */
struct policy_context authorize_context(const struct authorize_request *request, struct arena *a);

/*
 * ECR's sentence for a refusal: "User: ARN is not authorized to perform: ecr:X on resource: ARN because
 * no identity-based policy allows the ecr:X action". In the arena.
 */
struct slice authorize_sentence(const struct authorize_request *request,
    const struct authorize_decision *decision, struct arena *a);

#endif
