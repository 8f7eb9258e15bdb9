#include "support.h"

#include "protocol/iam_config.h"

#define ACCOUNT "503561414328"
#define POLICY "{'Statement':{'Effect':'Allow','Action':'ecr:PutImage','Resource':'*'}}"
#define TRUST                                                                                      \
	"{'Statement':{'Effect':'Allow','Principal':{'AWS':'" ACCOUNT                              \
	"'},'Action':'sts:AssumeRole'}}"

/* JSON whose quotes are written ' */
static struct slice json(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, slice_str(text));

	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	return exact(a, copy);
}

static void sample(void **state)
{
	struct slice text = testdata(*state, "iam/sample.json"), why = {0};
	const struct iam_principal *role;
	struct iam_config config;

	if (!iam_config_parse(text, *state, &config, &why))
		fail_msg("%.*s", SLICE_ARG(why));
	assert_int_equal(config.principal_count, 5);
	assert_int_equal(config.key_count, 4);
	role = iam_config_find(&config, slice_str("arn:aws:iam::" ACCOUNT ":role/app-instance"));
	assert_non_null(role);
	assert_int_equal(role->kind, PRINCIPAL_ROLE);
	assert_int_equal(role->policy_count, 1);
	assert_non_null(role->trust);
	assert_ptr_equal(iam_config_key(&config, slice_str("AKIAINSTANCE00000001"))->owner, role);
	assert_slice(iam_config_key(&config, slice_str("AKIAPIPELINE00000001"))->owner->arn,
	    "arn:aws:iam::" ACCOUNT ":user/pipeline");
	assert_null(iam_config_key(&config, slice_str("AKIAPIPELINE0000000")));
	assert_null(iam_config_find(&config, slice_str("arn:aws:iam::" ACCOUNT ":user/nobody")));
}

static void everything(void **state)
{
	struct slice why = {0};
	struct iam_config config;
	struct principal p;

	assert_true(iam_config_parse(
	    json(*state,
		"{'accounts':{'" ACCOUNT "':{'accessKeys':{'AKIAROOT000000000001':'longenough'},"
		"'users':{'u.1@x':{}},'roles':{'r':{'trustPolicy':" TRUST
		",'maxSessionDuration':7200,'policies':{'a':" POLICY ",'b':" POLICY
		"}}}},'111122223333':{}}}"),
	    *state, &config, &why));
	assert_true(
	    iam_config_resolve(&config, slice_str("arn:aws:iam::" ACCOUNT ":root"), *state, &p));
	assert_int_equal(p.kind, PRINCIPAL_ROOT);
	assert_slice(p.user_id, ACCOUNT);
	assert_true(
	    iam_config_resolve(&config, slice_str("arn:aws:iam::111122223333:root"), *state, &p));
	assert_true(iam_config_resolve(
	    &config, slice_str("arn:aws:iam::" ACCOUNT ":user/u.1@x"), *state, &p));
	assert_slice(p.user_name, "u.1@x");
	assert_int_equal(p.user_id.len, 20);
	assert_true(slice_starts(p.user_id, slice_str("AIDA")));
	assert_true(iam_config_resolve(
	    &config, slice_str("arn:aws:sts::" ACCOUNT ":assumed-role/r/one"), *state, &p));
	assert_slice(p.arn, "arn:aws:sts::" ACCOUNT ":assumed-role/r/one");
	assert_slice(p.role_arn, "arn:aws:iam::" ACCOUNT ":role/r");
	assert_int_equal(p.identity_count, 2);
	assert_true(slice_ends(p.user_id, slice_str(":one")));
	assert_slice(p.user_name, NULL);
	assert_int_equal(
	    iam_config_find(&config, slice_str("arn:aws:iam::" ACCOUNT ":role/r"))->session_max_s,
	    7200);
}

/* Who is not there, and a role that nobody is playing. */
static void resolves_nobody_else(void **state)
{
	static const char *const arns[] = {"", "x", "arn:aws:iam::" ACCOUNT ":role/r",
	    "arn:aws:sts::" ACCOUNT ":assumed-role/r", "arn:aws:sts::" ACCOUNT ":assumed-role/r/",
	    "arn:aws:sts::" ACCOUNT ":assumed-role/s/one", "arn:aws:sts::" ACCOUNT ":user/u",
	    "arn:aws:sts::111122223333:assumed-role/r/one", "arn:aws:iam::111122223333:root"};
	struct iam_config config;
	struct slice why = {0};
	struct principal p;

	assert_true(
	    iam_config_parse(json(*state, "{'accounts':{'" ACCOUNT "':{'roles':{'r':{}}}}}"),
		*state, &config, &why));
	for (size_t i = 0; i < COUNT(arns); i++)
		assert_false(iam_config_resolve(&config, exact(*state, arns[i]), *state, &p));
	assert_true(iam_config_parse(json(*state, "{'accounts':{}}"), *state, &config, &why));
	assert_null(iam_config_key(&config, slice_str("AKIAINSTANCE00000001")));
}

