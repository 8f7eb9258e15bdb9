#include "support.h"

#include "storage/core.h"

#include "protocol/json.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static void signal_done(struct store_job *job)
{
	sem_post(job->owner);
}

void job_begin(struct fixture *f, struct store_job *job)
{
	sem_t *done = malloc(sizeof(*done));
	sem_init(done, 0, 0);
	memset(job, 0, sizeof(*job));
	job->owner = done;
	job->arena = arena_alloc(&f->arena, sizeof(*job->arena));
	arena_init(job->arena);
	assert_true(f->job_count < COUNT(f->job_arenas));
	f->job_arenas[f->job_count++] = job->arena;
	job->done = signal_done;
}

enum error_code job_end(struct store_job *job)
{
	sem_wait(job->owner);
	sem_destroy(job->owner);
	free(job->owner);
	job->owner = NULL;
	return job->error.code;
}

void fixture_open(struct fixture *f)
{
	struct err err = {""};
	f->store = store_open(&f->options, &err);
	if (!f->store)
		fail_msg("%s", err.text);
	f->reader = store_reader_open(f->store, &err);
	assert_non_null(f->reader);
}

void fixture_close(struct fixture *f)
{
	store_reader_close(f->reader);
	store_close(f->store);
	f->reader = NULL;
	f->store = NULL;
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct repository repository;
	arena_init(&f->arena);
	snprintf(f->folder, sizeof(f->folder), "/tmp/drydock-unit-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	f->options.path = f->folder;
	fixture_open(f);
	f->key = key_of("team/app");
	assert_int_equal(create_repository(f, "team/app", TAGS_MUTABLE, NULL), ERR_NONE);
	assert_int_equal(repository_find(f->reader, &f->key, &f->arena, &repository), ERR_NONE);
	f->repository_id = repository.id;
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	for (size_t i = 0; i < f->job_count; i++)
		arena_release(f->job_arenas[i]);
	arena_release(&f->arena);
	free(f);
	return 0;
}

const char *fixture_path(struct fixture *f, const char *name)
{
	return arena_printf(&f->arena, "%s/%s", f->folder, name);
}

struct repository_key key_of(const char *name)
{
	return (struct repository_key){
	    slice_str("000000000000"), slice_str("us-east-1"), slice_str(name)};
}

enum error_code create_repository(
    struct fixture *f, const char *name, enum mutability mutability, const char *filters)
{
	struct repository_key key = key_of(name);
	struct repository_create create = {.repository = {.account = key.account,
					       .region = key.region,
					       .name = key.name,
					       .mutability = mutability,
					       .mutability_filters = slice_str(filters),
					       .encryption_type = slice_str("AES256")}};
	enum error_code code = RUN(f, &create, repository_create_submit);
	return code;
}

enum error_code delete_repository(struct fixture *f, const char *name, bool force)
{
	struct repository_delete del = {.key = key_of(name), .force = force};
	enum error_code code = RUN(f, &del, repository_delete_submit);
	return code;
}

struct digest digest_of(struct slice bytes)
{
	struct digest digest;
	memset(&digest, 0, sizeof(digest));
	digest_compute(DIGEST_SHA256, bytes, &digest);
	return digest;
}

struct digest sha256_of(const char *text)
{
	return digest_of(slice_str(text));
}

struct slice noise(struct arena *a, size_t len, unsigned seed)
{
	char *at = arena_alloc(a, len + 1);
	uint64_t x = seed * 2654435761u + 88172645463325252ull;
	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at[i] = (char)x;
	}
	return slice_of(at, len);
}

struct upload *open_upload(struct fixture *f, uint8_t id[16])
{
	struct upload *u = NULL;
	assert_int_equal(upload_begin(f->store, f->reader, &f->key, DIGEST_NONE, id), ERR_NONE);
	assert_int_equal(upload_acquire(f->store, f->reader, &f->key, id, &u), ERR_NONE);
	return u;
}

enum error_code finish_upload(struct fixture *f, struct upload *u, const struct digest *digest)
{
	struct upload_finish finish = {.upload = u, .digest = *digest};
	enum error_code code = RUN(f, &finish, upload_finish_submit);
	return code;
}

struct digest push_blob(struct fixture *f, struct slice bytes)
{
	uint8_t id[16];
	struct upload *u = open_upload(f, id);
	struct digest digest = digest_of(bytes);
	assert_int_equal(upload_append(u, bytes), ERR_NONE);
	assert_int_equal(finish_upload(f, u, &digest), ERR_NONE);
	return digest;
}

bool blob_exists(struct fixture *f, const struct digest *digest)
{
	struct blob blob;
	enum error_code code = blob_stat(f->reader, &f->key, digest, &blob);
	assert_true(code == ERR_NONE || code == ERR_BLOB_UNKNOWN);
	return code == ERR_NONE;
}

static struct sample *new_sample(struct fixture *f, const char *text)
{
	struct sample *s = arena_zalloc(&f->arena, sizeof(*s));
	s->put.key = f->key;
	s->put.manifest = arena_slicef(&f->arena, "{\"text\":\"%s\"}", text);
	s->put.parsed = &s->manifest;
	s->put.digest = digest_of(s->put.manifest);
	s->put.tags = s->tags;
	return s;
}

