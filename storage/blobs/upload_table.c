/*
 * The table of upload sessions: by id, by how long they are idle, and by who has them (upload_holder.c).
 *
 * The lock guards these links only, and is never held over a read or a write of a file: who ends a session takes
 * it out first. A session that is on no idle list is held, and its bytes are its holder's; to end a held one from
 * outside is to mark it, and its holder ends it when giving it back. The 256 that were used last keep their
 * running hash; that of others is made again from their bytes, so that thousands of idle ones cost little memory.
 */
#include "storage/core.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

void upload_table_init(struct upload_table *table)
{
	memset(table, 0, sizeof(*table));
	table->spool.heads = table->spool.bytes = -1;
	pthread_mutex_init(&table->lock, NULL);
}

/* These are called with the table's lock held. */

static struct upload **bucket_of(struct upload_table *table, const uint8_t id[16])
{
	return &table
		    ->buckets[(unsigned)(id[0] | id[1] << 8) % UPLOAD_BUCKETS]; /* ids are random */
}

static struct upload *find(struct upload_table *table, const uint8_t id[16])
{
	struct upload *u = *bucket_of(table, id);
	while (u && memcmp(u->id, id, 16) != 0)
		u = u->chain;
	return u;
}

static void list_add(struct idle_list *list, struct upload *u)
{
	u->older = list->newest;
	u->newer = NULL;
	*(list->newest ? &list->newest->newer : &list->oldest) = u;
	list->newest = u;
	list->count++;
	u->list = list;
}

static void list_take(struct upload *u)
{
	struct idle_list *list = u->list;
	assert(list && list->count > 0);
	*(u->older ? &u->older->newer : &list->oldest) = u->newer;
	*(u->newer ? &u->newer->older : &list->newest) = u->older;
	u->older = u->newer = NULL;
	list->count--;
	u->list = NULL;
}

static void chain_in(struct upload_table *table, struct upload *u)
{
	u->chain = *bucket_of(table, u->id);
	*bucket_of(table, u->id) = u;
}

static void chain_out(struct upload_table *table, struct upload *u)
{
	struct upload **at = bucket_of(table, u->id);
	while (*at && *at != u)
		at = &(*at)->chain;
	assert(*at == u);
	*at = u->chain;
}

static void slot_free(struct upload_table *table, uint32_t slot)
{
	if (table->free_count == table->free_cap) {
		table->free_cap = table->free_cap ? table->free_cap * 2 : 64;
		table->free_slots =
		    realloc(table->free_slots, table->free_cap * sizeof(*table->free_slots));
		if (!table->free_slots)
			abort();
	}
	table->free_slots[table->free_count++] = slot;
}

static bool slot_take(struct upload_table *table, uint32_t *slot)
{
	if (table->free_count > 0)
		*slot = table->free_slots[--table->free_count];
	else if (table->slots_used < SPOOL_SLOTS_MAX)
		*slot = table->slots_used++;
	else
		return false;
	return true;
}

/* Nobody holds the session any more. */
static void idle_add(struct upload_table *table, struct idle_list *list, struct upload *u)
{
	list_add(list, u);
	holder_idle(&table->holders, u);
}

/* An idle session is held from now on. */
static void idle_take(struct upload_table *table, struct upload *u)
{
	list_take(u);
	holder_busy(&table->holders, u);
}

static void enter(struct upload_table *table, struct upload *u)
{
	chain_in(table, u);
	u->holder = holder_enter(&table->holders, &u->key, u->repository_id);
}

/* Takes an idle session out, for the caller to end. */
static void take_idle(struct upload_table *table, struct upload *u)
{
	idle_take(table, u);
	chain_out(table, u);
}

/* From here on the lock is taken where it is needed. */

static void end(struct upload *u)
{
	struct upload_table *table = &u->store->uploads;
	assert(!u->list);
	if (u->fd >= 0)
		close(u->fd);
	if (u->in_file || u->fd >= 0)
		upload_file_remove(u->store, u->id);
	spool_clear_head(&table->spool, u->slot);
	pthread_mutex_lock(&table->lock);
	slot_free(table, u->slot);
	if (u->holder)
		holder_leave(&table->holders, u->holder);
	pthread_mutex_unlock(&table->lock);
	hasher_free(u->hasher);
	free(u);
}

