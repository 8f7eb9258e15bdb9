/* The authority's files: see authority.h. */
#include "server/http/authority.h"

#include "server/http/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 253, EXPIRES_SOON_DAYS = 1 };

/* Regions of AWS: what clients may be shown as ECR's or STS's is ECR's or STS's in one of these. */
static const char *const regions[] = {"af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1",
    "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1",
    "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6",
    "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-1",
    "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
    "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1",
    "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2"};

/* What follows "permitted;DNS:" for each region whose name begins so: a %s is the region. */
static const struct {
	const char *regions, *domain;
} regional_domains[] = {
    {"", "ecr.%s.amazonaws.com"}, /* api.ecr and ACCOUNT.dkr.ecr are below it */
    {"", "sts.%s.amazonaws.com"},
    {"", "dkr-ecr.%s.on.aws"},
    {"", "ecr.%s.api.aws"},
    {"", "sts.%s.api.aws"},
    {"cn-", "ecr.%s.amazonaws.com.cn"},
    {"cn-", "sts.%s.amazonaws.com.cn"},
    {"us-", "ecr-fips.%s.amazonaws.com"},
    {"us-", "sts-fips.%s.amazonaws.com"},
    {"us-", "dkr-ecr-fips.%s.on.aws"},
    {"us-", "ecr-fips.%s.api.aws"},
    {"ca-", "sts-fips.%s.amazonaws.com"},
};

static const char *const other_domains[] = {"sts.amazonaws.com", "localhost"};

struct authority {
	char folder[PATH_MAX], file[PATH_MAX + 8];
	X509 *certificate;
	NAME_CONSTRAINTS *constraints; /* what it may sign for; NULL: anything */
	EVP_PKEY *key;
	char *pem;
};

bool authority_name_is_address(const char *name)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

bool authority_name_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
	size_t len = strlen(name);

	if (authority_name_is_address(name))
		return true;
	return len > 0 && len <= NAME_MAX_LEN && strspn(name, allowed) == len && name[0] != '.' &&
	    name[0] != '-' && name[len - 1] != '.' && !strstr(name, "..");
}

static void *fail(char *why, size_t why_len, const struct authority *a, const char *what)
{
	snprintf(why, why_len, "the certificate authority in %.300s %s", a->folder, what);
	ERR_clear_error();
	return NULL;
}

/* ---- files ---- */

/* mkdir -p; the data folder itself may not be there yet. */
static bool make_folder(const char *folder)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", folder);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	return mkdir(part, 0755) == 0 || errno == EEXIST;
}

/* Writes DIR/name whole or not at all, and to the disk. */
static bool write_file(int folder, const char *name, mode_t mode, BIO *content)
{
	char temporary[32], *at;
	long len = BIO_get_mem_data(content, &at);
	bool written;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	unlinkat(folder, temporary, 0);
	fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return false;
	written = write(fd, at, (size_t)len) == len && fsync(fd) == 0;
	if (close(fd) != 0 || !written)
		return false;
	return renameat(folder, temporary, folder, name) == 0 && fsync(folder) == 0;
}

static bool write_files(const struct authority *a, int folder)
{
	BIO *key = BIO_new(BIO_s_mem()), *certificate = BIO_new(BIO_s_mem());
	/* The certificate last: once it is there, all is. */
	bool written = key && certificate &&
	    PEM_write_bio_PrivateKey(key, a->key, NULL, NULL, 0, NULL, NULL) &&
	    PEM_write_bio_X509(certificate, a->certificate) &&
	    write_file(folder, "key.pem", 0600, key) &&
	    write_file(folder, "ca.pem", 0644, certificate);

	BIO_free(key);
	BIO_free(certificate);
	return written;
}

static FILE *open_file(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopen(fd, "r");
}

/* False when a file is not there or not what it should be. */
static bool read_files(struct authority *a, int folder)
{
	FILE *certificate = open_file(folder, "ca.pem"), *key = open_file(folder, "key.pem");

	if (certificate)
		a->certificate = PEM_read_X509(certificate, NULL, NULL, NULL);
	if (key)
		a->key = PEM_read_PrivateKey(key, NULL, NULL, (void *)"");
	if (certificate)
		fclose(certificate);
	if (key)
		fclose(key);
	return a->certificate && a->key && X509_check_private_key(a->certificate, a->key) == 1;
}

/* ---- what it may sign for ---- */

static void add_domain(BIO *out, const char *format, const char *value)
{
	BIO_puts(out, BIO_pending(out) ? ",permitted;DNS:" : "permitted;DNS:");
	BIO_printf(out, format, value);
}

/* The constraints of a new authority, as certificate_authority_new takes them; the caller frees. NULL: no memory. */
static BIO *list_domains(const char *const *names, unsigned count)
{
	BIO *out = BIO_new(BIO_s_mem());

	if (!out)
		return NULL;
	for (size_t i = 0; i < sizeof(other_domains) / sizeof(*other_domains); i++)
		add_domain(out, "%s", other_domains[i]);
	for (size_t i = 0; i < sizeof(regional_domains) / sizeof(*regional_domains); i++) {
		const char *which = regional_domains[i].regions;

		for (size_t j = 0; j < sizeof(regions) / sizeof(*regions); j++)
			if (strncmp(regions[j], which, strlen(which)) == 0)
				add_domain(out, regional_domains[i].domain, regions[j]);
	}
	/* Addresses are not constrained: which ones this machine has is not known beforehand. */
	for (unsigned i = 0; i < count; i++)
		if (!authority_name_is_address(names[i]))
			add_domain(out, "%s", names[i]);
	BIO_write(out, "", 1);
	return out;
}

