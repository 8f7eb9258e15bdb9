/* See recorder.h. The log is a file: a head for each change, then its names and bytes. */
#include "recorder.h"

#include "storage/db/disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { RECORD_WORLD = 100, SECTOR = 512, NAME_MAX_LEN = 200 };

struct record {
	int change; /* enum disk_change, or RECORD_WORLD */
	uint32_t from_len, to_len, len;
	uint64_t file;
	int64_t offset;
};

/* ---- recording ---- */

static struct {
	pthread_mutex_t lock;
	FILE *log;
	const struct world *world;
} recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void put(const void *at, size_t len)
{
	if (len > 0 && fwrite(at, 1, len, recorder.log) != len)
		abort();
}

static void put_record(int change, uint64_t file, const char *from, const char *to,
    const void *bytes, size_t len, int64_t offset)
{
	struct record record = {.change = change,
	    .from_len = from ? (uint32_t)strlen(from) : 0,
	    .to_len = to ? (uint32_t)strlen(to) : 0,
	    .len = (uint32_t)len,
	    .file = file,
	    .offset = offset};

	pthread_mutex_lock(&recorder.lock);
	if (recorder.log) {
		put(&record, sizeof(record));
		put(from, record.from_len);
		put(to, record.to_len);
		put(bytes, len);
	}
	pthread_mutex_unlock(&recorder.lock);
}

static void on_change(const struct disk_event *e)
{
	put_record((int)e->change, e->file, e->from, e->to, e->bytes, e->len, e->offset);
}

void recorder_note(void)
{
	if (recorder.log)
		put_record(RECORD_WORLD, 0, NULL, NULL, recorder.world, sizeof(*recorder.world), 0);
}

void recorder_begin(const char *path, const struct world *world)
{
	recorder.log = fopen(path, "w");
	if (!recorder.log)
		abort();
	recorder.world = world;
	disk_observe = on_change;
	recorder_note();
}

void recorder_end(void)
{
	recorder_note();
	disk_observe = NULL;
	fclose(recorder.log);
	recorder.log = NULL;
}

/* ---- reading ---- */

struct recording {
	const char *at;
	size_t len, changes;
};