static struct upload *from_head(struct store *store, const struct spool_head *head)
{
	const struct repository_key *key = &head->key;
	size_t account = key->account.len, region = key->region.len, name = key->name.len;
	struct upload *u = calloc(1, sizeof(*u) + account + region + name);
	if (!u)
		abort();
	char *text = (char *)(u + 1);
	memcpy(text, key->account.at, account);
	memcpy(text + account, key->region.at, region);
	memcpy(text + account + region, key->name.at, name);
	u->key.account = slice_of(text, account);
	u->key.region = slice_of(text + account, region);
	u->key.name = slice_of(text + account + region, name);
	u->store = store;
	memcpy(u->id, head->id, sizeof(u->id));
	u->repository_id = head->repository_id;
	u->algorithm = head->algorithm;
	u->size = u->parked = head->size;
	u->part_end = head->part_end;
	u->parts = head->parts;
	u->part_count = head->part_count;
	u->in_file = head->in_file;
	u->began_ms = head->began_ms;
	u->touched_ms = head->touched_ms;
	u->fd = -1;
	return u;
}

/* Reads slots in order; those between sessions are free ones. */
void upload_table_load(struct upload_table *table, struct store *store)
{
	char text[512];
	struct spool_head head;
	uint32_t slots = spool_slots(&table->spool);
	for (uint32_t slot = 0; slot < slots; slot++) {
		if (!spool_read_head(&table->spool, slot, text, &head)) {
			slot_free(table, slot);
			continue;
		}
		struct upload *u = from_head(store, &head);
		u->slot = slot;
		enter(table, u);
		idle_add(table, &table->cold, u);
	}
	table->slots_used = slots;
}

void upload_table_release(struct upload_table *table)
{
	for (size_t i = 0; i < UPLOAD_BUCKETS; i++) {
		for (struct upload *u; (u = table->buckets[i]);) {
			table->buckets[i] = u->chain;
			if (u->list)
				idle_take(table, u);
			holder_leave(&table->holders, u->holder);
			if (u->fd >= 0)
				close(u->fd);
			hasher_free(u->hasher);
			free(u);
		}
	}
	free(table->free_slots);
	spool_close(&table->spool);
	pthread_mutex_destroy(&table->lock);
}

int upload_write_head(struct upload *u)
{
	struct spool_head head = {.repository_id = u->repository_id,
	    .key = u->key,
	    .algorithm = u->algorithm,
	    .size = u->size,
	    .part_end = u->part_end,
	    .parts = u->parts,
	    .part_count = u->part_count,
	    .in_file = u->in_file,
	    .began_ms = u->began_ms,
	    .touched_ms = u->touched_ms};
	memcpy(head.id, u->id, sizeof(head.id));
	return spool_write_head(&u->store->uploads.spool, u->slot, &head);
}

/* A slot for a new session; when there is none, one of whoever has most idle sessions gives its own. */
static bool have_slot(struct upload_table *table, uint32_t *slot)
{
	pthread_mutex_lock(&table->lock);
	bool taken = slot_take(table, slot);
	struct upload *surplus = NULL;
	if (!taken && (surplus = holder_surplus(&table->holders)))
		take_idle(table, surplus);
	pthread_mutex_unlock(&table->lock);
	if (!surplus)
		return taken;
	end(surplus);
	pthread_mutex_lock(&table->lock);
	taken = slot_take(table, slot);
	pthread_mutex_unlock(&table->lock);
	return taken;
}

enum error_code upload_new(struct store *store, const struct spool_head *head, struct upload **out)
{
	struct upload_table *table = &store->uploads;
	uint32_t slot;
	if (!have_slot(table, &slot))
		return ERR_THROTTLED;
	struct upload *u = from_head(store, head);
	u->slot = slot;
	int failure = upload_write_head(u);
	if (failure) {
		end(u);
		return error_of_errno(failure);
	}
	pthread_mutex_lock(&table->lock);
	enter(table, u);
	pthread_mutex_unlock(&table->lock);
	*out = u;
	return ERR_NONE;
}

enum upload_claim upload_claim(
    struct upload_table *table, const uint8_t id[16], struct upload **out)
{
	pthread_mutex_lock(&table->lock);
	struct upload *u = find(table, id);
	enum upload_claim claim = !u ? UPLOAD_ABSENT : u->list ? UPLOAD_CLAIMED : UPLOAD_HELD;
	if (claim == UPLOAD_CLAIMED) {
		idle_take(table, u);
		*out = u;
	}
	pthread_mutex_unlock(&table->lock);
	return claim;
}

