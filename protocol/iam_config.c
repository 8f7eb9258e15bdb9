/*
 * The file's tree is walked once, with the path to each value at hand, so that the first fault is told with its
 * place.
 *
 * Unknown members and doubled ones are faults: a "policies" with a slip of the pen would else be no policy at all,
 * silently. Principals and keys are sorted at the end and found by binary search; no key may be there twice, in
 * whatever accounts.
 */
#include "protocol/iam_config.h"

#include "protocol/digest.h"
#include "protocol/names.h"

#include <stdlib.h>

enum { NAME_MAX_LEN = 64, KEY_ID_MIN = 16, KEY_ID_MAX = 128, SECRET_MIN = 8, SECRET_MAX = 128 };

struct reader {
	struct arena *arena;
	struct slice *why;
	struct iam_principal *principals;
	size_t principal_count;
	struct iam_key *keys;
	size_t key_count;
};

static bool fault(struct reader *r, const char *where, const char *why)
{
	*r->why = arena_slicef(r->arena, "%s: %s", where, why);
	return false;
}

static const char *below(struct reader *r, const char *where, const char *member)
{
	return arena_printf(r->arena, "%s%s%.200s", where, *where ? "." : "", member);
}

/* ---- small grammars ---- */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    (c && strchr("_+=,.@-", c));
}

bool iam_name_valid(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_name_char(name.at[i]))
			return false;
	return name.len >= 1 && name.len <= NAME_MAX_LEN;
}

static bool key_id_valid(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!is_name_char(id.at[i]) || strchr("+=,.@-", id.at[i]))
			return false;
	return id.len >= KEY_ID_MIN && id.len <= KEY_ID_MAX;
}

static bool secret_valid(struct slice secret)
{
	for (size_t i = 0; i < secret.len; i++)
		if (secret.at[i] <= ' ' || secret.at[i] > '~')
			return false;
	return secret.len >= SECRET_MIN && secret.len <= SECRET_MAX;
}

/* ---- objects ---- */

/* False when value is no object, has a member that names (NULL: any) does not list, or one twice. */
static bool check_object(
    struct reader *r, const char *where, const cJSON *value, const char *const *names)
{
	const cJSON *member;

	if (!cJSON_IsObject(value))
		return fault(r, where, "this must be an object");
	cJSON_ArrayForEach(member, value) {
		size_t i = 0;

		while (names && names[i] && strcmp(names[i], member->string) != 0)
			i++;
		if (names && !names[i])
			return fault(r, below(r, where, member->string),
			    "there is no member of this name here");
		/* json_member takes the last of a name: an earlier one is told by that */
		if (cJSON_GetObjectItemCaseSensitive(value, member->string) != member)
			return fault(
			    r, below(r, where, member->string), "this name is there twice");
	}
	return true;
}

/* ---- access keys ---- */

static bool read_keys(
    struct reader *r, const char *where, const cJSON *list, const struct iam_principal *owner)
{
	const cJSON *item;

	if (!list)
		return true;
	if (!check_object(r, where, list, NULL))
		return false;
	cJSON_ArrayForEach(item, list) {
		const char *here = below(r, where, item->string);
		struct slice id = slice_str(item->string);

		if (!key_id_valid(id))
			return fault(r, here,
			    "an access key's id must have 16 to 128 letters, digits and _");
		if (slice_starts(id, slice_str("ASIA")))
			return fault(r, here,
			    "access key ids that begin with ASIA are those of temporary credentials");
		if (!cJSON_IsString(item) || !secret_valid(slice_str(item->valuestring)))
			return fault(r, here,
			    "a secret access key must be a string of 8 to 128 printable characters");
		r->keys[r->key_count++] = (struct iam_key){arena_dup(r->arena, id),
		    arena_dup(r->arena, slice_str(item->valuestring)), owner};
	}
	return true;
}

/* ---- policies ---- */

