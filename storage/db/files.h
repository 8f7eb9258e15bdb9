/*
 * The data folder: its lock, and the files in it.
 *
 * Storage-internal; any thread may call. Paths are relative to the folder's descriptor. A blob's
 * file is linked into place, and unlinked or set aside, on the writer thread only, so that a name
 * never changes under a decision that the writer's transaction has taken.
 *
 * Functions that answer int answer 0 or an errno.
 */
#ifndef DRYDOCK_STORAGE_FILES_H
#define DRYDOCK_STORAGE_FILES_H

#include "protocol/digest.h"
#include "storage/db/err.h"

#include <limits.h>
#include <stdatomic.h>

enum { FILE_NAME_MAX = 192 }; /* longest path below the folder, NUL included */

struct files {
	char path[PATH_MAX];
	int folder, lock;
	bool temporary; /* the folder goes when it is closed */
	_Atomic unsigned aside;
	_Atomic unsigned folders_made; /* how often blobs/ and the others may have been made */
	_Atomic unsigned folders_kept; /* of these, which one's entries are on disk */
	/* fdatasync, of the log and of blobs, and fsync, of folders; tests put their own here */
	int (*flush_log)(int fd);
	int (*flush_blob)(int fd);
	int (*flush_folder)(int fd, const char *name);
	/* Told before a name in blobs/, or that folder itself, is given up; of tests. NULL: nobody. */
	void (*taking)(struct files *f, const char *name);
};

/* Makes what is missing and takes the lock. path NULL: a new temporary folder. */
bool files_open(struct files *f, const char *path, struct err *err);
/* Takes the lock of a folder that is there, and writes nothing. */
bool files_look(struct files *f, const char *path, struct err *err);
/*
 * Removes temporary folders that owners of this user's left behind when they crashed: those whose lock is free. May take long.
 */
void files_remove_left(void);
/* Removes a temporary folder, lets the lock go. Safe on what files_open left after failing. */
void files_close(struct files *f);

void files_blob_name(const struct digest *digest, char name[FILE_NAME_MAX]);
void files_upload_name(const uint8_t id[16], char name[FILE_NAME_MAX]);

/* Makes an upload's file (or opens it) for writing; -1 and errno. */
int files_open_upload(struct files *f, const uint8_t id[16], bool create);
/* Whether a blob's file is there, and of this size: 0, ENOENT when it is not, another errno when that cannot be told. */
int files_look_blob(struct files *f, const struct digest *digest, uint64_t size);
/* An upload's bytes, to disk. */
int files_flush_upload(struct files *f, const uint8_t id[16]);
/*
 * Gives the upload's bytes the blob's name too. A file that has it already makes way: no row says
 * that it is whole, or it was found not to be.
 */
int files_link_blob(struct files *f, const uint8_t id[16], const struct digest *digest);
/* -1 and errno. */
int files_open_blob(struct files *f, const struct digest *digest);
/* The file and the folder entries that lead to it, to disk. */
int files_flush_blob(struct files *f, const struct digest *digest);
/* Hashes a whole file. */
int files_hash(int fd, enum digest_algorithm algorithm, uint64_t *size, struct digest *out);
/* The same; each (NULL: nothing) is told how many bytes more were hashed. */
int files_hash_watched(int fd, enum digest_algorithm algorithm, uint64_t *size, struct digest *out,
    void (*each)(void *arg, size_t bytes), void *arg);
void files_remove(struct files *f, const char *name);
/* Takes a blob's file out of blobs/, to be removed at leisure. 0 also when there is none. */
int files_set_blob_aside(struct files *f, const struct digest *digest);
/*
 * Calls back for every blob's file in the folder of those whose digests begin with a byte. Calling with what is in
 * the folder otherwise: name without a digest (DIGEST_NONE).
 */
void files_each_blob(struct files *f, enum digest_algorithm algorithm, uint8_t first,
    void (*each)(void *arg, const char *name, const struct digest *digest), void *arg);
/* Calls back for every upload's file. */
void files_each_upload(struct files *f, void (*each)(void *arg, const uint8_t id[16]), void *arg);

/* Sets blobs/ aside as a whole, to be removed at leisure, and makes a new one. */
int files_clear_blobs(struct files *f);
/* Sets blobs/ and uploads/ aside as a whole, to be removed at leisure, and makes new ones. */
int files_clear(struct files *f);
bool files_some_aside(struct files *f);
/* Removes everything that was set aside. */
void files_remove_aside(struct files *f);

#endif
