/*
 * The upload sessions: all of them, in memory.
 *
 * Storage-internal. A session is held by one request or job at a time, which alone touches its
 * bytes; the table's lock guards who holds it. What a session needs to survive its process is in
 * the spool.
 *
 * There are at most SPOOL_SLOTS_MAX; beyond that who has most idle ones gives one up (upload_holder.h). Idle ones
 * beyond UPLOADS_WARM_MAX keep no running hash: it is made again from the bytes when it is needed.
 */
#ifndef DRYDOCK_STORAGE_UPLOAD_TABLE_H
#define DRYDOCK_STORAGE_UPLOAD_TABLE_H

#include "storage/blobs/spool.h"
#include "storage/blobs/upload_holder.h"

#include <pthread.h>

enum { UPLOADS_WARM_MAX = 256, UPLOAD_BUCKETS = 1024 };

struct upload {
	/* the table's */
	struct upload *chain;
	struct upload *older, *newer;           /* in its idle list */
	struct idle_list *list;                 /* NULL: it is held */
	struct upload_holder *holder;           /* its repository */
	struct upload *older_here, *newer_here; /* in the repository's idle list */
	/* fixed */
	struct store *store;
	uint8_t id[16];
	uint32_t slot; /* in the spool */
	int64_t repository_id;
	struct repository_key key; /* texts follow the struct */
	/* the holder's */
	enum digest_algorithm algorithm;
	struct hasher *hasher; /* over all `size` bytes; NULL: to be made from them */
	uint64_t size;         /* bytes it has */
	uint64_t parked;       /* of these, those its head speaks of */
	uint64_t part_end;     /* of these, those of the parts so far */
	enum upload_parts parts;
	uint16_t part_count;
	bool in_file; /* they are in uploads/<uuid>, not in the slot */
	int64_t began_ms;
	int64_t touched_ms;
	int fd;              /* of the file; -1: not open */
	uint64_t write_back; /* the file's bytes the kernel was asked to write so far */
	bool spoilt;         /* an append failed half way: only good for being forgotten */
	/* anyone's */
	atomic_bool dead; /* given up by the store: the next step answers ERR_UPLOAD_UNKNOWN */
};

/* Idle sessions by when they were given back. */
struct idle_list {
	struct upload *oldest, *newest;
	size_t count;
};

struct upload_table {
	pthread_mutex_t lock;
	struct spool spool;
	struct upload *buckets[UPLOAD_BUCKETS];
	struct idle_list warm, cold; /* warm ones may have their running hash */
	struct upload_holders holders;
	uint32_t *free_slots; /* below slots_used */
	size_t free_count, free_cap;
	uint32_t slots_used;
};

void upload_table_init(struct upload_table *table);
/* Takes in the sessions that the spool has. */
void upload_table_load(struct upload_table *table, struct store *store);
/* Frees every session's memory; the spool keeps them. */
void upload_table_release(struct upload_table *table);

/* A new session in the table and the spool, held by the caller. ERR_STORAGE_*, ERR_THROTTLED: too
 * many. */
enum error_code upload_new(struct store *store, const struct spool_head *head, struct upload **out);
enum upload_claim { UPLOAD_CLAIMED, UPLOAD_HELD, UPLOAD_ABSENT };
/* Takes hold of the session named id. */
enum upload_claim upload_claim(
    struct upload_table *table, const uint8_t id[16], struct upload **out);
bool upload_belongs(const struct upload *u, const struct repository_key *key);
/* The acknowledged size of a session, held or not. False when the repository has none of that id.
 */
bool upload_peek(struct upload_table *table, const uint8_t id[16], const struct repository_key *key,
    uint64_t *size);
/* Gives it back to the table; a dead one is removed instead. */
void upload_give_back(struct upload *u);
/* The holder ends it: head, slot, file and memory. */
void upload_remove(struct upload *u);
/* Writes its head as it is now: 0 or an errno. */
int upload_write_head(struct upload *u);

/* Ends sessions (held ones: as soon as they are given back): of one repository, or (0) all. */
void upload_kill(struct upload_table *table, int64_t repository_id);
/* Ends the idle ones last touched before a time; how many. */
size_t upload_kill_older(struct upload_table *table, int64_t touched_ms);
/* A blob that a repository sees and no image holds, since when, and whether an upload going on may count on it. */
struct upload_watch {
	int64_t repository_id, touched_ms;
	bool spared;
};
/*
 * Marks those that an upload to their repository may count on: one that a request holds, or that was touched
 * within the grace time, and began within theirs.
 */
void upload_table_spare(struct upload_table *table, struct upload_watch *watched, size_t count,
    int64_t now_ms, int64_t grace_ms);
/* Whether there is one of this id. */
bool upload_known(struct upload_table *table, const uint8_t id[16]);

#endif
