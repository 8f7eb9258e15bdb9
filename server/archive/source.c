/* Tars are read through zlib's gzFile, which takes plain and compressed files alike and seeks in both. */
#include "server/archive/source.h"

#include "protocol/tar.h"
#include "server/archive/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct member {
	const char *name;
	const char *link; /* a symbolic link's target; NULL: a file */
	uint64_t at, size;
};

struct source {
	struct arena arena;
	gzFile tar; /* NULL: a folder */
	int folder;
	struct member *members; /* by name, once read */
	size_t count, room;
	uint64_t bytes;
	int fd; /* of a folder's member */
	uint64_t left;
};

static bool read_exactly(struct source *s, void *to, size_t len)
{
	return gzread(s->tar, to, (unsigned)len) == (int)len;
}

/* Says why a read failed: what zlib has found, else what is said here. */
static bool fail_read(struct source *s, struct err *err, const char *why)
{
	int fault;

	gzerror(s->tar, &fault);
	return archive_fail(
	    err, "%s", fault == Z_DATA_ERROR ? "its compressed content is damaged" : why);
}

/* A pax or long-name header's content. */
static bool read_extra(
    struct source *s, const struct tar_entry *entry, struct tar_extra *extra, struct err *err)
{
	size_t len = (size_t)entry->size;
	const char *why = NULL;
	struct arena a;
	char *text;
	bool good;

	if (entry->size > TAR_EXTRA_MAX)
		return archive_fail(err, "a tar header with a long name is of %llu bytes",
		    (unsigned long long)entry->size);
	arena_init(&a);
	text = arena_alloc(&a, len + tar_padding(len) + 1);
	good = read_exactly(s, text, len + tar_padding(len));
	if (!good)
		archive_fail(err, "the archive is cut short");
	else if (!(good = tar_extra_read(entry->kind, slice_of(text, len), extra, &why)))
		archive_fail(err, "%s", why);
	arena_release(&a);
	return good;
}

static bool add_member(struct source *s, struct tar_entry *entry, struct err *err)
{
	char *name = entry->name;

	if (!tar_name_clean(name))
		return strcmp(name, "") == 0 && entry->kind == TAR_FOLDER
		    ? true
		    : archive_fail(err, "it has a name that leads out of it: \"%.200s\"", name);
	if (entry->kind == TAR_FOLDER)
		return true;
	if (entry->kind != TAR_FILE && entry->kind != TAR_SYMLINK)
		return archive_fail(err, "\"%.200s\" in it is neither a file nor a folder", name);
	if (s->count == SOURCE_MEMBERS_MAX)
		return archive_fail(err, "it has more than %d files", SOURCE_MEMBERS_MAX);
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 64;
		s->members = realloc(s->members, s->room * sizeof(*s->members));
		if (!s->members)
			abort();
	}
	s->members[s->count++] = (struct member){
	    .name = arena_strdup(&s->arena, slice_str(name)),
	    .link =
		entry->kind == TAR_SYMLINK ? arena_strdup(&s->arena, slice_str(entry->link)) : NULL,
	    .at = (uint64_t)gztell(s->tar),
	    .size = entry->size,
	};
	s->bytes += entry->size;
	return true;
}

/*
 * Past a member's content. The last byte is read, not jumped over: a jump goes beyond a file's end without a
 * word.
 */
static bool skip(struct source *s, uint64_t size)
{
	uint64_t padded = size + tar_padding(size);
	uint8_t last;

	if (padded == 0)
		return true;
	return padded < (uint64_t)1 << 62 && gzseek(s->tar, (z_off_t)padded - 1, SEEK_CUR) >= 0 &&
	    read_exactly(s, &last, 1);
}

