/*
 * Who exists, for --auth iam: accounts with their users, roles, access keys and policies, read from one JSON
 * file (testdata/iam/sample.json is an example to copy).
 *
 *	{"accounts": {"503561414328": {
 *	    "accessKeys": {ID: SECRET},                      of the account's root
 *	    "users": {NAME: {"accessKeys": {ID: SECRET}, "policies": {NAME: DOCUMENT}}},
 *	    "roles": {NAME: {"accessKeys": {...}, "policies": {...}, "trustPolicy": DOCUMENT,
 *	                     "maxSessionDuration": SECONDS}}}}}
 *
 * All members are optional. The access keys of a role act as a session of it whose name is "instance", as those do
 * that a machine is given. Pure; what is read is constant afterwards.
 */
#ifndef DRYDOCK_PROTOCOL_IAM_CONFIG_H
#define DRYDOCK_PROTOCOL_IAM_CONFIG_H

#include "protocol/authorize.h"

#include <stdint.h>

enum {
	IAM_CONFIG_BYTES_MAX = 1024 * 1024,
	IAM_SESSION_S_DEFAULT = 3600,
	IAM_SESSION_S_MAX = 43200
};

struct iam_principal {
	enum principal_kind kind; /* PRINCIPAL_ROLE: the role itself */
	struct slice account;
	struct slice name; /* absent: the account's root */
	struct slice arn;  /* "arn:aws:iam::503561414328:user/pipeline" */
	struct slice id;   /* "AIDA...", "AROA...", made from the ARN; of a root: its account */
	const struct policy_document *const *policies;
	size_t policy_count;
	const struct policy_document *trust; /* of a role; NULL: nobody may assume it */
	int64_t session_max_s;               /* of a role */
};

struct iam_key {
	struct slice id, secret;
	const struct iam_principal *owner;
};

struct iam_config {
	const struct iam_principal *principals; /* by ARN */
	size_t principal_count;
	const struct iam_key *keys; /* by id */
	size_t key_count;
};

/*
 * False: *why names the member (or the line) and what is wrong with it, in the arena. What *out holds is in the
 * arena, and outlives text.
 */
bool iam_config_parse(
    struct slice text, struct arena *a, struct iam_config *out, struct slice *why);

/* NULL when there is none. */
const struct iam_key *iam_config_key(const struct iam_config *config, struct slice id);
const struct iam_principal *iam_config_find(const struct iam_config *config, struct slice arn);

/* Who a principal is to policies; session names a role's session. Slices made are in the arena. */
void iam_principal_as(
    const struct iam_principal *who, struct slice session, struct arena *a, struct principal *out);
/*
 * The same of who has this ARN: a user, a root, or a role's session ("arn:aws:sts::...:assumed-role/NAME/SESSION").
 * False when nobody configured has it.
 */
bool iam_config_resolve(
    const struct iam_config *config, struct slice arn, struct arena *a, struct principal *out);

/* [\w+=,.@-], 1 to 64 of them: what users, roles and (from 2) sessions may be called. */
bool iam_name_valid(struct slice name);

#endif
