/* The rules for pages, in the order in which they refuse: see browser_rules.h. */
#include "protocol/browser_rules.h"

#include "protocol/ecr_host.h"

#include <arpa/inet.h>

/* The host without its port, an address in brackets without those, and a name without the root's dot. */
static struct slice bare_name(struct slice host)
{
	const char *end;

	if (host.len && host.at[0] == '[') {
		end = memchr(host.at, ']', host.len);
		return slice_of(host.at + 1, end ? (size_t)(end - host.at) - 1 : 0);
	}
	end = host.len ? memchr(host.at, ':', host.len) : NULL;
	if (end)
		host.len = (size_t)(end - host.at);
	if (host.len > 1 && host.at[host.len - 1] == '.')
		host.len--;
	return host;
}

static bool is_address(struct slice name)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (name.len >= sizeof(text))
		return false;
	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* RFC 6761 section 6.3: such names mean this machine, whatever a name server says. */
static bool below_localhost(struct slice name)
{
	static const struct slice suffix = SLICE(".localhost");

	return name.len > suffix.len &&
	    slice_eq_nocase(slice_skip(name, name.len - suffix.len), suffix);
}

bool browser_host_ours(struct slice host, const struct browser_names *names)
{
	struct slice name = bare_name(host), region;
	struct ecr_host parsed;

	if (name.len == 0)
		return false;
	if (!memchr(name.at, '.', name.len) || is_address(name) || below_localhost(name) ||
	    ecr_host_parse(name, &parsed) || sts_host_parse(name, &region))
		return true;
	for (size_t i = 0; i < names->count; i++)
		if (slice_eq_nocase(name, slice_str(names->at[i])))
			return true;
	return false;
}

/* "http://HOST" to the letter, as browsers write it. */
static bool origin_ours(const struct browser_request *request, const struct browser_names *names)
{
	struct slice scheme = slice_str(request->secure ? "https://" : "http://");

	return slice_starts(request->origin, scheme) &&
	    slice_eq_nocase(slice_skip(request->origin, scheme.len), request->host) &&
	    browser_host_ours(request->host, names);
}

/* "none" is the user's own doing; "same-site" another port or name of this machine, whose pages may look. */
static bool site_welcome(const struct browser_request *request)
{
	struct slice site = request->fetch_site;

	return !site.at || slice_is(site, "same-origin") || slice_is(site, "none") ||
	    (slice_is(site, "same-site") && request->reads);
}

enum browser_verdict browser_judge(
    const struct browser_request *request, const struct browser_names *names)
{
	if (request->by_name && request->host.len && !browser_host_ours(request->host, names))
		return BROWSER_MISNAMED;
	if ((request->origin.at && !origin_ours(request, names)) || !site_welcome(request))
		return BROWSER_FOREIGN;
	return BROWSER_WELCOME;
}
