/*
 * The system calls by which storage reads and changes its folder.
 *
 * In a release build they are just those calls. In a development build each is also a failpoint (fault.h) of the name
 * given here, and is told to an observer, so that tests can replay what a disk may hold after a power cut. What
 * SQLite does with its files passes the same way (disk_vfs.c).
 *
 * All answer as the calls do: -1 and errno on failure. Any thread.
 */
#ifndef DRYDOCK_STORAGE_DISK_H
#define DRYDOCK_STORAGE_DISK_H

#include "storage/db/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef DRYDOCK_FAULTS

/* Paths are relative to `folder`. */
int disk_open(int folder, const char *name, int flags, mode_t mode);  /* "open" */
ssize_t disk_read(int fd, void *at, size_t len, off_t offset);        /* "read" */
ssize_t disk_write(int fd, const void *at, size_t len, off_t offset); /* "write" */
int disk_truncate(int fd, off_t len);                                 /* "truncate" */
/* fdatasync of a file; the name is "flush-log" or "flush-blob" */
int disk_flush(int fd, const char *name);
int disk_flush_folder(int fd, const char *name); /* fsync of a folder; "flush-folder" */
int disk_stat(int folder, const char *name, struct stat *st);  /* "stat" */
int disk_rename(int folder, const char *from, const char *to); /* "rename" */
int disk_link(int folder, const char *from, const char *to);   /* "link" */
int disk_unlink(int folder, const char *name);                 /* "unlink" */
int disk_mkdir(int folder, const char *name, mode_t mode);     /* "mkdir" */

/* ---- the observer ---- */

enum disk_change {
	DISK_CREATE, /* the folder has a new file `to` */
	DISK_WRITE,
	DISK_TRUNCATE, /* to `offset` */
	DISK_FLUSH, /* begins: what was told of this file before is on disk when the call returns */
	DISK_FLUSH_FOLDER,
	DISK_RENAME, /* `from` is called `to`, whatever had that name before */
	DISK_LINK,
	DISK_UNLINK, /* `from` */
	DISK_MKDIR,  /* `to` */
};

/* A change that has been made (a flush: that begins). */
struct disk_event {
	enum disk_change change;
	ino_t file;            /* which file it is about; 0: a folder */
	const char *from, *to; /* relative to the data folder */
	const void *bytes;
	size_t len;
	off_t offset;
};

/* Set before a store is opened, and only by tests; called from any thread. NULL: nobody looks. */
extern void (*disk_observe)(const struct disk_event *event);

/* Has SQLite's files pass by here, from now on. */
void disk_vfs_register(void);

#else

static inline int disk_open(int folder, const char *name, int flags, mode_t mode)
{
	return openat(folder, name, flags, mode);
}

static inline ssize_t disk_read(int fd, void *at, size_t len, off_t offset)
{
	return pread(fd, at, len, offset);
}

static inline ssize_t disk_write(int fd, const void *at, size_t len, off_t offset)
{
	return pwrite(fd, at, len, offset);
}

static inline int disk_truncate(int fd, off_t len)
{
	return ftruncate(fd, len);
}

static inline int disk_flush(int fd, const char *name)
{
	(void)name;
	return fdatasync(fd);
}

static inline int disk_flush_folder(int fd, const char *name)
{
	(void)name;
	return fsync(fd);
}

static inline int disk_stat(int folder, const char *name, struct stat *st)
{
	return fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW);
}

static inline int disk_rename(int folder, const char *from, const char *to)
{
	return renameat(folder, from, folder, to);
}

static inline int disk_link(int folder, const char *from, const char *to)
{
	return linkat(folder, from, folder, to, 0);
}

static inline int disk_unlink(int folder, const char *name)
{
	return unlinkat(folder, name, 0);
}

static inline int disk_mkdir(int folder, const char *name, mode_t mode)
{
	return mkdirat(folder, name, mode);
}

static inline void disk_vfs_register(void)
{
}

#endif
/* All of it, however many writes that takes: 0, or an errno. */
static inline int disk_write_all(int fd, const void *bytes, size_t len, uint64_t offset)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t wrote = disk_write(fd, at, len, (off_t)offset);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return wrote < 0 ? errno : ENOSPC;
		at += wrote;
		len -= (size_t)wrote;
		offset += (uint64_t)wrote;
	}
	return 0;
}

#endif
