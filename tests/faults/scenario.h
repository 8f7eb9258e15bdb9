/*
 * What the fault tests play: a client that pushes, deletes, archives, collects, resets and restarts a store, and notes
 * in shared memory what was acknowledged to it, so that whoever looks afterwards knows what must be there.
 *
 *	world = world_new();
 *	child: scenario_play(folder, world)          may be killed, or told that storage has failed, anywhere
 *	parent: invariants_hold(folder, world, ...)  opens the folder again and looks
 */
#ifndef DRYDOCK_TESTS_FAULTS_SCENARIO_H
#define DRYDOCK_TESTS_FAULTS_SCENARIO_H

#include "protocol/digest.h"
#include "storage/store.h"

enum { IMAGES_MAX = 32, TAGS_MAX = 32, LAYERS_MAX = 3, MANIFEST_MAX = 2048, ANSWER_SECONDS = 20 };

/* Of an image: what a client may rely on. */
enum fate {
	FATE_NONE,    /* nobody has tried to push it */
	FATE_TRYING,  /* whole or not there at all */
	FATE_THERE,   /* acknowledged */
	FATE_LEAVING, /* somebody tried to remove it: whole or not there at all */
	FATE_GONE,    /* that was acknowledged */
};

struct known_image {
	enum fate fate;
	char repository[16], region[16];
	struct digest digest;
	size_t manifest_len;
	char manifest[MANIFEST_MAX];
	size_t layer_count;
	struct digest layers[LAYERS_MAX + 1]; /* the config's too */
};

struct known_tag {
	char repository[16], name[16];
	struct digest now;  /* acknowledged; DIGEST_NONE: that it is not there */
	struct digest next; /* what is being tried */
	bool moving;
};

struct world {
	struct known_image images[IMAGES_MAX];
	size_t image_count;
	struct known_tag tags[TAGS_MAX];
	size_t tag_count;
	unsigned steps;    /* through with so many */
	unsigned refusals; /* steps that storage answered with a failure */
	bool complete;     /* played to its end */
	char complaint[512];
};

/* In memory that forked children share. */
struct world *world_new(void);
void world_free(struct world *world);
/* Notes the first thing that is wrong. */
void complain(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How a step that storage refused goes on. */
enum after_refusal {
	AFTER_REFUSAL_RETRY, /* as a client does: once more, which must succeed */
	AFTER_REFUSAL_GO_ON, /* the next one is tried, which may be refused as well */
};

/*
 * Plays all steps on a new folder; false with world->complaint when the store broke a promise meanwhile: it did not
 * answer in time, or refused a step again although only one failure was injected.
 */
bool scenario_play(const char *folder, struct world *world, enum after_refusal after);

/*
 * Opens the folder as it was left, and holds it against the world: what was acknowledged is there byte by byte, what is
 * visible is whole, what was deleted stays so, store_check finds nothing but files left over, and everything can be
 * pushed again. False with world->complaint.
 */
bool invariants_hold(const char *folder, struct world *world);

#endif