static const struct policy_document *read_document(
    struct reader *r, const char *where, const cJSON *value, enum policy_kind kind)
{
	struct policy_document *document = arena_zalloc(r->arena, sizeof(*document));
	char *text = cJSON_PrintUnformatted(value);
	const char *why = NULL;
	bool good;

	if (!text)
		abort();
	good = policy_document_parse(slice_str(text), kind, r->arena, document, &why);
	cJSON_free(text);
	if (good)
		return document;
	fault(r, where, why);
	return NULL;
}

static bool read_policies(
    struct reader *r, const char *where, const cJSON *list, struct iam_principal *owner)
{
	size_t room = list ? (size_t)cJSON_GetArraySize(list) : 0;
	const struct policy_document **all = arena_array(r->arena, room + 1, sizeof(*all));
	const cJSON *item;

	owner->policies = all;
	if (!list)
		return true;
	if (!check_object(r, where, list, NULL))
		return false;
	cJSON_ArrayForEach(item, list) {
		const struct policy_document *document =
		    read_document(r, below(r, where, item->string), item, POLICY_OF_IDENTITY);

		if (!document)
			return false;
		all[owner->policy_count++] = document;
	}
	return true;
}

/* ---- principals ---- */

/* "AIDA" and sixteen characters that the ARN always leads to. */
static struct slice unique_id(struct reader *r, const char *prefix, struct slice arn)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	struct digest digest;
	char text[17];

	digest_compute(DIGEST_SHA256, arn, &digest);
	for (int i = 0; i < 16; i++)
		text[i] = letters[digest.raw[i] & 31];
	text[16] = '\0';
	return arena_slicef(r->arena, "%s%s", prefix, text);
}

static struct iam_principal *add_principal(
    struct reader *r, enum principal_kind kind, struct slice account, struct slice name)
{
	struct iam_principal *p = &r->principals[r->principal_count++];

	p->kind = kind;
	p->account = account;
	p->session_max_s = IAM_SESSION_S_DEFAULT;
	if (kind == PRINCIPAL_ROOT) {
		p->arn = arena_slicef(r->arena, "arn:aws:iam::%.*s:root", SLICE_ARG(account));
		p->id = account;
		return p;
	}
	p->name = arena_dup(r->arena, name);
	p->arn = arena_slicef(r->arena, "arn:aws:iam::%.*s:%s/%.*s", SLICE_ARG(account),
	    kind == PRINCIPAL_USER ? "user" : "role", SLICE_ARG(name));
	p->id = unique_id(r, kind == PRINCIPAL_USER ? "AIDA" : "AROA", p->arn);
	return p;
}

static bool read_role(
    struct reader *r, const char *where, const cJSON *value, struct iam_principal *role)
{
	const cJSON *trust = json_member(value, "trustPolicy");
	const cJSON *duration = json_member(value, "maxSessionDuration");

	if (trust) {
		role->trust =
		    read_document(r, below(r, where, "trustPolicy"), trust, POLICY_OF_TRUST);
		if (!role->trust)
			return false;
	}
	if (duration &&
	    (!json_integer(duration, &role->session_max_s) ||
		role->session_max_s < IAM_SESSION_S_DEFAULT ||
		role->session_max_s > IAM_SESSION_S_MAX))
		return fault(r, below(r, where, "maxSessionDuration"),
		    "this must be a number of seconds from 3600 to 43200");
	return true;
}

static bool read_principal(struct reader *r, const char *where, const cJSON *value,
    struct slice account, enum principal_kind kind)
{
	static const char *const user_members[] = {"accessKeys", "policies", NULL};
	static const char *const role_members[] = {
	    "accessKeys", "policies", "trustPolicy", "maxSessionDuration", NULL};
	bool user = kind == PRINCIPAL_USER;
	struct iam_principal *p;

