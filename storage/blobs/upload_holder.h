/*
 * Who has the upload sessions: accounts, and the repositories in them. Storage-internal.
 *
 * When all places are taken, one session gives way: of the account that has most idle ones, of the repository of
 * it that has most, the one idle longest. So whoever opens thousands of sessions ends his own, and never those of
 * others. A session that a request holds is not idle, and does not give way at all.
 *
 * All of it is called with the upload table's lock held. Each step costs the logarithm of the number of holders.
 */
#ifndef DRYDOCK_STORAGE_UPLOAD_HOLDER_H
#define DRYDOCK_STORAGE_UPLOAD_HOLDER_H

#include "storage/blobs/upload.h"

struct upload_account;

/* Those with most idle sessions are at its head: a binary heap. */
struct holder_rank {
	struct holder_place **at;
	size_t len, cap;
};
struct holder_place {
	size_t idle;  /* sessions */
	size_t index; /* in the heap */
};

/* A repository with sessions. */
struct upload_holder {
	struct holder_place place; /* among those of its account */
	int64_t repository_id;
	struct upload_account *account;
	struct upload *oldest, *newest; /* its idle sessions */
	size_t sessions;
};

/* Zeroed: nobody has any. */
struct upload_holders {
	void *accounts, *repositories; /* trees, by name and by id */
	struct holder_rank rank;       /* of the accounts */
};

/* A repository has one session more, which is held. */
struct upload_holder *holder_enter(
    struct upload_holders *holders, const struct repository_key *key, int64_t repository_id);
/* One less, which was held. The holder may be gone. */
void holder_leave(struct upload_holders *holders, struct upload_holder *holder);
/* The session is idle from now on; no longer. */
void holder_idle(struct upload_holders *holders, struct upload *u);
void holder_busy(struct upload_holders *holders, struct upload *u);
/* The session that gives way; NULL when none is idle. */
struct upload *holder_surplus(const struct upload_holders *holders);

#endif