/* RFC 5280 section 4.2.1.10: the domain itself, and what lies below it. */
static bool is_below(const char *name, const ASN1_STRING *domain)
{
	const char *base = (const char *)ASN1_STRING_get0_data(domain);
	size_t len = strlen(name), base_len = (size_t)ASN1_STRING_length(domain);

	if (len < base_len || strncasecmp(name + len - base_len, base, base_len) != 0)
		return false;
	return len == base_len || base_len == 0 || base[0] == '.' ||
	    name[len - base_len - 1] == '.';
}

/* How many of the subtrees are domains (*domains), and whether the name is in one of them. */
static bool is_in(STACK_OF(GENERAL_SUBTREE) * trees, const char *name, unsigned *domains)
{
	bool in = false;

	*domains = 0;
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
		const GENERAL_NAME *base = sk_GENERAL_SUBTREE_value(trees, i)->base;

		if (base->type != GEN_DNS)
			continue;
		++*domains;
		in = in || is_below(name, base->d.dNSName);
	}
	return in;
}

bool authority_may_sign(const struct authority *a, const char *name)
{
	unsigned permitted, excluded;

	if (!a->constraints || authority_name_is_address(name))
		return true;
	return (is_in(a->constraints->permittedSubtrees, name, &permitted) || permitted == 0) &&
	    !is_in(a->constraints->excludedSubtrees, name, &excluded);
}

static bool may_sign_all(const struct authority *a, const char *const *names, unsigned count)
{
	bool may = true;

	for (unsigned i = 0; i < count && may; i++)
		may = authority_may_sign(a, names[i]);
	return may;
}

/* ---- life ---- */

static bool make(struct authority *a, int folder, const char *const *names, unsigned count)
{
	BIO *domains = list_domains(names, count);
	char *text = NULL;

	a->key = certificate_key_new();
	if (a->key && domains && BIO_get_mem_data(domains, &text) > 0)
		a->certificate = certificate_authority_new(a->key, text, time(NULL));
	BIO_free(domains);
	return a->certificate && write_files(a, folder);
}

static bool keep_pem(struct authority *a)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *at;
	long len;

	if (bio && PEM_write_bio_X509(bio, a->certificate)) {
		len = BIO_get_mem_data(bio, &at);
		a->pem = calloc(1, (size_t)len + 1);
		if (!a->pem)
			abort();
		memcpy(a->pem, at, (size_t)len);
	}
	BIO_free(bio);
	return a->pem != NULL;
}

/* Under the folder's lock: of two processes that find none, one makes it. */
static bool read_or_make(struct authority *a, int folder, const char *const *names, unsigned count,
    char *why, size_t why_len)
{
	char cause[128];

	if (flock(folder, LOCK_EX) == 0 && faccessat(folder, "ca.pem", F_OK, 0) == 0) {
		if (read_files(a, folder))
			return true;
		fail(why, why_len, a,
		    "cannot be read, or its key is not its certificate's: restore ca.pem and key.pem, or "
		    "remove the folder to have a new authority made (which clients then must trust)");
		return false;
	}
	if (make(a, folder, names, count))
		return true;
	snprintf(cause, sizeof(cause), "cannot be made: %s", strerror(errno));
	fail(why, why_len, a, cause);
	return false;
}

static bool open_folder(
    struct authority *a, const char *const *names, unsigned count, char *why, size_t why_len)
{
	char cause[128], absolute[PATH_MAX];
	int folder = -1;
	bool opened;

	if (make_folder(a->folder))
		folder = open(a->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		snprintf(cause, sizeof(cause), "cannot be opened: %s", strerror(errno));
		fail(why, why_len, a, cause);
		return false;
	}
	opened = read_or_make(a, folder, names, count, why, why_len);
	close(folder);
	/* As it is shown to users, who have it in other folders' settings. */
	if (realpath(a->folder, absolute))
		snprintf(a->file, sizeof(a->file), "%s/ca.pem", absolute);
	return opened;
}

struct authority *authority_open(
    const char *folder, const char *const *names, unsigned count, char *why, size_t why_len)
{
	struct authority *a = calloc(1, sizeof(*a));
	const char *trouble = NULL;

	if (!a)
		abort();
	snprintf(a->folder, sizeof(a->folder), "%s", folder);
	snprintf(a->file, sizeof(a->file), "%s/ca.pem", a->folder);
	if (!open_folder(a, names, count, why, why_len)) {
		authority_free(a);
		return NULL;
	}
	a->constraints = X509_get_ext_d2i(a->certificate, NID_name_constraints, NULL, NULL);
	if (!certificate_lasts(a->certificate, time(NULL), EXPIRES_SOON_DAYS))
		trouble =
		    "has expired: remove the folder, start again, and let clients trust the new "
		    "one (drydock ca)";
	else if (!may_sign_all(a, names, count))
		trouble =
		    "was made without a name that --tls-name gives, and cannot sign for it: remove "
		    "the folder, start again, and let clients trust the new one (drydock ca)";
	else if (!keep_pem(a))
		trouble = "cannot be read";
	if (!trouble)
		return a;
	fail(why, why_len, a, trouble);
	authority_free(a);
	return NULL;
}

void authority_free(struct authority *a)
{
	if (!a)
		return;
	X509_free(a->certificate);
	NAME_CONSTRAINTS_free(a->constraints);
	EVP_PKEY_free(a->key);
	free(a->pem);
	free(a);
}

const char *authority_pem(const struct authority *a)
{
	return a->pem;
}

const char *authority_file(const struct authority *a)
{
	return a->file;
}

struct x509_st *authority_issue(
    const struct authority *a, struct evp_pkey_st *key, const char *names)
{
	return certificate_issue(a->certificate, a->key, key, names, time(NULL));
}
