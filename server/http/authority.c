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
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 253, DOMAINS_ROOM = 8000, EXPIRES_SOON_DAYS = 1 };

static const char own_domains[] =
    "permitted;DNS:amazonaws.com,permitted;DNS:amazonaws.com.cn,"
    "permitted;DNS:api.aws,permitted;DNS:on.aws,permitted;DNS:localhost";

struct authority {
	char folder[PATH_MAX], file[PATH_MAX + 8];
	X509 *certificate;
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

static void list_domains(char *out, size_t room, const char *const *names, unsigned count)
{
	size_t len = (size_t)snprintf(out, room, "%s", own_domains);

	/* Addresses are not constrained: which ones this machine has is not known beforehand. */
	for (unsigned i = 0; i < count && len < room; i++)
		if (!authority_name_is_address(names[i]))
			len +=
			    (size_t)snprintf(out + len, room - len, ",permitted;DNS:%s", names[i]);
}

/* Whether the authority's own certificate lets it sign for a name. */
static bool may_sign(const struct authority *a, NAME_CONSTRAINTS *constraints, const char *name)
{
	char names[NAME_MAX_LEN + 8];
	X509 *trial;
	bool may;

	if (!constraints || authority_name_is_address(name))
		return true;
	snprintf(names, sizeof(names), "DNS:%s", name);
	trial = authority_issue(a, a->key, names);
	/* The flags are asked for as that has the certificate's names read, which the check goes by. */
	may = trial && (X509_get_extension_flags(trial) & EXFLAG_INVALID) == 0 &&
	    NAME_CONSTRAINTS_check(trial, constraints) == X509_V_OK;
	X509_free(trial);
	return may;
}

static bool may_sign_all(const struct authority *a, const char *const *names, unsigned count)
{
	NAME_CONSTRAINTS *constraints =
	    X509_get_ext_d2i(a->certificate, NID_name_constraints, NULL, NULL);
	bool may = true;

	for (unsigned i = 0; i < count && may; i++)
		may = may_sign(a, constraints, names[i]);
	NAME_CONSTRAINTS_free(constraints);
	return may;
}

/* ---- life ---- */

static bool make(struct authority *a, int folder, const char *const *names, unsigned count)
{
	char domains[DOMAINS_ROOM];

	list_domains(domains, sizeof(domains), names, count);
	a->key = certificate_key_new();
	if (a->key)
		a->certificate = certificate_authority_new(a->key, domains, time(NULL));
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
