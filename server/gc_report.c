#include "server/gc_report.h"

#include <stddef.h>

static const struct member {
	const char *name;
	size_t offset;
} members[] = {
    {"freed_blobs", offsetof(struct gc_result, blobs)},
    {"freed_bytes", offsetof(struct gc_result, bytes)},
    {"waiting_blobs", offsetof(struct gc_result, waiting_blobs)},
    {"waiting_bytes", offsetof(struct gc_result, waiting_bytes)},
    {"orphan_files", offsetof(struct gc_result, files)},
    {"orphan_bytes", offsetof(struct gc_result, file_bytes)},
    {"expired_uploads", offsetof(struct gc_result, uploads)},
};

enum { MEMBER_COUNT = sizeof(members) / sizeof(members[0]) };

static uint64_t *member_of(struct gc_result *result, size_t i)
{
	return (uint64_t *)(void *)((char *)result + members[i].offset);
}

void gc_report_write(struct json_writer *w, const struct gc_result *result)
{
	struct gc_result copy = *result;

	for (size_t i = 0; i < MEMBER_COUNT; i++)
		json_put_num(w, members[i].name, (int64_t)*member_of(&copy, i));
}

bool gc_report_read(const cJSON *in, struct gc_result *result)
{
	for (size_t i = 0; i < MEMBER_COUNT; i++) {
		int64_t value = json_int(in, members[i].name, -1);

		if (value < 0)
			return false;
		*member_of(result, i) = (uint64_t)value;
	}
	return true;
}
