/* See actor.h. Bytes of layers are made from seeds, so that nothing has to be kept to compare them with. */
#include "actor.h"
#include "recorder.h"

#include <errno.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct world *world_new(void)
{
	struct world *world =
	    mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (world == MAP_FAILED)
		abort();
	return world;
}

void world_free(struct world *world)
{
	munmap(world, sizeof(*world));
}

void complain(struct world *world, const char *format, ...)
{
	va_list args;

	if (world->complaint[0])
		return;
	va_start(args, format);
	vsnprintf(world->complaint, sizeof(world->complaint), format, args);
	va_end(args);
}

bool is_storage_failure(enum error_code code)
{
	return code == ERR_STORAGE_FAILED || code == ERR_STORAGE_FULL;
}

/* ---- opening ---- */

bool actor_open(struct actor *a)
{
	struct store_options options = {.path = a->folder,
	    .gc = &(struct gc_settings){.grace_ms = 24 * 3600 * 1000LL, .interval_ms = 0},
	    .lifecycle_interval_ms = -1};
	struct err err = {""};

	a->store = store_open(&options, &err);
	a->reader = a->store ? store_reader_open(a->store, &err) : NULL;
	if (a->reader)
		return true;
	store_close(a->store);
	a->store = NULL;
	return false;
}

void actor_close(struct actor *a)
{
	store_reader_close(a->reader);
	store_close(a->store);
	a->reader = NULL;
	a->store = NULL;
}

void actor_release(struct actor *a)
{
	for (size_t i = 0; i < a->job_count; i++)
		arena_release(a->job_arenas[i]);
	a->job_count = 0;
	arena_release(&a->arena);
}

/* ---- jobs ---- */

void act_note(struct actor *a, enum error_code code)
{
	if (code != ERR_NONE && a->outcome == ERR_NONE)
		a->outcome = code;
}

static void signal_done(struct store_job *job)
{
	sem_post(job->owner);
}

void act_begin(struct actor *a, struct store_job *job)
{
	sem_t *done = arena_alloc(&a->arena, sizeof(*done));

	sem_init(done, 0, 0);
	memset(job, 0, sizeof(*job));
	job->owner = done;
	job->arena = arena_alloc(&a->arena, sizeof(*job->arena));
	arena_init(job->arena);
	if (a->job_count == sizeof(a->job_arenas) / sizeof(a->job_arenas[0]))
		abort();
	a->job_arenas[a->job_count++] = job->arena;
	job->done = signal_done;
	recorder_note();
}

enum error_code act_end(struct actor *a, struct store_job *job)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ANSWER_SECONDS;
	while (sem_timedwait(job->owner, &until) != 0) {
		if (errno == EINTR)
			continue;
		complain(a->world, "step %u: no answer within %d seconds", a->world->steps,
		    ANSWER_SECONDS);
		_exit(3); /* the job's memory is still the store's: nothing can be tidied up */
	}
	if (is_storage_failure(job->error.code))
		act_note(a, job->error.code);
	return job->error.code;
}

struct repository_key actor_key(const char *repository, const char *region)
{
	return (struct repository_key){
	    slice_str("000000000000"), slice_str(region), slice_str(repository)};
}

/* ---- what is pushed ---- */

struct slice act_bytes(struct actor *a, size_t len, unsigned seed)
{
	char *at = arena_alloc(&a->arena, len + 1);
	uint64_t x = seed * 2654435761u + 88172645463325252ull;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at[i] = (char)x;
	}
	return slice_of(at, len);
}

static struct digest digest_of(struct slice bytes)
{
	struct digest digest;

	memset(&digest, 0, sizeof(digest));
	digest_compute(DIGEST_SHA256, bytes, &digest);
	return digest;
}

/* As docker does: what is there already is not sent again. */
bool act_push_blob(struct actor *a, const char *repository, struct slice bytes)
{
	struct repository_key key = actor_key(repository, "us-east-1");
	struct upload_finish finish = {.digest = digest_of(bytes)};
	enum error_code code;
	struct blob blob;
	uint8_t id[16];

	code = blob_stat(a->reader, &key, &finish.digest, &blob);
	if (code == ERR_NONE)
		return true;
	if (code == ERR_BLOB_UNKNOWN)
		code = upload_begin(a->store, a->reader, &key, DIGEST_NONE, id);
	if (code == ERR_NONE)
		code = upload_acquire(a->store, a->reader, &key, id, &finish.upload);
	if (code == ERR_NONE && (code = upload_append(finish.upload, bytes)) != ERR_NONE)
		upload_abandon(finish.upload);
	if (code == ERR_NONE)
		code = ACT(a, &finish, upload_finish_submit);
	act_note(a, code);
	return code == ERR_NONE;
}

