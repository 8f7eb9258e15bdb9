/*
 * Where an import reads from: a tar (gzip-compressed or not) or a folder, as members with names.
 *
 * A tar is walked once, header by header, into a table of names, offsets and sizes; members are then read
 * from where they lie. Nothing is ever written to the disk, and no name of an archive opens a file: only a
 * folder's members do, by names that tar_name_clean has passed, and never through a symbolic link.
 * One thread, one member at a time.
 */
#ifndef DRYDOCK_SERVER_ARCHIVE_SOURCE_H
#define DRYDOCK_SERVER_ARCHIVE_SOURCE_H

#include "protocol/arena.h"
#include "storage/store.h"

#include <sys/types.h>

struct source;

enum { SOURCE_MEMBERS_MAX = 100000 };

/* NULL with *err filled when it is no archive, is cut short, or holds names that lead out of it. */
struct source *source_open(const char *path, struct err *err) __attribute__((warn_unused_result));
void source_close(struct source *s);
/* Bytes of all members of a tar, for the progress; 0 when not known. */
uint64_t source_bytes(const struct source *s);

/* True when there is a file of this name. */
bool source_has(struct source *s, const char *name);
/* Goes to the start of a member, *size is its length; false with *err filled when it is not there. */
bool source_begin(struct source *s, const char *name, uint64_t *size, struct err *err);
/* The next bytes of it: how many, 0 at its end, -1 with *err filled when the archive is cut short. */
ssize_t source_read(struct source *s, void *to, size_t len, struct err *err);
/* A whole member of at most max bytes, in the arena; absent with *err filled. */
struct slice source_text(
    struct source *s, const char *name, size_t max, struct arena *a, struct err *err);

#endif
