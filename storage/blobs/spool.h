/*
 * The spool: what upload sessions need to survive their process, in two files of fixed slots.
 *
 *	DATA/sessions        a head of 512 bytes each: whose upload, how many bytes
 *	DATA/sessions.bytes  the bytes, while they are few (BLOB_INLINE_MAX each)
 *
 * Plain writes by the request's own thread: they are in the page cache, and so survive kill -9,
 * when they return, and need no other thread and no transaction as a row in the database would
 * (three a blob; a small image costs a sixth less so). Slots are used again and again, so the files
 * stay as small as the most sessions there ever were at once. Nothing here is flushed: after a
 * power loss all sessions are forgotten, and clients begin anew.
 *
 * Storage-internal. A slot belongs to one session; only its holder calls.
 */
#ifndef DRYDOCK_STORAGE_SPOOL_H
#define DRYDOCK_STORAGE_SPOOL_H

#include "storage/blobs/upload.h"

enum { SPOOL_SLOTS_MAX = 16384 };

struct spool {
	int heads, bytes; /* -1 until opened */
};

/* What is kept of a session. */
struct spool_head {
	uint8_t id[16];
	int64_t repository_id;
	struct repository_key key;
	enum digest_algorithm algorithm;
	uint64_t size;
	uint64_t part_end; /* where its last part ended */
	enum upload_parts parts;
	uint16_t part_count; /* stays at its greatest value once there */
	bool in_file;        /* the bytes are in uploads/<uuid> */
	int64_t began_ms, touched_ms;
};

/* Opens both files in the folder, made when absent; wipe: forgetting what is in them. 0 or an
 * errno. */
int spool_open(struct spool *spool, int folder, bool wipe);
/* Opens what is there, to be read only. */
int spool_look(struct spool *spool, int folder);
void spool_close(struct spool *spool);
/* How many slots the files have. */
uint32_t spool_slots(const struct spool *spool);

/* 0 or an errno. */
int spool_write_head(struct spool *spool, uint32_t slot, const struct spool_head *head);
int spool_clear_head(struct spool *spool, uint32_t slot);
/* False when the slot is free, or its head not whole or of what cannot be. Its slices borrow from text. */
bool spool_read_head(struct spool *spool, uint32_t slot, char text[512], struct spool_head *head);
int spool_write(struct spool *spool, uint32_t slot, uint64_t offset, const void *at, size_t len);
int spool_read(struct spool *spool, uint32_t slot, void *at, size_t len);

#endif
