/*
 * A body in a file. See spill.h.
 *
 * It is mapped rather than read, as that copies nothing. Touching a page that the disk does not give back is SIGBUS,
 * the end of the process: so all pages are brought in before the mapping is handed out, in a way that says so.
 */
#include "server/http/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void spill_init(struct spill *spill)
{
	*spill = (struct spill){.fd = -1};
}

/* Not every filesystem can make a file without a name: then it has one for a moment. */
static int make_file(const char *folder)
{
	char name[PATH_MAX];
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	if ((size_t)snprintf(name, sizeof(name), "%s/body-XXXXXX", folder) >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

bool spill_write(struct spill *spill, const char *folder, struct slice piece)
{
	if (spill->fd < 0)
		spill->fd = make_file(folder);
	if (spill->fd < 0)
		return false;
	while (piece.len > 0) {
		ssize_t n = write(spill->fd, piece.at, piece.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		spill->len += (size_t)n;
		piece = slice_skip(piece, (size_t)n);
	}
	return true;
}

/* Reads it all, for kernels that cannot say whether bringing in a mapping failed. */
static bool readable(const struct spill *spill)
{
	char piece[16 * 1024];
	size_t at = 0;

	while (at < spill->len) {
		ssize_t n = pread(spill->fd, piece, sizeof(piece), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static bool bring_in(const struct spill *spill, void *map)
{
#ifdef MADV_POPULATE_READ /* Linux 5.14 */
	if (madvise(map, spill->len, MADV_POPULATE_READ) == 0)
		return true;
	if (errno != EINVAL) {
		errno = EIO;
		return false;
	}
#endif
	return readable(spill) && madvise(map, spill->len, MADV_WILLNEED) == 0;
}

struct slice spill_map(struct spill *spill)
{
	void *map = mmap(NULL, spill->len, PROT_READ, MAP_SHARED, spill->fd, 0);

	if (map == MAP_FAILED)
		return (struct slice){0};
	if (!bring_in(spill, map)) {
		int failure = errno;

		munmap(map, spill->len);
		errno = failure;
		return (struct slice){0};
	}
	spill->map = map;
	return slice_of(spill->map, spill->len);
}

void spill_rest(struct spill *spill)
{
	if (spill->map)
		madvise(spill->map, spill->len, MADV_DONTNEED);
}

void spill_release(struct spill *spill)
{
	if (spill->map)
		munmap(spill->map, spill->len);
	if (spill->fd >= 0)
		close(spill->fd);
	spill_init(spill);
}
