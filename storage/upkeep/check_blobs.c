/* Blobs against their bytes, and files against blobs. */
#include "storage/blobs/blob_flush.h"
#include "storage/upkeep/check_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct blob_row {
	struct digest digest;
	char text[DIGEST_TEXT_MAX];
	int64_t id;
	uint64_t size;
	bool has_content, named_right;
	struct slice data; /* absent: in a file */
};

/* The blob after *last; false at the end, or with *failed. */
static bool next_blob(
    struct check *ck, const struct digest *last, struct blob_row *out, bool *failed)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_BLOB_NEXT);
	if (last->algorithm == DIGEST_NONE)
		bind_blob(q, 1, "", 0);
	else
		bind_digest(q, 1, last);
	int step = db_step(ck->tx.db, q);
	if (step == SQLITE_ROW) {
		struct digest named;
		memset(out, 0, sizeof(*out));
		*failed = !column_digest(q, 0, &out->digest);
		out->id = sqlite3_column_int64(q, 1);
		out->size = (uint64_t)sqlite3_column_int64(q, 2);
		out->has_content = sqlite3_column_int(q, 3) != 0;
		out->named_right = column_digest(q, 4, &named) && digest_eq(&named, &out->digest);
		out->data = column_dup(q, 5, &ck->arena);
		digest_format(&out->digest, out->text);
	}
	db_done(q);
	*failed = *failed || (step != SQLITE_ROW && step != SQLITE_DONE);
	return step == SQLITE_ROW && !*failed;
}

static void note_broken(struct check *ck, const struct digest *digest)
{
	if (ck->broken_count == ck->broken_cap) {
		ck->broken_cap = ck->broken_cap ? ck->broken_cap * 2 : 64;
		ck->broken = realloc(ck->broken, ck->broken_cap * sizeof(*ck->broken));
		if (!ck->broken)
			abort();
	}
	ck->broken[ck->broken_count++] = *digest;
}

/* No image counts on it any more, nor does any repository see it. */
static bool drop_blob(struct check *ck, const struct blob_row *b)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_BLOB_LET_GO);
	bind_int(q, 1, b->id);
	return db_exec(ck->tx.db, q) && blob_drop_rows(ck->tx.db, &b->digest);
}

void check_remove_dropped(struct check *ck)
{
	for (size_t i = 0; ck->options->repair && i < ck->broken_count; i++) {
		char name[FILE_NAME_MAX];
		files_blob_name(&ck->broken[i], name);
		files_remove(&ck->store.files, name);
	}
}

static bool broken(
    struct check *ck, const struct blob_row *b, enum check_kind_index kind, const char *why)
{
	note_broken(ck, &b->digest);
	if (check_find(ck, kind, NULL, true, "blob %s: %s; %s", b->text, why,
		ck->options->repair ? "it was dropped, so that clients upload it again"
				    : "--repair drops it, so that clients upload it again"))
		return drop_blob(ck, b);
	return true;
}

/*
 * That it cannot be read says nothing of its bytes: a file of another user's, a disk that fails for now, too few
 * descriptors. It is never repaired.
 */
static bool unreadable(struct check *ck, const struct blob_row *b, const char *why)
{
	check_find(ck, CHECK_BLOB_UNREADABLE, NULL, false,
	    "blob %s: its file cannot be read, and so not be verified: %s; see to its owner, its mode and the disk, and "
	    "check again",
	    b->text, why);
	return true;
}

static void count_bytes(void *arg, size_t bytes)
{
	struct check *ck = arg;
	ck->result->bytes += bytes;
	if (ck->options->progress)
		ck->options->progress(ck->options->arg, ck->result->bytes, ck->bytes_total);
}

static bool wrong_size(struct check *ck, const struct blob_row *b, uint64_t found)
{
	return broken(ck, b, CHECK_BLOB_CORRUPT,
	    arena_printf(&ck->arena, "it has %llu bytes instead of %llu", (unsigned long long)found,
		(unsigned long long)b->size));
}

static bool check_file(struct check *ck, const struct blob_row *b)
{
	struct digest found;
	uint64_t size = 0;
	struct stat st;
	int fd = files_open_blob(&ck->store.files, &b->digest);
	if (fd < 0)
		return errno == ENOENT ? broken(ck, b, CHECK_BLOB_MISSING, "its file is not there")
				       : unreadable(ck, b, strerror(errno));
	int failure = fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EISDIR;
	bool sized = !failure && (uint64_t)st.st_size == b->size;
	if (sized)
		failure = files_hash_watched(
		    fd, (enum digest_algorithm)b->digest.algorithm, &size, &found, count_bytes, ck);
	close(fd);
	if (failure)
		return unreadable(ck, b, strerror(failure));
	if (!sized)
		return wrong_size(ck, b, (uint64_t)st.st_size);
	return digest_eq(&found, &b->digest) ||
	    broken(ck, b, CHECK_BLOB_CORRUPT, "its bytes are not those of its digest");
}

