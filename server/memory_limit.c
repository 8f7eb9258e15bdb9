/*
 * Three eighths of what is there go to what clients choose. The rest is for what they do not: SQLite's caches, OpenSSL's
 * tables, stacks, the pages of a body that is being read, copies that live for the length of a call, and what malloc loses
 * between its pieces.
 */
#include "server/memory_limit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	TOTAL_MAX = 256 << 20,
	TOTAL_MIN = 4 << 20,
	LOOP_BYTES = 4 << 20, /* of the total, for each loop */
};

/* A number in a file; SIZE_MAX: none, or "max". */
static size_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long long number = 0;
	bool read = file && fscanf(file, "%llu", &number) == 1;

	if (file)
		fclose(file);
	return read && number < SIZE_MAX ? (size_t)number : SIZE_MAX;
}

/* The least limit of a group and those above it; within a container, the path may be one of the host's. */
static size_t group_limit(const char *root, char *group, const char *name)
{
	size_t least = SIZE_MAX, limit;
	char path[4200], *slash;

	for (;;) {
		snprintf(path, sizeof(path), "%s%s/%s", root, group, name);
		limit = read_number(path);
		least = limit < least ? limit : least;
		slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* Lines of /proc/self/cgroup: "4:memory:/path" of version 1, "0::/path" of version 2. */
static size_t groups_limit(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	size_t least = SIZE_MAX, limit;
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		char *path = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (path && strncmp(line, "0::", 3) == 0)
			limit = group_limit("/sys/fs/cgroup", path, "memory.max");
		else if (path && strstr(line, ":memory:"))
			limit = group_limit("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
		else
			continue;
		least = limit < least ? limit : least;
	}
	if (file)
		fclose(file);
	return least;
}

/* What RLIMIT_AS leaves. */
static size_t addresses_left(void)
{
	size_t mapped = read_number("/proc/self/statm") * (size_t)sysconf(_SC_PAGESIZE);
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return SIZE_MAX;
	return limit.rlim_cur > mapped ? (size_t)limit.rlim_cur - mapped : 0;
}

struct memory_limit memory_limit_find(void)
{
	size_t addresses = addresses_left(), pages = groups_limit();
	size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
	struct memory_limit limit = {.addresses_limited = addresses != SIZE_MAX};

	pages = machine < pages ? machine : pages;
	limit.total = (addresses < pages ? addresses : pages) / 8 * 3;
	if (limit.total >= TOTAL_MAX) {
		limit.total = TOTAL_MAX;
		return limit;
	}
	if (limit.total < TOTAL_MIN)
		limit.total = TOTAL_MIN;
	limit.threads_max = (unsigned)(limit.total / LOOP_BYTES);
	return limit;
}
