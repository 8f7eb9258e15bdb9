/*
 * What policies may ask about a call: the context keys that every request has, with room for those that its
 * operation adds (tags of the principal, of the resource, of the request).
 *
 *	struct policy_keys keys;
 *
 *	policy_keys_init(&keys, c, 1);
 *	policy_keys_put(&keys, "aws:ResourceTag/team", value);
 *	request.keys = keys.at, request.key_count = keys.count;
 */
#ifndef DRYDOCK_SERVER_POLICY_KEYS_H
#define DRYDOCK_SERVER_POLICY_KEYS_H

#include "protocol/policy_context.h"
#include "server/call.h"

struct policy_keys {
	struct policy_key *at;
	size_t count, room;
	struct arena *arena; /* the call's */
};

/*
 * aws:CurrentTime, aws:EpochTime (Drydock's clock), aws:SourceIp, aws:SecureTransport, aws:UserAgent,
 * aws:RequestedRegion; more: keys that may be put besides. What the principal and the resource say of
 * themselves, authorize adds.
 */
void policy_keys_init(struct policy_keys *k, struct call *c, size_t more);
/* An absent value is no key. Both are borrowed. */
void policy_keys_put(struct policy_keys *k, const char *name, struct slice value);
/* A key with several values; none is no key. */
void policy_keys_put_list(
    struct policy_keys *k, const char *name, const struct slice *values, size_t count);

#endif
