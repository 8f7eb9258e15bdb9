/* The local authority and the certificates it signs, as OpenSSL's own verifier judges them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/http/authority.h"
#include "server/http/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY 86400

static const char *const no_names[] = {NULL};

/* A folder of the test's own, removed by remove_folder. */
static void make_folder(char folder[64])
{
	snprintf(folder, 64, "/tmp/drydock_ca_XXXXXX");
	assert_non_null(mkdtemp(folder));
}

static void remove_folder(const char *folder)
{
	static const char *const names[] = {"ca/ca.pem", "ca/key.pem", "ca"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		remove(path);
	}
	assert_int_equal(rmdir(folder), 0);
}

static X509 *certificate_of(const struct authority *a)
{
	BIO *bio = BIO_new_mem_buf(authority_pem(a), -1);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(x);
	return x;
}

/* X509_V_OK when x is good for a server of that name (NULL: any) at that time. */
static int judge(X509 *authority, X509 *x, const char *name, time_t when)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *parameters;
	int error;

	assert_int_equal(X509_STORE_add_cert(store, authority), 1);
	assert_int_equal(X509_STORE_CTX_init(context, store, x, NULL), 1);
	X509_STORE_CTX_set_default(context, "ssl_server");
	parameters = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_time(parameters, when);
	if (name)
		X509_VERIFY_PARAM_set1_host(parameters, name, 0);
	X509_verify_cert(context);
	error = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return error;
}

struct signer {
	EVP_PKEY *key, *leaf_key;
	X509 *certificate;
};

static struct signer signer_new(int64_t now)
{
	struct signer s = {.key = certificate_key_new(), .leaf_key = certificate_key_new()};

	s.certificate = certificate_authority_new(s.key, "permitted;DNS:example.test", now);
	assert_non_null(s.certificate);
	return s;
}

static void signer_free(struct signer *s)
{
	X509_free(s->certificate);
	EVP_PKEY_free(s->key);
	EVP_PKEY_free(s->leaf_key);
}

static X509 *issue(struct signer *s, const char *names, int64_t now)
{
	X509 *x = certificate_issue(s->certificate, s->key, s->leaf_key, names, now);

	assert_non_null(x);
	return x;
}

static void test_good_for_its_names_and_time(void **state)
{
	int64_t now = 1800000000;
	struct signer s = signer_new(now);
	X509 *x = issue(&s, "DNS:a.example.test,IP:127.0.0.1", now);

	(void)state;
	assert_int_equal(judge(s.certificate, x, "a.example.test", now), X509_V_OK);
	assert_int_equal(
	    judge(s.certificate, x, "b.example.test", now), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(x, "127.0.0.2", 0), 0);
	assert_int_equal(judge(s.certificate, x, NULL, now - DAY + 1), X509_V_OK);
	assert_int_equal(
	    judge(s.certificate, x, NULL, now - DAY - 1), X509_V_ERR_CERT_NOT_YET_VALID);
	assert_int_equal(
	    judge(s.certificate, x, NULL, now + CERTIFICATE_DAYS * DAY - 1), X509_V_OK);
	assert_int_equal(judge(s.certificate, x, NULL, now + CERTIFICATE_DAYS * DAY + 1),
	    X509_V_ERR_CERT_HAS_EXPIRED);
	assert_true(certificate_lasts(x, now, CERTIFICATE_DAYS - 1));
	assert_false(certificate_lasts(x, now, CERTIFICATE_DAYS));
	X509_free(x);
	signer_free(&s);
}

static void test_never_longer_than_the_authority(void **state)
{
	int64_t now = 1800000000, late = now + (int64_t)(AUTHORITY_DAYS - 10) * DAY;
	struct signer s = signer_new(now);
	X509 *x = issue(&s, "DNS:a.example.test", late);

	(void)state;
	assert_true(certificate_lasts(x, late, 9));
	assert_false(certificate_lasts(x, late, 10));
	X509_free(x);
	signer_free(&s);
}

