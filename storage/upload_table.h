/*
 * The upload sessions in memory: so that a hash goes on from one request to the next.
 *
 * Storage-internal. A session is held by one request or job at a time, which alone touches its bytes; the
 * table's lock guards who holds it. Idle ones beyond UPLOADS_IDLE_MAX are forgotten, oldest first: their row has all that is
 * needed to go on, only the hash is then made again from the bytes.
 */
#ifndef DRYDOCK_STORAGE_UPLOAD_TABLE_H
#define DRYDOCK_STORAGE_UPLOAD_TABLE_H

#include "storage/upload.h"

#include <pthread.h>

enum { UPLOADS_IDLE_MAX = 256, UPLOAD_BUCKETS = 256 };

struct upload {
	/* the table's */
	struct upload *chain;
	struct upload *older, *newer; /* among the idle */
	bool held, listed;
	/* fixed */
	struct store *store;
	uint8_t id[16];
	int64_t repository_id;
	struct repository_key key; /* its own copy */
	/* the holder's */
	enum digest_algorithm algorithm;
	struct hasher *hasher; /* over all `size` bytes; NULL: to be made from them */
	uint64_t size;         /* bytes it has */
	int64_t content_id;    /* the row with the first `parked` bytes; 0: none */
	uint64_t parked;
	bool in_file;
	char *bytes; /* all of them, when not in_file and more than the row has, or the row was read */
	size_t bytes_cap;
	int fd;                    /* of the file; -1: not open */
	uint64_t write_back;       /* the file's bytes the kernel was asked to write so far */
	struct store_reader *reader; /* of the request that holds it */
	bool spoilt;               /* an append failed half way: only good for being forgotten */
	/* anyone's */
	atomic_bool dead; /* its row is gone: the next step answers ERR_UPLOAD_UNKNOWN */
};

struct upload_table {
	pthread_mutex_t lock;
	struct upload *buckets[UPLOAD_BUCKETS];
	struct upload *oldest, *newest;
	size_t idle;
};

void upload_table_init(struct upload_table *table);
/* Frees every session in it. */
void upload_table_release(struct upload_table *table);

struct upload *upload_new(struct store *store, const uint8_t id[16], int64_t repository_id,
    const struct repository_key *key);
void upload_free(struct upload *u);

enum upload_claim { UPLOAD_CLAIMED, UPLOAD_HELD, UPLOAD_ABSENT };
/* Takes hold of the session named id. */
enum upload_claim upload_claim(struct upload_table *table, const uint8_t id[16], struct upload **out);
/* Adds one that is held by the caller. False when another made it first: then free it and claim again. */
bool upload_insert(struct upload_table *table, struct upload *u);
/* The size and repository of a session, held or not. False when it is not here. */
bool upload_peek(struct upload_table *table, const uint8_t id[16], const struct repository_key *key,
    uint64_t *size);
/* Gives it back to the table; a dead one is freed instead. */
void upload_give_back(struct upload_table *table, struct upload *u);
/* The holder takes it out of the table, to free it. */
void upload_take_out(struct upload_table *table, struct upload *u);
/* Marks sessions as dead, idle ones are freed: those of one repository, or (0) all. */
void upload_kill(struct upload_table *table, int64_t repository_id);

/* From the writer now and then: forgets sessions nobody has touched for a day. */
void uploads_expire(struct store *store);

#endif
