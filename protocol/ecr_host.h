/*
 * ECR's host names: {account}.dkr.ecr.{region}.amazonaws.com (and .amazonaws.com.cn, .on.aws,
 * .localhost), api.ecr.{region}.amazonaws.com, ecr.{region}.api.aws, and ECR's ecr-fips and dkr-ecr
 * spellings of them. Pure; slices borrow from the host.
 */
#ifndef DRYDOCK_PROTOCOL_ECR_HOST_H
#define DRYDOCK_PROTOCOL_ECR_HOST_H

#include "protocol/slice.h"

struct ecr_host {
	struct slice account; /* absent for the API's names */
	struct slice region;
	struct slice name; /* the host without its port */
};

/*
 * Reads a Host header (port allowed, any case except in the region: a region in upper case is none);
 * false when it is not a name of ECR's.
 */
bool ecr_host_parse(struct slice host, struct ecr_host *out);

/*
 * The same for STS's: sts.amazonaws.com, which is in us-east-1, sts.{region}.amazonaws.com and its FIPS,
 * Chinese, dual-stack and .localhost forms. region is filled only for these.
 */
bool sts_host_parse(struct slice host, struct slice *region);

/*
 * Whether name, in lower case and without a port, is one that AWS's clients reach Drydock's services
 * by: a name of ECR's, or one of STS's, which scripts ask for their account.
 */
bool aws_host_served(struct slice name);

#endif
