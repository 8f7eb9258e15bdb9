/* lifecycle_images_parse: what it accepts is whole, and the engine takes it. */
#include "fuzz.h"

#include "protocol/lifecycle_images.h"
#include "protocol/names.h"

static const int64_t now_ms = 1767225600000;

static void check_image(const struct lifecycle_listed *listed, size_t at)
{
	const struct lifecycle_image *image = &listed->image;
	struct slice tags = image->tags;

	CHECK(image->id == (int64_t)at);
	CHECK(image->digest.algorithm != DIGEST_NONE);
	CHECK(image->status <= LIFECYCLE_ACTIVATING);
	CHECK(image->pushed_ms >= 0 && image->pulled_ms >= 0 && image->archived_ms >= 0 &&
	    image->activated_ms >= 0);
	CHECK(tags.len == 0 || tags.at[tags.len - 1] == '\0');
	while (tags.len > 0)
		CHECK(tag_valid(slice_cut(&tags, '\0')));
	for (size_t i = 0; i < listed->child_count; i++)
		CHECK(listed->children[i].algorithm != DIGEST_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct lifecycle_policy none = {NULL, 0};
	struct lifecycle_images images;
	struct slice why = {NULL, 0};
	struct arena a;

	arena_init(&a);
	if (lifecycle_images_parse(slice_of((const char *)at, len), now_ms, &a, &images, &why)) {
		struct lifecycle *l = lifecycle_new(&none, now_ms);

		for (size_t i = 0; i < images.count; i++)
			check_image(&images.at[i], i);
		lifecycle_images_add(l, &images);
		lifecycle_decide(l);
		CHECK(lifecycle_count(l) == images.count && lifecycle_action_count(l) == 0);
		lifecycle_free(l);
	} else {
		CHECK(why.len > 0);
	}
	arena_release(&a);
	return 0;
}
