/*
 * Two heaps deep: accounts by their idle sessions, and in each its repositories. Accounts and repositories are found
 * in balanced trees (tsearch), as clients choose the names. See upload_holder.h.
 */
#include "storage/blobs/upload_table.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

struct upload_account {
	struct holder_place place; /* first: a heap of accounts is one of places */
	struct holder_rank rank;   /* of its repositories */
	size_t repositories;
	size_t name_len;
	char name[];
};

/* ---- the heap ---- */

static void settle(struct holder_rank *rank, struct holder_place *place, size_t index)
{
	rank->at[index] = place;
	place->index = index;
}

/* Moves a place to where its number belongs. */
static void rank_sift(struct holder_rank *rank, struct holder_place *place)
{
	size_t i = place->index;

	while (i > 0 && rank->at[(i - 1) / 2]->idle < place->idle) {
		settle(rank, rank->at[(i - 1) / 2], i);
		i = (i - 1) / 2;
	}
	for (size_t child; (child = 2 * i + 1) < rank->len; i = child) {
		if (child + 1 < rank->len && rank->at[child + 1]->idle > rank->at[child]->idle)
			child++;
		if (rank->at[child]->idle <= place->idle)
			break;
		settle(rank, rank->at[child], i);
	}
	settle(rank, place, i);
}

static void rank_add(struct holder_rank *rank, struct holder_place *place)
{
	if (rank->len == rank->cap) {
		rank->cap = rank->cap ? rank->cap * 2 : 4;
		rank->at = realloc(rank->at, rank->cap * sizeof(struct holder_place *));
		if (!rank->at)
			abort();
	}
	settle(rank, place, rank->len++);
	rank_sift(rank, place);
}

static void rank_remove(struct holder_rank *rank, struct holder_place *place)
{
	struct holder_place *last = rank->at[--rank->len];

	assert(rank->at[place->index] == place || last == place);
	if (last != place) {
		settle(rank, last, place->index);
		rank_sift(rank, last);
	}
	if (rank->len == 0) {
		free(rank->at);
		*rank = (struct holder_rank){NULL, 0, 0};
	}
}

/* ---- who they are ---- */

static int by_name(const void *a, const void *b)
{
	const struct upload_account *one = a, *other = b;

	if (one->name_len != other->name_len)
		return one->name_len < other->name_len ? -1 : 1;
	return memcmp(one->name, other->name, one->name_len);
}

static int by_id(const void *a, const void *b)
{
	const struct upload_holder *one = a, *other = b;

	return (one->repository_id > other->repository_id) -
	    (one->repository_id < other->repository_id);
}

/* What is in the tree already, else the new one. */
static void *find_or_add(void **tree, void *fresh, int (*compare)(const void *, const void *))
{
	void **node = tsearch(fresh, tree, compare);

	if (!node)
		abort();
	return *node;
}

static struct upload_account *account_of(struct upload_holders *holders, struct slice name)
{
	struct upload_account *fresh = calloc(1, sizeof(*fresh) + name.len + 1), *found;

	if (!fresh)
		abort();
	fresh->name_len = name.len;
	memcpy(fresh->name, name.at, name.len);
	found = find_or_add(&holders->accounts, fresh, by_name);
	if (found == fresh)
		rank_add(&holders->rank, &fresh->place);
	else
		free(fresh);
	return found;
}

struct upload_holder *holder_enter(
    struct upload_holders *holders, const struct repository_key *key, int64_t repository_id)
{
	struct upload_holder *fresh = calloc(1, sizeof(*fresh)), *found;

	if (!fresh)
		abort();
	fresh->repository_id = repository_id;
	found = find_or_add(&holders->repositories, fresh, by_id);
	if (found == fresh) {
		fresh->account = account_of(holders, key->account);
		fresh->account->repositories++;
		rank_add(&fresh->account->rank, &fresh->place);
	} else {
		free(fresh);
	}
	found->sessions++;
	return found;
}

void holder_leave(struct upload_holders *holders, struct upload_holder *holder)
{
	struct upload_account *account = holder->account;

	assert(holder->sessions > holder->place.idle);
	if (--holder->sessions > 0)
		return;
	rank_remove(&account->rank, &holder->place);
	tdelete(holder, &holders->repositories, by_id);
	free(holder);
	if (--account->repositories > 0)
		return;
	rank_remove(&holders->rank, &account->place);
	tdelete(account, &holders->accounts, by_name);
	free(account);
}

/* ---- their idle sessions ---- */

static void count(struct upload_holders *holders, struct upload_holder *holder, int by)
{
	struct upload_account *account = holder->account;

	holder->place.idle += (size_t)by;
	account->place.idle += (size_t)by;
	rank_sift(&account->rank, &holder->place);
	rank_sift(&holders->rank, &account->place);
}

void holder_idle(struct upload_holders *holders, struct upload *u)
{
	struct upload_holder *holder = u->holder;

	u->older_here = holder->newest;
	u->newer_here = NULL;
	*(holder->newest ? &holder->newest->newer_here : &holder->oldest) = u;
	holder->newest = u;
	count(holders, holder, 1);
}

void holder_busy(struct upload_holders *holders, struct upload *u)
{
	struct upload_holder *holder = u->holder;

	*(u->older_here ? &u->older_here->newer_here : &holder->oldest) = u->newer_here;
	*(u->newer_here ? &u->newer_here->older_here : &holder->newest) = u->older_here;
	u->older_here = u->newer_here = NULL;
	count(holders, holder, -1);
}

struct upload *holder_surplus(const struct upload_holders *holders)
{
	const struct upload_account *account;

	if (holders->rank.len == 0)
		return NULL;
	account = (const struct upload_account *)holders->rank.at[0];
	return ((const struct upload_holder *)account->rank.at[0])->oldest;
}
