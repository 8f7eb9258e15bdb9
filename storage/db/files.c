/*
 * The files of the data folder; paths are made here only.
 *
 * A blob's file gets its name by link(2) when all bytes are there, so that no name ever stands for half a blob. A
 * blob's file or a whole folder that is to go is renamed into aside/ first, which costs the same for both, and is
 * unlinked there by workers. Flushing a blob includes the entries of the folders above it. The kernel lets the
 * lock go when the process dies, so none is ever left behind.
 */
#include "storage/db/files.h"

#include "protocol/names.h"
#include "storage/db/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = {
    "blobs", "blobs/sha256", "blobs/sha512", "uploads", "aside", NULL};

static bool say(struct err *err, const char *format, const char *path, const char *cause)
{
	snprintf(err->text, sizeof(err->text), format, path, cause);
	return false;
}

/* mkdir -p */
static bool make_path(const char *path)
{
	char part[PATH_MAX];
	snprintf(part, sizeof(part), "%s", path);
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return false;
		*at = '/';
	}
	return mkdir(part, 0700) == 0 || errno == EEXIST;
}

#define TEMPORARY "drydock-" /* and six characters of mkdtemp's */

/* In a temporary folder: says that it may be removed once nobody has its lock. One that --data names loses it. */
static const char mark[] = "ephemeral";

static const char *temporary_parent(void)
{
	const char *under = getenv("TMPDIR");
	return under && *under ? under : "/tmp";
}

static bool make_temporary(struct files *f)
{
	snprintf(f->path, sizeof(f->path), "%s/" TEMPORARY "XXXXXX", temporary_parent());
	f->temporary = mkdtemp(f->path) != NULL;
	return f->temporary;
}

