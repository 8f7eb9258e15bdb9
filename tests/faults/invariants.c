/* What must hold of a folder, whatever happened to the process or the disk. */
#include "actor.h"

#include "storage/upkeep/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The bytes of one layer or config are there, and are what their digest says. */
static void blob_is_whole(
    struct actor *a, const struct repository_key *key, const struct digest *digest)
{
	char text[DIGEST_TEXT_MAX];
	enum { ROOM = 1024 * 1024 };
	struct digest found;
	struct blob blob;
	enum error_code code = blob_open(a->reader, key, digest, &a->arena, &blob);

	digest_format(digest, text);
	if (code != ERR_NONE) {
		complain(a->world, "%.40s, a layer of an image that is there, answers error %d",
		    text, (int)code);
		return;
	}
	if (blob.fd >= 0) {
		char *bytes = arena_alloc(&a->arena, ROOM);
		ssize_t got = pread(blob.fd, bytes, ROOM, 0);

		close(blob.fd);
		blob.data = slice_of(bytes, got > 0 ? (size_t)got : 0);
	}
	memset(&found, 0, sizeof(found));
	digest_compute(DIGEST_SHA256, blob.data, &found);
	if (!digest_eq(&found, digest))
		complain(a->world,
		    "%.40s, a layer of an image that is there, has other bytes (%zu)", text,
		    blob.data.len);
}

static void image_holds(struct actor *a, const struct known_image *image)
{
	struct repository_key key = actor_key(image->repository, image->region);
	struct image_id id = {.digest = image->digest};
	char text[DIGEST_TEXT_MAX];
	struct stored_manifest m;
	enum error_code code = manifest_read(a->reader, &key, &id, true, &a->arena, &m);
	bool there = code == ERR_NONE;

	digest_format(&image->digest, text);
	if (!there && code != ERR_MANIFEST_UNKNOWN && code != ERR_REPOSITORY_NOT_FOUND)
		complain(a->world, "image %.20s cannot be looked for: error %d", text, (int)code);
	if (!there && image->fate == FATE_THERE)
		complain(a->world, "image %.20s of %s was acknowledged and is not there", text,
		    image->repository);
	if (there && (image->fate == FATE_GONE || image->fate == FATE_NONE))
		complain(a->world, "image %.20s of %s is there, which nobody has", text,
		    image->repository);
	if (!there)
		return;
	if (!slice_eq(m.bytes, slice_of(image->manifest, image->manifest_len)))
		complain(a->world, "the manifest of image %.20s has other bytes", text);
	for (size_t i = 0; i < image->layer_count; i++)
		blob_is_whole(a, &key, &image->layers[i]);
}

static void tag_holds(struct actor *a, const struct known_tag *tag)
{
	struct repository_key key = actor_key(tag->repository, "us-east-1");
	struct image_id id = {.tag = slice_str(tag->name)};
	struct stored_manifest m;
	enum error_code code = manifest_read(a->reader, &key, &id, false, &a->arena, &m);
	struct digest found = {.algorithm = DIGEST_NONE};

	if (code == ERR_NONE)
		found = m.digest;
	if (digest_eq(&found, &tag->now) || (tag->moving && digest_eq(&found, &tag->next)))
		return;
	complain(a->world, "tag %s of %s names another image than it was acknowledged to (%s)",
	    tag->name, tag->repository, code == ERR_NONE ? "moved" : "gone");
}

static void on_finding(void *arg, const struct check_finding *finding)
{
	if (strcmp(finding->kind, "file-left-over") != 0)
		complain(arg, "check: %s: %s", finding->kind, finding->text);
}

static void check_finds_nothing(const char *folder, struct world *world)
{
	struct check_options options = {.path = folder, .finding = on_finding, .arg = world};
	struct check_result result;
	struct err err = {""};

	if (!store_check(&options, &result, &err))
		complain(world, "check could not be done: %s", err.text);
}

/* Whoever comes next can push all of it. */
static void all_can_be_pushed(struct actor *a)
{
	static const char *const repositories[] = {"app", "other", "gone"};

	for (size_t i = 0; i < 3; i++) {
		struct repository_key key = actor_key(repositories[i], "us-east-1");
		struct repository_create create = {.repository = {.account = key.account,
						       .region = key.region,
						       .name = key.name,
						       .encryption_type = slice_str("AES256")}};
		unsigned seeds[LAYERS_MAX] = {1, 32, 500};
		size_t sizes[LAYERS_MAX] = {700, 150 * 1000, 100 * 1000};
		struct known_image *image;

		a->outcome = ERR_NONE;
		ACT(a, &create, repository_create_submit);
		image = act_image(a, repositories[i], seeds, sizes);
		act_put(a, image, "afterwards");
		if (a->outcome != ERR_NONE)
			complain(a->world, "pushing to %s afterwards: error %d", repositories[i],
			    (int)a->outcome);
		else
			image_holds(a, image);
	}
}

bool invariants_hold(const char *folder, struct world *world)
{
	struct actor a = {.world = world, .folder = folder};

	arena_init(&a.arena);
	if (!actor_open(&a)) {
		complain(world, "the folder cannot be opened again");
	} else {
		for (size_t i = 0; i < world->image_count; i++)
			image_holds(&a, &world->images[i]);
		for (size_t i = 0; i < world->tag_count; i++)
			tag_holds(&a, &world->tags[i]);
		actor_close(&a);
		check_finds_nothing(folder, world);
		if (actor_open(&a)) {
			all_can_be_pushed(&a);
			actor_close(&a);
		} else {
			complain(world, "the folder cannot be opened a third time");
		}
	}
	actor_release(&a);
	return !world->complaint[0];
}
