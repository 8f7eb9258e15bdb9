/*
 * Digests that were dealt with already: an archive's parts are read, sent and written once, however often indexes
 * name them. For import and export.
 *
 * A balanced tree: whoever makes an archive cannot choose digests that make it slow. One thread.
 */
#ifndef DRYDOCK_SERVER_ARCHIVE_DIGEST_SET_H
#define DRYDOCK_SERVER_ARCHIVE_DIGEST_SET_H

#include "protocol/digest.h"

struct digest_set {
	void *root; /* NULL: it is empty; so is a zeroed set */
	size_t count;
};

bool digest_set_has(const struct digest_set *set, const struct digest *digest);
/* True when it was not in it. */
bool digest_set_add(struct digest_set *set, const struct digest *digest);
void digest_set_release(struct digest_set *set);

#endif
