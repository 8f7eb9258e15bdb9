/* What is asked: files, a data folder and the command line's words into a request. */
#include "protocol/model.h"
#include "protocol/names.h"
#include "protocol/timestamp.h"
#include "server/policy/explain.h"
#include "storage/repositories/document.h"
#include "storage/upkeep/peek.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

bool explain_fail(struct err *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return false;
}

void question_init(struct question *q)
{
	memset(q, 0, sizeof(*q));
	arena_init(&q->arena);
}

void question_release(struct question *q)
{
	for (size_t i = 0; i < q->identity_count; i++)
		cJSON_Delete(q->identity[i].tree);
	cJSON_Delete(q->session.tree);
	cJSON_Delete(q->repository.tree);
	cJSON_Delete(q->registry.tree);
	arena_release(&q->arena);
}

/* ---- the context ---- */

static struct policy_key *find_key(struct question *q, struct slice name)
{
	for (size_t i = 0; i < q->key_count; i++)
		if (slice_eq_nocase(q->keys[i].name, name))
			return &q->keys[i];
	return NULL;
}

static bool add_value(struct question *q, struct slice name, struct slice value, struct err *err)
{
	struct policy_key *key = find_key(q, name);
	struct slice *values;

	if (!key && q->key_count == EXPLAIN_KEYS_MAX)
		return explain_fail(err, "there are more than %d context keys", EXPLAIN_KEYS_MAX);
	if (!key) {
		key = &q->keys[q->key_count++];
		*key = (struct policy_key){.name = name};
	}
	values = arena_array(&q->arena, key->count + 1, sizeof(*values));
	if (key->count)
		memcpy(values, key->values, key->count * sizeof(*values));
	values[key->count++] = value;
	key->values = values;
	return true;
}

bool question_add_key(struct question *q, const char *word, struct err *err)
{
	struct slice rest = slice_str(word), name = slice_cut(&rest, '=');

	if (!strchr(word, '=') || !memchr(name.at, ':', name.len))
		return explain_fail(err,
		    "--context expects KEY=VALUE, such as aws:SourceIp=203.0.113.9, not \"%.100s\"",
		    word);
	return add_value(q, name, rest, err);
}

/* What every request has, where the command line says nothing of it. */
static bool add_default(struct question *q, const char *name, struct slice value, struct err *err)
{
	return find_key(q, slice_str(name)) || add_value(q, slice_str(name), value, err);
}

static bool add_defaults(struct question *q, struct err *err)
{
	int64_t now_s = (int64_t)time(NULL);
	char *text = arena_alloc(&q->arena, TIMESTAMP_TEXT_MAX);

	return add_default(q, "aws:CurrentTime", timestamp_format(now_s * 1000, text), err) &&
	    add_default(q, "aws:EpochTime", arena_slicef(&q->arena, "%" PRId64, now_s), err) &&
	    add_default(q, "aws:RequestedRegion", slice_str(q->config.region), err);
}

/* ---- policies ---- */

static bool load_text(struct question *q, const char *from, struct slice text,
    enum policy_kind kind, struct loaded_policy *out, struct err *err)
{
	const char *why = "";

	if (!policy_document_parse(text, kind, &q->arena, &out->document, &why))
		return explain_fail(err, "%.300s is no policy that is accepted: %s", from, why);
	out->tree = json_parse(text);
	out->from = from;
	return true;
}

static bool read_file(struct question *q, const char *path, struct slice *out, struct err *err)
{
	FILE *file = fopen(path, "re");
	char *text = arena_alloc(&q->arena, EXPLAIN_FILE_MAX + 1);
	size_t len = file ? fread(text, 1, EXPLAIN_FILE_MAX + 1, file) : 0;
	bool good = file && !ferror(file);
	int failure = errno;

	if (file)
		fclose(file);
	if (!good)
		return explain_fail(err, "%.300s: %s", path, strerror(failure));
	if (len > EXPLAIN_FILE_MAX)
		return explain_fail(err, "%.300s is larger than a policy can be", path);
	*out = slice_of(text, len);
	return true;
}

