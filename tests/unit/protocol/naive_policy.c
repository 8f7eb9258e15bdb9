#include "naive_policy.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { TEXT_MAX = 512, PARTS = 6 };

static const char *member(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static int count_of(const cJSON *value)
{
	return cJSON_IsArray(value) ? cJSON_GetArraySize(value) : value ? 1 : 0;
}

static const char *text_at(const cJSON *value, int i)
{
	return cJSON_GetStringValue(cJSON_IsArray(value) ? cJSON_GetArrayItem(value, i) : value);
}

/* ---- who asks ---- */

static bool is_session(const cJSON *c)
{
	return strstr(member(c, "principal"), ":assumed-role/") != NULL;
}

static bool is_root(const cJSON *c)
{
	const char *arn = member(c, "principal");

	return strcmp(arn + strlen(arn) - 5, ":root") == 0;
}

static void account_of(const cJSON *c, char out[13])
{
	sscanf(member(c, "principal"), "arn:aws:%*[^:]::%12[0-9]", out);
}

static void role_of(const cJSON *c, char out[TEXT_MAX])
{
	char account[13] = "", role[64] = "";

	sscanf(member(c, "principal"), "arn:aws:sts::%12[0-9]:assumed-role/%63[^/]", account, role);
	snprintf(out, TEXT_MAX, "arn:aws:iam::%s:role/%s", account, role);
}

/* ---- the request's context ---- */

/* A key that the principal itself gives. */
static const char *own_value(const cJSON *c, const char *key, char out[TEXT_MAX])
{
	const char *arn = member(c, "principal");
	bool user = strstr(arn, ":user/") != NULL;

	if (strcasecmp(key, "aws:PrincipalArn") == 0) {
		if (!is_session(c))
			return arn;
		role_of(c, out);
		return out;
	}
	if (strcasecmp(key, "aws:username") == 0)
		return user ? strrchr(arn, '/') + 1 : NULL;
	if (strcasecmp(key, "aws:PrincipalType") == 0)
		return user ? "User" : is_session(c) ? "AssumedRole" : "Account";
	if (strcasecmp(key, "aws:PrincipalAccount") == 0) {
		account_of(c, out);
		return out;
	}
	return NULL;
}

/* How many values the key has in the request; value i goes to out. */
static int context_values(const cJSON *c, const char *key, int i, char out[TEXT_MAX])
{
	const cJSON *said = cJSON_GetObjectItem(cJSON_GetObjectItem(c, "context"), key);
	char own[TEXT_MAX];
	const char *value = said ? NULL : own_value(c, key, own);

	if (said && i < count_of(said))
		snprintf(out, TEXT_MAX, "%s", text_at(said, i));
	else if (value)
		snprintf(out, TEXT_MAX, "%s", value);
	return said ? count_of(said) : value != NULL;
}

/* ---- variables ---- */

/*
 * A text as characters, wildcards negative: '*' is -1 and '?' is -2 where they are wildcards. False: a variable
 * has no value.
 */
static bool resolve(
    const cJSON *c, bool variables, const char *text, bool wildcards, int out[TEXT_MAX])
{
	int n = 0;

	for (const char *at = text; *at; at++) {
		const char *end =
		    variables && at[0] == '$' && at[1] == '{' ? strchr(at, '}') : NULL;
		char name[TEXT_MAX] = "", value[TEXT_MAX] = "";

		if (!end) {
			out[n++] = !wildcards ? *at : *at == '*' ? -1 : *at == '?' ? -2 : *at;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(end - at - 2), at + 2);
		at = end;
		char *comma = strstr(name, ", '");
		if (comma) {
			comma[strlen(comma) - 1] = '\0';
			*comma = '\0';
		}
		if (strcmp(name, "*") == 0 || strcmp(name, "?") == 0 || strcmp(name, "$") == 0)
			snprintf(value, sizeof(value), "%s", name);
		else if (context_values(c, name, 0, value) != 1) {
			if (!comma)
				return false;
			snprintf(value, sizeof(value), "%s", comma + 3);
		}
		for (const char *v = value; *v; v++)
			out[n++] = *v;
	}
	out[n] = 0;
	return true;
}

static bool glob(const int *pattern, const char *text)
{
	if (*pattern == 0)
		return *text == '\0';
	if (*pattern == -1)
		return glob(pattern + 1, text) || (*text && glob(pattern, text + 1));
	return *text && (*pattern == -2 || *pattern == *text) && glob(pattern + 1, text + 1);
}

/* ---- single comparisons: one value of the policy's, one of the request's ---- */

static bool same(const int *wanted, const char *said, bool any_case)
{
	size_t i = 0;

	for (; wanted[i] && said[i]; i++) {
		char one[2] = {(char)wanted[i], 0}, other[2] = {said[i], 0};

		if ((any_case ? strcasecmp(one, other) : strcmp(one, other)) != 0)
			return false;
	}
	return wanted[i] == 0 && said[i] == '\0';
}

/* The first colon-separated part is cut off and compared, then the rest; the sixth keeps its colons. */
static bool arn_parts(const int *wanted, const char *said, int part)
{
	int pattern[TEXT_MAX], n = 0;
	char text[TEXT_MAX];
	size_t len = strcspn(said, ":");

	if (part == PARTS)
		return glob(wanted, said);
	while (wanted[n] && wanted[n] != ':') {
		pattern[n] = wanted[n];
		n++;
	}
	pattern[n] = 0;
	if (wanted[n] == 0 || said[len] == '\0')
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)len, said);
	return glob(pattern, text) && arn_parts(wanted + n + 1, said + len + 1, part + 1);
}

