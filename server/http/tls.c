/* Which certificate a client sees, and by which rules it is spoken to: see tls.h. */
#include "server/http/tls.h"

#include "protocol/ecr_host.h"
#include "server/http/authority.h"
#include "server/http/certificate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

enum {
	LEAVES = 64,                   /* certificates kept; more names take turns */
	NAME_ROOM = 256,               /* a name with its NUL: SNI has at most 255 bytes */
	NAMES_ROOM = 8192,             /* of a subjectAltName */
	READ_AHEAD_BYTES = 64u * 1024, /* records that one read may fetch */
};

/* A certificate that was made, by the SNI or the numeric address it was made for. */
struct leaf {
	char name[NAME_ROOM];
	X509 *certificate;
};

struct tls {
	SSL_CTX *ctx;
	const struct authority *authority; /* NULL: the user's own certificate */
	EVP_PKEY *key;                     /* of all certificates made here */
	const char *const *names;
	unsigned name_count;

	pthread_mutex_t mutex; /* guards what follows */
	struct leaf leaves[LEAVES];
	unsigned next; /* the place of the next one */
};

/* ---- names ---- */

/* In lower case; false when it is too long. */
static bool name_fold(const char *name, char out[NAME_ROOM])
{
	size_t len = strlen(name);

	if (len >= NAME_ROOM)
		return false;
	for (size_t i = 0; i <= len; i++)
		out[i] = (char)tolower((unsigned char)name[i]);
	return true;
}

bool tls_serves(const struct tls *tls, const char *name)
{
	char folded[NAME_ROOM];

	if (!tls->authority)
		return true;
	if (!name_fold(name, folded))
		return false;
	if (strcmp(folded, "localhost") == 0 || authority_name_is_address(folded))
		return true;
	if (aws_host_served(slice_str(folded)))
		return authority_may_sign(tls->authority, folded);
	for (unsigned i = 0; i < tls->name_count; i++)
		if (strcmp(folded, tls->names[i]) == 0)
			return true;
	return false;
}

/* The address by which the client reached us, as text. */
static void reached_address(const SSL *ssl, char out[NAME_ROOM])
{
	struct sockaddr_storage address;
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;
	socklen_t len = sizeof(address);

	snprintf(out, NAME_ROOM, "127.0.0.1");
	if (getsockname(SSL_get_fd(ssl), (struct sockaddr *)&address, &len) != 0)
		return;
	if (address.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, NAME_ROOM);
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, NAME_ROOM);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, out, NAME_ROOM);
}

/* The subjectAltName of who asked for no name: any address this machine is known by. */
static void list_addresses(const struct tls *tls, const char *reached, char out[NAMES_ROOM])
{
	size_t len =
	    (size_t)snprintf(out, NAMES_ROOM, "IP:%s,DNS:localhost,IP:127.0.0.1,IP:::1", reached);

	for (unsigned i = 0; i < tls->name_count && len < NAMES_ROOM; i++)
		if (authority_name_is_address(tls->names[i]))
			len +=
			    (size_t)snprintf(out + len, NAMES_ROOM - len, ",IP:%s", tls->names[i]);
}

/* ---- certificates ---- */

static X509 *leaf_make(const struct tls *tls, const char *name)
{
	char names[NAMES_ROOM];

	if (authority_name_is_address(name))
		list_addresses(tls, name, names);
	else
		snprintf(names, sizeof(names), "DNS:%s", name);
	return authority_issue(tls->authority, tls->key, names);
}

/* Under the mutex: the certificate for a name, made when there is none that lasts; borrowed, NULL on failure. */
static X509 *leaf_find(struct tls *tls, const char *name)
{
	struct leaf *leaf = NULL;

	for (unsigned i = 0; i < LEAVES && !leaf; i++)
		if (tls->leaves[i].certificate && strcmp(tls->leaves[i].name, name) == 0)
			leaf = &tls->leaves[i];
	if (leaf && certificate_lasts(leaf->certificate, time(NULL), CERTIFICATE_RENEW_DAYS))
		return leaf->certificate;
	if (!leaf)
		leaf = &tls->leaves[tls->next++ % LEAVES];
	X509_free(leaf->certificate);
	snprintf(leaf->name, sizeof(leaf->name), "%s", name);
	return leaf->certificate = leaf_make(tls, name);
}

