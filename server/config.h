/*
 * The program's options: one table, read from the command line and the environment.
 *
 * Every option of `drydock serve` is an entry of the table in config.c: --name VALUE, or DRYDOCK_NAME in
 * the environment; the command line wins. Read once at start, constant afterwards.
 */
#ifndef DRYDOCK_SERVER_CONFIG_H
#define DRYDOCK_SERVER_CONFIG_H

#include "protocol/quotas.h"
#include "server/quirks.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum auth_mode { AUTH_TOKEN, AUTH_OPEN, AUTH_IAM };
enum address_form { ADDRESS_REACHED, ADDRESS_ECR, ADDRESS_LOCALHOST };
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum doors_mode {
	DOORS_DEFAULT,
	DOORS_OPEN,
	DOORS_TOKEN,
	DOORS_OFF
}; /* default: only while options are read */

enum { TLS_NAMES_MAX = 16, HOST_NAMES_MAX = 16, DOORS_TOKEN_MIN = 16, DOORS_TOKEN_MAX = 256 };
/* What a token of --doors-token consists of (RFC 6750, b64token, but for the tilde). */
#define DOORS_TOKEN_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._+/="

struct config {
	char listen_host[256]; /* empty: not over plain HTTP */
	uint16_t listen_port;  /* 0: any free one */
	char tls_host[256];    /* empty: not over TLS */
	uint16_t tls_port;
	char tls_certificate[4096], tls_key[4096]; /* files; empty: the authority's */
	char tls_authority[4096];                  /* its folder */
	char tls_names[TLS_NAMES_MAX][256];        /* further ones that it signs for */
	unsigned tls_name_count;
	char host_names[HOST_NAMES_MAX][256]; /* further ones that we go by */
	unsigned host_name_count;
	enum doors_mode doors;
	char doors_token[DOORS_TOKEN_MAX]; /* empty: made */
	char data[4096];                   /* empty: the default folder */
	bool ephemeral;
	enum auth_mode auth;
	char iam[4096]; /* the file of AUTH_IAM; else empty */
	enum address_form addresses;
	struct quirks quirks; /* with the profile */
	struct quotas quotas;
	unsigned gc_grace_s;
	unsigned gc_interval_s;        /* 0: never by itself */
	unsigned lifecycle_interval_s; /* the same */
	char account[13];
	char region[26];
	unsigned threads; /* 0: one per core */
	unsigned max_connections;
	enum log_level log_level;
	enum log_format log_format;
};

/*
 * Fills *config from defaults, the environment and argv (the words after "serve"). On a fault writes one
 * sentence that names the option and the mend to `why` and returns false.
 */
bool config_read(struct config *config, int argc, char **argv, char *why, size_t why_len);

/*
 * The host by which this machine reaches what listens there, over plain HTTP when that is served: the loopback one
 * for "every address".
 */
const char *config_local_host(const struct config *config);

/* The options with their meanings, for --help. */
void config_usage(FILE *out);

/* Walks the table, for tests and documentation: NULL past the last. */
const char *config_option_name(size_t index);

#endif