static bool is_arn(const char *said)
{
	int colons = 0;

	for (const char *at = said; *at; at++)
		colons += *at == ':';
	return colons >= PARTS - 1;
}

static bool date_of(const char *text, double *out)
{
	struct tm tm = {.tm_mday = 1};
	int year, month = 1, day = 1, hour = 0, minute = 0, zone_hour = 0, zone_minute = 0;
	double second = 0;
	char sign = 'Z';

	if (strlen(text) != 4 && strspn(text, "0123456789") == strlen(text) && *text) {
		*out = strtod(text, NULL);
		return true;
	}
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lf%c%2d:%2d", &year, &month, &day, &hour, &minute,
		&second, &sign, &zone_hour, &zone_minute) < 7 &&
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d%c%2d:%2d", &year, &month, &day, &hour, &minute, &sign,
		&zone_hour, &zone_minute) < 6) {
		hour = minute = 0;
		if (strchr(text, 'T') || sscanf(text, "%4d-%2d-%2d", &year, &month, &day) < 1)
			return false;
	}
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	*out = (double)timegm(&tm) + hour * 3600 + minute * 60 + second;
	if (sign != 'Z')
		*out -= (sign == '-' ? -1 : 1) * (zone_hour * 3600 + zone_minute * 60);
	return true;
}

static bool number_of(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0';
}

static bool compare(const char *operator, double said, double wanted)
{
	if (strstr(operator, "LessThanEquals"))
		return said <= wanted;
	if (strstr(operator, "LessThan"))
		return said < wanted;
	if (strstr(operator, "GreaterThanEquals"))
		return said >= wanted;
	if (strstr(operator, "GreaterThan"))
		return said > wanted;
	return said == wanted;
}

static bool bits_agree(const unsigned char *a, const unsigned char *b, int bits)
{
	for (int i = 0; i < bits; i++)
		if ((a[i / 8] >> (7 - i % 8) & 1) != (b[i / 8] >> (7 - i % 8) & 1))
			return false;
	return true;
}

static bool in_range(const char *range, const char *said)
{
	unsigned char wanted[16], address[16];
	char text[TEXT_MAX];
	int family = strchr(range, ':') ? AF_INET6 : AF_INET;
	int bits = family == AF_INET6 ? 128 : 32;

	snprintf(text, sizeof(text), "%s", range);
	if (strchr(text, '/')) {
		bits = (int)strtol(strchr(text, '/') + 1, NULL, 10);
		*strchr(text, '/') = '\0';
	}
	return inet_pton(family, text, wanted) == 1 && inet_pton(family, said, address) == 1 &&
	    bits_agree(wanted, address, bits);
}

/* 1: they match, 0: they do not, -1: a variable has no value. */
static int values_match(
    const cJSON *c, bool variables, const char *operator, const char * wanted, const char *said)
{
	bool like = strstr(operator, "Like") || strncmp(operator, "Arn", 3) == 0;
	int text[TEXT_MAX];
	double a, b;

	if (strncmp(operator, "Numeric", 7) == 0)
		return number_of(wanted, &a) && number_of(said, &b) && compare(operator, b, a);
	if (strncmp(operator, "Date", 4) == 0)
		return date_of(wanted, &a) && date_of(said, &b) && compare(operator, b, a);
	if (strstr(operator, "IpAddress"))
		return in_range(wanted, said);
	if (!resolve(c, variables, wanted, like, text))
		return -1;
	if (strncmp(operator, "Arn", 3) == 0)
		return is_arn(said) &&
		    ((text[0] == -1 && text[1] == 0) || arn_parts(text, said, 1));
	if (like)
		return glob(text, said);
	return same(text, said, strstr(operator, "IgnoreCase") || strcmp(operator, "Bool") == 0);
}