/* The name that the client sees a certificate for. Of SNI, which must be a host name, an address says nothing. */
static bool name_asked(const SSL *ssl, char out[NAME_ROOM])
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (name && !authority_name_is_address(name))
		return name_fold(name, out);
	reached_address(ssl, out);
	return true;
}

/* OpenSSL asks for the certificate to show; 1: it has one. */
static int on_certificate(SSL *ssl, void *arg)
{
	struct tls *tls = arg;
	char name[NAME_ROOM];
	X509 *certificate;
	int used = 0;

	if (!name_asked(ssl, name))
		return 0;
	pthread_mutex_lock(&tls->mutex);
	certificate = leaf_find(tls, name);
	if (certificate)
		used = SSL_use_cert_and_key(ssl, certificate, tls->key, NULL, 1);
	pthread_mutex_unlock(&tls->mutex);
	return used;
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (!name || tls_serves(arg, name))
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- life ---- */

static bool set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
		SSL_OP_PRIORITIZE_CHACHA |
		/* HTTP says itself where a message ends */
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets need none */
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD_BYTES);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
	/* The shorter key first: it is as good for decades, and large layers are what costs. */
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
	    SSL_CTX_set_ciphersuites(ctx,
		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1;
}

static bool load_own(struct tls *tls, const struct tls_options *o, char *why, size_t why_len)
{
	const char *option = NULL, *file = o->certificate, *reason;

	if (SSL_CTX_use_certificate_chain_file(tls->ctx, o->certificate) != 1)
		option = "--tls-cert";
	else if (SSL_CTX_use_PrivateKey_file(tls->ctx, file = o->key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(tls->ctx) != 1)
		option = "--tls-key";
	if (!option)
		return true;
	reason = ERR_reason_error_string(ERR_peek_error());
	snprintf(why, why_len,
	    "%s names no %s in PEM that can be used, in %.200s (%s): give the certificate, followed by "
	    "those of its chain, with --tls-cert and its private key with --tls-key",
	    option, strcmp(option, "--tls-cert") == 0 ? "certificate" : "private key of it", file,
	    reason ? reason : "it cannot be read");
	return false;
}

static bool use_authority(struct tls *tls, const struct tls_options *o, char *why, size_t why_len)
{
	tls->authority = o->authority;
	tls->names = o->names;
	tls->name_count = o->name_count;
	tls->key = certificate_key_new();
	SSL_CTX_set_cert_cb(tls->ctx, on_certificate, tls);
	SSL_CTX_set_tlsext_servername_callback(tls->ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(tls->ctx, tls);
	if (!tls->key)
		snprintf(why, why_len, "no private key can be made for TLS");
	return tls->key != NULL;
}

struct tls *tls_new(const struct tls_options *o, char *why, size_t why_len)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	bool made;

	if (!tls)
		abort();
	pthread_mutex_init(&tls->mutex, NULL);
	tls->ctx = SSL_CTX_new(TLS_server_method());
	if (!tls->ctx || !set_rules(tls->ctx)) {
		snprintf(why, why_len, "this machine's OpenSSL offers no TLS 1.2 or 1.3");
		made = false;
	} else if (o->certificate) {
		made = load_own(tls, o, why, why_len);
	} else {
		made = use_authority(tls, o, why, why_len);
	}
	ERR_clear_error();
	if (made)
		return tls;
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	for (unsigned i = 0; i < LEAVES; i++)
		X509_free(tls->leaves[i].certificate);
	SSL_CTX_free(tls->ctx);
	EVP_PKEY_free(tls->key);
	pthread_mutex_destroy(&tls->mutex);
	free(tls);
}

struct ssl_st *tls_session_new(struct tls *tls, int fd)
{
	SSL *ssl = SSL_new(tls->ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}
