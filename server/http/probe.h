/*
 * One blocking request of a client, for the program's own health check: no loop, no server. Any thread.
 */
#ifndef DRYDOCK_SERVER_HTTP_PROBE_H
#define DRYDOCK_SERVER_HTTP_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * GETs path from host (a numeric address or "localhost"), port; secure: over TLS, where the certificate is not looked
 * at, as nothing is told and nothing is trusted. The answer's bytes, head and body, cut at room - 1 and ended by a NUL,
 * go to answer; returns their number, 0 when there is none within some seconds. Blocks; SIGPIPE must be ignored.
 */
size_t http_probe(
    const char *host, uint16_t port, bool secure, const char *path, char *answer, size_t room);

#endif
