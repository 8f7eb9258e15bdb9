/*
 * May an account's replication write into a registry? The registry's policy says (ecr-behaviour 7, 8.2): the source
 * account, as its root, must be allowed ecr:ReplicateImage, and ecr:CreateRepository where the repository is to be
 * made. Into the account's own registries no policy is needed, but a Deny is one. Storage-internal.
 */
#ifndef DRYDOCK_STORAGE_REPLICATION_ACCESS_H
#define DRYDOCK_STORAGE_REPLICATION_ACCESS_H

#include "storage/core.h"
#include "storage/repositories/repository.h"

struct replication_access {
	struct slice source_account;
	const char *action;              /* "ecr:ReplicateImage" */
	const struct repository_key *to; /* the destination */
	int64_t to_id;                   /* its row; 0: it is not there yet */
};

/*
 * In a run function whose job has an arena. False with the job's error ERR_ACCESS_DENIED when it may not, also by a
 * policy that cannot be understood; or ERR_STORAGE_*.
 */
bool replication_allowed(
    struct store_tx *tx, struct store_job *job, const struct replication_access *access);

#endif