static void test_held_to_its_domains(void **state)
{
	int64_t now = 1800000000;
	struct signer s = signer_new(now);
	X509 *other = issue(&s, "DNS:example.com", now),
	     *trick = issue(&s, "DNS:notexample.test", now);

	(void)state;
	assert_int_equal(judge(s.certificate, other, NULL, now), X509_V_ERR_PERMITTED_VIOLATION);
	assert_int_equal(judge(s.certificate, trick, NULL, now), X509_V_ERR_PERMITTED_VIOLATION);
	X509_free(other);
	X509_free(trick);
	signer_free(&s);
}

/* A server's certificate signs for nobody, and no two are the same. */
static void test_servers_are_no_authorities(void **state)
{
	int64_t now = 1800000000;
	struct signer s = signer_new(now);
	X509 *x = issue(&s, "DNS:a.example.test", now), *y = issue(&s, "DNS:a.example.test", now);

	(void)state;
	assert_int_equal(X509_check_ca(x), 0);
	assert_int_equal(X509_get_extended_key_usage(x), XKU_SSL_SERVER);
	assert_int_equal(X509_get_key_usage(x), KU_DIGITAL_SIGNATURE);
	assert_int_not_equal(
	    ASN1_INTEGER_cmp(X509_get0_serialNumber(x), X509_get0_serialNumber(y)), 0);
	X509_free(x);
	X509_free(y);
	signer_free(&s);
}

static void test_made_once_and_kept(void **state)
{
	char folder[64], path[128], why[512] = "";
	struct authority *a, *again;
	struct stat about;

	(void)state;
	make_folder(folder);
	snprintf(path, sizeof(path), "%s/ca", folder);
	a = authority_open(path, no_names, 0, why, sizeof(why));
	assert_string_equal(why, "");
	assert_non_null(a);
	again = authority_open(path, no_names, 0, why, sizeof(why));
	assert_string_equal(authority_pem(a), authority_pem(again));
	snprintf(path, sizeof(path), "%s/ca/key.pem", folder);
	assert_int_equal(stat(path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
	authority_free(a);
	authority_free(again);
	remove_folder(folder);
}

static void test_further_names(void **state)
{
	static const char *const names[] = {"registry.test", "192.0.2.1"};
	char folder[64], path[128], why[512] = "";
	EVP_PKEY *key = certificate_key_new();
	struct authority *a;
	X509 *x, *own;

	(void)state;
	make_folder(folder);
	snprintf(path, sizeof(path), "%s/ca", folder);
	a = authority_open(path, names, 2, why, sizeof(why));
	assert_non_null(a);
	own = certificate_of(a);
	x = authority_issue(a, key, "DNS:registry.test,IP:192.0.2.1");
	assert_int_equal(judge(own, x, "registry.test", time(NULL)), X509_V_OK);
	X509_free(x);
	x = authority_issue(a, key, "DNS:503561414328.dkr.ecr.us-east-1.amazonaws.com");
	assert_int_equal(judge(own, x, NULL, time(NULL)), X509_V_OK);
	X509_free(x);
	X509_free(own);
	EVP_PKEY_free(key);
	authority_free(a);
	/* It was not made for this one. */
	assert_null(authority_open(path, (const char *const[]){"other.test"}, 1, why, sizeof(why)));
	assert_non_null(strstr(why, "was made without a name that --tls-name gives"));
	remove_folder(folder);
}

static void test_a_folder_that_cannot_be(void **state)
{
	char why[512] = "";

	(void)state;
	assert_null(authority_open("/dev/null/ca", no_names, 0, why, sizeof(why)));
	assert_non_null(strstr(why, "/dev/null/ca cannot be opened"));
}

static void test_names(void **state)
{
	static const char *const good[] = {
	    "a", "a.b", "registry.test", "x-1.example.com", "127.0.0.1", "::1"};
	static const char *const bad[] = {
	    "", ".", "a.", ".a", "a..b", "-a", "A", "a_b", "a b", "*.a", "a,DNS:b", "a\nb", "é"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(authority_name_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(authority_name_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_for_its_names_and_time),
	    cmocka_unit_test(test_never_longer_than_the_authority),
	    cmocka_unit_test(test_held_to_its_domains),
	    cmocka_unit_test(test_servers_are_no_authorities),
	    cmocka_unit_test(test_made_once_and_kept),
	    cmocka_unit_test(test_further_names),
	    cmocka_unit_test(test_a_folder_that_cannot_be),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