static bool check_inline(struct check *ck, const struct blob_row *b)
{
	struct digest found;
	count_bytes(ck, b->data.len);
	if (b->data.len != b->size)
		return wrong_size(ck, b, b->data.len);
	memset(&found, 0, sizeof(found));
	digest_compute((enum digest_algorithm)b->digest.algorithm, b->data, &found);
	return digest_eq(&found, &b->digest) ||
	    broken(ck, b, CHECK_BLOB_CORRUPT, "its bytes are not those of its digest");
}

static bool check_blob(struct check *ck, const struct blob_row *b)
{
	if (!b->has_content || !b->named_right)
		return broken(ck, b, CHECK_BLOB_MISSING,
		    b->has_content ? "its content is another's" : "it has no content");
	return b->data.at ? check_inline(ck, b) : check_file(ck, b);
}

bool check_blobs(struct check *ck)
{
	struct digest last = {.algorithm = DIGEST_NONE};
	struct blob_row b;
	bool failed = false;
	while (next_blob(ck, &last, &b, &failed)) {
		last = b.digest;
		ck->result->blobs++;
		if (!check_blob(ck, &b))
			return false;
		arena_reset(&ck->arena);
	}
	return !failed;
}

/* ---- files that no blob has ---- */

struct walk {
	struct check *ck;
	const char *folder;
	bool failed;
};

static void left_over(struct check *ck, const char *name, bool ours)
{
	if (check_find(ck, CHECK_FILE_LEFT_OVER, NULL, ours,
		ours ? "the file %s belongs to nothing%s" : "the file %s is none of Drydock's%s",
		name, ours && ck->options->repair ? "; it was removed" : ""))
		files_remove(&ck->store.files, name);
}

/* Whether a blob's bytes are in a file: -1 when it cannot be told. */
static int wants_file(struct check *ck, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(ck->tx.db, Q_CHECK_BLOB_IN_FILE);
	bind_digest(q, 1, digest);
	int step = db_step(ck->tx.db, q);
	int wants = step == SQLITE_ROW ? sqlite3_column_int(q, 0) : step == SQLITE_DONE ? 0 : -1;
	db_done(q);
	return wants;
}

static void look_at_file(void *arg, const char *file, const struct digest *digest)
{
	struct walk *walk = arg;
	char name[2 * FILE_NAME_MAX + 256];
	bool ours = digest->algorithm != DIGEST_NONE;
	int wanted = ours ? wants_file(walk->ck, digest) : 0;
	if (wanted == 0 && ours && check_is_broken(walk->ck, digest))
		wanted = 1; /* of a blob that was dropped: it goes after the commit */
	snprintf(name, sizeof(name), "%s/%s", walk->folder, file);
	walk->failed = walk->failed || wanted < 0;
	if (wanted == 0)
		left_over(walk->ck, name, ours);
	arena_reset(&walk->ck->arena);
}

static bool check_blob_files(struct check *ck)
{
	char folder[FILE_NAME_MAX];
	struct walk walk = {.ck = ck, .folder = folder};
	for (unsigned i = 0; i < 2 * 256 && !walk.failed; i++) {
		snprintf(folder, sizeof(folder), "blobs/%s/%02x", i < 256 ? "sha256" : "sha512",
		    i % 256);
		files_each_blob(&ck->store.files, i < 256 ? DIGEST_SHA256 : DIGEST_SHA512,
		    (uint8_t)i, look_at_file, &walk);
	}
	return !walk.failed;
}

struct session_list {
	struct check *ck;
	uint8_t (*ids)[16];
	size_t count;
};

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void look_at_upload(void *arg, const uint8_t id[16])
{
	struct session_list *list = arg;
	char name[FILE_NAME_MAX];
	if (list->count && bsearch(id, list->ids, list->count, 16, compare_ids))
		return;
	files_upload_name(id, name);
	left_over(list->ck, name, true);
}

/* The bytes of uploads that are going on have a session each. */
static bool check_uploads(struct check *ck)
{
	struct session_list list = {.ck = ck, .ids = calloc(SPOOL_SLOTS_MAX, 16)};
	struct spool spool;
	struct spool_head head;
	char text[512];
	if (!list.ids)
		abort();
	if (spool_look(&spool, ck->store.files.folder) == 0) {
		for (uint32_t slot = 0; slot < spool_slots(&spool); slot++) {
			if (spool_read_head(&spool, slot, text, &head))
				memcpy(list.ids[list.count++], head.id, 16);
		}
	}
	spool_close(&spool);
	qsort(list.ids, list.count, 16, compare_ids);
	files_each_upload(&ck->store.files, look_at_upload, &list);
	free(list.ids);
	return true;
}

bool check_files(struct check *ck)
{
	if (files_some_aside(&ck->store.files))
		check_find(ck, CHECK_FILE_LEFT_OVER, NULL, true,
		    "in aside/ are files that were to be removed%s",
		    ck->options->repair ? "; they were" : "");
	return check_blob_files(ck) && check_uploads(ck);
}
