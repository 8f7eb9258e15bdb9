#include "server/policy_keys.h"

#include "protocol/timestamp.h"

#include <assert.h>
#include <inttypes.h>

enum { OF_EVERY_CALL = 6 };

/* "127.0.0.1:40312" or "[::1]:40312", without the port. */
static struct slice address_of(struct slice remote)
{
	size_t end = remote.len;

	while (end && remote.at[end - 1] != ':')
		end--;
	remote.len = end ? end - 1 : remote.len;
	if (remote.len >= 2 && remote.at[0] == '[')
		return slice_of(remote.at + 1, remote.len - 2);
	return remote;
}

void policy_keys_put_list(
    struct policy_keys *k, const char *name, const struct slice *values, size_t count)
{
	if (count == 0)
		return;
	assert(k->count < k->room);
	k->at[k->count++] = (struct policy_key){slice_str(name), values, count};
}

void policy_keys_put(struct policy_keys *k, const char *name, struct slice value)
{
	struct slice *kept;

	if (!value.at)
		return;
	kept = arena_alloc(k->arena, sizeof(*kept));
	*kept = value;
	policy_keys_put_list(k, name, kept, 1);
}

/*
 * Where policies are not enforced they are only asked what ECR would say (SetRepositoryPolicy's lock-out),
 * and ECR is reached over TLS alone.
 */
static bool counts_as_secure(const struct call *c)
{
	enum auth_mode mode = c->app->config->auth;

	return c->req->secure || mode == AUTH_TOKEN || mode == AUTH_OPEN;
}

/* The only text of a request's own choice: as long as those of real clients, so that no pattern takes long over it. */
enum { USER_AGENT_MAX = 1024 };

static struct slice user_agent(struct call *c)
{
	struct slice text = http_header_get(c->req, "user-agent");

	return text.len <= USER_AGENT_MAX ? text : slice_of(text.at, USER_AGENT_MAX);
}

void policy_keys_init(struct policy_keys *k, struct call *c, size_t more)
{
	int64_t now_ms = call_now_ms(c), now_s = now_ms / 1000;
	char *text = arena_alloc(c->arena, TIMESTAMP_TEXT_MAX);

	*k = (struct policy_keys){.room = OF_EVERY_CALL + more, .arena = c->arena};
	k->at = arena_array(c->arena, k->room, sizeof(*k->at));
	policy_keys_put(k, "aws:CurrentTime", timestamp_format(now_s * 1000, text));
	policy_keys_put(k, "aws:EpochTime", arena_slicef(c->arena, "%" PRId64, now_s));
	policy_keys_put(k, "aws:SourceIp", address_of(http_remote(c->req)));
	policy_keys_put(
	    k, "aws:SecureTransport", slice_str(counts_as_secure(c) ? "true" : "false"));
	policy_keys_put(k, "aws:UserAgent", user_agent(c));
	policy_keys_put(k, "aws:RequestedRegion", c->region);
}