struct sample *image_sample(struct fixture *f, const char *text, ...)
{
	struct sample *s = new_sample(f, text);
	struct descriptor *layer = arena_zalloc(&f->arena, sizeof(*layer));
	struct slice bytes = arena_slicef(&f->arena, "layer of %s", text);
	va_list tags;
	layer->digest = push_blob(f, bytes);
	layer->size = bytes.len;
	s->manifest.kind = MANIFEST_IMAGE;
	s->manifest.media_type = slice_str(MEDIA_OCI_MANIFEST);
	s->manifest.artifact_type = slice_str("application/vnd.oci.image.config.v1+json");
	s->manifest.layers = layer;
	s->manifest.layer_count = 1;
	s->manifest.layers_bytes = bytes.len;
	va_start(tags, text);
	for (const char *tag; (tag = va_arg(tags, const char *));)
		s->tags[s->put.tag_count++] = slice_str(tag);
	va_end(tags);
	return s;
}

struct sample *index_sample(struct fixture *f, const char *text, struct sample *const *children,
    size_t count, const char *tag)
{
	struct sample *s = new_sample(f, text);
	s->manifest.kind = MANIFEST_INDEX;
	s->manifest.media_type = slice_str(MEDIA_OCI_INDEX);
	s->manifest.children = arena_array(&f->arena, count, sizeof(struct descriptor));
	s->manifest.child_count = count;
	for (size_t i = 0; i < count; i++)
		s->manifest.children[i].digest = children[i]->put.digest;
	if (tag)
		s->tags[s->put.tag_count++] = slice_str(tag);
	return s;
}

enum error_code put(struct fixture *f, struct sample *sample)
{
	return RUN(f, &sample->put, image_put_submit);
}

struct digest put_ok(struct fixture *f, struct sample *sample)
{
	assert_int_equal(put(f, sample), ERR_NONE);
	return sample->put.digest;
}

static void write_descriptor(struct json_writer *w, const struct descriptor *d, const char *type)
{
	char text[DIGEST_TEXT_MAX];

	json_put_cstr(w, "mediaType", type);
	json_put_str(w, "digest", digest_format(&d->digest, text));
	json_put_num(w, "size", (int64_t)d->size);
}

static void write_descriptors(struct json_writer *w, const char *name, const struct descriptor *all,
    size_t count, const char *type)
{
	json_put_array(w, name);
	for (size_t i = 0; i < count; i++) {
		json_object(w);
		write_descriptor(w, &all[i], type);
		json_object_end(w);
	}
	json_array_end(w);
}

struct sample *real(struct fixture *f, struct sample *sample)
{
	struct manifest *m = &sample->manifest;
	struct json_writer w;
	struct buf out;

	buf_init(&out, &f->arena, SIZE_MAX, 1024);
	json_begin(&w, &out);
	json_object(&w);
	json_put_num(&w, "schemaVersion", 2);
	json_put_str(&w, "mediaType", m->media_type);
	if (m->kind == MANIFEST_IMAGE) {
		m->config.digest = push_blob(f, sample->put.manifest);
		m->config.size = sample->put.manifest.len;
		json_put_object(&w, "config");
		write_descriptor(&w, &m->config, "application/vnd.oci.image.config.v1+json");
		json_object_end(&w);
		write_descriptors(&w, "layers", m->layers, m->layer_count,
		    "application/vnd.oci.image.layer.v1.tar+gzip");
	} else {
		write_descriptors(&w, "manifests", m->children, m->child_count, MEDIA_OCI_MANIFEST);
	}
	json_object_end(&w);
	sample->put.manifest = buf_slice(&out);
	sample->put.digest = digest_of(sample->put.manifest);
	return sample;
}

void clock_forward(struct fixture *f, int64_t ms)
{
	struct clock_move move = {.offset_ms = clock_offset_ms(store_clock(f->store)) + ms};

	assert_int_equal(RUN(f, &move, clock_move_submit), ERR_NONE);
}

void put_document(struct fixture *f, enum document_kind kind, const char *name, const char *text)
{
	struct document_put put = {
	    .key = {f->key.account, f->key.region, kind, slice_str(name)}, .text = slice_str(text)};

	assert_int_equal(RUN(f, &put, document_put_submit), ERR_NONE);
}

struct image image_of(struct fixture *f, const struct digest *digest)
{
	struct image image;
	struct image_id id = {.digest = *digest, .tag = {NULL, 0}};

	assert_int_equal(image_find(f->reader, f->repository_id, &id, &f->arena, &image), ERR_NONE);
	return image;
}

const char *tags_of(struct fixture *f, const struct digest *digest)
{
	struct image image;
	struct image_id id = {.digest = *digest, .tag = {NULL, 0}};
	char *all = arena_printf(&f->arena, "%s", "");
	if (image_find(f->reader, f->repository_id, &id, &f->arena, &image) != ERR_NONE)
		return "(none)";
	for (size_t i = 0; i < image.tag_count; i++)
		all = arena_printf(
		    &f->arena, "%s%s%.*s", all, i ? "," : "", SLICE_ARG(image.tags[i]));
	return all;
}

void assert_slice(struct slice s, const char *expected)
{
	if (!expected) {
		assert_null(s.at);
		return;
	}
	if (!slice_is(s, expected))
		fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(s), expected);
}

int64_t count_rows(struct fixture *f, const char *table)
{
	sqlite3_stmt *q = NULL;
	const char *sql = arena_printf(&f->arena, "SELECT count(*) FROM %s", table);
	assert_int_equal(sqlite3_prepare_v2(f->reader->db.handle, sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	int64_t count = sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return count;
}
