/*
 * What a web page may ask of a server on somebody's own machine: nothing, unless it is a page of that server.
 *
 * A browser sends whatever a page wants to any address that it can reach, this machine's among them, and says
 * whose page it was: Origin (Fetch, section 3.2; "null" for pages that are nobody's) and Sec-Fetch-Site (Fetch Metadata Request
 * Headers, section 2.3). It believes the page's own name for the server, too: whoever owns a name may make it mean
 * 127.0.0.1 (DNS rebinding), and then Origin and Host agree. So the names that count as ours are known beforehand;
 * an Origin is ours only when it equals Host and Host is such a name. Programs that are no browsers send neither
 * field, and are not concerned.
 *
 * Pure, linear.
 */
#ifndef DRYDOCK_PROTOCOL_BROWSER_RULES_H
#define DRYDOCK_PROTOCOL_BROWSER_RULES_H

#include "protocol/slice.h"

/* Names that this server has besides those that nobody else can have: in lower case, without a port. */
struct browser_names {
	const char *const *at;
	size_t count;
};

struct browser_request {
	bool secure;             /* it came over TLS */
	bool reads;              /* GET or HEAD: changes nothing */
	bool by_name;            /* what is asked for answers to its own names only */
	struct slice host;       /* the Host field; empty: there is none, and no browser */
	struct slice origin;     /* the Origin field; absent: there is none */
	struct slice fetch_site; /* Sec-Fetch-Site, the same */
};

enum browser_verdict {
	BROWSER_WELCOME,
	BROWSER_FOREIGN, /* it came from another site's page */
	BROWSER_MISNAMED /* by_name, and Host is no name of ours */
};

enum browser_verdict browser_judge(
    const struct browser_request *request, const struct browser_names *names);

/*
 * Whether a Host field (port allowed, any case) is a name of ours: a numeric address, a name without a dot, one
 * below localhost, one of ECR's or STS's own, or one of `names`. Nobody else can make one of these mean this machine.
 */
bool browser_host_ours(struct slice host, const struct browser_names *names);

#endif
