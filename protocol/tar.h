/*
 * Tar headers: ustar, with pax's and GNU's ways to longer names and sizes (POSIX.1-2017 pax, "ustar
 * Interchange Format" and "pax Header Block"). Pure: the caller brings the blocks.
 *
 *	tar_header_read(block)	a header; TAR_PAX and TAR_LONG_*: read its content (at most TAR_EXTRA_MAX)
 *	tar_extra_read(content)	and what it says of the entry that follows
 *	tar_header_read(block)	that entry
 *	tar_extra_apply()
 *
 * An entry's content follows its header, padded to whole blocks. Every number and name is checked here;
 * whether the content fits the archive is the caller's to see.
 */
#ifndef DRYDOCK_PROTOCOL_TAR_H
#define DRYDOCK_PROTOCOL_TAR_H

#include "protocol/slice.h"

#include <stdint.h>

enum {
	TAR_BLOCK = 512,
	TAR_NAME_MAX = 512,
	TAR_EXTRA_MAX = 64 * 1024,
	TAR_HEADER_MAX = 3 * TAR_BLOCK
};

enum tar_kind {
	TAR_FILE,
	TAR_FOLDER,
	TAR_SYMLINK,
	TAR_HARDLINK,
	TAR_PAX,       /* its content tells of the next entry */
	TAR_PAX_ALL,   /* its content tells of all that follow; nothing in it matters here */
	TAR_LONG_NAME, /* GNU's */
	TAR_LONG_LINK,
	TAR_OTHER, /* devices, sparse files and the like */
};

struct tar_entry {
	enum tar_kind kind;
	uint64_t size;           /* of its content, in bytes */
	char name[TAR_NAME_MAX]; /* as it is written; see tar_name_clean */
	char link[TAR_NAME_MAX]; /* what a link points at */
};

/* What an extra header said of the next entry: empty and has_size false when nothing. */
struct tar_extra {
	bool has_size;
	uint64_t size;
	char name[TAR_NAME_MAX], link[TAR_NAME_MAX];
};

/* True for a block of zeros: two of them end an archive. */
bool tar_block_empty(const uint8_t block[TAR_BLOCK]);
/* False, with the fault in words in *why, when the block is no header. */
bool tar_header_read(const uint8_t block[TAR_BLOCK], struct tar_entry *out, const char **why);
/* The content of an entry of kind TAR_PAX or TAR_LONG_*. False with *why when it is malformed. */
bool tar_extra_read(
    enum tar_kind kind, struct slice content, struct tar_extra *out, const char **why);
void tar_extra_apply(const struct tar_extra *extra, struct tar_entry *entry);

/*
 * Brings a name into the one form it is looked up by, in place: no "./" and no doubled or last slash. False
 * when it would lead out of the archive (absolute, or with a ".." in it), or is empty.
 */
bool tar_name_clean(char *name);

/* How many bytes of padding follow content of this size. */
size_t tar_padding(uint64_t size);
/*
 * A header for a file (or, with size 0 and a name that ends in "/", a folder); always the same bytes for the
 * same name and size. Its length: one block, or three when the name or the size needs a pax header.
 */
size_t tar_header_write(uint8_t out[TAR_HEADER_MAX], const char *name, uint64_t size);

#endif