#define USER(members) "{'accounts':{'" ACCOUNT "':{'users':{'u':{" members "}}}}}"
#define AT_USER "accounts." ACCOUNT ".users.u"

static void faults(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"", "line 1: here, or before it, the file is not JSON (RFC 8259, in UTF-8)"},
	    {"{\n\n 'accounts': {,}}",
		"line 3: here, or before it, the file is not JSON (RFC 8259, in UTF-8)"},
	    {"[]", "the file: this must be an object"},
	    {"{}", "accounts: this is missing"},
	    {"{'account':{}}", "the file.account: there is no member of this name here"},
	    {"{'accounts':[]}", "accounts: this must be an object"},
	    {"{'accounts':{'5':{}}}", "accounts.5: an account's id must have twelve digits"},
	    {"{'accounts':{'" ACCOUNT "':{'groups':{}}}}",
		"accounts." ACCOUNT ".groups: there is no member of this name here"},
	    {"{'accounts':{'" ACCOUNT "':{},'" ACCOUNT "':{}}}",
		"accounts." ACCOUNT ": this name is there twice"},
	    {"{'accounts':{'" ACCOUNT "':{'users':{'a b':{}}}}}",
		"accounts." ACCOUNT
		".users.a b: a name must have 1 to 64 letters, digits and _+=,.@-"},
	    {USER("'trustPolicy':" TRUST),
		AT_USER ".trustPolicy: there is no member of this name here"},
	    {USER("'accessKeys':{'short':'longenough'}"),
		AT_USER ".accessKeys.short: an access key's id must have 16 to 128 letters, digits "
			"and _"},
	    {USER("'accessKeys':{'ASIA0000000000000001':'longenough'}"),
		AT_USER ".accessKeys.ASIA0000000000000001: access key ids that begin with ASIA are "
			"those of temporary credentials"},
	    {USER("'accessKeys':{'AKIA0000000000000001':'short'}"),
		AT_USER
		".accessKeys.AKIA0000000000000001: a secret access key must be a string of 8 "
		"to 128 printable characters"},
	    {USER("'accessKeys':{'AKIA0000000000000001':12345678}"),
		AT_USER
		".accessKeys.AKIA0000000000000001: a secret access key must be a string of 8 "
		"to 128 printable characters"},
	    {"{'accounts':{'" ACCOUNT "':{'accessKeys':{'AKIA0000000000000001':'longenough'},"
	     "'users':{'u':{'accessKeys':{'AKIA0000000000000001':'longenough'}}}}}}",
		"accounts: the access key AKIA0000000000000001 is there twice"},
	    {"{'accounts':{'" ACCOUNT "':{'roles':{'r':{'maxSessionDuration':3599}}}}}",
		"accounts." ACCOUNT ".roles.r.maxSessionDuration: this must be a number of seconds "
		"from 3600 to 43200"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct iam_config config;
		struct slice why = {0};

		if (iam_config_parse(json(*state, cases[i].text), *state, &config, &why))
			fail_msg("'%s' was taken", cases[i].text);
		assert_slice(why, cases[i].why);
		assert_int_equal(config.key_count, 0);
	}
}

/* What is wrong within a policy is said in policy_document's words, behind its name. */
static void faults_of_policies(void **state)
{
	static const struct {
		const char *text, *starts;
	} cases[] = {
	    {USER("'policies':{'p':{}}"), AT_USER ".policies.p: the policy has no Statement"},
	    {USER("'policies':{'p':'text'}"), AT_USER ".policies.p: "},
	    {USER("'policies':{'p':" TRUST "}"), AT_USER ".policies.p: "},
	    {"{'accounts':{'" ACCOUNT "':{'roles':{'r':{'trustPolicy':" POLICY "}}}}}",
		"accounts." ACCOUNT ".roles.r.trustPolicy: "},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct iam_config config;
		struct slice why = {0};

		assert_false(iam_config_parse(json(*state, cases[i].text), *state, &config, &why));
		if (!slice_starts(why, slice_str(cases[i].starts)))
			fail_msg("%.*s", SLICE_ARG(why));
	}
}

static void names(void **state)
{
	char text[65];

	(void)state;
	memset(text, 'n', sizeof(text));
	assert_true(iam_name_valid(slice_of(text, 64)));
	assert_false(iam_name_valid(slice_of(text, 65)));
	assert_false(iam_name_valid(slice_str("")));
	assert_true(iam_name_valid(slice_str("aZ09_+=,.@-")));
	assert_false(iam_name_valid(slice_str("a/b")));
	assert_false(iam_name_valid(slice_of("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(sample),
	    arena_test(everything),
	    arena_test(resolves_nobody_else),
	    arena_test(faults),
	    arena_test(faults_of_policies),
	    arena_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