/* One header with its content; *end at the archive's end. */
static bool read_entry(struct source *s, struct tar_extra *extra, bool *end, struct err *err)
{
	uint8_t block[TAR_BLOCK];
	struct tar_entry entry;
	const char *why = NULL;

	if (!read_exactly(s, block, sizeof(block)))
		return fail_read(
		    s, err, s->count ? "the archive is cut short" : "it is no tar archive");
	if ((*end = tar_block_empty(block)))
		return true;
	if (!tar_header_read(block, &entry, &why))
		return archive_fail(err, "%s", s->count ? why : "it is no tar archive");
	if (entry.kind == TAR_PAX || entry.kind == TAR_LONG_NAME || entry.kind == TAR_LONG_LINK)
		return read_extra(s, &entry, extra, err);
	if (entry.kind != TAR_PAX_ALL) {
		tar_extra_apply(extra, &entry);
		*extra = (struct tar_extra){0};
		if (!add_member(s, &entry, err))
			return false;
	}
	return skip(s, entry.size) ||
	    archive_fail(err, "the archive is cut short within \"%.200s\"", entry.name);
}

/*
 * Behind the tar's end, to the file's: a gzip stream says there whether it is whole. What a tar is padded with is
 * passed over.
 */
static bool read_to_end(struct source *s, struct err *err)
{
	char piece[16 * 1024];
	int n, fault;

	do
		n = gzread(s->tar, piece, sizeof(piece));
	while (n > 0);
	gzerror(s->tar, &fault);
	return (n == 0 && fault == Z_OK) ||
	    fail_read(s, err, "the archive is cut short: its compressed content has no end");
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static bool read_table(struct source *s, struct err *err)
{
	struct tar_extra extra = {0};

	/* headers that say nothing of a member count too */
	for (size_t headers = 0;; headers++) {
		bool end = false;

		if (headers > 3 * (size_t)SOURCE_MEMBERS_MAX)
			return archive_fail(err, "it has too many headers");
		if (!read_entry(s, &extra, &end, err))
			return false;
		if (end)
			break;
	}
	if (!read_to_end(s, err))
		return false;
	if (s->count)
		qsort(s->members, s->count, sizeof(*s->members), by_name);
	for (size_t i = 1; i < s->count; i++)
		if (strcmp(s->members[i - 1].name, s->members[i].name) == 0)
			return archive_fail(err, "it has \"%.200s\" twice", s->members[i].name);
	return true;
}

struct source *source_open(const char *path, struct err *err)
{
	struct source *s = calloc(1, sizeof(*s));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (!s)
		abort();
	s->folder = s->fd = -1;
	arena_init(&s->arena);
	if (fd < 0 || fstat(fd, &st) != 0) {
		archive_fail(err, "%s", strerror(errno));
		goto fail;
	}
	if (S_ISDIR(st.st_mode)) {
		s->folder = fd;
		return s;
	}
	if (!S_ISREG(st.st_mode)) {
		archive_fail(err, "it is neither a file nor a folder (an archive is read twice)");
		goto fail;
	}
	s->tar = gzdopen(fd, "rb");
	if (!s->tar)
		abort();
	fd = -1;
	gzbuffer(s->tar, 256 * 1024);
	if (read_table(s, err))
		return s;
fail:
	if (fd >= 0)
		close(fd);
	source_close(s);
	return NULL;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	if (s->tar)
		gzclose(s->tar);
	if (s->folder >= 0)
		close(s->folder);
	if (s->fd >= 0)
		close(s->fd);
	free(s->members);
	arena_release(&s->arena);
	free(s);
}

uint64_t source_bytes(const struct source *s)
{
	return s->bytes;
}

/*
 * Older docker save writes a layer that an archive has already as a link, "../OTHER/layer.tar": that is the only
 * form that is followed, and only to a member.
 */
static const struct member *follow(struct source *s, const struct member *m)
{
	char name[TAR_NAME_MAX];
	struct member key = {.name = name};

	if (!m || !m->link)
		return m;
	if (strncmp(m->link, "../", 3) != 0)
		return NULL;
	snprintf(name, sizeof(name), "%s", m->link + 3);
	if (!tar_name_clean(name))
		return NULL;
	m = bsearch(&key, s->members, s->count, sizeof(key), by_name);
	return m && !m->link ? m : NULL;
}

static const struct member *find(struct source *s, const char *name)
{
	struct member key = {.name = name};

	return s->count ? follow(s, bsearch(&key, s->members, s->count, sizeof(key), by_name))
			: NULL;
}

/* Opens what is named there, never through a link; -1 when it is none of that kind (S_IFDIR, S_IFREG). */
static int open_kind(int folder, const char *name, mode_t kind, uint64_t *size)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, fd = -1;
	struct stat st;

	/* first by name: opening a device may do something */
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == kind)
		fd = openat(folder, name, flags);
	if (fd >= 0 && (fstat(fd, &st) != 0 || (st.st_mode & S_IFMT) != kind)) {
		close(fd);
		fd = -1;
	}
	if (fd >= 0)
		*size = (uint64_t)st.st_size;
	return fd;
}

