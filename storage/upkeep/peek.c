/*
 * A database without a log is opened as immutable, which makes no files; the lock's other side keeps
 * servers from changing it meanwhile. With a log (a server runs, or was killed) it takes an ordinary
 * reader, for which SQLite keeps its index of the log in the file beside it.
 */
#include "storage/upkeep/peek.h"

#include "storage/core.h"
#include "storage/db/meta.h"
#include "storage/db/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct peek {
	struct store_reader reader;
	struct clock clock;
	int lock; /* -1: somebody else owns the folder, or it was never owned */
};

static bool say(struct err *err, const char *path, const char *what)
{
	snprintf(err->text, sizeof(err->text), "the data folder %.200s cannot be read: %.250s",
	    path, what);
	return false;
}

/* True when nobody else can become its owner, or is. */
static bool take_lock(struct peek *peek, const char *path)
{
	char name[PATH_MAX + 16];

	snprintf(name, sizeof(name), "%s/lock", path);
	peek->lock = open(name, O_RDONLY | O_CLOEXEC);
	return peek->lock >= 0 && flock(peek->lock, LOCK_SH | LOCK_NB) == 0;
}

static bool has_log(const char *path)
{
	char name[PATH_MAX + 16];
	struct stat log;

	snprintf(name, sizeof(name), "%s/drydock.db-wal", path);
	return stat(name, &log) == 0 && log.st_size > 0;
}

/* "file:" and the path, with what means something in a URI written as %XX. */
static void write_uri(const char *path, char *uri, size_t room)
{
	size_t len = (size_t)snprintf(uri, room, "file:");

	for (; *path && len + 4 < room; path++)
		len += (size_t)snprintf(uri + len, room - len,
		    *path == '%' || *path == '?' || *path == '#' ? "%%%02X" : "%c",
		    (unsigned char)*path);
	snprintf(uri + len, room - len, "/drydock.db?immutable=1");
}

bool peek_open_database(struct db *db, const char *path, bool alone)
{
	char name[3 * PATH_MAX + 64];
	bool immutable = alone && !has_log(path);

	if (immutable)
		write_uri(path, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%s/drydock.db", path);
	return db_open(db, name, immutable ? DB_IMMUTABLE : DB_ONLOOKER, false);
}

static bool open_folder(struct peek *peek, const char *path, struct err *err)
{
	char name[PATH_MAX + 16];
	struct stat found;
	struct err why;
	int64_t offset_ms;

	if (strlen(path) >= PATH_MAX)
		return say(err, path, "its path is too long");
	snprintf(name, sizeof(name), "%s/drydock.db", path);
	if (stat(name, &found) != 0)
		return say(
		    err, path, errno == ENOENT ? "there is no drydock.db in it" : strerror(errno));
	if (!peek_open_database(&peek->reader.db, path, take_lock(peek, path)))
		return say(err, path, db_cause(&peek->reader.db));
	if (!schema_is_current(&peek->reader.db, &why))
		return say(err, path, why.text);
	enum found moved = meta_get_int(&peek->reader.db, META_CLOCK_OFFSET, &offset_ms);
	if (moved == FAILED)
		return say(err, path, db_cause(&peek->reader.db));
	if (moved == FOUND)
		clock_set_offset_ms(&peek->clock, offset_ms);
	return true;
}

struct peek *peek_open(const char *path, struct err *err)
{
	struct peek *peek = calloc(1, sizeof(*peek));

	if (!peek)
		abort();
	peek->lock = -1;
	if (open_folder(peek, path, err))
		return peek;
	peek_close(peek);
	return NULL;
}

void peek_close(struct peek *peek)
{
	if (!peek)
		return;
	db_close(&peek->reader.db);
	if (peek->lock >= 0)
		close(peek->lock);
	free(peek);
}

struct store_reader *peek_reader(struct peek *peek)
{
	return &peek->reader;
}

int64_t peek_now_ms(const struct peek *peek)
{
	return clock_now_ms(&peek->clock);
}
