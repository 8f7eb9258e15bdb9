/*
 * What a request is about, and whether its caller may do that: what stands between the model and an operation's
 * function. Both read the columns of the operation's row (operations.h).
 */
#ifndef DRYDOCK_SERVER_ECR_PERMIT_H
#define DRYDOCK_SERVER_ECR_PERMIT_H

#include "server/call.h"

/*
 * Reads into c->repository what the request names, by a name or an ARN, and into c->account the registry that it names, by
 * registryId or that ARN, if it names one. Without a repository, or with a list of them, the name is absent.
 * False with c->error set: an ARN that is none of a repository of this region.
 */
bool ecr_read_resource(struct call *c);
/*
 * May the caller do this (server/access.h)? To the repository or each of the repositories that the request names, else to
 * the registry; with its tags. False with c->error set.
 */
bool ecr_permit(struct call *c);

#endif