/* path NULL: nothing to do. */
static bool load_file(struct question *q, const char *path, enum policy_kind kind,
    struct loaded_policy *out, struct err *err)
{
	struct slice text;

	return !path ||
	    (read_file(q, path, &text, err) && load_text(q, path, text, kind, out, err));
}

static bool load_identity(struct question *q, struct err *err)
{
	struct slice text;

	if (q->iam_file &&
	    (!read_file(q, q->iam_file, &text, err) || !question_load_iam(q, text, err)))
		return false;
	for (size_t i = 0; i < q->identity_file_count; i++) {
		struct loaded_policy *policy = &q->identity[q->identity_count];

		if (q->identity_count == EXPLAIN_POLICIES_MAX)
			return explain_fail(
			    err, "there are more than %d identity policies", EXPLAIN_POLICIES_MAX);
		if (!load_file(q, q->identity_files[i], POLICY_OF_IDENTITY, policy, err))
			return false;
		q->identity_documents[q->identity_count++] = &policy->document;
	}
	return true;
}

/* ---- the data folder ---- */

/* A policy that is kept there, unless a file takes its place. */
static bool load_stored(struct question *q, struct store_reader *reader, enum document_kind kind,
    struct slice name, struct loaded_policy *out, struct err *err)
{
	struct document_key key = {
	    slice_str(q->config.account), slice_str(q->config.region), kind, name};
	struct document found;
	enum error_code code;

	if (out->from)
		return true;
	code = document_get(reader, &key, &q->arena, &found);
	if (code == ERR_REPOSITORY_POLICY_NOT_FOUND || code == ERR_REGISTRY_POLICY_NOT_FOUND)
		return true;
	if (code == ERR_REPOSITORY_NOT_FOUND)
		return explain_fail(err,
		    "there is no repository %.*s in account %s, region %s of %.200s",
		    SLICE_ARG(name), q->config.account, q->config.region, q->config.data);
	if (code != ERR_NONE)
		return explain_fail(err, "the data folder %.200s cannot be read: %.200s",
		    q->config.data, store_reader_cause(reader));
	return load_text(q, q->config.data, found.text, POLICY_OF_REPOSITORY, out, err);
}

/* Its tags are keys of the context: aws:ResourceTag/KEY and ecr:ResourceTag/KEY. */
static bool load_tags(struct question *q, struct store_reader *reader, struct err *err)
{
	struct repository_key key = {
	    slice_str(q->config.account), slice_str(q->config.region), q->repository_name};
	struct resource_tag tags[RESOURCE_TAGS_MAX];
	struct repository found;
	size_t count = 0;
	enum error_code code = repository_find(reader, &key, &q->arena, &found);

	if (code == ERR_REPOSITORY_NOT_FOUND)
		return true; /* its policy comes from a file, or load_stored has said so */
	if (code == ERR_NONE)
		code = repository_tags(reader, found.id, &q->arena, tags, &count);
	if (code != ERR_NONE)
		return explain_fail(err, "the data folder %.200s cannot be read: %.200s",
		    q->config.data, store_reader_cause(reader));
	for (size_t i = 0; i < count; i++)
		for (int j = 0; j < 2; j++) {
			char *name = arena_printf(&q->arena, "%s:ResourceTag/%.*s",
			    j ? "ecr" : "aws", SLICE_ARG(tags[i].key));

			if (!add_default(q, name, tags[i].value, err))
				return false;
		}
	return true;
}

static bool load_data(struct question *q, struct err *err)
{
	struct store_reader *reader;
	struct peek *peek;
	bool good;

	if (!q->data)
		return true;
	peek = peek_open(q->config.data, err);
	if (!peek)
		return false;
	reader = peek_reader(peek);
	good = load_stored(q, reader, DOCUMENT_REGISTRY_POLICY, slice_str(""), &q->registry, err);
	if (good && q->repository_name.at)
		good = load_stored(q, reader, DOCUMENT_REPOSITORY_POLICY, q->repository_name,
			   &q->repository, err) &&
		    load_tags(q, reader, err);
	peek_close(peek);
	return good;
}

