/*
 * SQLite's files in a development build: a VFS in front of the system's own, in which each read, write, truncation
 * and flush is a failpoint and is told to the observer (disk.h). Names: "wal-…" for the log, "db-…" for the database
 * itself: "wal-write", "db-flush". The shared index of the log (-shm) is made anew at each start and passes untouched.
 */
#include "storage/db/disk.h"

#ifdef DRYDOCK_FAULTS

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

enum { IS_DATABASE, IS_LOG, KINDS };
enum { OP_READ, OP_WRITE, OP_TRUNCATE, OP_FLUSH, OPS };

static const char *const names[KINDS][OPS] = {
    [IS_DATABASE] = {"db-read", "db-write", "db-truncate", "db-flush"},
    [IS_LOG] = {"wal-read", "wal-write", "wal-truncate", "wal-flush"},
};

/* What SQLite sees of a file; the system VFS's own follows behind it. */
struct file {
	sqlite3_file base;
	sqlite3_file *real;
	int kind;
	ino_t inode;
};

static sqlite3_vfs *system_vfs;
static sqlite3_vfs vfs;

static struct file *file_of(sqlite3_file *base)
{
	return (struct file *)(void *)base;
}

/* SQLITE_OK, or the extended code of the failure that was asked for. */
static int passes(struct file *f, int op, int code)
{
	int failure = fault(names[f->kind][op]);

	if (failure == 0)
		return SQLITE_OK;
	errno = failure;
	return failure == ENOSPC && op == OP_WRITE ? SQLITE_FULL : code;
}

static void tell(struct file *f, struct disk_event event)
{
	event.file = f->inode;
	if (disk_observe)
		disk_observe(&event);
}

static int vfs_close(sqlite3_file *base)
{
	struct file *f = file_of(base);

	return f->real->pMethods ? f->real->pMethods->xClose(f->real) : SQLITE_OK;
}

static int vfs_read(sqlite3_file *base, void *at, int len, sqlite3_int64 offset)
{
	struct file *f = file_of(base);
	int rc = passes(f, OP_READ, SQLITE_IOERR_READ);

	return rc == SQLITE_OK ? f->real->pMethods->xRead(f->real, at, len, offset) : rc;
}

static int vfs_write(sqlite3_file *base, const void *at, int len, sqlite3_int64 offset)
{
	struct file *f = file_of(base);
	int rc = passes(f, OP_WRITE, SQLITE_IOERR_WRITE);

	if (rc == SQLITE_OK)
		rc = f->real->pMethods->xWrite(f->real, at, len, offset);
	if (rc == SQLITE_OK)
		tell(f,
		    (struct disk_event){
			.change = DISK_WRITE, .bytes = at, .len = (size_t)len, .offset = offset});
	return rc;
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct file *f = file_of(base);
	int rc = passes(f, OP_TRUNCATE, SQLITE_IOERR_TRUNCATE);

	if (rc == SQLITE_OK)
		rc = f->real->pMethods->xTruncate(f->real, size);
	if (rc == SQLITE_OK)
		tell(f, (struct disk_event){.change = DISK_TRUNCATE, .offset = size});
	return rc;
}

static int vfs_sync(sqlite3_file *base, int flags)
{
	struct file *f = file_of(base);
	int rc = passes(f, OP_FLUSH, SQLITE_IOERR_FSYNC);

	if (rc != SQLITE_OK)
		return rc;
	tell(f, (struct disk_event){.change = DISK_FLUSH});
	return f->real->pMethods->xSync(f->real, flags);
}

static int vfs_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xFileSize(f->real, size);
}

static int vfs_lock(sqlite3_file *base, int level)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xLock(f->real, level);
}

static int vfs_unlock(sqlite3_file *base, int level)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xUnlock(f->real, level);
}

static int vfs_check_reserved(sqlite3_file *base, int *out)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xCheckReservedLock(f->real, out);
}

static int vfs_control(sqlite3_file *base, int op, void *arg)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xFileControl(f->real, op, arg);
}

static int vfs_sector_size(sqlite3_file *base)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xSectorSize(f->real);
}

static int vfs_characteristics(sqlite3_file *base)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xDeviceCharacteristics(f->real);
}

static int vfs_shm_map(sqlite3_file *base, int page, int size, int extend, void volatile **out)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xShmMap(f->real, page, size, extend, out);
}

static int vfs_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xShmLock(f->real, offset, n, flags);
}

static void vfs_shm_barrier(sqlite3_file *base)
{
	struct file *f = file_of(base);

	f->real->pMethods->xShmBarrier(f->real);
}

static int vfs_shm_unmap(sqlite3_file *base, int delete)
{
	struct file *f = file_of(base);

	return f->real->pMethods->xShmUnmap(f->real, delete);
}

/* Version 2: no memory mapping of the database itself, so that every read is seen. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

/* The names of SQLite's files, below the data folder. */
static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int vfs_open(
    sqlite3_vfs *self, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
	struct file *f = file_of(base);
	struct stat st;
	bool ours = flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL), there;
	int rc;

	(void)self;
	*f = (struct file){.real = (sqlite3_file *)(f + 1),
	    .kind = flags & SQLITE_OPEN_WAL ? IS_LOG : IS_DATABASE};
	if (!ours) /* temporary ones */
		return system_vfs->xOpen(system_vfs, name, base, flags, out_flags);
	there = stat(name, &st) == 0;
	rc = system_vfs->xOpen(system_vfs, name, f->real, flags, out_flags);
	if (rc != SQLITE_OK)
		return rc;
	f->base.pMethods = &methods;
	f->inode = stat(name, &st) == 0 ? st.st_ino : 0;
	if (!there)
		tell(f, (struct disk_event){.change = DISK_CREATE, .to = last_part(name)});
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *self, const char *name, int sync)
{
	int rc;

	(void)self;
	rc = system_vfs->xDelete(system_vfs, name, sync);
	if (rc == SQLITE_OK && disk_observe)
		disk_observe(&(struct disk_event){.change = DISK_UNLINK, .from = last_part(name)});
	return rc;
}

void disk_vfs_register(void)
{
	system_vfs = sqlite3_vfs_find(NULL);
	vfs = *system_vfs;
	vfs.zName = "drydock-faults";
	vfs.szOsFile = (int)sizeof(struct file) + system_vfs->szOsFile;
	vfs.pNext = NULL;
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	sqlite3_vfs_register(&vfs, 1);
}

#endif
