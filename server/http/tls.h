/*
 * What a TLS listener shows its clients: one certificate of the user's, or those of a local authority, made as names
 * are asked for.
 *
 *	tls = tls_new(&options, why, sizeof(why));        NULL: why says it
 *	... http_options.tls = tls; the server runs and is freed ...
 *	tls_free(tls);
 *
 * TLS 1.2 and 1.3, ciphers with forward secrecy and authentication only, ALPN http/1.1, sessions resumed by tickets
 * whose keys live as long as the process, no renegotiation. Names are the clients' SNI: with an authority, a name that
 * nothing here serves is answered by the alert unrecognized_name. A client that names none (one that was given a
 * numeric address) sees a certificate for the address it reached, for localhost, and for its two addresses.
 *
 * Made once; then any thread may use it.
 */
#ifndef DRYDOCK_SERVER_HTTP_TLS_H
#define DRYDOCK_SERVER_HTTP_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct tls;
struct authority;

struct tls_options {
	const char *certificate,
	    *key; /* PEM files, the chain's further certificates behind the first */
	const struct authority *authority; /* when no certificate is given; outlives the tls */
	const char *const *names; /* further ones to serve, with an authority; outlive the tls */
	unsigned name_count;
};

/* NULL on failure, with a sentence that names the option and the mend in why. */
struct tls *tls_new(const struct tls_options *options, char *why, size_t why_len);
/* After the servers that use it; NULL allowed. */
void tls_free(struct tls *tls);

/* Whether a client that asks for this name is served. */
bool tls_serves(const struct tls *tls, const char *name);

/* In OpenSSL's type, for server/http alone: a session that accepts on a socket, which stays the caller's. */
struct ssl_st;
struct ssl_st *tls_session_new(struct tls *tls, int fd);

#endif
