/*
 * The steps of the scenario, in order. A step is what a client does as one thing; it may be played again after storage
 * has refused it, so each finds out for itself what of it is there already.
 */
#include "actor.h"
#include "recorder.h"

#include "storage/blobs/blob_link.h"
#include "storage/blobs/gc.h"
#include "storage/images/archive.h"
#include "storage/lifecycle/lifecycle_run.h"

#include <stdio.h>
#include <string.h>

enum { SMALL = 700, LARGE = 100 * 1000, LARGER = 150 * 1000 };

static const char keep_one[] =
    "{\"rules\":[{\"rulePriority\":1,\"selection\":{\"tagStatus\":\"any\",\"countType\":"
    "\"imageCountMoreThan\",\"countNumber\":1},\"action\":{\"type\":\"expire\"}}]}";
static const char to_europe[] =
    "{\"rules\":[{\"destinations\":[{\"region\":\"eu-west-1\",\"registryId\":\"000000000000\"}]}]}";

/* ---- what steps are made of ---- */

static void create(struct actor *a, const char *name)
{
	struct repository_key key = actor_key(name, "us-east-1");
	struct repository_create create = {.repository = {.account = key.account,
					       .region = key.region,
					       .name = key.name,
					       .encryption_type = slice_str("AES256")}};
	enum error_code code = ACT(a, &create, repository_create_submit);

	act_note(a, code == ERR_REPOSITORY_EXISTS ? ERR_NONE : code);
}

static void put_document(
    struct actor *a, enum document_kind kind, const char *name, const char *text)
{
	struct repository_key key = actor_key(name, "us-east-1");
	struct document_put put = {
	    .key = {key.account, key.region, kind, key.name}, .text = slice_str(text)};

	act_note(a, ACT(a, &put, document_put_submit));
}

/* The scenario's images, each made of the same bytes whenever it is asked for. */
static struct known_image *image(struct actor *a, const char *repository, unsigned number)
{
	unsigned seeds[LAYERS_MAX] = {number, 1000 + number / 2, 0};
	size_t sizes[LAYERS_MAX] = {SMALL, number % 2 ? LARGE : LARGER, 0};

	return act_image(a, repository, seeds, sizes);
}

static void push(struct actor *a, const char *repository, unsigned number, const char *tag)
{
	act_put(a, image(a, repository, number), tag);
}

/* Nothing of a tag is certain while it is being removed. */
static void tag_leaves(struct actor *a, const char *repository, const char *name)
{
	struct known_tag *tag = known_tag(a->world, repository, name);

	tag->next = (struct digest){.algorithm = DIGEST_NONE};
	tag->moving = true;
}

static void tag_gone(struct actor *a, const char *repository, const char *name)
{
	struct known_tag *tag = known_tag(a->world, repository, name);

	tag->now = tag->next;
	tag->moving = false;
}

static void delete_image(struct actor *a, struct known_image *image, const char *tag)
{
	struct image_delete_item item = {.id.digest = image->digest};
	struct image_delete del = {
	    .key = actor_key(image->repository, "us-east-1"), .items = &item, .count = 1};
	enum error_code code;

	image->fate = FATE_LEAVING;
	if (tag)
		tag_leaves(a, image->repository, tag);
	code = ACT(a, &del, image_delete_submit);
	act_note(a, code);
	if (code != ERR_NONE)
		return;
	if (item.result != IMAGE_DELETED && item.result != IMAGE_NOT_THERE)
		complain(
		    a->world, "step %u: a deletion answered %d", a->world->steps, (int)item.result);
	image->fate = FATE_GONE;
	if (tag)
		tag_gone(a, image->repository, tag);
}

/* ---- the steps ---- */

static void two_repositories(struct actor *a)
{
	create(a, "app");
	create(a, "other");
}

static void first_image(struct actor *a)
{
	push(a, "app", 1, "v1");
}

static void tag_moves(struct actor *a)
{
	push(a, "app", 2, "v1");
	push(a, "app", 2, "v2");
}

