/*
 * X.509 certificates as Drydock makes them: an authority's own, and those of servers that it signs. Internal to
 * server/http. Elliptic curve P-256 throughout. Any thread may call.
 *
 * Times are seconds since 1970 of the real clock, not of Drydock's, which tests move: it is the clients
 * who judge them. Functions that make something answer NULL when OpenSSL refuses; the caller frees.
 */
#ifndef DRYDOCK_SERVER_HTTP_CERTIFICATE_H
#define DRYDOCK_SERVER_HTTP_CERTIFICATE_H

#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

enum {
	CERTIFICATE_DAYS = 90, /* of a server's: browsers and Apple's clients refuse above 397 */
	CERTIFICATE_EARLY_DAYS = 1,  /* before they are made, for clients whose clock is behind */
	CERTIFICATE_RENEW_DAYS = 30, /* before their end */
	AUTHORITY_DAYS = 3650,
};

/* A new private key. */
EVP_PKEY *certificate_key_new(void);
/*
 * An authority's certificate for its key, signed by itself. It may sign for names below `domains` alone (name
 * constraints, RFC 5280 section 4.2.1.10), written "permitted;DNS:example.com,permitted;DNS:...": who trusts it
 * trusts it for nothing else.
 */
X509 *certificate_authority_new(EVP_PKEY *key, const char *domains, int64_t now_s);
/*
 * A server's certificate for `key`, good for CERTIFICATE_DAYS but never longer than the authority's. `names` as
 * OpenSSL writes a subjectAltName, "DNS:localhost,IP:127.0.0.1": the caller has made sure of every byte of it.
 */
X509 *certificate_issue(
    X509 *authority, EVP_PKEY *authority_key, EVP_PKEY *key, const char *names, int64_t now_s);
/* Whether it has `days` left. */
int certificate_lasts(const X509 *certificate, int64_t now_s, int days);

#endif