/*
 * A folder's file; -1 when there is none. Names come from the archive's own texts: they are what tar_name_clean
 * lets pass, and are walked part by part without following any link, so that none leads out of the folder.
 */
static int open_in_folder(const struct source *s, const char *name, uint64_t *size)
{
	char clean[TAR_NAME_MAX], *at = clean, *slash;
	int folder = s->folder, fd;

	if ((size_t)snprintf(clean, sizeof(clean), "%s", name) >= sizeof(clean) ||
	    !tar_name_clean(clean))
		return -1;
	while ((slash = strchr(at, '/'))) {
		*slash = '\0';
		fd = open_kind(folder, at, S_IFDIR, size);
		if (folder != s->folder)
			close(folder);
		if (fd < 0)
			return -1;
		folder = fd;
		at = slash + 1;
	}
	fd = open_kind(folder, at, S_IFREG, size);
	if (folder != s->folder)
		close(folder);
	return fd;
}

bool source_has(struct source *s, const char *name)
{
	uint64_t size;
	int fd;

	if (s->tar)
		return find(s, name) != NULL;
	fd = open_in_folder(s, name, &size);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool source_begin(struct source *s, const char *name, uint64_t *size, struct err *err)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->left = 0;
	if (s->tar) {
		const struct member *m = find(s, name);

		if (!m || gzseek(s->tar, (z_off_t)m->at, SEEK_SET) < 0)
			return archive_fail(err, "it has no file \"%.200s\"", name);
		*size = s->left = m->size;
		return true;
	}
	s->fd = open_in_folder(s, name, size);
	if (s->fd < 0)
		return archive_fail(err, "it has no file \"%.200s\"", name);
	s->left = *size;
	return true;
}

ssize_t source_read(struct source *s, void *to, size_t len, struct err *err)
{
	ssize_t n;

	if (len > s->left)
		len = (size_t)s->left;
	if (len == 0)
		return 0;
	n = s->tar ? gzread(s->tar, to, (unsigned)len) : read(s->fd, to, len);
	if (n <= 0) {
		archive_fail(err, "the archive is cut short or cannot be read");
		return -1;
	}
	s->left -= (uint64_t)n;
	return n;
}

struct slice source_text(
    struct source *s, const char *name, size_t max, struct arena *a, struct err *err)
{
	struct slice none = {NULL, 0};
	uint64_t size;
	size_t len = 0;
	ssize_t n;
	char *text;

	if (!source_begin(s, name, &size, err))
		return none;
	if (size > max) {
		archive_fail(err, "\"%.200s\" has %llu bytes, more than %zu", name,
		    (unsigned long long)size, max);
		return none;
	}
	text = arena_alloc(a, (size_t)size + 1);
	while ((n = source_read(s, text + len, (size_t)size - len, err)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return n < 0 ? none : slice_of(text, len);
}
