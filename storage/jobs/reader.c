/* Connections to the database, and who reads through one: each thread has its own. */
#include "storage/core.h"

#include <stdio.h>
#include <stdlib.h>

bool store_connect(struct store *store, struct db *db, enum db_role role, struct err *err)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/drydock.db", store->files.path);
	if (db_open(db, path, role, store->ephemeral))
		return true;
	snprintf(err->text, sizeof(err->text), "its database cannot be opened: %s", db_cause(db));
	return false;
}

struct store_reader *store_reader_open(struct store *store, struct err *err)
{
	struct store_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		abort();
	reader->store = store;
	if (store_connect(store, &reader->db, DB_READER, err))
		return reader;
	store_reader_close(reader);
	return NULL;
}

void store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	db_close(&reader->db);
	free(reader);
}

const char *store_reader_cause(const struct store_reader *reader)
{
	return db_fails(&reader->db) ? db_cause(&reader->db) : "";
}
