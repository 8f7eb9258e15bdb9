/*
 * Heads of upload sessions as a damaged data folder has them. Input: a head behind its magic and its checksum, which are made
 * to fit, and after that what the file has besides.
 *
 * A head that is taken must be safe to go on with: its texts lie within its own, bytes that are not in a file of the upload's
 * own have room in a slot, and writing it again gives the same.
 */
#include "fuzz.h"

#include "storage/blobs/spool.h"

#include <sys/mman.h>
#include <unistd.h>

enum { HEAD = 512, BEFORE = 8, LENGTHS = 68, KEY = 76 };

static const uint32_t magic = 0x33707564; /* "dup3" */

static size_t length_at(const uint8_t *head, size_t at)
{
	return head[at] | (size_t)head[at + 1] << 8;
}

/* As the spool writes it: FNV-1a over what is used. */
static void put_check(uint8_t head[HEAD])
{
	size_t used = KEY + length_at(head, LENGTHS) + length_at(head, LENGTHS + 2) +
	    length_at(head, LENGTHS + 4);
	uint32_t sum = 2166136261u;

	for (size_t i = BEFORE; i < used && i < HEAD; i++)
		sum = (sum ^ head[i]) * 16777619u;
	memcpy(head, &magic, sizeof(magic));
	memcpy(head + sizeof(magic), &sum, sizeof(sum));
}

static bool same(const struct spool_head *a, const struct spool_head *b)
{
	return memcmp(a->id, b->id, sizeof(a->id)) == 0 && a->repository_id == b->repository_id &&
	    slice_eq(a->key.account, b->key.account) && slice_eq(a->key.region, b->key.region) &&
	    slice_eq(a->key.name, b->key.name) && a->algorithm == b->algorithm &&
	    a->size == b->size && a->part_end == b->part_end && a->parts == b->parts &&
	    a->part_count == b->part_count && a->in_file == b->in_file &&
	    a->began_ms == b->began_ms && a->touched_ms == b->touched_ms;
}

static void check_head(struct spool *spool, const struct spool_head *head, struct slice text)
{
	char again[HEAD];
	struct spool_head back;

	CHECK(is_within(head->key.account, text) && is_within(head->key.region, text));
	CHECK(is_within(head->key.name, text));
	CHECK(digest_raw_len(head->algorithm) > 0);
	CHECK(head->in_file || head->size <= BLOB_INLINE_MAX);
	CHECK(head->parts <= PARTS_TOO_SMALL);
	CHECK(spool_write_head(spool, 1, head) == 0);
	CHECK(spool_read_head(spool, 1, again, &back) && same(head, &back));
	CHECK(spool_clear_head(spool, 1) == 0 && !spool_read_head(spool, 1, again, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct spool spool = {.heads = memfd_create("sessions", MFD_CLOEXEC), .bytes = -1};
	uint8_t raw[HEAD] = {0};
	char text[HEAD];
	struct spool_head head;
	size_t used = len < HEAD - BEFORE ? len : HEAD - BEFORE;

	memcpy(raw + BEFORE, at, used);
	put_check(raw);
	CHECK(write(spool.heads, raw, sizeof(raw)) == sizeof(raw));
	CHECK(write(spool.heads, at + used, len - used) == (ssize_t)(len - used));
	CHECK(spool_slots(&spool) == 1 + (len - used) / HEAD);
	if (spool_read_head(&spool, 0, text, &head))
		check_head(&spool, &head, slice_of(text, sizeof(text)));
	spool_close(&spool);
	return 0;
}