bool upload_belongs(const struct upload *u, const struct repository_key *key)
{
	return slice_eq(u->key.name, key->name) && slice_eq(u->key.account, key->account) &&
	    slice_eq(u->key.region, key->region);
}

bool upload_peek(struct upload_table *table, const uint8_t id[16], const struct repository_key *key,
    uint64_t *size)
{
	pthread_mutex_lock(&table->lock);
	struct upload *u = find(table, id);
	bool here = u && !atomic_load(&u->dead) && upload_belongs(u, key);
	if (here)
		*size = u->parked;
	pthread_mutex_unlock(&table->lock);
	return here;
}

bool upload_known(struct upload_table *table, const uint8_t id[16])
{
	pthread_mutex_lock(&table->lock);
	bool known = find(table, id) != NULL;
	pthread_mutex_unlock(&table->lock);
	return known;
}

void upload_give_back(struct upload *u)
{
	struct upload_table *table = &u->store->uploads;
	struct hasher *forgotten = NULL;
	assert(!u->list); /* only who holds it gives it back */
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	pthread_mutex_lock(&table->lock);
	bool dead = atomic_load(&u->dead);
	if (dead)
		chain_out(table, u);
	else
		idle_add(table, &table->warm, u);
	if (table->warm.count > UPLOADS_WARM_MAX) {
		struct upload *cools = table->warm.oldest;
		list_take(cools);
		list_add(&table->cold, cools);
		forgotten = cools->hasher;
		cools->hasher = NULL;
	}
	pthread_mutex_unlock(&table->lock);
	hasher_free(forgotten);
	if (dead)
		end(u);
}

void upload_remove(struct upload *u)
{
	struct upload_table *table = &u->store->uploads;
	pthread_mutex_lock(&table->lock);
	chain_out(table, u);
	pthread_mutex_unlock(&table->lock);
	end(u);
}

/* Takes idle sessions out, those a test picks, and ends them; how many. */
static size_t end_some(struct upload_table *table, struct idle_list *list,
    bool (*picks)(const struct upload *u, int64_t arg), int64_t arg)
{
	struct upload *ended = NULL;
	size_t count = 0;
	pthread_mutex_lock(&table->lock);
	for (struct upload *u = list->oldest, *newer; u; u = newer) {
		newer = u->newer;
		if (!picks(u, arg))
			continue;
		take_idle(table, u);
		u->chain = ended;
		ended = u;
	}
	pthread_mutex_unlock(&table->lock);
	for (struct upload *next; ended; ended = next, count++) {
		next = ended->chain;
		end(ended);
	}
	return count;
}

static bool is_dead(const struct upload *u, int64_t arg)
{
	(void)arg;
	return atomic_load(&u->dead);
}

static bool is_older(const struct upload *u, int64_t touched_ms)
{
	return u->touched_ms < touched_ms;
}

void upload_kill(struct upload_table *table, int64_t repository_id)
{
	pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < UPLOAD_BUCKETS; i++) {
		for (struct upload *u = table->buckets[i]; u; u = u->chain) {
			if (repository_id == 0 || u->repository_id == repository_id)
				atomic_store(&u->dead, true);
		}
	}
	pthread_mutex_unlock(&table->lock);
	end_some(table, &table->warm, is_dead, 0);
	end_some(table, &table->cold, is_dead, 0);
}

size_t upload_kill_older(struct upload_table *table, int64_t touched_ms)
{
	return end_some(table, &table->warm, is_older, touched_ms) +
	    end_some(table, &table->cold, is_older, touched_ms);
}

/*
 * The push that a session is part of may have been told of a stray as long as that was in its grace time when
 * the session began. An idle session's time was written before it was given back; a held one's is its holder's.
 */
void upload_table_spare(struct upload_table *table, struct upload_watch *watched, size_t count,
    int64_t now_ms, int64_t grace_ms)
{
	pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < UPLOAD_BUCKETS; i++) {
		for (struct upload *u = table->buckets[i]; u; u = u->chain) {
			if (atomic_load(&u->dead) ||
			    (u->list && u->touched_ms <= now_ms - grace_ms))
				continue;
			for (size_t j = 0; j < count; j++)
				watched[j].spared |= watched[j].repository_id == u->repository_id &&
				    watched[j].touched_ms >= u->began_ms - grace_ms;
		}
	}
	pthread_mutex_unlock(&table->lock);
}