struct recording *recording_open(const char *path)
{
	struct recording *recording = calloc(1, sizeof(*recording));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (!recording || fd < 0 || fstat(fd, &st) != 0)
		abort();
	recording->len = (size_t)st.st_size;
	recording->at = mmap(NULL, recording->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (recording->at == MAP_FAILED)
		abort();
	close(fd);
	for (size_t at = 0; at < recording->len;) {
		struct record record;

		memcpy(&record, recording->at + at, sizeof(record));
		at += sizeof(record) + record.from_len + record.to_len + record.len;
		recording->changes += record.change != RECORD_WORLD;
	}
	return recording;
}

void recording_close(struct recording *recording)
{
	munmap((void *)(uintptr_t)recording->at, recording->len);
	free(recording);
}

size_t recording_changes(const struct recording *recording)
{
	return recording->changes;
}

/* ---- the disk at a moment ---- */

enum { FILES_MAX = 1024, NAMES_MAX = 1024, PENDING_MAX = 8192, NAMINGS_MAX = 2048 };

/* A write or truncation that no flush has covered yet. */
struct pending {
	size_t file;
	bool truncates;
	const char *bytes;
	size_t len;
	int64_t offset;
	bool flushed;
};

/* A change of names that no flush of its folder has covered yet. */
struct naming {
	int change;
	size_t file; /* 1 + its index; 0: a folder */
	char from[NAME_MAX_LEN], to[NAME_MAX_LEN];
	bool flushed;
};

struct content {
	uint64_t inode;
	char *bytes;
	size_t len, room;
};

struct name {
	char path[NAME_MAX_LEN];
	size_t file; /* 1 + its index; 0: a folder */
};

struct disk {
	struct content files[FILES_MAX];
	size_t file_count;
	struct pending *pending;
	size_t pending_count;
	struct naming *namings;
	size_t naming_count;
	struct name *names; /* as they are built */
	size_t name_count;
	unsigned long long random;
};

static unsigned random_below(struct disk *d, unsigned limit)
{
	d->random ^= d->random << 13;
	d->random ^= d->random >> 7;
	d->random ^= d->random << 17;
	return (unsigned)((d->random >> 16) % limit);
}

static size_t file_new(struct disk *d, uint64_t inode)
{
	if (d->file_count == FILES_MAX)
		abort();
	d->files[d->file_count] = (struct content){.inode = inode};
	return d->file_count++;
}

/* The number of an inode is used again once its file has gone: the newest is meant. */
static size_t file_index(struct disk *d, uint64_t inode)
{
	for (size_t i = d->file_count; i > 0; i--) {
		if (d->files[i - 1].inode == inode)
			return i - 1;
	}
	return file_new(d, inode);
}

static void grow(struct content *file, size_t len)
{
	if (len <= file->len)
		return;
	if (len > file->room) {
		file->room = 2 * len;
		file->bytes = realloc(file->bytes, file->room);
		if (!file->bytes)
			abort();
	}
	memset(file->bytes + file->len, 0, len - file->len);
	file->len = len;
}

/* Each sector by itself is kept or not: keeps_all, or by chance. */
static void apply_write(struct disk *d, const struct pending *p, bool keeps_all)
{
	struct content *file = &d->files[p->file];

	if (p->truncates) {
		grow(file, (size_t)p->offset);
		file->len = (size_t)p->offset;
		return;
	}
	for (size_t done = 0; done < p->len;) {
		size_t at = (size_t)p->offset + done, part = SECTOR - at % SECTOR;

		if (part > p->len - done)
			part = p->len - done;
		if (keeps_all || random_below(d, 2)) {
			grow(file, at + part);
			memcpy(file->bytes + at, p->bytes + done, part);
		}
		done += part;
	}
}

/* ---- names ---- */

static struct name *name_find(struct disk *d, const char *path)
{
	for (size_t i = 0; i < d->name_count; i++) {
		if (strcmp(d->names[i].path, path) == 0)
			return &d->names[i];
	}
	return NULL;
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static void name_drop(struct disk *d, const char *path)
{
	for (size_t i = 0; i < d->name_count;) {
		if (strcmp(d->names[i].path, path) == 0 || is_below(d->names[i].path, path))
			d->names[i] = d->names[--d->name_count];
		else
			i++;
	}
}

/* A name whose folder is not there cannot be found, so it is not there. */
static void name_add(struct disk *d, const char *path, size_t file)
{
	char folder[NAME_MAX_LEN];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	if (slash && !name_find(d, folder))
		return;
	name_drop(d, path);
	if (d->name_count == NAMES_MAX)
		abort();
	snprintf(d->names[d->name_count].path, NAME_MAX_LEN, "%s", path);
	d->names[d->name_count++].file = file;
}

static void rename_all(struct disk *d, const char *from, const char *to)
{
	struct name *there = name_find(d, from);

	if (!there)
		return;
	name_drop(d, to);
	for (size_t i = 0; i < d->name_count; i++) {
		struct name *name = &d->names[i];
		char rest[NAME_MAX_LEN];

		if (strcmp(name->path, from) != 0 && !is_below(name->path, from))
			continue;
		snprintf(rest, sizeof(rest), "%s", name->path + strlen(from));
		if (snprintf(name->path, NAME_MAX_LEN, "%.90s%.100s", to, rest) >= NAME_MAX_LEN)
			abort();
	}
}

static void apply_naming(struct disk *d, const struct naming *n)
{
	switch (n->change) {
	case DISK_CREATE:
	case DISK_MKDIR:
	case DISK_LINK:
		name_add(d, n->to, n->file);
		break;
	case DISK_RENAME:
		if (!n->file) {
			rename_all(d, n->from, n->to);
			break;
		}
		name_drop(d, n->from);
		name_add(d, n->to, n->file);
		break;
	case DISK_UNLINK:
		name_drop(d, n->from);
		break;
	}
}

/* The folder in which a name stands, "" for the data folder itself. */
static bool stands_in(const char *path, const char *folder)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	return path[0] && strlen(folder) == len && strncmp(path, folder, len) == 0;
}

static void flush_folder(struct disk *d, const char *folder)
{
	for (size_t i = 0; i < d->naming_count; i++) {
		struct naming *n = &d->namings[i];

		if (stands_in(n->from, folder) || stands_in(n->to, folder))
			n->flushed = true;
	}
}

/* ---- following the log ---- */

/* A name stands for its file, whatever becomes of the name by which that was found. */
static size_t file_of_naming(struct disk *d, const struct record *r)
{
	if (r->change == DISK_CREATE)
		return 1 + file_new(d, r->file);
	return r->file ? 1 + file_index(d, r->file) : 0;
}

static void take_in(
    struct disk *d, const struct record *r, const char *from, const char *to, const char *bytes)
{
	struct naming *n;

