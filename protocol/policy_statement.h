/*
 * Is a statement about this request? Its principals, actions, resources and conditions, and which of
 * them says no. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_POLICY_STATEMENT_H
#define DRYDOCK_PROTOCOL_POLICY_STATEMENT_H

#include "protocol/policy_document.h"

enum principal_kind {
	PRINCIPAL_ROOT, /* arn:aws:iam::ACCOUNT:root: all is allowed in its own account */
	PRINCIPAL_USER, /* arn:aws:iam::ACCOUNT:user/NAME */
	PRINCIPAL_ROLE  /* a session: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION */
};

/* Who asks. Everything is borrowed for the call. */
struct principal {
	enum principal_kind kind;
	struct slice arn;      /* as GetCallerIdentity tells it */
	struct slice role_arn; /* of a session: arn:aws:iam::ACCOUNT:role/NAME; else absent */
	struct slice account;
	struct slice user_name; /* aws:username, of users; else absent */
	struct slice user_id;   /* aws:userid, "AIDA..." or "AROA...:SESSION"; absent: not known */
	const struct policy_document *const *identity; /* its own, its groups' and its role's */
	size_t identity_count;
	const struct policy_document
	    *session; /* of AssumeRole's Policy: only narrows; NULL: none */
};

/*
 * Reads an ARN of a user, an account's root, a role's session or a role (whose session is then called
 * "session"), or twelve digits, which are the account's root. Without policies and ids. What is not in arn is in the arena. False: it is none of these.
 */
bool principal_of_arn(struct slice arn, struct arena *a, struct principal *out);

/* How a statement's Principal names the one who asks. What it is good for is authorize's to say. */
enum principal_match {
	PRINCIPAL_NOT_NAMED,
	PRINCIPAL_BY_ACCOUNT, /* the account's id or its root's ARN */
	PRINCIPAL_BY_ROLE,    /* the role whose session asks */
	PRINCIPAL_BY_NAME     /* itself; or everybody; or NotPrincipal does not name it */
};

enum statement_verdict {
	STATEMENT_APPLIES,
	STATEMENT_OTHER_PRINCIPAL,
	STATEMENT_OTHER_ACTION,
	STATEMENT_OTHER_RESOURCE,
	STATEMENT_VARIABLE, /* its NotResource has a variable without a value */
	STATEMENT_CONDITION_NOT_MET
};

struct statement_request {
	const struct principal *principal;
	struct slice action;   /* "ecr:PutImage" */
	struct slice resource; /* an ARN, or "*" */
	const struct policy_context *context;
};

struct statement_judgement {
	enum statement_verdict verdict;
	enum principal_match principal; /* statements without a Principal: PRINCIPAL_BY_NAME */
	const struct policy_condition *condition; /* the first that is not met */
};

void policy_statement_judge(const struct policy_statement *s,
    const struct statement_request *request, struct arena *scratch,
    struct statement_judgement *out);

#endif
