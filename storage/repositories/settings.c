/*
 * Settings, read from the documents that hold them each time they are needed: that is one look-up by key, where a
 * copy on each thread would have to be told of every change.
 */
#include "storage/repositories/settings.h"

#include "storage/repositories/document_rows.h"

static enum error_code read_rules(
    enum error_code code, struct slice text, struct arena *a, struct replication_rules *out)
{
	*out = (struct replication_rules){NULL, 0};
	if (code == ERR_SETTING_NOT_FOUND)
		return ERR_NONE;
	if (code == ERR_NONE)
		replication_parse(text, a, out);
	return code;
}

enum error_code replication_rules(struct store_reader *reader, struct slice account,
    struct slice region, struct arena *a, struct replication_rules *out)
{
	struct document_key key = {account, region, DOCUMENT_REPLICATION, slice_str("")};
	struct document found = {.text = {0}};
	enum error_code code = document_get(reader, &key, a, &found);

	return read_rules(code, found.text, a, out);
}

enum error_code replication_rules_tx(struct store_tx *tx, struct slice account, struct slice region,
    struct arena *a, struct replication_rules *out)
{
	struct document_key key = {account, region, DOCUMENT_REPLICATION, slice_str("")};
	struct document found = {.text = {0}};
	enum error_code code = document_row_find(tx->db, &key, a, &found);

	return read_rules(code, found.text, a, out);
}

enum error_code pull_time_excluded(struct store_reader *reader, struct slice account,
    struct slice region, struct slice principal, bool *excluded)
{
	struct document_key key = {account, region, DOCUMENT_EXCLUSION, principal};
	enum error_code code = ERR_EXCLUSION_NOT_FOUND;
	struct document found;
	struct arena a;

	arena_init(&a);
	if (principal.at)
		code = document_get(reader, &key, &a, &found);
	arena_release(&a);
	*excluded = code == ERR_NONE;
	return code == ERR_EXCLUSION_NOT_FOUND ? ERR_NONE : code;
}
