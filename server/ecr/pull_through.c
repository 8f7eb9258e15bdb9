/* Pull through cache rules (ecr-behaviour 2.9, 8.1). Nothing is fetched by them in this version. */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/ecr_members.h"
#include "server/ecr/operations.h"

#include "protocol/ecr_host.h"
#include "protocol/names.h"

/* ---- upstreams ---- */

static const struct upstream {
	const char *name; /* upstreamRegistry */
	const char *url;  /* a host, or ".SUFFIX" of hosts; NULL: a registry of ECR's */
	bool needs_secret;
} upstreams[] = {
    {"ecr-public", "public.ecr.aws", false},
    {"k8s", "registry.k8s.io", false},
    {"quay", "quay.io", false},
    {"docker-hub", "registry-1.docker.io", true},
    {"github-container-registry", "ghcr.io", true},
    {"gitlab-container-registry", "registry.gitlab.com", true},
    {"azure-container-registry", ".azurecr.io", true},
    {"chainguard", "cgr.dev", true},
    {"ecr", NULL, false},
};

enum { UPSTREAM_COUNT = sizeof(upstreams) / sizeof(upstreams[0]), HOST_MAX = 253 };

static bool url_fits(const struct upstream *u, struct slice url, struct ecr_host *host)
{
	struct slice known = slice_str(u->url);

	if (url.len > HOST_MAX)
		return false;
	if (!u->url)
		return ecr_host_parse(url, host) && host->account.at && slice_eq(host->name, url);
	if (known.at[0] == '.')
		return url.len > known.len && slice_ends(url, known);
	return slice_eq(url, known);
}

static bool refuse_upstream(struct call *c, const char *format, struct slice url)
{
	call_fail(c, ERR_UPSTREAM_UNSUPPORTED)->detail =
	    arena_slicef(c->arena, format, SLICE_ARG(url));
	return false;
}

/* Which upstream the URL is of; it must be the one that upstreamRegistry names, when it names one.
 */
static const struct upstream *find_upstream(struct call *c, struct ecr_host *host)
{
	struct slice url = json_string(ecr_input(c), "upstreamRegistryUrl");
	struct slice name = json_string(ecr_input(c), "upstreamRegistry");
	const struct upstream *found = NULL;

	for (int i = 0; i < UPSTREAM_COUNT && !found; i++)
		if (url_fits(&upstreams[i], url, host))
			found = &upstreams[i];
	if (found && (!name.at || slice_is(name, found->name)))
		return found;
	refuse_upstream(c, "The upstream registry URL %.*s is invalid.", url);
	return NULL;
}

/* "arn:aws:secretsmanager:REGION:ACCOUNT:secret:...": ECR takes secrets of its own region and
 * account. */
static bool check_secret(struct call *c)
{
	struct slice arn = json_string(ecr_input(c), "credentialArn"), left = arn, region, account;

	if (!arn.at)
		return true;
	for (int i = 0; i < 3; i++)
		slice_cut(&left, ':');
	region = slice_cut(&left, ':');
	account = slice_cut(&left, ':');
	if (slice_eq(region, c->region) && slice_eq(account, c->account))
		return true;
	call_fail(c, ERR_SECRET_INACCESSIBLE)->detail = arena_slicef(c->arena,
	    "The secret with ARN '%.*s' is not in the region %.*s of the account %.*s",
	    SLICE_ARG(arn), SLICE_ARG(c->region), SLICE_ARG(c->account));
	return false;
}

static bool check_rule(struct call *c, const struct upstream *upstream, const struct ecr_host *host)
{
	const cJSON *in = ecr_input(c);
	struct slice url = json_string(in, "upstreamRegistryUrl");
	struct slice prefix = json_string(in, "upstreamRepositoryPrefix");

	if (upstream->needs_secret && !json_string(in, "credentialArn").at)
		return refuse_upstream(
		    c, "The upstream registry URL %.*s requires authentication.", url);
	if (!upstream->url && !slice_eq(host->account, c->account) &&
	    !json_string(in, "customRoleArn").at) {
		call_fail_parameter(c, "customRoleArn",
		    "Member must not be null when the upstream registry is of another account");
		return false;
	}
	if (slice_is(json_string(in, "ecrRepositoryPrefix"), "ROOT") && prefix.at &&
	    !slice_is(prefix, "ROOT")) {
		call_fail_parameter(c, "upstreamRepositoryPrefix",
		    "Member must be ROOT when ecrRepositoryPrefix is ROOT");
		return false;
	}
	return check_secret(c);
}

/* ---- rules as they are kept: an object of the members of PullThroughCacheRule ---- */

static const struct model_shape *rule_shape(void)
{
	const struct model_operation *describe =
	    model_find(&model_ecr, slice_str("DescribePullThroughCacheRules"));

	return ecr_shape_member(describe->output, "pullThroughCacheRules")->element;
}

static struct slice rule_text(struct call *c, const struct upstream *upstream)
{
	const cJSON *in = ecr_input(c);
	struct slice prefix = json_string(in, "upstreamRepositoryPrefix");
	struct json_writer w;
	struct buf out;

	buf_init(&out, c->arena, 64 * 1024, 512);
	json_begin(&w, &out);
	json_object(&w);
	json_put_str(&w, "ecrRepositoryPrefix", json_string(in, "ecrRepositoryPrefix"));
	json_put_str(&w, "upstreamRegistryUrl", json_string(in, "upstreamRegistryUrl"));
	json_put_str(&w, "registryId", c->account);
	json_put_cstr(&w, "upstreamRegistry", upstream->name);
	json_put_str(&w, "credentialArn", json_string(in, "credentialArn"));
	json_put_str(&w, "customRoleArn", json_string(in, "customRoleArn"));
	json_put_str(&w, "upstreamRepositoryPrefix", prefix.at ? prefix : slice_str("ROOT"));
	json_object_end(&w);
	return buf_slice(&out);
}

