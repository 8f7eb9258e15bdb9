/* drydock: the program. Everything is in its verbs. */
#ifdef NDEBUG
#error "asserts stay on, also in what is shipped"
#endif

#include "server/config.h"
#include "server/verbs.h"

#include <stdio.h>
#include <string.h>

static int verb_version(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("drydock " DRYDOCK_VERSION);
	return 0;
}

static int verb_help(int argc, char **argv);

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
    {"serve", verb_serve, "serve the registry and the ECR API (drydock serve --help: its options)"},
    {"health", verb_health, "ask a running server whether it is well (exit code 0: yes)"},
    {"import", verb_import, "put a docker save archive or an OCI layout into a repository"},
    {"export", verb_export, "write an image to an OCI layout that skopeo and docker load read"},
    {"gc", verb_gc, "collect layers that no image holds, now"},
    {"ca", verb_ca, "print the certificate of the local authority, and where clients keep it"},
    {"hosts", verb_hosts, "print the hosts-file lines by which AWS's names mean this machine"},
    {"policy", verb_policy, "say what policies decide, and why (drydock policy explain --help)"},
    {"lifecycle", verb_lifecycle,
	"explain what a lifecycle policy would do, and why (drydock lifecycle --help)"},
    {"check", verb_check, "verify a data folder, and repair it"},
    {"version", verb_version, "print the version"},
    {"help", verb_help, "print this"},
};

enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]) };

static void usage(FILE *out)
{
	fputs("drydock, a local Amazon ECR\n\nusage: drydock VERB [OPTION]...\n\n", out);
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
}

static int verb_help(int argc, char **argv)
{
	(void)argc, (void)argv;
	usage(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(name, verbs[i].name) == 0)
			return verbs[i].run(argc - 2, argv + 2);
	if (*name)
		fprintf(stderr, "drydock: there is no verb \"%.100s\"\n\n", name);
	usage(stderr);
	return 2;
}
