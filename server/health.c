/* drydock health: one request to a running server, for container health checks and scripts. */
#include "server/config.h"
#include "server/http/probe.h"
#include "server/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int report(const char *host, unsigned port, bool secure, const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");

	if (!body) {
		fprintf(stderr,
		    "drydock: nothing that answers listens on %s:%u: start it, or name "
		    "its address with --%slisten\n",
		    host, port, secure ? "tls-" : "");
		return 1;
	}
	fputs(body + 4, stdout);
	return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? 0 : 1;
}

int verb_health(int argc, char **argv)
{
	struct config config;
	char why[512], answer[4096];
	const char *host;
	uint16_t port;
	bool secure;

	if (!config_read(&config, argc, argv, why, sizeof(why))) {
		fprintf(stderr, "drydock: %s\n", why);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	host = config_local_host(&config);
	secure = !config.listen_host[0];
	port = secure ? config.tls_port : config.listen_port;
	http_probe(host, port, secure, "/_drydock/health", answer, sizeof(answer));
	return report(host, port, secure, answer);
}
