/*
 * Policies in the IAM policy language, read once (ecr-behaviour 7; IAM User Guide, "JSON policy element
 * reference").
 *
 * Known are the elements Version, Id, Statement and, within a statement, Sid, Effect, Principal or
 * NotPrincipal, Action or NotAction, Resource or NotResource, Condition. Whether a principal exists
 * cannot be known here: only its form is looked at. Pure, linear.
 */
#ifndef DRYDOCK_PROTOCOL_POLICY_DOCUMENT_H
#define DRYDOCK_PROTOCOL_POLICY_DOCUMENT_H

#include "protocol/policy_condition.h"

enum policy_kind {
	POLICY_OF_REPOSITORY, /* or of a registry: has principals, its actions must be ECR's */
	POLICY_OF_IDENTITY, /* of a user, group, role or session: no principals, actions of any service; must name
	                       resources, by ARN or "*" */
	POLICY_OF_TRUST /* of a role, who may assume it: has principals, no resources */
};

enum policy_principal_type {
	POLICY_EVERYBODY,
	POLICY_ACCOUNT, /* by its id, or its root's ARN */
	POLICY_AWS,     /* an ARN, or a unique id */
	POLICY_SERVICE,
	POLICY_FEDERATED,
	POLICY_CANONICAL
};

struct policy_principal {
	enum policy_principal_type type;
	struct slice name;    /* as written; "*" for everybody */
	struct slice account; /* of POLICY_ACCOUNT; else absent */
};

struct policy_statement {
	struct slice sid; /* absent: none */
	bool allow;
	bool not_principal, not_action, not_resource; /* the lists say who and what is not meant */
	const struct policy_principal *principals;
	size_t principal_count;
	const struct slice *actions; /* "ecr:...", with wildcards, any case; or "*" */
	size_t action_count;
	const struct policy_text *resources; /* none: whatever the policy belongs to */
	size_t resource_count;
	const struct policy_condition *conditions; /* all must be met */
	size_t condition_count;
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
bool policy_document_parse(struct slice text, enum policy_kind kind, struct arena *a,
    struct policy_document *out, const char **why);

/* "ecr:" and an operation of the model or one of the permissions without one, in any case;
 * wildcards allowed. */
bool policy_action_known(struct slice action);

#endif
