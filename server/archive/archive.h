/*
 * What `drydock import` and `drydock export` share: their options, their progress, their words.
 *
 * Both talk the registry API, so that one write path, with all its checks, does for a running server and for a
 * data folder: over the latter (whose lock it takes) a server of their own runs in the process, on a free
 * port of the loopback address, until they are done.
 */
#ifndef DRYDOCK_SERVER_ARCHIVE_ARCHIVE_H
#define DRYDOCK_SERVER_ARCHIVE_ARCHIVE_H

#include "protocol/arena.h"
#include "server/config.h"
#include "storage/store.h"

struct archive_options {
	struct config config; /* the data folder, account and region */
	const char *url;      /* of a running server; NULL: the data folder */
	const char *image;    /* which of an archive's several images; NULL: its only one */
	const char *words[2]; /* what is neither an option nor its value */
	bool json;
	char *repository; /* of the image's name */
	char *reference;  /* its tag or digest; NULL: none */
};

/*
 * Reads a verb's words. url_option is "--to" or "--from", name_word the index of the word that is REPOSITORY[:TAG]
 * or REPOSITORY@DIGEST. False with one sentence in *err.
 */
bool archive_options_read(struct archive_options *o, int argc, char **argv, const char *url_option,
    int name_word, struct arena *a, struct err *err);
bool archive_wants_help(int argc, char **argv);

/* Fills *err; always false, so that a caller can return it. */
bool archive_fail(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says a failure as the options want it; returns the exit code 1. */
int archive_say_failure(const struct archive_options *o, const char *verb, const struct err *err);

/* A bar on standard error, when that is a terminal and it takes more than a moment. */
struct progress {
	uint64_t done, total; /* bytes; total 0: not known */
	int64_t started_ms, shown_ms;
	bool wanted, shown;
};
void progress_init(struct progress *p, const struct archive_options *o, uint64_t total);
void progress_add(struct progress *p, uint64_t bytes);
void progress_end(struct progress *p);

#endif