/* ---- who, what, on what ---- */

static bool read_principal(struct question *q, struct err *err)
{
	struct slice arn = slice_str(q->principal);

	if (!arn.at)
		return explain_fail(err, "--principal is missing: whose request it is");
	if (!principal_of_arn(arn, &q->arena, &q->who))
		return explain_fail(err,
		    "--principal expects the ARN of a user, a role, a role's session or an account's "
		    "root, or an account's id, not \"%.200s\"",
		    q->principal);
	return true;
}

static bool read_action(struct question *q, struct err *err)
{
	struct slice action = slice_str(q->action);

	if (!action.at)
		return explain_fail(err, "--action is missing: such as ecr:PutImage");
	if (memchr(action.at, '*', action.len) || memchr(action.at, '?', action.len) ||
	    !policy_action_known(action))
		return explain_fail(err,
		    "--action expects one of Amazon ECR's, such as ecr:PutImage, not \"%.100s\"",
		    q->action);
	q->request.action = action;
	return true;
}

/* arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME, which says whose registry is meant. */
static bool read_arn(struct question *q, struct slice arn)
{
	static const struct slice head = SLICE("repository/");
	struct slice rest = arn, region, account;

	slice_cut(&rest, ':');
	if (!slice_starts(slice_cut(&rest, ':'), slice_str("aws")) ||
	    !slice_is(slice_cut(&rest, ':'), "ecr"))
		return false;
	region = slice_cut(&rest, ':');
	account = slice_cut(&rest, ':');
	if (!region_valid(region) || !account_id_valid(account) || !slice_starts(rest, head))
		return false;
	snprintf(q->config.region, sizeof(q->config.region), "%.*s", SLICE_ARG(region));
	snprintf(q->config.account, sizeof(q->config.account), "%.*s", SLICE_ARG(account));
	rest = slice_skip(rest, head.len);
	if (repository_name_valid(rest))
		q->repository_name = rest;
	q->request.resource = arn;
	return rest.len > 0;
}

static bool read_resource(struct question *q, struct err *err)
{
	struct slice resource = slice_str(q->resource ? q->resource : "*");

	q->request.resource = resource;
	if (slice_is(resource, "*"))
		return true;
	if (slice_starts(resource, slice_str("arn:")) && read_arn(q, resource))
		return true;
	if (!repository_name_valid(resource))
		return explain_fail(err,
		    "--resource expects a repository's name or ARN, or \"*\", not \"%.200s\"",
		    q->resource);
	q->repository_name = resource;
	q->request.resource = arena_slicef(&q->arena, "arn:%s:ecr:%s:%s:repository/%.*s",
	    partition_of_region(slice_str(q->config.region)), q->config.region, q->config.account,
	    SLICE_ARG(resource));
	return true;
}

bool question_read(struct question *q, struct err *err)
{
	if (!read_principal(q, err) || !read_action(q, err))
		return false;
	if (!q->account)
		snprintf(q->config.account, sizeof(q->config.account), "%.*s",
		    SLICE_ARG(q->who.account));
	return read_resource(q, err);
}

bool question_load(struct question *q, struct err *err)
{
	if (!load_identity(q, err) ||
	    !load_file(q, q->session_file, POLICY_OF_IDENTITY, &q->session, err) ||
	    !load_file(q, q->repository_file, POLICY_OF_REPOSITORY, &q->repository, err) ||
	    !load_file(q, q->registry_file, POLICY_OF_REPOSITORY, &q->registry, err) ||
	    !load_data(q, err) || !add_defaults(q, err))
		return false;
	q->who.identity = q->identity_documents;
	q->who.identity_count = q->identity_count;
	q->who.session = q->session.from ? &q->session.document : NULL;
	q->request.principal = &q->who;
	q->request.resource_account = slice_str(q->config.account);
	q->request.repository_policy = q->repository.from ? &q->repository.document : NULL;
	q->request.registry_policy = q->registry.from ? &q->registry.document : NULL;
	q->request.keys = q->keys;
	q->request.key_count = q->key_count;
	return true;
}