/* ---- a condition ---- */

static bool one_value_meets(
    const cJSON *c, bool variables, const char *operator, const cJSON * wanted, const char *said)
{
	bool negated = strstr(operator, "Not") != NULL, any = false;

	for (int i = 0; i < count_of(wanted); i++) {
		int match = values_match(c, variables, operator, text_at(wanted, i), said);

		if (match < 0 && negated)
			return false;
		any = any || match > 0;
	}
	return negated ? !any : any;
}

static bool condition_met(
    const cJSON *c, bool variables, const char *name, const char *key, const cJSON *wanted)
{
	bool all = strncmp(name, "ForAllValues:", 13) == 0,
	     any = strncmp(name, "ForAnyValue:", 12) == 0;
	char operator[64], said[TEXT_MAX] = "";
	int count = context_values(c, key, 0, said), met = 0;

	snprintf(operator, sizeof(operator), "%s", all ? name + 13 : any ? name + 12 : name);
	char *exists = strstr(operator, "IfExists");
	if (exists)
		*exists = '\0';
	if (strcmp(operator, "Null") == 0)
		return strcmp(text_at(wanted, 0), count == 0 ? "true" : "false") == 0;
	if ((all || any) && count == 1 && said[0] == '\0')
		count = 0;
	if (count == 0)
		return exists || all || (!any && strstr(operator, "Not"));
	if (!all && !any && count > 1)
		return false;
	for (int i = 0; i < count; i++) {
		context_values(c, key, i, said);
		met += one_value_meets(c, variables, operator, wanted, said);
	}
	return all ? met == count : met > 0;
}

static bool conditions_met(const cJSON *c, bool variables, const cJSON *tree)
{
	const cJSON *operator, * key;

	cJSON_ArrayForEach(operator, tree) {
		cJSON_ArrayForEach(key, operator) {
			if (!condition_met(c, variables, operator->string, key->string, key))
				return false;
		}
	}
	return true;
}

/* ---- a statement ---- */

enum closeness { NOBODY, ACCOUNT, ROLE, DIRECT };

static enum closeness names(const cJSON *c, const char *name)
{
	char account[13], role[TEXT_MAX], root[TEXT_MAX];

	account_of(c, account);
	snprintf(root, sizeof(root), "arn:aws:iam::%s:root", account);
	role_of(c, role);
	if (strcmp(name, "*") == 0)
		return DIRECT;
	if (strcmp(name, account) == 0 || strcmp(name, root) == 0)
		return ACCOUNT;
	if (strcmp(name, member(c, "principal")) == 0)
		return DIRECT;
	return is_session(c) && strcmp(name, role) == 0 ? ROLE : NOBODY;
}

static enum closeness principal_of(const cJSON *c, const cJSON *statement)
{
	const cJSON *meant = cJSON_GetObjectItem(statement, "Principal");
	const cJSON *not_meant = cJSON_GetObjectItem(statement, "NotPrincipal");
	const cJSON *principal = meant ? meant : not_meant;
	const cJSON *list =
	    cJSON_IsString(principal) ? principal : cJSON_GetObjectItem(principal, "AWS");
	enum closeness best = NOBODY;

	if (!principal)
		return DIRECT;
	for (int i = 0; i < count_of(list); i++)
		if (names(c, text_at(list, i)) > best)
			best = names(c, text_at(list, i));
	if (not_meant)
		return best == NOBODY ? DIRECT : NOBODY;
	return best;
}

static bool lists_action(const cJSON *list, const char *action)
{
	for (int i = 0; i < count_of(list); i++) {
		const char *pattern = text_at(list, i);
		int wanted[TEXT_MAX], n = 0;
		char lower[TEXT_MAX] = "";

		for (; pattern[n]; n++)
			wanted[n] = pattern[n] == '*' ? -1
			    : pattern[n] == '?'       ? -2
						      : pattern[n] | 0x20;
		wanted[n] = 0;
		for (n = 0; action[n]; n++)
			lower[n] = action[n] | 0x20;
		if (glob(wanted, lower))
			return true;
	}
	return false;
}

/* 1, 0, or -1 when a variable has no value. */
static int lists_resource(const cJSON *c, bool variables, const cJSON *list)
{
	int result = 0;

	for (int i = 0; i < count_of(list); i++) {
		int wanted[TEXT_MAX];

		if (!resolve(c, variables, text_at(list, i), true, wanted))
			result = result ? result : -1;
		else if (glob(wanted, member(c, "resource")))
			result = 1;
	}
	return result;
}