/* What the operation's answer has of the rule. */
static struct json_writer *begin_rule(struct call *c, struct slice text)
{
	struct json_writer *w = ecr_begin(c);

	ecr_write_text(w, ecr_model(c)->output, text);
	return w;
}

/* ---- operations ---- */

static struct slice rule_name(const struct call *c)
{
	return ecr_prefix_name(json_string(ecr_input(c), "ecrRepositoryPrefix"));
}

static enum http_step created(struct call *c)
{
	const struct document_put *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	json_put_time(begin_rule(c, job->text), "createdAt", job->put.created_ms);
	return ecr_reply(c);
}

enum http_step op_create_pull_through_cache_rule(struct call *c)
{
	struct ecr_host host = {{0}, {0}, {0}};
	const struct upstream *upstream = find_upstream(c, &host);

	if (!upstream || !check_rule(c, upstream, &host))
		return ecr_error(c);
	return ecr_put_document(c, DOCUMENT_PULL_THROUGH_RULE, rule_name(c), DOCUMENT_MAKE,
	    rule_text(c, upstream), created);
}

/* The old rule with the request's members instead of its own; empty ones are taken out. */
static struct slice updated_text(struct call *c, struct slice old)
{
	cJSON *rule = json_parse(old);
	struct slice text;
	static const char *const names[] = {"credentialArn", "customRoleArn"};

	for (size_t i = 0; i < 2; i++) {
		struct slice value = json_string(ecr_input(c), names[i]);

		if (!value.at)
			continue;
		cJSON_DeleteItemFromObjectCaseSensitive(rule, names[i]);
		if (value.len)
			cJSON_AddStringToObject(rule, names[i], value.at);
	}
	text = ecr_value_text(c, rule_shape(), rule);
	cJSON_Delete(rule);
	return text;
}

static enum http_step updated(struct call *c)
{
	const struct document_put *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	if (job->stale)
		return op_update_pull_through_cache_rule(c);
	json_put_time(begin_rule(c, job->text), "updatedAt", job->put.updated_ms);
	return ecr_reply(c);
}

enum http_step op_update_pull_through_cache_rule(struct call *c)
{
	struct document old;

	if (!ecr_get_document(c, DOCUMENT_PULL_THROUGH_RULE, rule_name(c), &old) ||
	    !check_secret(c))
		return ecr_error(c);
	return ecr_replace_document(
	    c, DOCUMENT_PULL_THROUGH_RULE, &old, updated_text(c, old.text), updated);
}

static enum http_step deleted(struct call *c)
{
	const struct document_delete *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	json_put_time(begin_rule(c, job->deleted.text), "createdAt", job->deleted.created_ms);
	return ecr_reply(c);
}

enum http_step op_delete_pull_through_cache_rule(struct call *c)
{
	return ecr_delete_document(c, DOCUMENT_PULL_THROUGH_RULE, rule_name(c), deleted);
}

/* Honest: there is nothing in this version that could reach an upstream. */
enum http_step op_validate_pull_through_cache_rule(struct call *c)
{
	struct document found;
	struct json_writer *w;

	if (!ecr_get_document(c, DOCUMENT_PULL_THROUGH_RULE, rule_name(c), &found))
		return ecr_error(c);
	w = begin_rule(c, found.text);
	json_put_bool(w, "isValid", false);
	json_put_cstr(w, "failure",
	    "No upstream registry can be reached: this version of Drydock does not fetch images "
	    "from "
	    "upstream registries");
	return ecr_reply(c);
}

static void write_rule(struct json_writer *w, const struct document *rule)
{
	json_object(w);
	ecr_write_text(w, rule_shape(), rule->text);
	json_put_time(w, "createdAt", rule->created_ms);
	json_put_time(w, "updatedAt", rule->updated_ms);
	json_object_end(w);
}

/* All of them or none: the first prefix that is not there fails the call. */
static enum http_step describe_named(struct call *c, const cJSON *prefixes)
{
	struct json_writer *w = ecr_begin(c);
	const cJSON *prefix;

	json_put_array(w, "pullThroughCacheRules");
	cJSON_ArrayForEach(prefix, prefixes) {
		struct slice name = ecr_prefix_name(slice_str(prefix->valuestring));
		struct document found;

		if (!ecr_get_document(c, DOCUMENT_PULL_THROUGH_RULE, name, &found))
			return ecr_error(c);
		write_rule(w, &found);
	}
	json_array_end(w);
	return ecr_reply(c);
}

enum http_step op_describe_pull_through_cache_rules(struct call *c)
{
	struct document_key key = ecr_document_key(c, DOCUMENT_PULL_THROUGH_RULE, slice_str(""));
	const cJSON *prefixes = json_member(ecr_input(c), "ecrRepositoryPrefixes");
	struct slice context = ecr_list_context(c, "pull-through");
	struct document_page found;
	struct json_writer *w;
	struct ecr_page page;
	enum error_code code;

	if (!ecr_read_page(c, "ecrRepositoryPrefixes", context, &page))
		return ecr_error(c);
	if (prefixes)
		return describe_named(c, prefixes);
	code = document_list(c->reader, &key, page.after, page.limit, c->arena, &found);
	if (code != ERR_NONE)
		return ecr_fail(c, code);
	w = ecr_begin(c);
	json_put_array(w, "pullThroughCacheRules");
	for (size_t i = 0; i < found.count; i++)
		write_rule(w, &found.at[i]);
	json_array_end(w);
	if (found.more)
		ecr_write_next(c, w, context, found.at[found.count - 1].name);
	return ecr_reply(c);
}