/* After the lock was taken, so that who finds the mark and a free lock knows that the owner is gone. */
static bool write_mark(struct files *f)
{
	if (!f->temporary)
		return unlinkat(f->folder, mark, 0) == 0 || errno == ENOENT;
	int fd = openat(f->folder, mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool lock_refused(struct files *f, struct err *err)
{
	char pid[24] = "";
	ssize_t len = pread(f->lock, pid, sizeof(pid) - 1, 0);
	pid[len > 0 ? strcspn(pid, "\n") : 0] = '\0';
	snprintf(err->text, sizeof(err->text),
	    "the data folder %.300s is in use by another drydock (pid %s): stop it, or choose "
	    "another "
	    "with --data",
	    f->path, *pid ? pid : "unknown");
	return false;
}

static bool take_lock(struct files *f, struct err *err)
{
	f->lock = openat(f->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->lock < 0)
		return say(
		    err, "the data folder %.300s cannot be written: %s", f->path, strerror(errno));
	if (flock(f->lock, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK
		    ? lock_refused(f, err)
		    : say(err, "the data folder %.300s cannot be locked: %s", f->path,
			  strerror(errno));
	char pid[24];
	int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(f->lock, 0) != 0 || pwrite(f->lock, pid, (size_t)len, 0) != len)
		return say(
		    err, "the data folder %.300s cannot be written: %s", f->path, strerror(errno));
	return true;
}

static bool make_folders(struct files *f)
{
	for (size_t i = 0; folders[i]; i++) {
		if (disk_mkdir(f->folder, folders[i], 0700) != 0 && errno != EEXIST)
			return false;
	}
	atomic_fetch_add(&f->folders_made, 1); /* or were by one whose flush of them is not known */
	return true;
}

static int flush_log(int fd)
{
	return disk_flush(fd, "flush-log");
}

static int flush_blob(int fd)
{
	return disk_flush(fd, "flush-blob");
}

bool files_open(struct files *f, const char *path, struct err *err)
{
	f->folder = f->lock = -1;
	f->flush_log = flush_log;
	f->flush_blob = flush_blob;
	f->flush_folder = disk_flush_folder;
	bool made = path ? make_path(path) : make_temporary(f);
	if (path)
		snprintf(f->path, sizeof(f->path), "%s", path);
	if (!made)
		return say(err,
		    "the data folder %.300s cannot be made: %s (choose another with --data)",
		    f->path, strerror(errno));
	f->folder = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0)
		return say(err,
		    "the data folder %.300s cannot be opened: %s (choose another with --data)",
		    f->path, strerror(errno));
	if (!take_lock(f, err))
		return false;
	/* the database holds the key of tokens: made here, so that its mode is not SQLite's choice
	 */
	int database = disk_open(f->folder, "drydock.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (database >= 0)
		close(database);
	if (database < 0 || !make_folders(f) || !write_mark(f))
		return say(
		    err, "the data folder %.300s cannot be written: %s", f->path, strerror(errno));
	return true;
}

bool files_look(struct files *f, const char *path, struct err *err)
{
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->temporary = false;
	f->lock = -1;
	f->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0)
		return say(
		    err, "the data folder %.300s cannot be opened: %s", path, strerror(errno));
	f->lock = openat(f->folder, "lock", O_RDONLY | O_CLOEXEC);
	if (f->lock < 0 && errno == ENOENT)
		return true; /* a copy, perhaps: nobody has it open */
	if (f->lock < 0)
		return say(err, "the data folder %.300s cannot be read: %s", path, strerror(errno));
	if (flock(f->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	return errno == EWOULDBLOCK
	    ? lock_refused(f, err)
	    : say(err, "the data folder %.300s cannot be locked: %s", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The lock of a temporary folder that was left behind, taken; -1 when it is none, or has an owner. */
static int take_left(int parent, const char *name)
{
	struct stat st;
	int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int lock = -1;
	if (folder < 0)
		return -1;
	if (fstat(folder, &st) == 0 && st.st_uid == geteuid() &&
	    faccessat(folder, mark, F_OK, 0) == 0)
		lock = openat(folder, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	close(folder);
	if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
		close(lock);
		lock = -1;
	}
	return lock;
}

void files_remove_left(void)
{
	const char *parent = temporary_parent();
	DIR *all = opendir(parent);
	for (struct dirent *entry; all && (entry = readdir(all));) {
		char path[PATH_MAX];
		if (strncmp(entry->d_name, TEMPORARY, sizeof(TEMPORARY) - 1) != 0 ||
		    strlen(entry->d_name) != sizeof(TEMPORARY) - 1 + 6)
			continue;
		int lock = take_left(dirfd(all), entry->d_name);
		if (lock < 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name) <
		    (int)sizeof(path))
			remove_tree(path);
		close(lock);
	}
	if (all)
		closedir(all);
}

void files_close(struct files *f)
{
	if (f->temporary)
		remove_tree(f->path);
	if (f->folder >= 0)
		close(f->folder);
	if (f->lock >= 0)
		close(f->lock);
	f->folder = f->lock = -1;
}

void files_blob_name(const struct digest *digest, char name[FILE_NAME_MAX])
{
	char text[DIGEST_TEXT_MAX];
	digest_format(digest, text);
	snprintf(name, FILE_NAME_MAX, "blobs/%.6s/%.2s/%s", text, text + 7, text + 7);
}

void files_upload_name(const uint8_t id[16], char name[FILE_NAME_MAX])
{
	char text[UUID_TEXT_LEN + 1];
	uuid_format(id, text);
	snprintf(name, FILE_NAME_MAX, "uploads/%s", text);
}

int files_open_upload(struct files *f, const uint8_t id[16], bool create)
{
	char name[FILE_NAME_MAX];
	files_upload_name(id, name);
	int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0);
	int fd = disk_open(f->folder, name, flags, 0600);
	/* The folder is not there when it could not be made after a reset: it is made as soon as that is possible. */
	if (fd < 0 && errno == ENOENT && create && make_folders(f))
		fd = disk_open(f->folder, name, flags, 0600);
	return fd;
}

/* Some file systems have no second names: there the file moves. */
static int link_once(struct files *f, const char *from, const char *to)
{
	if (disk_link(f->folder, from, to) == 0)
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP)
		return errno;
	return disk_rename(f->folder, from, to) == 0 ? 0 : errno;
}

static void take_note(struct files *f, const char *name)
{
	if (f->taking)
		f->taking(f, name);
}

/* .../ab, and what it stands in when a reset could not make that. 0, or -1 and errno. */
static int make_blob_folder(struct files *f, const char *folder)
{
	int made = disk_mkdir(f->folder, folder, 0700);
	if (made != 0 && errno == ENOENT && make_folders(f))
		made = disk_mkdir(f->folder, folder, 0700);
	return made == 0 || errno == EEXIST ? 0 : -1;
}

int files_link_blob(struct files *f, const uint8_t id[16], const struct digest *digest)
{
	char from[FILE_NAME_MAX], to[FILE_NAME_MAX], folder[FILE_NAME_MAX];
	files_upload_name(id, from);
	files_blob_name(digest, to);
	int failure = link_once(f, from, to);
	if (failure == ENOENT) {
		snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(to, '/') - to), to);
		if (make_blob_folder(f, folder) != 0)
			return errno;
		failure = link_once(f, from, to);
	}
	if (failure == EEXIST) {
		take_note(f, to);
		disk_unlink(f->folder, to);
		failure = link_once(f, from, to);
	}
	return failure;
}

int files_look_blob(struct files *f, const struct digest *digest, uint64_t size)
{
	char name[FILE_NAME_MAX];
	struct stat st;
	files_blob_name(digest, name);
	if (disk_stat(f->folder, name, &st) != 0)
		return errno == ENOTDIR ? ENOENT : errno;
	return S_ISREG(st.st_mode) && (uint64_t)st.st_size == size ? 0 : ENOENT;
}

int files_open_blob(struct files *f, const struct digest *digest)
{
	char name[FILE_NAME_MAX];
	files_blob_name(digest, name);
	return disk_open(f->folder, name, O_RDONLY | O_CLOEXEC, 0);
}

/* A blob's file; flush NULL: a folder. */
static int flush_name(struct files *f, const char *name, int (*flush)(int))
{
	int fd = disk_open(f->folder, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	int failure = (flush ? flush(fd) : f->flush_folder(fd, name)) == 0 ? 0 : errno;
	close(fd);
	return failure;
}

int files_flush_upload(struct files *f, const uint8_t id[16])
{
	char name[FILE_NAME_MAX];
	files_upload_name(id, name);
	return flush_name(f, name, f->flush_blob);
}

/* The entries of the folders that are always there, once after they were made: blobs/sha256 and blobs. */
static int flush_folders(struct files *f)
{
	unsigned made = atomic_load(&f->folders_made);
	if (atomic_load(&f->folders_kept) == made)
		return 0;
	int failure = flush_name(f, "blobs", NULL);
	if (!failure && f->flush_folder(f->folder, "") != 0)
		failure = errno;
	if (!failure)
		atomic_store(&f->folders_kept, made);
	return failure;
}

int files_flush_blob(struct files *f, const struct digest *digest)
{
	char name[FILE_NAME_MAX];
	files_blob_name(digest, name);
	int failure = flush_name(f, name, f->flush_blob);
	for (int up = 0; up < 2 && !failure; up++) { /* .../ab, then .../sha256 */
		*strrchr(name, '/') = '\0';
		failure = flush_name(f, name, NULL);
	}
	return failure ? failure : flush_folders(f);
}

int files_hash(int fd, enum digest_algorithm algorithm, uint64_t *size, struct digest *out)
{
	return files_hash_watched(fd, algorithm, size, out, NULL, NULL);
}

int files_hash_watched(int fd, enum digest_algorithm algorithm, uint64_t *size, struct digest *out,
    void (*each)(void *arg, size_t bytes), void *arg)
{
	enum { STEP = 256 * 1024 };
	char *bytes = malloc(STEP);
	if (!bytes)
		abort();
	struct hasher *h = hasher_new(algorithm);
	ssize_t got;
	*size = 0;
	while ((got = disk_read(fd, bytes, STEP, (off_t)*size)) > 0) {
		hasher_update(h, bytes, (size_t)got);
		*size += (uint64_t)got;
		if (each)
			each(arg, (size_t)got);
	}
	int failure = got < 0 ? errno : 0;
	hasher_peek(h, out);
	hasher_free(h);
	free(bytes);
	return failure;
}

void files_remove(struct files *f, const char *name)
{
	if (strncmp(name, "blobs/", 6) == 0)
		take_note(f, name);
	disk_unlink(f->folder, name);
}

static DIR *open_folder(struct files *f, const char *name)
{
	int fd = openat(f->folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (fd >= 0 && !folder)
		close(fd);
	return folder;
}

void files_each_upload(struct files *f, void (*each)(void *arg, const uint8_t id[16]), void *arg)
{
	DIR *folder = open_folder(f, "uploads");
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		uint8_t id[16];
		if (uuid_parse(slice_str(entry->d_name), id))
			each(arg, id);
	}
	if (folder)
		closedir(folder);
}

/* The digest that a file's name in blobs/ stands for; DIGEST_NONE: it stands for none. */
static struct digest name_digest(enum digest_algorithm algorithm, const char *name)
{
	struct digest digest;
	char text[DIGEST_TEXT_MAX];
	int len = snprintf(
	    text, sizeof(text), "%s:%s", algorithm == DIGEST_SHA512 ? "sha512" : "sha256", name);
	if (len < 0 || (size_t)len >= sizeof(text) ||
	    digest_parse(slice_of(text, (size_t)len), &digest) != DIGEST_OK)
		memset(&digest, 0, sizeof(digest));
	return digest;
}

void files_each_blob(struct files *f, enum digest_algorithm algorithm, uint8_t first,
    void (*each)(void *arg, const char *name, const struct digest *digest), void *arg)
{
	char path[FILE_NAME_MAX];
	snprintf(path, sizeof(path), "blobs/%s/%02x",
	    algorithm == DIGEST_SHA512 ? "sha512" : "sha256", first);
	DIR *folder = open_folder(f, path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		struct digest digest = name_digest(algorithm, entry->d_name);
		if (digest.algorithm != DIGEST_NONE && digest.raw[0] != first)
			memset(&digest, 0, sizeof(digest));
		if (entry->d_name[0] != '.')
			each(arg, entry->d_name, &digest);
	}
	if (folder)
		closedir(folder);
}

/* A process of the same number may have left something under the same name. */
static int set_aside(struct files *f, const char *name)
{
	enum { TRIES = 1000 };
	char to[FILE_NAME_MAX];
	int failure = 0;
	if (strncmp(name, "blobs", 5) == 0)
		take_note(f, name);
	for (int i = 0; i < TRIES; i++) {
		unsigned number = atomic_fetch_add(&f->aside, 1);
		snprintf(to, sizeof(to), "aside/%ld-%u", (long)getpid(), number);
		failure = disk_rename(f->folder, name, to) == 0 ? 0 : errno;
		if (failure != EEXIST && failure != ENOTEMPTY && failure != EISDIR &&
		    failure != ENOTDIR)
			break;
	}
	return failure == ENOENT ? 0 : failure;
}

int files_set_blob_aside(struct files *f, const struct digest *digest)
{
	char name[FILE_NAME_MAX];
	files_blob_name(digest, name);
	return set_aside(f, name);
}

int files_clear_blobs(struct files *f)
{
	int failure = set_aside(f, "blobs");
	return make_folders(f) ? failure : errno;
}

int files_clear(struct files *f)
{
	int failure = set_aside(f, "uploads");
	int of_blobs = files_clear_blobs(f);
	return failure ? failure : of_blobs;
}

static bool next_aside(DIR *folder, struct dirent **entry)
{
	while (folder && (*entry = readdir(folder))) {
		if ((*entry)->d_name[0] != '.')
			return true;
	}
	return false;
}

bool files_some_aside(struct files *f)
{
	struct dirent *entry;
	DIR *folder = open_folder(f, "aside");
	bool some = next_aside(folder, &entry);
	if (folder)
		closedir(folder);
	return some;
}

void files_remove_aside(struct files *f)
{
	struct dirent *entry;
	DIR *folder = open_folder(f, "aside");
	while (next_aside(folder, &entry)) {
		char path[PATH_MAX + NAME_MAX + 8];
		snprintf(path, sizeof(path), "%s/aside/%s", f->path, entry->d_name);
		remove_tree(path);
	}
	if (folder)
		closedir(folder);
}
