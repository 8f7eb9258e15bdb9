/*
 * Repository and registry policies: their structure (ecr-behaviour 7; the IAM policy language,
 * resource-based).
 *
 * Known are the elements Version, Id, Statement and, within a statement, Sid, Effect, Principal or
 * NotPrincipal, Action or NotAction, Resource or NotResource, Condition. Actions must be ECR's.
 * Whether a principal exists cannot be known here: only its form is looked at. Pure, linear.
 */
#ifndef DRYDOCK_PROTOCOL_POLICY_DOCUMENT_H
#define DRYDOCK_PROTOCOL_POLICY_DOCUMENT_H

#include "protocol/arena.h"

enum policy_principal_type {
	POLICY_EVERYBODY,
	POLICY_AWS,
	POLICY_SERVICE,
	POLICY_FEDERATED,
	POLICY_CANONICAL
};

struct policy_principal {
	enum policy_principal_type type;
	struct slice name; /* as written; "*" for everybody */
};

struct policy_statement {
	struct slice sid; /* absent: none */
	bool allow;
	bool not_principal, not_action, not_resource; /* the lists say who and what is not meant */
	const struct policy_principal *principals;
	size_t principal_count;
	const struct slice *actions; /* "ecr:...", with wildcards, any case; or "*" */
	size_t action_count;
	const struct slice *resources;
	size_t resource_count;
	struct slice condition; /* its JSON; absent: none */
};

struct policy_document {
	struct slice version; /* "2008-10-17" when it has none, as IAM has it */
	struct policy_statement *statements;
	size_t count;
};

/*
 * False: *why says in words of ours what is wrong (ECR answers one text for all of it). What *out
 * holds is in the arena and outlives text.
 */
bool policy_document_parse(
    struct slice text, struct arena *a, struct policy_document *out, const char **why);

/* "ecr:" and an operation of the model or one of the permissions without one, in any case;
 * wildcards allowed. */
bool policy_action_known(struct slice action);

/* True when the action ("ecr:PutImage") is one that the statement is about. */
bool policy_statement_has_action(const struct policy_statement *s, struct slice action);

/*
 * True when an unconditional Deny keeps the principal (an ARN, and its account) from the action:
 * what SetRepositoryPolicy refuses to do to its own caller unless forced.
 */
bool policy_denies(const struct policy_document *policy, struct slice principal,
    struct slice account, struct slice action);

#endif
