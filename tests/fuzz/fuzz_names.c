/* Names, digests, bytes as text: parsing what was formatted, and the model's own patterns. */
#include "fuzz.h"

#include "protocol/base64.h"
#include "protocol/digest.h"
#include "protocol/hex.h"
#include "protocol/model.h"
#include "protocol/names.h"
#include "protocol/timestamp.h"

/* The shape of a member of CreateRepository or CompleteLayerUpload; a list's element. */
static const struct model_shape *shape_of(const char *operation, const char *member)
{
	const struct model_operation *op = model_find(&model_ecr, slice_str(operation));

	for (const struct model_member *m = op->input->members; m->name; m++) {
		if (strcmp(m->name, member) == 0)
			return m->shape->element ? m->shape->element : m->shape;
	}
	abort();
}

static bool matches(const char *operation, const char *member, struct slice text)
{
	return shape_of(operation, member)->matches(text.at, text.len);
}

static void names(struct slice text)
{
	bool length_fits = text.len >= REPOSITORY_NAME_MIN && text.len <= REPOSITORY_NAME_MAX;
	bool fits = length_fits && matches("CreateRepository", "repositoryName", text);

	CHECK(repository_name_valid(text) == fits);
	CHECK(account_id_valid(text) == matches("CreateRepository", "registryId", text));
	if (tag_valid(text))
		CHECK(text.len <= TAG_MAX && text.at[0] != '.' && text.at[0] != '-');
	region_valid(text);
}

static void uuids(struct slice text)
{
	bool parsed = false;
	uint8_t id[16];

	if (uuid_parse(text, id)) {
		char again[UUID_TEXT_LEN + 1];
		uuid_format(id, again);
		CHECK(slice_eq_nocase(text, slice_str(again)));
		parsed = true;
	}
	CHECK(parsed == matches("CompleteLayerUpload", "uploadId", text));
}

static void digests(struct slice text)
{
	char again[DIGEST_TEXT_MAX];
	uint8_t key[DIGEST_KEY_MAX];
	struct digest d, back;

	if (digest_parse(text, &d) != DIGEST_OK)
		return;
	CHECK(slice_eq(digest_format(&d, again), text));
	CHECK(matches("CompleteLayerUpload", "layerDigests", text));
	CHECK(digest_from_key(key, digest_to_key(&d, key), &back) && digest_eq(&d, &back));
}

static void bytes(struct slice text, struct arena *a)
{
	struct slice decoded = base64_decode(text, a);
	size_t len;

	CHECK(base64_decoded_len(text, &len) == (decoded.at != NULL));
	if (decoded.at) {
		CHECK(decoded.len == len);
		CHECK(slice_eq(base64_encode(decoded, a), text));
	}
	decoded = base64url_decode(text, a);
	if (decoded.at)
		CHECK(slice_eq(base64url_encode(decoded, a), text));
	CHECK(slice_eq(base64_decode(base64_encode(text, a), a), text));
	CHECK(slice_eq(base64url_decode(base64url_encode(text, a), a), text));
	uint8_t *raw = arena_alloc(a, text.len / 2 + 1);
	if (hex_decode_lower(text, raw)) {
		char *again = arena_alloc(a, text.len);
		hex_encode(raw, text.len / 2, again);
		CHECK(slice_eq(slice_of(again, text.len), text));
	}
}

static void times(struct slice text)
{
	char again[TIMESTAMP_TEXT_MAX];
	int64_t ms, back;

	if (!timestamp_parse(text, &ms))
		return;
	CHECK(timestamp_parse(timestamp_format(ms, again), &back) && ms == back);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice text = slice_of((const char *)at, len);
	struct arena a;

	arena_init(&a);
	names(text);
	uuids(text);
	digests(text);
	bytes(text, &a);
	times(text);
	arena_release(&a);
	return 0;
}
