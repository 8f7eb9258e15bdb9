/*
 * A small blocking HTTP/1.1 client: one connection, one request at a time, plain http only.
 *
 *	client_begin(), client_write() ..., client_finish()	the request, then the answer's head
 *	client_read() ... or client_text()			the answer's body, to its end
 *
 * A request whose answer was not read to its end costs the connection; a lost one is made anew by the next
 * client_begin. Everything here fails with *err filled.
 */
#ifndef DRYDOCK_SERVER_ARCHIVE_CLIENT_H
#define DRYDOCK_SERVER_ARCHIVE_CLIENT_H

#include "protocol/arena.h"
#include "storage/store.h"

#include <sys/types.h>

enum { CLIENT_CHUNKED = -1, CLIENT_HEAD_MAX = 16 * 1024 };

struct client {
	char host[256], port[8];
	int fd; /* -1: not connected */
	bool head_only, chunked, refused;
	char in[CLIENT_HEAD_MAX];
	size_t in_at, in_len;
	/* the answer's head */
	int status;
	uint64_t left; /* of its body, in bytes */
	bool close;
	char location[2048], content_type[256];
};

/* url: "http://HOST[:PORT]" and nothing behind it but a slash. */
bool client_init(struct client *c, const char *url, struct err *err);
void client_release(struct client *c);
/* "127.0.0.1:5001", as the Host field has it. */
const char *client_authority(const struct client *c, struct arena *a);

/* fields: further header lines, each with its CRLF. length: of the body, or CLIENT_CHUNKED. */
bool client_begin(struct client *c, const char *method, const char *path, const char *fields,
    int64_t length, struct err *err);
bool client_write(struct client *c, const void *at, size_t len, struct err *err);
bool client_finish(struct client *c, struct err *err);
/* 0 at the end, -1 on failure. */
ssize_t client_read(struct client *c, void *to, size_t len, struct err *err);
/* The whole body of at most max bytes, in the arena; absent on failure. */
struct slice client_text(struct client *c, size_t max, struct arena *a, struct err *err);

#endif
