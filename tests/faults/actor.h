/* A client of a store that waits for each of its jobs, for the fault tests. */
#ifndef DRYDOCK_TESTS_FAULTS_ACTOR_H
#define DRYDOCK_TESTS_FAULTS_ACTOR_H

#include "scenario.h"

#include "storage/blobs/upload.h"
#include "storage/images/image.h"
#include "storage/repositories/document.h"

struct actor {
	struct world *world;
	const char *folder;
	struct store *store;
	struct store_reader *reader;
	struct arena arena;
	struct arena *job_arenas[4096];
	size_t job_count;
	enum error_code outcome; /* of the step under way: its first error */
};

/* False, and a complaint unless failing is allowed (the folder's own failpoints). */
bool actor_open(struct actor *a);
void actor_close(struct actor *a);
/* Frees what is left; the store is closed. */
void actor_release(struct actor *a);

void act_begin(struct actor *a, struct store_job *job);
/* Waits; complains when there is no answer in time, and ends the process then. Notes a failure of storage as the step's. */
enum error_code act_end(struct actor *a, struct store_job *job);
#define ACT(a, request, submit)                                                                    \
	(act_begin((a), &(request)->job), submit((a)->store, (request)),                           \
	    act_end((a), &(request)->job))

/* The step has failed with this, unless that is ERR_NONE or it had failed before. */
void act_note(struct actor *a, enum error_code code);

struct repository_key actor_key(const char *repository, const char *region);

/* len bytes that depend on seed. In the arena. */
struct slice act_bytes(struct actor *a, size_t len, unsigned seed);
bool act_push_blob(struct actor *a, const char *repository, struct slice bytes);
/* An image of layers of these sizes (0 ends), whose bytes depend on the seeds; noted in the world when it is new. */
struct known_image *act_image(struct actor *a, const char *repository,
    const unsigned seeds[LAYERS_MAX], const size_t sizes[LAYERS_MAX]);
struct known_image *act_index(
    struct actor *a, const char *repository, struct known_image *const *children, size_t count);
/* Pushes its manifest, with a tag or none (NULL), unless this step has failed already. */
void act_put(struct actor *a, struct known_image *image, const char *tag);
struct known_tag *known_tag(struct world *world, const char *repository, const char *name);
/* What storage says of a failure of its own. */
bool is_storage_failure(enum error_code code);

#endif
