/*
 * What the verbs that look after a data folder share: gc and check.
 */
#ifndef DRYDOCK_SERVER_UPKEEP_H
#define DRYDOCK_SERVER_UPKEEP_H

#include "server/archive/archive.h"
#include "server/gc_report.h"

struct upkeep_options {
	struct config config; /* the data folder */
	const char *url;      /* of a running server; NULL: the data folder */
	const char *grace;    /* seconds, as written; NULL: as configured */
	bool json, repair;
};

/* A flag, or an option with a value, that a verb has besides those of the configuration. */
struct upkeep_word {
	const char *name;
	bool *flag;
	const char **value;
};
/* Reads a verb's words; words ends with a NULL name. False with one sentence in *err. */
bool upkeep_read(
    struct config *config, const struct upkeep_word *words, int argc, char **argv, struct err *err);
/* "12.3 MiB". */
const char *upkeep_bytes(uint64_t bytes, char text[32]);

#endif