static void large_image(struct actor *a)
{
	unsigned seeds[LAYERS_MAX] = {31, 32, 33};
	size_t sizes[LAYERS_MAX] = {LARGE, LARGER, SMALL};

	act_put(a, act_image(a, "app", seeds, sizes), "large");
}

static void an_index(struct actor *a)
{
	struct known_image *children[2] = {image(a, "app", 1), image(a, "app", 2)};

	act_put(a, act_index(a, "app", children, 2), "both");
}

static void mounted_layers(struct actor *a)
{
	struct known_image *from = image(a, "app", 1);
	struct repository_key key = actor_key("other", "us-east-1");

	for (size_t i = 0; i < from->layer_count; i++) {
		struct blob_mount mount = {
		    .key = key, .from = slice_str("app"), .digest = from->layers[i]};

		act_note(a, ACT(a, &mount, blob_mount_submit));
	}
	push(a, "other", 1, "mounted");
}

static void copied_to_another_region(struct actor *a)
{
	put_document(a, DOCUMENT_REPLICATION, "", to_europe);
	push(a, "app", 4, "copied");
	put_document(a, DOCUMENT_REPLICATION, "", "{\"rules\":[]}");
}

static void a_deletion(struct actor *a)
{
	push(a, "app", 6, "short-lived");
	if (a->outcome == ERR_NONE)
		delete_image(a, image(a, "app", 6), "short-lived");
}

static void an_upload_that_is_cut_off(struct actor *a)
{
	struct repository_key key = actor_key("app", "us-east-1");
	struct upload *upload;
	uint64_t size;
	uint8_t id[16];
	enum error_code code = upload_begin(a->store, a->reader, &key, DIGEST_NONE, id);

	if (code == ERR_NONE)
		code = upload_acquire(a->store, a->reader, &key, id, &upload);
	act_note(a, code);
	if (code != ERR_NONE)
		return;
	code = upload_append(upload, act_bytes(a, LARGER, 99));
	act_note(a, code);
	if (code == ERR_NONE)
		act_note(a, upload_keep(upload, &size));
	else
		upload_abandon(upload);
}

static void archived_and_called_back(struct actor *a)
{
	struct archive_update update = {
	    .key = actor_key("app", "us-east-1"), .id.digest = image(a, "app", 4)->digest};
	enum error_code code;

	if (a->outcome != ERR_NONE)
		return;
	image(a, "app", 4)->fate = FATE_LEAVING; /* it cannot be pulled from there */
	tag_leaves(a, "app", "copied");
	code = ACT(a, &update, archive_update_submit);
	act_note(a, code == ERR_STORAGE_CLASS_UPDATE ? ERR_NONE : code);
	if (a->outcome == ERR_NONE)
		tag_gone(a, "app", "copied");
	push(a, "app", 4, "copied"); /* a push brings it back at once */
}

static void a_lifecycle_run(struct actor *a)
{
	struct lifecycle_run run = {.key = actor_key("other", "us-east-1")};

	push(a, "other", 8, "first");
	push(a, "other", 10, "second");
	put_document(a, DOCUMENT_LIFECYCLE_POLICY, "other", keep_one);
	if (a->outcome != ERR_NONE)
		return;
	for (size_t i = 0; i < a->world->image_count; i++) {
		struct known_image *at = &a->world->images[i];

		if (strcmp(at->repository, "other") == 0 && at->fate == FATE_THERE)
			at->fate = FATE_LEAVING;
	}
	tag_leaves(a, "other", "mounted");
	tag_leaves(a, "other", "first");
	tag_leaves(a, "other", "second");
	act_note(a, ACT(a, &run, lifecycle_run_submit));
}

static void a_collection(struct actor *a)
{
	struct gc_run run = {.grace_ms = 0};

	act_push_blob(a, "app", act_bytes(a, LARGE, 500));
	act_push_blob(a, "app", act_bytes(a, SMALL, 501));
	act_note(a, ACT(a, &run, gc_submit));
}

