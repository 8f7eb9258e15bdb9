/*
 * The log: one line a request, and what went wrong, on standard error.
 *
 * Set up once before threads start; any thread may write. Lines never mix, each is whole, and saying one never
 * waits for whoever reads them (log_out.h).
 */
#ifndef DRYDOCK_SERVER_LOG_H
#define DRYDOCK_SERVER_LOG_H

#include "protocol/slice.h"
#include "server/config.h"

void log_setup(enum log_level level, enum log_format format);
bool log_wants(enum log_level level);

/* A message for people; in JSON format its "message" member. */
void log_say(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a request was and how it ended. */
struct log_request {
	const char
	    *operation; /* "PutManifest", "CreateRepository"; NULL: method and target are shown */
	struct slice method, target;
	struct slice repository; /* absent: none */
	struct slice reference;  /* tag, digest or upload id; absent: none */
	const char *error;       /* the error's code, NULL on success */
	struct slice cause;      /* of a server error, for the operator; absent: none */
	const char *request_id;  /* NULL: none */
	int status;
	uint64_t bytes_in, bytes_out;
	int64_t duration_us;
};
void log_request(const struct log_request *r);

#endif
