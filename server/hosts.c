/* drydock hosts: the lines that make AWS's names mean this machine. */
#include "protocol/names.h"
#include "server/verbs.h"

#include <stdio.h>
#include <string.h>

static int usage(FILE *out, int code)
{
	fputs(
	    "usage: drydock hosts ACCOUNT REGION...\n\n"
	    "Prints the lines for the hosts file (/etc/hosts) by which the names of the account's registry, of the\n"
	    "ECR API and of STS in each region mean this machine. Take them out again to reach AWS.\n",
	    out);
	return code;
}

static void print_region(const char *account, const char *region)
{
	const char *suffix = dns_suffix_of_region(slice_str(region));

	printf("127.0.0.1 %s.dkr.ecr.%s.%s api.ecr.%s.%s sts.%s.%s\n", account, region, suffix,
	    region, suffix, region, suffix);
}

int verb_hosts(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return usage(stdout, 0);
	if (argc < 2)
		return usage(stderr, 2);
	if (!account_id_valid(slice_str(argv[0]))) {
		fprintf(
		    stderr, "drydock: \"%.100s\" is no account, which is twelve digits\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		if (!region_valid(slice_str(argv[i]))) {
			fprintf(stderr,
			    "drydock: \"%.100s\" is no region's name, such as eu-west-1\n",
			    argv[i]);
			return 2;
		}
	}
	for (int i = 1; i < argc; i++)
		print_region(argv[0], argv[i]);
	puts("127.0.0.1 sts.amazonaws.com");
	return 0;
}
