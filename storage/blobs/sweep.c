/* Files that a crash left without a row, or that could not be taken away in time. */
#include "storage/blobs/gc_internal.h"
#include "storage/db/meta.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { FOLDERS = 2 * 256 }; /* of sha256, then of sha512 */

struct sweep {
	struct store_job job;
	struct gc_run *run;
	void (*over)(struct store *store, struct gc_run *run);
	struct store_reader *reader;
	unsigned folder;
	bool again; /* the folder has more */
	struct gc_files files;
	uint64_t sizes[GC_FILES_PER_STEP];
	uint64_t bytes;
};

static bool has_row(struct db *db, const struct digest *digest)
{
	sqlite3_stmt *q = db_query(db, Q_BLOB_FIND);
	bind_digest(q, 1, digest);
	int step = db_step(db, q);
	db_done(q);
	return step != SQLITE_DONE; /* when it is not to be known, nothing is removed */
}

static uint64_t size_of(struct files *files, const struct digest *digest)
{
	char name[FILE_NAME_MAX];
	struct stat st;
	files_blob_name(digest, name);
	return fstatat(files->folder, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

static void look_at(void *arg, const char *name, const struct digest *digest)
{
	struct sweep *s = arg;
	(void)name;
	if (digest->algorithm == DIGEST_NONE || has_row(&s->reader->db, digest))
		return;
	s->again = s->files.count == GC_FILES_PER_STEP;
	if (s->again)
		return;
	s->sizes[s->files.count] = size_of(&s->reader->store->files, digest);
	s->files.at[s->files.count++] = *digest;
}

/* Goes on to the first folder that has something. */
static void sweep_work(struct store *store, struct store_job *job)
{
	struct sweep *s = (struct sweep *)job;
	struct err err = {""};
	if (s->again && atomic_load(&store->sweep_due))
		s->folder++; /* what could not be taken away: not for ever the same */
	s->again = false;
	if (!s->reader && !(s->reader = store_reader_open(store, &err))) {
		job_fail(job, ERR_STORAGE_FAILED, "%s", err.text);
		return;
	}
	while (s->folder < FOLDERS && s->files.count == 0 && !atomic_load(&store->closing)) {
		files_each_blob(&store->files, s->folder < 256 ? DIGEST_SHA256 : DIGEST_SHA512,
		    (uint8_t)s->folder, look_at, s);
		s->folder += !s->again;
	}
	if (s->reader->db.failed != ERR_NONE) /* what was passed over may have no row */
		job_fail(job, s->reader->db.failed, "a read of the database failed");
}

/* A blob may have come under that name meanwhile. */
static void sweep_run(struct store_tx *tx, struct store_job *job)
{
	struct sweep *s = (struct sweep *)job;
	size_t count = s->files.count;
	s->files.count = 0;
	s->bytes = 0;
	for (size_t i = 0; i < count; i++) {
		if (has_row(tx->db, &s->files.at[i]) || removal_has(tx->store, &s->files.at[i]))
			continue;
		s->bytes += s->sizes[i];
		s->sizes[s->files.count] = s->sizes[i];
		s->files.at[s->files.count++] = s->files.at[i];
	}
	tx->last = s->files.count > 0;
}

static void submit(struct store *store, struct sweep *from);

static void sweep_over(struct store *store, struct sweep *s)
{
	store_reader_close(s->reader);
	s->over(store, s->run);
}

static void sweep_committed(struct store *store, struct store_job *job)
{
	struct sweep *s = (struct sweep *)job;
	gc_files_remove(store, &s->files, false);
	s->run->result.files += s->files.count;
	s->run->result.file_bytes += s->bytes;
	if (s->folder < FOLDERS && !atomic_load(&store->closing)) {
		submit(store, s);
		return;
	}
	if (s->folder < FOLDERS)
		atomic_store(&store->sweep_due, true);
	sweep_over(store, s);
}

static void sweep_failed(struct store *store, struct store_job *job)
{
	struct sweep *s = (struct sweep *)job;
	atomic_store(&store->sweep_due, true);
	job_fail(&s->run->job, job->error.code, "the sweep of blobs/ has failed");
	sweep_over(store, s);
}

static const struct job_ops sweep_ops = {.work = sweep_work,
    .run = sweep_run,
    .committed = sweep_committed,
    .failed = sweep_failed,
    .frees = true};

static void submit(struct store *store, struct sweep *from)
{
	struct sweep *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->job.done = store_job_free;
	s->run = from->run;
	s->over = from->over;
	s->reader = from->reader;
	s->folder = from->folder;
	s->again = from->again;
	removal_then(store, &s->job,
	    &sweep_ops); /* so that the folder is read without what was found there */
}

void sweep_begin(
    struct store *store, struct gc_run *run, void (*over)(struct store *store, struct gc_run *run))
{
	struct sweep first = {.run = run, .over = over};
	atomic_store(&store->sweep_due, false);
	submit(store, &first);
}
