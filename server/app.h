/*
 * The application: what the transport's requests are given to.
 *
 *	http -> app_route -> registry | ecr | admin
 *
 * One struct app per process, constant after app_start; each event loop has a struct app_loop with the
 * read connection of its thread.
 */
#ifndef DRYDOCK_SERVER_APP_H
#define DRYDOCK_SERVER_APP_H

#include "protocol/browser_rules.h"
#include "server/config.h"
#include "server/http/http.h"
#include "storage/store.h"

struct iam_config;
struct memory_limit;
struct policy_cache;

struct app {
	const struct config *config;
	struct store *store;
	const struct iam_config *iam; /* of --auth iam; else NULL */
	struct http_server *http;
	struct authority *ca; /* NULL: no TLS, or with the user's certificate */
	struct tls *tls;      /* NULL: no TLS */
	const char *tls_names[TLS_NAMES_MAX];
	/* "127.0.0.1:5001": what we listen on, for a request without Host; empty: not at all */
	char authority[300], tls_authority[300];
	int64_t started_ms; /* monotonic */
	/* Names that the server goes by besides those of browser_rules.h: --tls-name's, --host-name's, --listen's. */
	const char *name_list[TLS_NAMES_MAX + HOST_NAMES_MAX + 2];
	struct browser_names names;
	char doors_token[DOORS_TOKEN_MAX]; /* of DOORS_TOKEN, else empty */
	/*
	 * The data folder's key, and with --auth iam one that is derived from it: what was sealed for a caller who
	 * proved nothing opens nothing where proof is asked.
	 */
	uint8_t seal_key[TOKEN_KEY_LEN];
};

/* What belongs to one loop's thread. */
struct app_loop {
	struct app *app;
	struct store_reader *reader;
	struct policy_cache *policies;
	uint64_t random; /* state of the request ids' generator */
};

/* Starts to listen and serve in the background, within this memory (NULL: any); false with *err filled. */
bool app_start(struct app *app, const struct config *config, const struct memory_limit *memory,
    struct store *store, const struct iam_config *iam, struct err *err);
/* Finishes what runs (grace_ms at most), closes every connection, joins the threads. */
void app_stop(struct app *app, int grace_ms);
/* The ports listened on, once started; 0: none. */
uint16_t app_port(const struct app *app);
uint16_t app_tls_port(const struct app *app);

#endif
