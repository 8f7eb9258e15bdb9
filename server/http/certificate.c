/* Making certificates: see certificate.h. */
#include "server/http/certificate.h"

#include <openssl/bn.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400, SERIAL_BITS = 127 };

EVP_PKEY *certificate_key_new(void)
{
	return EVP_EC_gen("P-256");
}

static bool set_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX context;
	bool added;

	X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

/* Random and positive, with the first bit set so that its length is always the same. */
static bool set_serial(X509 *x)
{
	BIGNUM *serial = BN_new();
	bool set = serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x));

	BN_free(serial);
	return set;
}

static bool set_times(X509 *x, int64_t from_s, int64_t until_s)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), from_s) &&
	    ASN1_TIME_set(X509_getm_notAfter(x), until_s);
}

static bool set_subject(X509 *x, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);

	return X509_NAME_add_entry_by_txt(
		   subject, "O", MBSTRING_ASC, (const unsigned char *)"Drydock", -1, -1, 0) &&
	    X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
}

/* What both kinds have; version 3. */
static X509 *begin(EVP_PKEY *key, const char *subject)
{
	X509 *x = X509_new();

	if (x && X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_subject(x, subject) &&
	    X509_set_pubkey(x, key))
		return x;
	X509_free(x);
	return NULL;
}

static int64_t expiry(const X509 *x)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) ? (int64_t)timegm(&tm) : 0;
}

int certificate_lasts(const X509 *certificate, int64_t now_s, int days)
{
	return expiry(certificate) > now_s + (int64_t)days * DAY_S;
}

/* Of several authorities that a machine has come to trust, each has a name of its own. */
static bool name_authority(char name[64])
{
	unsigned char random[4];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return false;
	snprintf(name, 64, "Drydock local authority %02x%02x%02x%02x", random[0], random[1],
	    random[2], random[3]);
	return true;
}

X509 *certificate_authority_new(EVP_PKEY *key, const char *domains, int64_t now_s)
{
	size_t room = strlen(domains) + sizeof("critical,");
	char name[64], *constraints;
	X509 *x;

	if (!name_authority(name) || !(x = begin(key, name)))
		return NULL;
	constraints = calloc(1, room);
	if (!constraints)
		abort();
	snprintf(constraints, room, "critical,%s", domains);
	if (set_times(x, now_s - CERTIFICATE_EARLY_DAYS * DAY_S,
		now_s + (int64_t)AUTHORITY_DAYS * DAY_S) &&
	    X509_set_issuer_name(x, X509_get_subject_name(x)) &&
	    set_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    set_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    set_extension(x, x, NID_subject_key_identifier, "hash") &&
	    set_extension(x, x, NID_authority_key_identifier, "keyid:always") &&
	    set_extension(x, x, NID_name_constraints, constraints) &&
	    X509_sign(x, key, EVP_sha256())) {
		free(constraints);
		return x;
	}
	free(constraints);
	X509_free(x);
	return NULL;
}

X509 *certificate_issue(
    X509 *authority, EVP_PKEY *authority_key, EVP_PKEY *key, const char *names, int64_t now_s)
{
	int64_t until_s = now_s + (int64_t)CERTIFICATE_DAYS * DAY_S, last_s = expiry(authority);
	X509 *x = begin(key, "Drydock");

	if (x &&
	    set_times(
		x, now_s - CERTIFICATE_EARLY_DAYS * DAY_S, until_s < last_s ? until_s : last_s) &&
	    X509_set_issuer_name(x, X509_get_subject_name(authority)) &&
	    set_extension(x, authority, NID_basic_constraints, "critical,CA:FALSE") &&
	    set_extension(x, authority, NID_key_usage, "critical,digitalSignature") &&
	    set_extension(x, authority, NID_ext_key_usage, "serverAuth") &&
	    set_extension(x, authority, NID_subject_key_identifier, "hash") &&
	    set_extension(x, authority, NID_authority_key_identifier, "keyid:always") &&
	    set_extension(x, authority, NID_subject_alt_name, names) &&
	    X509_sign(x, authority_key, EVP_sha256()))
		return x;
	X509_free(x);
	return NULL;
}
