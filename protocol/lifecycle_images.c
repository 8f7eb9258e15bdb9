/*
 * Images from JSON, in two passes: first each by itself, then what they say of each other, as a list may name a
 * child before it describes it.
 *
 * In Drydock's form an unknown member is refused, being most likely a slip of the pen; in ECR's form, which has
 * many more members, it is passed over. An image without a digest gets that of its name. Names are found by
 * sorting, so that a long list costs n log n.
 */
#include "protocol/lifecycle_images.h"

#include "protocol/json.h"
#include "protocol/names.h"
#include "protocol/timestamp.h"

#include <stdlib.h>

static const double day_ms = 86400000, last_ms = 253402300799999; /* of the year 9999 */

struct parser {
	struct arena *arena;
	struct slice *why;
	int64_t now_ms;
	const char *label; /* of the image at hand */
	struct lifecycle_images *out;
	struct named *names; /* sorted */
	size_t name_count;
};

struct named {
	struct slice name;
	const struct digest *digest;
};

static bool fault(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fault(struct parser *p, const char *format, ...)
{
	const char *what;
	va_list args;

	va_start(args, format);
	what = arena_vprintf(p->arena, format, args);
	va_end(args);
	*p->why = p->label ? arena_slicef(p->arena, "%s: %s", p->label, what) : slice_str(what);
	return false;
}

/* The member by its own name or by ECR's; NULL when there is neither. */
static const cJSON *either(const cJSON *object, const char *name, const char *ecr)
{
	const cJSON *member = json_member(object, name);

	return member ? member : json_member(object, ecr);
}

/* A string that may be absent. */
static bool read_text(struct parser *p, const cJSON *member, struct slice *out)
{
	*out = slice_str(NULL);
	if (!member)
		return true;
	if (!cJSON_IsString(member))
		return fault(p, "\"%s\" is no string", member->string);
	*out = arena_dup(p->arena, slice_str(member->valuestring));
	return true;
}

/* ---- times ---- */

static bool set_ms(struct parser *p, const cJSON *member, double ms, int64_t *out)
{
	if (!(ms >= 0 && ms <= last_ms))
		return fault(p, "\"%s\" is not in the years 1970 to 9999", member->string);
	*out = (int64_t)(ms + 0.5);
	return true;
}

/* A member that says how long ago, or one of two that say when. Absent: *out stays. */
static bool read_time(struct parser *p, const cJSON *image, const char *ago_name,
    const char *at_name, const char *ecr_name, int64_t *out)
{
	const cJSON *ago = json_member(image, ago_name);
	const cJSON *at = either(image, at_name, ecr_name);

	if (ago && !cJSON_IsNumber(ago))
		return fault(p, "\"%s\" is no number", ago_name);
	if (ago)
		return set_ms(p, ago, (double)p->now_ms - ago->valuedouble * day_ms, out);
	if (!at)
		return true;
	if (cJSON_IsNumber(at))
		return set_ms(p, at, at->valuedouble * 1000, out);
	if (!cJSON_IsString(at) || !timestamp_parse(slice_str(at->valuestring), out))
		return fault(p, "\"%s\" is no time such as 2026-01-01T00:00:00Z", at->string);
	return true;
}

static bool read_times(struct parser *p, const cJSON *object, struct lifecycle_image *image)
{
	image->pushed_ms = -1;
	if (!read_time(
		p, object, "pushed_days_ago", "pushed_at", "imagePushedAt", &image->pushed_ms) ||
	    !read_time(p, object, "pulled_days_ago", "pulled_at", "lastRecordedPullTime",
		&image->pulled_ms) ||
	    !read_time(p, object, "archived_days_ago", "archived_at", "lastArchivedAt",
		&image->archived_ms) ||
	    !read_time(p, object, "restored_days_ago", "restored_at", "lastActivatedAt",
		&image->activated_ms))
		return false;
	return image->pushed_ms >= 0 ||
	    fault(p, "it has neither \"pushed_days_ago\" nor \"pushed_at\"");
}

/* ---- the rest of an image ---- */

static bool read_status(struct parser *p, const cJSON *object, struct lifecycle_image *image)
{
	static const char *const names[] = {"ACTIVE", "ARCHIVED", "ACTIVATING"};
	struct slice status;

	if (!read_text(p, either(object, "status", "imageStatus"), &status))
		return false;
	image->status =
	    image->archived_ms > image->activated_ms ? LIFECYCLE_ARCHIVED : LIFECYCLE_ACTIVE;
	for (int i = 0; status.at && i < 3; i++) {
		if (!slice_is(status, names[i]))
			continue;
		image->status = (enum lifecycle_status)i;
		return true;
	}
	return !status.at || fault(p, "\"status\" is none of ACTIVE, ARCHIVED, ACTIVATING");
}

static bool read_tags(struct parser *p, const cJSON *tags, struct slice *out)
{
	const cJSON *tag;
	struct buf b;

	*out = slice_str("");
	if (!tags)
		return true;
	if (!cJSON_IsArray(tags))
		return fault(p, "\"%s\" is no array", tags->string);
	buf_init(&b, p->arena, SIZE_MAX, 32);
	cJSON_ArrayForEach(tag, tags) {
		if (!cJSON_IsString(tag) || !tag_valid(slice_str(tag->valuestring)))
			return fault(p, "\"%s\" holds something that is no tag", tags->string);
		buf_put(&b, tag->valuestring, strlen(tag->valuestring) + 1);
	}
	*out = buf_slice(&b);
	return true;
}

/* Its own digest, or that of its name. */
static bool read_identity(struct parser *p, const cJSON *object, struct lifecycle_listed *listed)
{
	struct slice digest;

	if (!read_text(p, json_member(object, "name"), &listed->name) ||
	    !read_text(p, either(object, "digest", "imageDigest"), &digest))
		return false;
	if (listed->name.at)
		p->label = arena_printf(p->arena, "image \"%.*s\"", SLICE_ARG(listed->name));
	if (!listed->name.at && !digest.at)
		return fault(p, "it has neither \"name\" nor \"digest\"");
	if (digest.at && digest_parse(digest, &listed->image.digest) != DIGEST_OK)
		return fault(p, "\"%.*s\" is no digest", SLICE_ARG(digest));
	if (!digest.at)
		digest_compute(DIGEST_SHA256, listed->name, &listed->image.digest);
	return true;
}

/* A member that is not known is most likely a slip of the pen. ECR's form has many more. */
static bool check_known(struct parser *p, const cJSON *object)
{
	static const char *const known[] = {"name", "digest", "tags", "pushed_days_ago",
	    "pushed_at", "pulled_days_ago", "pulled_at", "archived_days_ago", "archived_at",
	    "restored_days_ago", "restored_at", "status", "subject", "children"};
	const cJSON *member;

	cJSON_ArrayForEach(member, object) {
		size_t i = 0;

		while (
		    i < sizeof(known) / sizeof(known[0]) && strcmp(known[i], member->string) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return fault(p, "\"%s\" is no member of an image", member->string);
	}
	return true;
}

static bool read_image(
    struct parser *p, const cJSON *object, bool ecr, struct lifecycle_listed *listed)
{
	struct lifecycle_image *image = &listed->image;

	if (!cJSON_IsObject(object))
		return fault(p, "it is no object");
	return (ecr || check_known(p, object)) && read_identity(p, object, listed) &&
	    read_times(p, object, image) && read_status(p, object, image) &&
	    read_tags(p, either(object, "tags", "imageTags"), &image->tags);
}

/* ---- what images are to each other, once all are known ---- */

static int compare_named(const void *a, const void *b)
{
	const struct named *one = a, *other = b;

	return slice_cmp(one->name, other->name);
}

static bool find_twice(struct parser *p, struct named *sorted, size_t count, const char *what)
{
	qsort(sorted, count, sizeof(*sorted), compare_named);
	p->label = NULL;
	for (size_t i = 0; i + 1 < count; i++)
		if (slice_eq(sorted[i].name, sorted[i + 1].name))
			return fault(
			    p, "two images have the %s %.*s", what, SLICE_ARG(sorted[i].name));
	return true;
}

/* Sorts the names, and sees that neither those nor the digests are there twice. */
static bool sort_names(struct parser *p)
{
	struct named *digests = arena_array(p->arena, p->out->count, sizeof(*digests));

	p->names = arena_array(p->arena, p->out->count, sizeof(*p->names));
	for (size_t i = 0; i < p->out->count; i++) {
		const struct lifecycle_listed *listed = &p->out->at[i];
		char text[DIGEST_TEXT_MAX];

		digests[i].name = arena_dup(p->arena, digest_format(&listed->image.digest, text));
		if (listed->name.at)
			p->names[p->name_count++] =
			    (struct named){listed->name, &listed->image.digest};
	}
	return find_twice(p, digests, p->out->count, "digest") &&
	    find_twice(p, p->names, p->name_count, "name");
}

/* A name of the list, or a digest that need not be in it. */
static bool read_reference(struct parser *p, const cJSON *value, struct digest *out)
{
	struct named wanted = {slice_str(cJSON_IsString(value) ? value->valuestring : NULL), NULL};
	const struct named *found = NULL;

	if (!wanted.name.at)
		return fault(p, "its subject and children are strings: names or digests");
	if (p->name_count > 0)
		found = bsearch(&wanted, p->names, p->name_count, sizeof(wanted), compare_named);
	if (found)
		*out = *found->digest;
	else if (digest_parse(wanted.name, out) != DIGEST_OK)
		return fault(p, "there is no image with the name \"%.*s\"", SLICE_ARG(wanted.name));
	return true;
}

static bool read_relations(struct parser *p, const cJSON *object, struct lifecycle_listed *listed)
{
	const cJSON *subject = either(object, "subject", "subjectManifestDigest");
	const cJSON *children = json_member(object, "children"), *child;

	if (subject && !read_reference(p, subject, &listed->image.subject))
		return false;
	if (children && !cJSON_IsArray(children))
		return fault(p, "\"children\" is no array");
	listed->children =
	    arena_array(p->arena, (size_t)cJSON_GetArraySize(children), sizeof(struct digest));
	cJSON_ArrayForEach(child, children) {
		if (!read_reference(p, child, &listed->children[listed->child_count++]))
			return false;
	}
	return true;
}

static void set_label(struct parser *p, size_t at)
{
	struct slice name = p->out->at[at].name;

	p->label = name.at ? arena_printf(p->arena, "image \"%.*s\"", SLICE_ARG(name))
			   : arena_printf(p->arena, "image %zu", at + 1);
}

static bool read_all(struct parser *p, const cJSON *list, bool ecr)
{
	const cJSON *object;
	size_t i = 0;

	p->out->count = (size_t)cJSON_GetArraySize(list);
	p->out->at = arena_array(p->arena, p->out->count, sizeof(*p->out->at));
	cJSON_ArrayForEach(object, list) {
		set_label(p, i);
		p->out->at[i].image.id = (int64_t)i;
		if (!read_image(p, object, ecr, &p->out->at[i++]))
			return false;
	}
	if (!sort_names(p))
		return false;
	i = 0;
	cJSON_ArrayForEach(object, list) {
		set_label(p, i);
		if (!read_relations(p, object, &p->out->at[i++]))
			return false;
	}
	return true;
}

bool lifecycle_images_parse(struct slice text, int64_t now_ms, struct arena *a,
    struct lifecycle_images *out, struct slice *why)
{
	struct parser p = {.arena = a, .why = why, .now_ms = now_ms, .out = out};
	cJSON *tree = json_parse_up_to(text, LIFECYCLE_IMAGES_VALUES_MAX);
	const cJSON *own = json_member(tree, "images"), *ecr = json_member(tree, "imageDetails");
	bool good;

	*out = (struct lifecycle_images){NULL, 0};
	if (!tree)
		good = fault(&p, "it is no JSON text, or too large a one");
	else if (!cJSON_IsArray(own ? own : ecr))
		good = fault(&p, "it has no array \"images\" (or \"imageDetails\", as ECR writes)");
	else
		good = read_all(&p, own ? own : ecr, !own);
	cJSON_Delete(tree);
	return good;
}

void lifecycle_images_add(struct lifecycle *l, const struct lifecycle_images *images)
{
	for (size_t i = 0; i < images->count; i++)
		lifecycle_add(l, &images->at[i].image);
	for (size_t i = 0; i < images->count; i++)
		for (size_t c = 0; c < images->at[i].child_count; c++)
			lifecycle_add_child(
			    l, &images->at[i].image.digest, &images->at[i].children[c]);
}
