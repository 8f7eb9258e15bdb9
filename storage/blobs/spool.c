/*
 * The spool's slots on disk.
 *
 * A head is one record of 512 bytes, written at once, with a sum over its bytes: one that a crash has torn is a
 * free slot. Freeing a slot overwrites the head's first four bytes. What is read is taken for anybody's: lengths,
 * sizes and kinds that cannot be make a slot free, too.
 */
#include "storage/blobs/spool.h"

#include "storage/db/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 512, MAGIC = 0x33707564 /* "dup3" */ };

/* A head as it is on disk, in this machine's byte order. */
struct raw_head {
	uint32_t magic, check; /* check: over all that follows */
	uint8_t id[16];
	int64_t repository_id, began_ms, touched_ms;
	uint64_t size, part_end;
	uint8_t algorithm, in_file, parts, unused;
	uint16_t account_len, region_len, name_len, part_count;
	char key[HEAD_BYTES - 76];
};
static_assert(sizeof(struct raw_head) == HEAD_BYTES, "a head fills its place");

/* FNV-1a: against a head torn by a crash, not against anybody. */
static uint32_t check_of(const struct raw_head *raw)
{
	uint32_t sum = 2166136261u;
	const uint8_t *at = (const uint8_t *)raw;
	size_t used =
	    offsetof(struct raw_head, key) + raw->account_len + raw->region_len + raw->name_len;
	for (size_t i = offsetof(struct raw_head, id); i < used && i < sizeof(*raw); i++)
		sum = (sum ^ at[i]) * 16777619u;
	return sum;
}

static int open_one(int folder, const char *name, bool wipe)
{
	return disk_open(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | (wipe ? O_TRUNC : 0), 0600);
}

int spool_open(struct spool *spool, int folder, bool wipe)
{
	spool->heads = open_one(folder, "sessions", wipe);
	spool->bytes = open_one(folder, "sessions.bytes", wipe);
	return spool->heads >= 0 && spool->bytes >= 0 ? 0 : errno;
}

int spool_look(struct spool *spool, int folder)
{
	spool->bytes = -1;
	spool->heads = disk_open(folder, "sessions", O_RDONLY | O_CLOEXEC, 0);
	return spool->heads >= 0 ? 0 : errno;
}

void spool_close(struct spool *spool)
{
	if (spool->heads >= 0)
		close(spool->heads);
	if (spool->bytes >= 0)
		close(spool->bytes);
	spool->heads = spool->bytes = -1;
}

uint32_t spool_slots(const struct spool *spool)
{
	struct stat st;
	uint64_t slots = fstat(spool->heads, &st) == 0 ? (uint64_t)st.st_size / HEAD_BYTES : 0;
	return slots < SPOOL_SLOTS_MAX ? (uint32_t)slots : SPOOL_SLOTS_MAX;
}

static bool key_fits(const struct repository_key *key)
{
	return key->account.len + key->region.len + key->name.len <=
	    sizeof((struct raw_head){0}.key);
}

int spool_write_head(struct spool *spool, uint32_t slot, const struct spool_head *head)
{
	struct raw_head raw;
	const struct repository_key *key = &head->key;
	if (!key_fits(key))
		return ENAMETOOLONG;
	memset(&raw, 0, sizeof(raw));
	memcpy(raw.id, head->id, sizeof(raw.id));
	raw.repository_id = head->repository_id;
	raw.began_ms = head->began_ms;
	raw.touched_ms = head->touched_ms;
	raw.size = head->size;
	raw.part_end = head->part_end;
	raw.parts = (uint8_t)head->parts;
	raw.part_count = head->part_count;
	raw.algorithm = (uint8_t)head->algorithm;
	raw.in_file = head->in_file;
	raw.account_len = (uint16_t)key->account.len;
	raw.region_len = (uint16_t)key->region.len;
	raw.name_len = (uint16_t)key->name.len;
	memcpy(raw.key, key->account.at, key->account.len);
	memcpy(raw.key + key->account.len, key->region.at, key->region.len);
	memcpy(raw.key + key->account.len + key->region.len, key->name.at, key->name.len);
	raw.check = check_of(&raw);
	raw.magic = MAGIC;
	return disk_write_all(spool->heads, &raw, sizeof(raw), (uint64_t)slot * HEAD_BYTES);
}

int spool_clear_head(struct spool *spool, uint32_t slot)
{
	uint32_t none = 0;
	return disk_write_all(spool->heads, &none, sizeof(none), (uint64_t)slot * HEAD_BYTES);
}

bool spool_read_head(struct spool *spool, uint32_t slot, char text[512], struct spool_head *head)
{
	struct raw_head raw;
	if (disk_read(spool->heads, &raw, sizeof(raw), (off_t)slot * HEAD_BYTES) != sizeof(raw) ||
	    raw.magic != MAGIC || raw.check != check_of(&raw) ||
	    (size_t)raw.account_len + raw.region_len + raw.name_len > sizeof(raw.key))
		return false;
	/* readers have room for a slot's bytes, and no more */
	if ((!raw.in_file && raw.size > BLOB_INLINE_MAX) || raw.parts > PARTS_TOO_SMALL)
		return false;
	memcpy(text, raw.key, sizeof(raw.key));
	memcpy(head->id, raw.id, sizeof(raw.id));
	head->repository_id = raw.repository_id;
	head->key.account = slice_of(text, raw.account_len);
	head->key.region = slice_of(text + raw.account_len, raw.region_len);
	head->key.name = slice_of(text + raw.account_len + raw.region_len, raw.name_len);
	head->algorithm = (enum digest_algorithm)raw.algorithm;
	head->size = raw.size;
	head->part_end = raw.part_end;
	head->parts = (enum upload_parts)raw.parts;
	head->part_count = raw.part_count;
	head->in_file = raw.in_file != 0;
	head->began_ms = raw.began_ms;
	head->touched_ms = raw.touched_ms;
	return digest_raw_len(head->algorithm) > 0;
}

int spool_write(struct spool *spool, uint32_t slot, uint64_t offset, const void *at, size_t len)
{
	return disk_write_all(spool->bytes, at, len, (uint64_t)slot * BLOB_INLINE_MAX + offset);
}

int spool_read(struct spool *spool, uint32_t slot, void *at, size_t len)
{
	ssize_t got = disk_read(spool->bytes, at, len, (off_t)slot * BLOB_INLINE_MAX);
	return got == (ssize_t)len ? 0 : got < 0 ? errno : EIO;
}