	switch (r->change) {
	case DISK_WRITE:
	case DISK_TRUNCATE:
		if (d->pending_count == PENDING_MAX)
			abort();
		d->pending[d->pending_count++] = (struct pending){.file = file_index(d, r->file),
		    .truncates = r->change == DISK_TRUNCATE,
		    .bytes = bytes,
		    .len = r->len,
		    .offset = r->offset};
		break;
	case DISK_FLUSH:
		for (size_t i = 0; i < d->pending_count; i++)
			d->pending[i].flushed |= d->files[d->pending[i].file].inode == r->file;
		break;
	case DISK_FLUSH_FOLDER: {
		char folder[NAME_MAX_LEN];

		snprintf(folder, sizeof(folder), "%.*s", (int)r->to_len, to);
		flush_folder(d, strcmp(folder, ".") == 0 ? "" : folder);
		break;
	}
	default:
		if (d->naming_count == NAMINGS_MAX)
			abort();
		n = &d->namings[d->naming_count++];
		*n = (struct naming){.change = r->change, .file = file_of_naming(d, r)};
		snprintf(n->from, sizeof(n->from), "%.*s", (int)r->from_len, from);
		snprintf(n->to, sizeof(n->to), "%.*s", (int)r->to_len, to);
		break;
	}
}

static void follow(struct disk *d, struct recording *recording, size_t changes, struct world *world)
{
	for (size_t at = 0, passed = 0; at < recording->len;) {
		struct record r;
		const char *from = recording->at + at + sizeof(r);

		memcpy(&r, recording->at + at, sizeof(r));
		at += sizeof(r) + r.from_len + r.to_len + r.len;
		if (r.change == RECORD_WORLD) {
			memcpy(world, from + r.from_len + r.to_len, sizeof(*world));
			continue;
		}
		if (passed++ == changes)
			break;
		take_in(d, &r, from, from + r.from_len, from + r.from_len + r.to_len);
	}
	world->complaint[0] = '\0';
}

/* ---- what is left ---- */

enum kept { KEPT_NONE, KEPT_ALL, KEPT_SOME, KEPTS };
static const char *const kept_names[KEPTS] = {"none", "all", "some"};

static void build(struct disk *d, enum kept bytes, enum kept names)
{
	size_t unflushed = 0, first;

	for (size_t i = 0; i < d->pending_count; i++) {
		struct pending *p = &d->pending[i];

		if (p->flushed || bytes == KEPT_ALL)
			apply_write(d, p, true);
		else if (bytes == KEPT_SOME && random_below(d, 4) > 0)
			apply_write(d, p, random_below(d, 2));
	}
	for (size_t i = 0; i < d->naming_count; i++)
		unflushed += !d->namings[i].flushed;
	first = names == KEPT_ALL ? unflushed
	    : names == KEPT_NONE  ? 0
				  : random_below(d, (unsigned)unflushed + 1);
	for (size_t i = 0; i < d->naming_count; i++) {
		if (d->namings[i].flushed || first > 0)
			apply_naming(d, &d->namings[i]);
		first -= !d->namings[i].flushed && first > 0;
	}
}

static void write_file(const char *path, const struct content *file)
{
	FILE *out = fopen(path, "w");

	if (!out || fwrite(file->bytes ? file->bytes : "", 1, file->len, out) != file->len ||
	    fclose(out) != 0)
		abort();
}

/* Folders stand before what is in them when names are taken by their length. */
static int compare_names(const void *a, const void *b)
{
	size_t left = strlen(((const struct name *)a)->path),
	       right = strlen(((const struct name *)b)->path);

	return left < right ? -1 : left > right;
}

static void write_out(struct disk *d, const char *folder)
{
	char path[512];

	qsort(d->names, d->name_count, sizeof(d->names[0]), compare_names);
	for (size_t i = 0; i < d->name_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, d->names[i].path);
		if (d->names[i].file)
			write_file(path, &d->files[d->names[i].file - 1]);
		else if (mkdir(path, 0700) != 0 && errno != EEXIST)
			abort();
	}
}

void recording_cut(struct recording *recording, size_t changes, unsigned seed, const char *folder,
    struct world *world, char said[160])
{
	struct disk *d = calloc(1, sizeof(*d));
	enum kept bytes, names;

	if (!d)
		abort();
	d->pending = calloc(PENDING_MAX, sizeof(*d->pending));
	d->namings = calloc(NAMINGS_MAX, sizeof(*d->namings));
	d->names = calloc(NAMES_MAX, sizeof(*d->names));
	if (!d->pending || !d->namings || !d->names)
		abort();
	d->random = 88172645463325252ull ^ (seed * 2654435761ull);
	bytes = (enum kept)random_below(d, KEPTS);
	names = (enum kept)random_below(d, KEPTS);
	follow(d, recording, changes, world);
	build(d, bytes, names);
	write_out(d, folder);
	snprintf(said, 160,
	    "cut after change %zu, seed %u: of what was not flushed, %s of the bytes and %s of the names",
	    changes, seed, kept_names[bytes], kept_names[names]);
	for (size_t i = 0; i < d->file_count; i++)
		free(d->files[i].bytes);
	free(d->pending);
	free(d->namings);
	free(d->names);
	free(d);
}