	if (!iam_name_valid(slice_str(value->string)))
		return fault(r, where, "a name must have 1 to 64 letters, digits and _+=,.@-");
	if (!check_object(r, where, value, user ? user_members : role_members))
		return false;
	p = add_principal(r, kind, account, slice_str(value->string));
	return read_keys(r, below(r, where, "accessKeys"), json_member(value, "accessKeys"), p) &&
	    read_policies(r, below(r, where, "policies"), json_member(value, "policies"), p) &&
	    (user || read_role(r, where, value, p));
}

static bool read_principals(struct reader *r, const char *where, const cJSON *list,
    struct slice account, enum principal_kind kind)
{
	const cJSON *item;

	if (!list)
		return true;
	if (!check_object(r, where, list, NULL))
		return false;
	cJSON_ArrayForEach(item, list) {
		if (!read_principal(r, below(r, where, item->string), item, account, kind))
			return false;
	}
	return true;
}

static bool read_account(struct reader *r, const char *where, const cJSON *value)
{
	static const char *const members[] = {"accessKeys", "users", "roles", NULL};
	struct slice account = arena_dup(r->arena, slice_str(value->string));
	struct iam_principal *root;

	if (!account_id_valid(account))
		return fault(r, where, "an account's id must have twelve digits");
	if (!check_object(r, where, value, members))
		return false;
	root = add_principal(r, PRINCIPAL_ROOT, account, (struct slice){0});
	return read_keys(
		   r, below(r, where, "accessKeys"), json_member(value, "accessKeys"), root) &&
	    read_principals(r, below(r, where, "users"), json_member(value, "users"), account,
		PRINCIPAL_USER) &&
	    read_principals(
		r, below(r, where, "roles"), json_member(value, "roles"), account, PRINCIPAL_ROLE);
}

/* ---- the file ---- */

static int by_arn(const void *left, const void *right)
{
	return slice_cmp(
	    ((const struct iam_principal *)left)->arn, ((const struct iam_principal *)right)->arn);
}

static int by_id(const void *left, const void *right)
{
	return slice_cmp(((const struct iam_key *)left)->id, ((const struct iam_key *)right)->id);
}

/* The keys' owners by their place after sorting. */
static void sort(struct reader *r)
{
	struct slice *owners = arena_array(r->arena, r->key_count + 1, sizeof(*owners));
	struct iam_config config;

	qsort(r->keys, r->key_count, sizeof(*r->keys), by_id);
	for (size_t i = 0; i < r->key_count; i++)
		owners[i] = r->keys[i].owner->arn;
	qsort(r->principals, r->principal_count, sizeof(*r->principals), by_arn);
	config = (struct iam_config){r->principals, r->principal_count, r->keys, r->key_count};
	for (size_t i = 0; i < r->key_count; i++)
		r->keys[i].owner = iam_config_find(&config, owners[i]);
}

static bool check_keys_distinct(struct reader *r)
{
	for (size_t i = 1; i < r->key_count; i++)
		if (slice_eq(r->keys[i - 1].id, r->keys[i].id)) {
			*r->why =
			    arena_slicef(r->arena, "accounts: the access key %.*s is there twice",
				SLICE_ARG(r->keys[i].id));
			return false;
		}
	return true;
}

/* How many values of all kinds are in the tree: more than there are keys or principals. */
static size_t count_values(const cJSON *value)
{
	const cJSON *item;
	size_t n = 1;

	cJSON_ArrayForEach(item, value)
		n += count_values(item);
	return n;
}

static bool read_tree(struct reader *r, const cJSON *tree)
{
	static const char *const members[] = {"accounts", NULL};
	const cJSON *accounts, *item;
	size_t room = count_values(tree);

	r->principals = arena_array(r->arena, room, sizeof(*r->principals));
	r->keys = arena_array(r->arena, room, sizeof(*r->keys));
	if (!check_object(r, "the file", tree, members))
		return false;
	accounts = json_member(tree, "accounts");
	if (!accounts)
		return fault(r, "accounts", "this is missing");
	if (!check_object(r, "accounts", accounts, NULL))
		return false;
	cJSON_ArrayForEach(item, accounts) {
		if (!read_account(r, below(r, "accounts", item->string), item))
			return false;
	}
	sort(r);
	return check_keys_distinct(r);
}