static struct known_image *note_image(struct actor *a, const char *repository,
    struct slice manifest, const struct digest *layers, size_t count)
{
	struct digest digest = digest_of(manifest);
	struct world *world = a->world;
	struct known_image *image;

	for (size_t i = 0; i < world->image_count; i++) {
		image = &world->images[i];
		if (strcmp(image->repository, repository) == 0 &&
		    digest_eq(&image->digest, &digest))
			return image;
	}
	if (world->image_count == IMAGES_MAX || manifest.len > MANIFEST_MAX)
		abort();
	image = &world->images[world->image_count];
	snprintf(image->repository, sizeof(image->repository), "%s", repository);
	snprintf(image->region, sizeof(image->region), "us-east-1");
	image->digest = digest;
	memcpy(image->manifest, manifest.at, manifest.len);
	image->manifest_len = manifest.len;
	image->layer_count = count;
	if (count)
		memcpy(image->layers, layers, count * sizeof(layers[0]));
	world->image_count++;
	return image;
}

static const char *descriptor(
    struct actor *a, const char *type, const struct digest *digest, size_t len)
{
	char text[DIGEST_TEXT_MAX];

	digest_format(digest, text);
	return arena_printf(
	    &a->arena, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}", type, text, len);
}

struct known_image *act_image(struct actor *a, const char *repository,
    const unsigned seeds[LAYERS_MAX], const size_t sizes[LAYERS_MAX])
{
	const char *config =
	    arena_printf(&a->arena, "{\"of\":[%u,%u,%u]}", seeds[0], seeds[1], seeds[2]);
	struct digest parts[LAYERS_MAX + 1] = {digest_of(slice_str(config))};
	const char *layers = "";
	size_t count = 0;

	act_push_blob(a, repository, slice_str(config));
	for (; count < LAYERS_MAX && sizes[count] > 0; count++) {
		struct slice bytes = act_bytes(a, sizes[count], seeds[count]);

		parts[count + 1] = digest_of(bytes);
		act_push_blob(a, repository, bytes);
		layers = arena_printf(&a->arena, "%s%s%s", layers, count ? "," : "",
		    descriptor(
			a, "application/vnd.oci.image.layer.v1.tar", &parts[count + 1], bytes.len));
	}
	return note_image(a, repository,
	    arena_slicef(&a->arena,
		"{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":%s,\"layers\":[%s]}",
		MEDIA_OCI_MANIFEST,
		descriptor(
		    a, "application/vnd.oci.image.config.v1+json", &parts[0], strlen(config)),
		layers),
	    parts, count + 1);
}

struct known_image *act_index(
    struct actor *a, const char *repository, struct known_image *const *children, size_t count)
{
	const char *all = "";

	for (size_t i = 0; i < count; i++)
		all = arena_printf(&a->arena, "%s%s%s", all, i ? "," : "",
		    descriptor(
			a, MEDIA_OCI_MANIFEST, &children[i]->digest, children[i]->manifest_len));
	return note_image(a, repository,
	    arena_slicef(&a->arena, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s]}",
		MEDIA_OCI_INDEX, all),
	    NULL, 0);
}

struct known_tag *known_tag(struct world *world, const char *repository, const char *name)
{
	struct known_tag *tag = world->tags;

	for (size_t i = 0; i < world->tag_count; i++, tag++) {
		if (strcmp(tag->repository, repository) == 0 && strcmp(tag->name, name) == 0)
			return tag;
	}
	if (world->tag_count == TAGS_MAX)
		abort();
	snprintf(tag->repository, sizeof(tag->repository), "%s", repository);
	snprintf(tag->name, sizeof(tag->name), "%s", name);
	world->tag_count++;
	return tag;
}

void act_put(struct actor *a, struct known_image *image, const char *tag)
{
	struct slice tags[1] = {slice_str(tag)};
	struct manifest parsed;
	struct image_put put = {.key = actor_key(image->repository, "us-east-1"),
	    .manifest = slice_of(image->manifest, image->manifest_len),
	    .parsed = &parsed,
	    .digest = image->digest,
	    .tags = tags,
	    .tag_count = tag ? 1 : 0};
	struct known_tag *known = tag ? known_tag(a->world, image->repository, tag) : NULL;
	enum error_code code;

	if (a->outcome != ERR_NONE)
		return;
	if (manifest_parse(put.manifest, slice_of(NULL, 0), &a->arena, &parsed, NULL) !=
	    MANIFEST_OK)
		abort();
	if (image->fate != FATE_THERE)
		image->fate = FATE_TRYING;
	if (known) {
		known->next = image->digest;
		known->moving = true;
	}
	code = ACT(a, &put, image_put_submit);
	if (code == ERR_NONE) {
		image->fate = FATE_THERE;
		if (known) {
			known->now = image->digest;
			known->moving = false;
		}
	}
	recorder_note();
	act_note(a, code);
}
