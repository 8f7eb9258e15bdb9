/* The system calls of a development build: each first asks whether it is to fail, and is told to the observer. */
#include "storage/db/disk.h"

#ifdef DRYDOCK_FAULTS

#include <errno.h>

void (*disk_observe)(const struct disk_event *event);

/* True when the step is to fail, with errno set. */
static bool fails(const char *name)
{
	int failure = fault(name);

	if (failure)
		errno = failure;
	return failure != 0;
}

static void tell(struct disk_event event)
{
	int kept = errno;

	if (disk_observe)
		disk_observe(&event);
	errno = kept;
}

static ino_t file_of(int fd)
{
	struct stat st;

	return disk_observe && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

int disk_open(int folder, const char *name, int flags, mode_t mode)
{
	int fd;

	if (fails("open"))
		return -1;
	if (!(flags & O_CREAT))
		return openat(folder, name, flags);
	fd = openat(folder, name, flags | O_EXCL, mode);
	if (fd >= 0)
		tell((struct disk_event){.change = DISK_CREATE, .file = file_of(fd), .to = name});
	else if (errno == EEXIST && !(flags & O_EXCL))
		fd = openat(folder, name, flags, mode);
	if (fd >= 0 && (flags & O_TRUNC))
		tell((struct disk_event){.change = DISK_TRUNCATE, .file = file_of(fd)});
	return fd;
}

ssize_t disk_read(int fd, void *at, size_t len, off_t offset)
{
	return fails("read") ? -1 : pread(fd, at, len, offset);
}

ssize_t disk_write(int fd, const void *at, size_t len, off_t offset)
{
	ssize_t wrote = fails("write") ? -1 : pwrite(fd, at, len, offset);

	if (wrote > 0)
		tell((struct disk_event){.change = DISK_WRITE,
		    .file = file_of(fd),
		    .bytes = at,
		    .len = (size_t)wrote,
		    .offset = offset});
	return wrote;
}

int disk_truncate(int fd, off_t len)
{
	int result = fails("truncate") ? -1 : ftruncate(fd, len);

	if (result == 0)
		tell((struct disk_event){
		    .change = DISK_TRUNCATE, .file = file_of(fd), .offset = len});
	return result;
}

int disk_flush(int fd, const char *name)
{
	if (fails(name))
		return -1;
	tell((struct disk_event){.change = DISK_FLUSH, .file = file_of(fd)});
	return fdatasync(fd);
}

int disk_flush_folder(int fd, const char *name)
{
	if (fails("flush-folder"))
		return -1;
	tell((struct disk_event){.change = DISK_FLUSH_FOLDER, .to = name});
	return fsync(fd);
}

int disk_stat(int folder, const char *name, struct stat *st)
{
	return fails("stat") ? -1 : fstatat(folder, name, st, AT_SYMLINK_NOFOLLOW);
}

/* 0 of a folder. */
static ino_t file_named(int folder, const char *name)
{
	struct stat st;

	return disk_observe && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		!S_ISDIR(st.st_mode)
	    ? st.st_ino
	    : 0;
}

int disk_rename(int folder, const char *from, const char *to)
{
	ino_t file = file_named(folder, from);
	int result = fails("rename") ? -1 : renameat(folder, from, folder, to);

	if (result == 0)
		tell((struct disk_event){
		    .change = DISK_RENAME, .file = file, .from = from, .to = to});
	return result;
}

int disk_link(int folder, const char *from, const char *to)
{
	ino_t file = file_named(folder, from);
	int result = fails("link") ? -1 : linkat(folder, from, folder, to, 0);

	if (result == 0)
		tell(
		    (struct disk_event){.change = DISK_LINK, .file = file, .from = from, .to = to});
	return result;
}

int disk_unlink(int folder, const char *name)
{
	int result = fails("unlink") ? -1 : unlinkat(folder, name, 0);

	if (result == 0)
		tell((struct disk_event){.change = DISK_UNLINK, .from = name});
	return result;
}

int disk_mkdir(int folder, const char *name, mode_t mode)
{
	int result = fails("mkdir") ? -1 : mkdirat(folder, name, mode);

	if (result == 0)
		tell((struct disk_event){.change = DISK_MKDIR, .to = name});
	return result;
}

#endif