/* The line at which the text stops being JSON. */
static bool fault_of_text(struct reader *r, struct slice text)
{
	const char *end = NULL;
	int line = 1;

	cJSON_Delete(cJSON_ParseWithLengthOpts(text.at, text.len, &end, false));
	for (const char *at = text.at; end && at < end && at < text.at + text.len; at++)
		line += *at == '\n';
	return fault(r, arena_printf(r->arena, "line %d", line),
	    "here, or before it, the file is not JSON (RFC 8259, in UTF-8)");
}

bool iam_config_parse(struct slice text, struct arena *a, struct iam_config *out, struct slice *why)
{
	struct reader r = {.arena = a, .why = why};
	cJSON *tree;
	bool good;

	*out = (struct iam_config){0};
	if (text.len > IAM_CONFIG_BYTES_MAX)
		return fault(&r, "the file", "it is larger than 1 MiB");
	tree = json_parse(text);
	good = tree ? read_tree(&r, tree) : fault_of_text(&r, text);
	cJSON_Delete(tree);
	if (good)
		*out = (struct iam_config){r.principals, r.principal_count, r.keys, r.key_count};
	return good;
}

/* ---- looking at it ---- */

const struct iam_key *iam_config_key(const struct iam_config *config, struct slice id)
{
	struct iam_key wanted = {.id = id};

	return config->key_count
	    ? bsearch(&wanted, config->keys, config->key_count, sizeof(wanted), by_id)
	    : NULL;
}

const struct iam_principal *iam_config_find(const struct iam_config *config, struct slice arn)
{
	struct iam_principal wanted = {.arn = arn};

	return config->principal_count
	    ? bsearch(&wanted, config->principals, config->principal_count, sizeof(wanted), by_arn)
	    : NULL;
}

void iam_principal_as(
    const struct iam_principal *who, struct slice session, struct arena *a, struct principal *out)
{
	*out = (struct principal){
	    .kind = who->kind,
	    .arn = who->arn,
	    .account = who->account,
	    .user_id = who->id,
	    .identity = who->policies,
	    .identity_count = who->policy_count,
	};
	if (who->kind == PRINCIPAL_USER)
		out->user_name = who->name;
	if (who->kind != PRINCIPAL_ROLE)
		return;
	out->role_arn = who->arn;
	out->arn = arena_slicef(a, "arn:aws:sts::%.*s:assumed-role/%.*s/%.*s",
	    SLICE_ARG(who->account), SLICE_ARG(who->name), SLICE_ARG(session));
	out->user_id = arena_slicef(a, "%.*s:%.*s", SLICE_ARG(who->id), SLICE_ARG(session));
}

bool iam_config_resolve(
    const struct iam_config *config, struct slice arn, struct arena *a, struct principal *out)
{
	static const struct slice head = SLICE("arn:aws:sts::"), type = SLICE("assumed-role/");
	const struct iam_principal *found;
	struct slice session = {0}, name;

	if (slice_starts(arn, head)) {
		struct slice rest = slice_skip(arn, head.len), account = slice_cut(&rest, ':');

		if (!slice_starts(rest, type))
			return false;
		session = slice_skip(rest, type.len);
		name = slice_cut(&session, '/');
		arn = arena_slicef(
		    a, "arn:aws:iam::%.*s:role/%.*s", SLICE_ARG(account), SLICE_ARG(name));
	}
	found = iam_config_find(config, arn);
	if (!found || (found->kind == PRINCIPAL_ROLE) != (session.len > 0))
		return false;
	iam_principal_as(found, session, a, out);
	return true;
}