static bool not_resource_fits(const cJSON *c, bool variables, const cJSON *list)
{
	for (int i = 0; i < count_of(list); i++) {
		int wanted[TEXT_MAX];

		if (!resolve(c, variables, text_at(list, i), true, wanted) ||
		    glob(wanted, member(c, "resource")))
			return false;
	}
	return true;
}

static bool applies(const cJSON *c, bool variables, const cJSON *s)
{
	const cJSON *action = cJSON_GetObjectItem(s, "Action"),
		    *not_action = cJSON_GetObjectItem(s, "NotAction");
	const cJSON *resource = cJSON_GetObjectItem(s, "Resource");
	const cJSON *not_resource = cJSON_GetObjectItem(s, "NotResource");
	const char *asked = member(c, "action");

	if (principal_of(c, s) == NOBODY)
		return false;
	if (action ? !lists_action(action, asked) : lists_action(not_action, asked))
		return false;
	if (resource && lists_resource(c, variables, resource) != 1)
		return false;
	if (not_resource && !not_resource_fits(c, variables, not_resource))
		return false;
	return conditions_met(c, variables, cJSON_GetObjectItem(s, "Condition"));
}

/* ---- policies ---- */

/* The closest naming of the caller by a statement of this effect that applies; NOBODY: none does. */
static enum closeness says(const cJSON *c, const cJSON *policy, const char *effect)
{
	const char *version = member(policy, "Version");
	bool variables = version && strcmp(version, "2012-10-17") == 0;
	const cJSON *list = cJSON_GetObjectItem(policy, "Statement"), *s;
	enum closeness best = NOBODY;

	cJSON_ArrayForEach(s, list) {
		if (strcmp(member(s, "Effect"), effect) == 0 && applies(c, variables, s) &&
		    principal_of(c, s) > best)
			best = principal_of(c, s);
	}
	return best;
}

static bool any_identity_says(const cJSON *c, const char *effect)
{
	const cJSON *policy;

	cJSON_ArrayForEach(policy, cJSON_GetObjectItem(c, "identity")) {
		if (says(c, policy, effect))
			return true;
	}
	return false;
}

static enum closeness resource_says(const cJSON *c, const char *effect)
{
	enum closeness repository = says(c, cJSON_GetObjectItem(c, "repository"), effect);
	enum closeness registry = says(c, cJSON_GetObjectItem(c, "registry"), effect);
	enum closeness trust = says(c, cJSON_GetObjectItem(c, "trust"), effect);

	if (registry > repository)
		repository = registry;
	return trust > repository ? trust : repository;
}

static bool session_stops(const cJSON *c)
{
	const cJSON *session = cJSON_GetObjectItem(c, "session");

	return session && !says(c, session, "Allow");
}

static enum naive_outcome callers_side(const cJSON *c)
{
	if (is_root(c))
		return NAIVE_ALLOWED;
	if (!any_identity_says(c, "Allow"))
		return NAIVE_NO_IDENTITY_ALLOW;
	return session_stops(c) ? NAIVE_NO_SESSION_ALLOW : NAIVE_ALLOWED;
}

static enum naive_outcome same_account(const cJSON *c)
{
	bool trust = cJSON_GetObjectItem(c, "trust") != NULL;
	enum closeness resource = resource_says(c, "Allow");

	if (is_root(c) && !trust)
		return NAIVE_ALLOWED;
	if (resource == DIRECT)
		return NAIVE_ALLOWED;
	if (resource == ROLE)
		return session_stops(c) ? NAIVE_NO_SESSION_ALLOW : NAIVE_ALLOWED;
	if (trust && resource == NOBODY)
		return NAIVE_NO_RESOURCE_ALLOW;
	return callers_side(c);
}

enum naive_outcome naive_decide(const cJSON *c)
{
	char account[13] = "";

	account_of(c, account);
	if (any_identity_says(c, "Deny"))
		return NAIVE_DENIED_BY_IDENTITY;
	if (says(c, cJSON_GetObjectItem(c, "session"), "Deny"))
		return NAIVE_DENIED_BY_SESSION;
	if (resource_says(c, "Deny"))
		return NAIVE_DENIED_BY_RESOURCE;
	if (strcmp(member(c, "action"), "ecr:GetAuthorizationToken") == 0)
		return callers_side(c);
	if (strcmp(account, member(c, "account")) == 0)
		return same_account(c);
	if (!resource_says(c, "Allow"))
		return NAIVE_NO_RESOURCE_ALLOW;
	return callers_side(c);
}
