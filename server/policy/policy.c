/* drydock policy: its one verb, explain, and the words of the command line. */
#include "server/policy/explain.h"
#include "server/verbs.h"

enum { FORWARDED_MAX = 16 };

static void usage(FILE *out)
{
	fputs(
	    "usage: drydock policy explain --principal ARN --action ecr:ACTION [OPTION]...\n\n"
	    "says what is decided, by which statement, and why.\n\n"
	    "  --principal ARN           whose request: a user, a role, a role's session, or an account\n"
	    "  --action ecr:ACTION       such as ecr:PutImage\n"
	    "  --resource NAME|ARN|*     the repository (default: *, what is the registry's)\n"
	    "  --iam FILE                the file of drydock serve --iam: the principal's own policies\n"
	    "  --identity FILE           a policy of the principal's; may be given several times\n"
	    "  --session FILE            the policy that AssumeRole was given\n"
	    "  --repository-policy FILE  the repository's policy\n"
	    "  --registry-policy FILE    the registry's policy\n"
	    "  --data DIR                a data folder: what it keeps, where no file is named for it\n"
	    "  --context KEY=VALUE       a condition key, such as aws:SourceIp=203.0.113.9; again for\n"
	    "                            another value of the same\n"
	    "  --account ID, --region NAME   whose registry, where no ARN says so (default: the principal's, us-east-1)\n"
	    "  --json                    one JSON object\n",
	    out);
}

/* "--name VALUE" or "--name=VALUE" at argv[*i]: its value; NULL when it is another word. */
static const char *option_value(const char *name, int argc, char **argv, int *i)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	return argv[*i][len] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

/* The options that keep the last value that is said; false: argv[*i] is none of them. */
static bool read_single(struct question *q, int argc, char **argv, int *i)
{
	const struct {
		const char *name, **value;
	} options[] = {
	    {"--principal", &q->principal},
	    {"--action", &q->action},
	    {"--resource", &q->resource},
	    {"--iam", &q->iam_file},
	    {"--session", &q->session_file},
	    {"--repository-policy", &q->repository_file},
	    {"--registry-policy", &q->registry_file},
	};

	for (size_t j = 0; j < sizeof(options) / sizeof(options[0]); j++) {
		const char *value = option_value(options[j].name, argc, argv, i);

		if (!value)
			continue;
		*options[j].value = value;
		return true;
	}
	return false;
}

/* Those of the configuration go on to the table that serve has. */
static bool forward(struct question *q, int argc, char **argv, int *i, char **forwarded, int *count,
    struct err *err)
{
	if (strncmp(argv[*i], "--", 2) != 0)
		return explain_fail(err, "\"%.200s\" is one word too many", argv[*i]);
	if (*count + 2 > FORWARDED_MAX)
		return explain_fail(err, "there are too many options");
	q->data |= strncmp(argv[*i], "--data", 6) == 0;
	q->account |= strncmp(argv[*i], "--account", 9) == 0;
	forwarded[(*count)++] = argv[*i];
	if (!strchr(argv[*i], '=') && *i + 1 < argc)
		forwarded[(*count)++] = argv[++*i];
	return true;
}

static bool read_words(struct question *q, int argc, char **argv, struct err *err)
{
	char *forwarded[FORWARDED_MAX];
	const char *value;
	int count = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			q->json = true;
		} else if (read_single(q, argc, argv, &i)) {
			continue;
		} else if ((value = option_value("--identity", argc, argv, &i))) {
			if (q->identity_file_count == EXPLAIN_POLICIES_MAX)
				return explain_fail(err, "there are more than %d identity policies",
				    EXPLAIN_POLICIES_MAX);
			q->identity_files[q->identity_file_count++] = value;
		} else if ((value = option_value("--context", argc, argv, &i))) {
			if (!question_add_key(q, value, err))
				return false;
		} else if (!forward(q, argc, argv, &i, forwarded, &count, err)) {
			return false;
		}
	}
	return config_read(&q->config, count, forwarded, err->text, sizeof(err->text));
}

static int fail(const struct err *err, int code)
{
	fprintf(stderr, "drydock policy: %s\n", err->text);
	return code;
}

static int explain(int argc, char **argv)
{
	struct err err = {""};
	struct question q;
	int code = 0;

	question_init(&q);
	if (!read_words(&q, argc, argv, &err) || !question_read(&q, &err))
		code = fail(&err, 2);
	else if (!question_load(&q, &err))
		code = fail(&err, 1);
	else if (q.json)
		report_json(&q, stdout);
	else
		report_text(&q, stdout);
	question_release(&q);
	return code;
}

int verb_policy(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			usage(stdout);
			return 0;
		}
	if (argc > 0 && strcmp(argv[0], "explain") == 0)
		return explain(argc - 1, argv + 1);
	usage(stderr);
	return 2;
}
