/* drydock ca: the local authority's certificate, and how clients come to trust it. */
#include "server/config.h"
#include "server/http/authority.h"
#include "server/verbs.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 64 };

static int usage(void)
{
	puts(
	    "usage: drydock ca [--pem] [--data DIR | --tls-ca DIR] [--tls-name NAME]...\n\n"
	    "Prints the certificate of the local authority, which is made when there is none, and where clients\n"
	    "keep those that they trust. --pem: nothing but the certificate.");
	return 0;
}

/* HOST stands for the registry's name, as it is written in image references. */
static void print_places(const char *file)
{
	printf(
	    "It is kept in %s. Who trusts it, trusts it for ECR's and STS's names, localhost, numeric\n"
	    "addresses, and what --tls-name named when it was made; for nothing else. (One that Drydock 0.1.0\n"
	    "made: for all names of AWS's. To have a narrower one, remove its folder and run this again.)\n"
	    "HOST below is the registry's name: 123456789012.dkr.ecr.us-east-1.amazonaws.com (with :PORT, if\n"
	    "that is not 443). A folder that is not there is to be made.\n\n",
	    file);
	printf(
	    "  docker                    copy it to /etc/docker/certs.d/HOST/ca.crt\n"
	    "  podman, buildah, skopeo   copy it to /etc/containers/certs.d/HOST/ca.crt\n"
	    "  containerd                copy it to /etc/containerd/certs.d/HOST/ca.crt (with config_path set to\n"
	    "                            /etc/containerd/certs.d; ctr: --hosts-dir /etc/containerd/certs.d)\n"
	    "  AWS CLI, AWS SDKs         export AWS_CA_BUNDLE=%s\n"
	    "  Python                    export SSL_CERT_FILE=%s (requests: REQUESTS_CA_BUNDLE)\n"
	    "  Node.js                   export NODE_EXTRA_CA_CERTS=%s\n"
	    "  Java                      keytool -importcert -cacerts -storepass changeit -noprompt -alias drydock "
	    "-file %s\n",
	    file, file, file, file);
	printf(
	    "  system (Debian, Ubuntu)   copy it to /usr/local/share/ca-certificates/drydock.crt, then "
	    "update-ca-certificates\n"
	    "  system (Fedora, RHEL)     copy it to /etc/pki/ca-trust/source/anchors/drydock.pem, then "
	    "update-ca-trust\n\n"
	    "curl, git, wget and programs written in Go trust what the system trusts.\n");
}

int verb_ca(int argc, char **argv)
{
	const char *names[TLS_NAMES_MAX];
	struct authority *authority;
	static struct config config;
	char *words[WORDS_MAX], why[512];
	bool pem = false;
	int count = 0;

	for (int i = 0; i < argc && count < WORDS_MAX; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return usage();
		if (strcmp(argv[i], "--pem") == 0)
			pem = true;
		else
			words[count++] = argv[i];
	}
	if (!config_read(&config, count, words, why, sizeof(why))) {
		fprintf(stderr, "drydock: %s\n", why);
		return 2;
	}
	for (unsigned i = 0; i < config.tls_name_count; i++)
		names[i] = config.tls_names[i];
	authority =
	    authority_open(config.tls_authority, names, config.tls_name_count, why, sizeof(why));
	if (!authority) {
		fprintf(stderr, "drydock: %s\n", why);
		return 1;
	}
	fputs(authority_pem(authority), stdout);
	if (!pem) {
		putchar('\n');
		print_places(authority_file(authority));
	}
	authority_free(authority);
	return 0;
}
