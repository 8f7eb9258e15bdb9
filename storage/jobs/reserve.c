/*
 * The reserve: a file that holds room.
 *
 * fallocate() makes it, so that the room is there for real; unlinking it gives the room up at once. It is lent
 * when less than half of it is free on the disk, or the last commit failed for want of room. Whoever writes next
 * tries to take it again, and is refused while there is no room for all of it. The lock is for the file: an atomic
 * lets writers pass without it as long as nothing was given up.
 */
#include "storage/jobs/reserve.h"

#include "storage/core.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { TIGHT_BYTES = RESERVE_BYTES / 2 }; /* less room than this may not be enough for a deletion */

static const char name[] = "reserve";

static uint64_t free_bytes(const struct store *store)
{
	struct statvfs fs;
	if (fstatvfs(store->files.folder, &fs) != 0)
		return UINT64_MAX; /* not to be known: then as if there were room */
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* With the lock held, as the next. Room for real: a file system that cannot promise it gives none. */
static bool take(struct store *store)
{
	int fd = openat(store->files.folder, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool taken = fd >= 0 && fallocate(fd, 0, 0, RESERVE_BYTES) == 0;
	if (fd >= 0)
		close(fd);
	if (!taken)
		unlinkat(store->files.folder, name, 0);
	return taken;
}

static void give_up(struct store *store)
{
	unlinkat(store->files.folder, name, 0);
	store->reserve.held = false;
	atomic_store(&store->reserve.given_up, true);
}

void reserve_open(struct store *store)
{
	struct reserve *r = &store->reserve;
	struct stat st;
	if (store->ephemeral)
		return;
	r->held = fstatat(store->files.folder, name, &st, 0) == 0 && st.st_size >= RESERVE_BYTES;
	if (r->held && free_bytes(store) < TIGHT_BYTES)
		give_up(store);
}

void reserve_make(struct store *store)
{
	struct reserve *r = &store->reserve;
	pthread_mutex_lock(&r->lock);
	if (!r->held && !atomic_load(&r->given_up) &&
	    free_bytes(store) >= 2 * (uint64_t)RESERVE_BYTES)
		r->held = take(store);
	pthread_mutex_unlock(&r->lock);
}

void reserve_release(struct store *store)
{
	pthread_mutex_destroy(&store->reserve.lock);
}

bool reserve_lend(struct store *store)
{
	struct reserve *r = &store->reserve;
	pthread_mutex_lock(&r->lock);
	bool lends = r->held && (atomic_load(&store->full) || free_bytes(store) < TIGHT_BYTES);
	if (lends)
		give_up(store);
	pthread_mutex_unlock(&r->lock);
	return lends;
}

bool reserve_whole(struct store *store)
{
	struct reserve *r = &store->reserve;
	if (!atomic_load_explicit(&r->given_up, memory_order_relaxed))
		return true;
	pthread_mutex_lock(&r->lock);
	if (atomic_load(&r->given_up) && free_bytes(store) >= RESERVE_BYTES && take(store)) {
		r->held = true;
		atomic_store(&r->given_up, false);
	}
	bool whole = !atomic_load(&r->given_up);
	pthread_mutex_unlock(&r->lock);
	return whole;
}