/* What was collected is pushed again, and held by an image. */
static void pushed_after_a_collection(struct actor *a)
{
	unsigned seeds[LAYERS_MAX] = {500, 501, 0};
	size_t sizes[LAYERS_MAX] = {LARGE, SMALL, 0};

	act_put(a, act_image(a, "app", seeds, sizes), "again");
}

static void a_restart(struct actor *a)
{
	actor_close(a);
	if (!actor_open(a))
		act_note(a, ERR_STORAGE_FAILED);
}

static void a_repository_goes(struct actor *a)
{
	struct repository_delete del = {.key = actor_key("gone", "us-east-1"), .force = true};
	struct known_image *image_gone;
	enum error_code code;

	create(a, "gone");
	image_gone = image(a, "gone", 12);
	act_put(a, image_gone, "v1");
	if (a->outcome != ERR_NONE)
		return;
	image_gone->fate = FATE_LEAVING;
	tag_leaves(a, "gone", "v1");
	code = ACT(a, &del, repository_delete_submit);
	act_note(a, code == ERR_REPOSITORY_NOT_FOUND ? ERR_NONE : code);
	if (a->outcome != ERR_NONE)
		return;
	image_gone->fate = FATE_GONE;
	tag_gone(a, "gone", "v1");
}

static void a_reset(struct actor *a)
{
	struct store_reset reset;
	struct world *world = a->world;
	enum error_code code;

	for (size_t i = 0; i < world->image_count; i++)
		world->images[i].fate =
		    world->images[i].fate == FATE_GONE ? FATE_GONE : FATE_LEAVING;
	for (size_t i = 0; i < world->tag_count; i++)
		tag_leaves(a, world->tags[i].repository, world->tags[i].name);
	code = ACT(a, &reset, store_reset_submit);
	act_note(a, code);
	if (code != ERR_NONE)
		return;
	for (size_t i = 0; i < world->image_count; i++)
		world->images[i].fate = FATE_GONE;
	for (size_t i = 0; i < world->tag_count; i++)
		tag_gone(a, world->tags[i].repository, world->tags[i].name);
}

static void pushed_after_the_reset(struct actor *a)
{
	create(a, "app");
	push(a, "app", 1, "v1");
	push(a, "app", 3, "v3");
}

static void (*const steps[])(struct actor *a) = {
    two_repositories,
    first_image,
    tag_moves,
    large_image,
    an_index,
    mounted_layers,
    copied_to_another_region,
    a_deletion,
    an_upload_that_is_cut_off,
    archived_and_called_back,
    a_lifecycle_run,
    a_collection,
    pushed_after_a_collection,
    a_restart,
    first_image,
    a_repository_goes,
    a_restart,
    a_reset,
    pushed_after_the_reset,
    a_restart,
    large_image,
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

/* ---- playing ---- */

/* One failure was injected at most: a second refusal in a row is the store's own. */
static void play_step(struct actor *a, void (*step)(struct actor *a), enum after_refusal after)
{
	recorder_note();
	a->outcome = ERR_NONE;
	if (a->store || actor_open(a))
		step(a);
	else
		act_note(a, ERR_STORAGE_FAILED);
	if (a->outcome == ERR_NONE)
		return;
	a->world->refusals++;
	if (after == AFTER_REFUSAL_GO_ON)
		return;
	a->outcome = ERR_NONE;
	if (!a->store && !actor_open(a))
		complain(a->world, "step %u: the folder could not be opened a second time",
		    a->world->steps);
	else
		step(a);
	if (a->outcome != ERR_NONE)
		complain(a->world, "step %u: refused a second time, with error %d", a->world->steps,
		    (int)a->outcome);
}

bool scenario_play(const char *folder, struct world *world, enum after_refusal after)
{
	struct actor a = {.world = world, .folder = folder};

	arena_init(&a.arena);
	if (!actor_open(&a))
		world->refusals++;
	for (; world->steps < STEPS && !world->complaint[0]; world->steps++)
		play_step(&a, steps[world->steps], after);
	actor_close(&a);
	actor_release(&a);
	world->complete = !world->complaint[0];
	return world->complete;
}
