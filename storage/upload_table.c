#include "storage/core.h"

#include <stdlib.h>
#include <unistd.h>

void upload_table_init(struct upload_table *table)
{
	memset(table, 0, sizeof(*table));
	pthread_mutex_init(&table->lock, NULL);
}

static struct upload **bucket_of(struct upload_table *table, const uint8_t id[16])
{
	return &table->buckets[id[0]]; /* ids are random */
}

static struct upload *find(struct upload_table *table, const uint8_t id[16])
{
	struct upload *u = *bucket_of(table, id);
	while (u && memcmp(u->id, id, 16) != 0)
		u = u->chain;
	return u;
}

static void unlist(struct upload_table *table, struct upload *u)
{
	if (!u->listed)
		return;
	*(u->older ? &u->older->newer : &table->oldest) = u->newer;
	*(u->newer ? &u->newer->older : &table->newest) = u->older;
	u->older = u->newer = NULL;
	u->listed = false;
	table->idle--;
}

static void list(struct upload_table *table, struct upload *u)
{
	u->older = table->newest;
	u->newer = NULL;
	*(table->newest ? &table->newest->newer : &table->oldest) = u;
	table->newest = u;
	u->listed = true;
	table->idle++;
}

static void unchain(struct upload_table *table, struct upload *u)
{
	struct upload **at = bucket_of(table, u->id);
	while (*at && *at != u)
		at = &(*at)->chain;
	if (*at)
		*at = u->chain;
	unlist(table, u);
}

/* The oldest idle session, when there are too many. */
static struct upload *take_surplus(struct upload_table *table)
{
	struct upload *u = table->idle > UPLOADS_IDLE_MAX ? table->oldest : NULL;
	if (u)
		unchain(table, u);
	return u;
}

static struct slice own(struct slice s)
{
	char *copy = malloc(s.len + 1);
	if (!copy)
		abort();
	memcpy(copy, s.at, s.len);
	return slice_of(copy, s.len);
}

struct upload *upload_new(struct store *store, const uint8_t id[16], int64_t repository_id,
    const struct repository_key *key)
{
	struct upload *u = calloc(1, sizeof(*u));
	if (!u)
		abort();
	u->store = store;
	memcpy(u->id, id, 16);
	u->repository_id = repository_id;
	u->key.account = own(key->account);
	u->key.region = own(key->region);
	u->key.name = own(key->name);
	u->algorithm = DIGEST_SHA256;
	u->fd = -1;
	u->held = true;
	return u;
}

void upload_free(struct upload *u)
{
	if (!u)
		return;
	if (u->fd >= 0)
		close(u->fd);
	hasher_free(u->hasher);
	free(u->bytes);
	free((char *)u->key.account.at);
	free((char *)u->key.region.at);
	free((char *)u->key.name.at);
	free(u);
}

void upload_table_release(struct upload_table *table)
{
	for (size_t i = 0; i < UPLOAD_BUCKETS; i++) {
		for (struct upload *u; (u = table->buckets[i]);) {
			table->buckets[i] = u->chain;
			upload_free(u);
		}
	}
	pthread_mutex_destroy(&table->lock);
}

enum upload_claim upload_claim(struct upload_table *table, const uint8_t id[16], struct upload **out)
{
	pthread_mutex_lock(&table->lock);
	struct upload *u = find(table, id);
	enum upload_claim claim = !u ? UPLOAD_ABSENT : u->held ? UPLOAD_HELD : UPLOAD_CLAIMED;
	if (claim == UPLOAD_CLAIMED) {
		u->held = true;
		unlist(table, u);
		*out = u;
	}
	pthread_mutex_unlock(&table->lock);
	return claim;
}

bool upload_insert(struct upload_table *table, struct upload *u)
{
	pthread_mutex_lock(&table->lock);
	bool absent = !find(table, u->id);
	if (absent) {
		u->chain = *bucket_of(table, u->id);
		*bucket_of(table, u->id) = u;
	}
	pthread_mutex_unlock(&table->lock);
	return absent;
}

static bool same_repository(const struct repository_key *a, const struct repository_key *b)
{
	return slice_eq(a->name, b->name) && slice_eq(a->account, b->account) &&
	    slice_eq(a->region, b->region);
}

bool upload_peek(struct upload_table *table, const uint8_t id[16], const struct repository_key *key,
    uint64_t *size)
{
	pthread_mutex_lock(&table->lock);
	struct upload *u = find(table, id);
	/* a held one is growing under its holder's hands: what its row says is what is acknowledged */
	bool here = u && !u->held && same_repository(&u->key, key);
	if (here)
		*size = u->size;
	pthread_mutex_unlock(&table->lock);
	return here;
}

void upload_give_back(struct upload_table *table, struct upload *u)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	u->reader = NULL;
	pthread_mutex_lock(&table->lock);
	u->held = false;
	bool dead = atomic_load(&u->dead);
	if (dead)
		unchain(table, u);
	else
		list(table, u);
	struct upload *surplus = dead ? u : take_surplus(table);
	pthread_mutex_unlock(&table->lock);
	upload_free(surplus);
}

void upload_take_out(struct upload_table *table, struct upload *u)
{
	pthread_mutex_lock(&table->lock);
	unchain(table, u);
	pthread_mutex_unlock(&table->lock);
}

void upload_kill(struct upload_table *table, int64_t repository_id)
{
	struct upload *idle = NULL;
	pthread_mutex_lock(&table->lock);
	for (size_t i = 0; i < UPLOAD_BUCKETS; i++) {
		for (struct upload *u = table->buckets[i], *next; u; u = next) {
			next = u->chain;
			if (repository_id != 0 && u->repository_id != repository_id)
				continue;
			atomic_store(&u->dead, true);
			if (u->held)
				continue;
			unchain(table, u);
			u->chain = idle;
			idle = u;
		}
	}
	pthread_mutex_unlock(&table->lock);
	for (struct upload *next; idle; idle = next) {
		next = idle->chain;
		upload_free(idle);
	}
}
