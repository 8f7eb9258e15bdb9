/*
 * Checking a request is two walks over it: first whether every member has its JSON type, as ECR
 * must decode the whole body before it can look at any value, then the constraints.
 *
 * A member below the top is named by its path. How ECR spells one was not seen: here it is what
 * other AWS services print, `imageIds.1.member.imageTag`, elements counted from 1, and for a map's
 * value `tags.KEY.value`.
 */
#include "protocol/model.h"

#include "protocol/base64.h"

#include <inttypes.h>

const struct model_operation *model_find(const struct model *m, struct slice name)
{
	size_t low = 0, high = m->operation_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_cmp(name, slice_str(m->operations[middle].name));
		if (order == 0)
			return &m->operations[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool model_declares(const struct model_operation *op, const char *exception)
{
	for (const char *const *name = op->errors; *name; name++) {
		if (strcmp(*name, exception) == 0)
			return true;
	}
	return false;
}

/* Where the walk stands: a list of frames on the stack, the innermost first. */
struct place {
	const struct place *outer;
	const char *name; /* a member or a map's key; NULL: an element of a list */
	size_t index;     /* of that element, from 1 */
	bool is_key;
};

struct walk {
	struct arena *arena;
	struct error *out;
	bool (*check)(struct walk *w, const struct model_shape *shape, const cJSON *value,
	    const struct place *at);
};

static void put_place(struct buf *out, const struct place *at)
{
	if (at->outer) {
		put_place(out, at->outer);
		buf_putc(out, '.');
	}
	if (at->name)
		buf_puts(out, at->name);
	else
		buf_printf(out, "%zu.member", at->index);
	if (at->is_key)
		buf_puts(out, ".value");
}

static struct slice place_text(struct walk *w, const struct place *at)
{
	struct buf out;

	if (!at)
		return slice_str("");
	buf_init(&out, w->arena, SIZE_MAX, 0);
	put_place(&out, at);
	return buf_slice(&out);
}

/* Absent and null are one thing on this wire. */
static bool is_absent(const cJSON *value)
{
	return !value || cJSON_IsNull(value);
}

/* --- one walk for both checks --- */

static bool walk_members(
    struct walk *w, const struct model_shape *shape, const cJSON *value, const struct place *at)
{
	for (const struct model_member *m = shape->members; m->name; m++) {
		struct place here = {.outer = at, .name = m->name};
		const cJSON *member = json_member(value, m->name);
		if (is_absent(member) ? m->required && !w->check(w, NULL, NULL, &here)
				      : !w->check(w, m->shape, member, &here))
			return false;
	}
	return true;
}

static bool walk_elements(
    struct walk *w, const struct model_shape *shape, const cJSON *value, const struct place *at)
{
	struct place here = {.outer = at};
	const cJSON *element;

	cJSON_ArrayForEach(element, value) {
		here.index++;
		here.name = shape->type == SHAPE_MAP ? element->string : NULL;
		here.is_key = shape->type == SHAPE_MAP;
		if (is_absent(element) ? !w->check(w, NULL, NULL, &here)
				       : !w->check(w, shape->element, element, &here))
			return false;
	}
	return true;
}

static bool walk_into(
    struct walk *w, const struct model_shape *shape, const cJSON *value, const struct place *at)
{
	switch (shape->type) {
	case SHAPE_STRUCTURE:
		return walk_members(w, shape, value, at);
	case SHAPE_LIST:
	case SHAPE_MAP:
		return walk_elements(w, shape, value, at);
	default:
		return true;
	}
}

/* --- the JSON types --- */

static bool is_base64(const cJSON *value)
{
	size_t len;

	return cJSON_IsString(value) && base64_decoded_len(slice_str(value->valuestring), &len);
}

static bool is_whole(const cJSON *value, int64_t min, int64_t max)
{
	int64_t number;

	return json_integer(value, &number) && number >= min && number <= max;
}

/* NULL when value has the type of the shape, else what it should have been. */
static const char *type_wanted(const struct model_shape *shape, const cJSON *value)
{
	switch (shape->type) {
	case SHAPE_STRUCTURE:
	case SHAPE_MAP:
		return cJSON_IsObject(value) ? NULL : "an object";
	case SHAPE_LIST:
		return cJSON_IsArray(value) ? NULL : "an array";
	case SHAPE_STRING:
		return cJSON_IsString(value) ? NULL : "a string";
	case SHAPE_INTEGER:
		return is_whole(value, INT32_MIN, INT32_MAX) ? NULL : "an integer of 32 bits";
	case SHAPE_LONG:
		return is_whole(value, INT64_MIN, INT64_MAX) ? NULL : "an integer";
	case SHAPE_DOUBLE:
	case SHAPE_TIMESTAMP:
		return cJSON_IsNumber(value) ? NULL : "a number";
	case SHAPE_BOOLEAN:
		return cJSON_IsBool(value) ? NULL : "true or false";
	case SHAPE_BLOB:
		return is_base64(value) ? NULL : "a string in base64";
	}
	return "something else";
}

static bool check_type(
    struct walk *w, const struct model_shape *shape, const cJSON *value, const struct place *at)
{
	if (!shape)
		return true; /* absent: the other check's business */
	const char *wanted = type_wanted(shape, value);
	if (!wanted)
		return walk_into(w, shape, value, at);
	struct slice member = place_text(w, at);
	*w->out = (struct error){.code = ERR_SERIALIZATION, .member = member};
	w->out->detail = at ? arena_slicef(w->arena, "'%.*s' must be %s", SLICE_ARG(member), wanted)
			    : arena_slicef(w->arena, "The request body must be %s", wanted);
	return false;
}

/* --- the constraints --- */

static bool fail(struct walk *w, const struct place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(struct walk *w, const struct place *at, const char *format, ...)
{
	va_list args;

	*w->out = (struct error){.code = ERR_INVALID_PARAMETER, .member = place_text(w, at)};
	va_start(args, format);
	w->out->detail = slice_str(arena_vprintf(w->arena, format, args));
	va_end(args);
	return false;
}

/* What the model's min and max speak of: a length, or a number's value. */
static int64_t measure(const struct model_shape *shape, const cJSON *value)
{
	int64_t number = 0;
	size_t len = 0;

	switch (shape->type) {
	case SHAPE_LIST:
	case SHAPE_MAP:
		return cJSON_GetArraySize(value);
	case SHAPE_STRING:
		return (int64_t)utf8_length(slice_str(value->valuestring));
	case SHAPE_BLOB:
		base64_decoded_len(slice_str(value->valuestring), &len);
		return (int64_t)len;
	default:
		json_integer(value, &number);
		return number;
	}
}

static bool check_bounds(
    struct walk *w, const struct model_shape *shape, const cJSON *value, const struct place *at)
{
	bool is_value = shape->type == SHAPE_INTEGER || shape->type == SHAPE_LONG;
	const char *what = is_value ? "value" : "length";

	if (!shape->has_min && !shape->has_max)
		return true;
	int64_t size = measure(shape, value);
	if (shape->has_min && size < shape->min)
		return fail(w, at, "Member must have %s greater than or equal to %" PRId64, what,
		    shape->min);
	if (shape->has_max && size > shape->max)
		return fail(
		    w, at, "Member must have %s less than or equal to %" PRId64, what, shape->max);
	return true;
}

/* The pattern as ECR shows it: slashes bare, and the registry id's without quotes (in 2017). */
static bool fail_pattern(struct walk *w, const struct model_shape *shape, const struct place *at)
{
	const char *quote = strcmp(shape->name, "RegistryId") == 0 ? "" : "'";
	struct buf shown;

	buf_init(&shown, w->arena, SIZE_MAX, 0);
	for (const char *p = shape->pattern; *p; p++) {
		if (p[0] == '\\' && p[1] == '/')
			p++;
		buf_putc(&shown, *p);
	}
	return fail(w, at, "must satisfy regular expression %s%.*s%s", quote,
	    SLICE_ARG(buf_slice(&shown)), quote);
}

static bool check_enumeration(
    struct walk *w, const struct model_shape *shape, const char *value, const struct place *at)
{
	struct buf set;

	for (const char *const *v = shape->values; *v; v++) {
		if (strcmp(*v, value) == 0)
			return true;
	}
	buf_init(&set, w->arena, SIZE_MAX, 0);
	for (const char *const *v = shape->values; *v; v++) {
		if (set.len)
			buf_puts(&set, ", ");
		buf_puts(&set, *v);
	}
	return fail(
	    w, at, "Member must satisfy enum value set: [%.*s]", SLICE_ARG(buf_slice(&set)));
}

static bool check_constraints(
    struct walk *w, const struct model_shape *shape, const cJSON *value, const struct place *at)
{
	if (!shape)
		return fail(w, at, "Member must not be null");
	if (!check_bounds(w, shape, value, at))
		return false;
	if (shape->type == SHAPE_STRING) {
		const char *text = value->valuestring;
		if (shape->matches && !shape->matches(text, strlen(text)))
			return fail_pattern(w, shape, at);
		return !shape->values || check_enumeration(w, shape, text, at);
	}
	return walk_into(w, shape, value, at);
}

bool model_check(
    const struct model_shape *shape, const cJSON *value, struct arena *a, struct error *out)
{
	struct walk types = {a, out, check_type}, constraints = {a, out, check_constraints};

	return check_type(&types, shape, value, NULL) &&
	    check_constraints(&constraints, shape, value, NULL);
}

/* --- what the model does not have --- */

/* The place of a name among the members; -1 when it is none of them. */
static int member_place(const struct model_shape *shape, const char *name)
{
	for (int i = 0; shape && shape->members[i].name; i++) {
		if (strcmp(shape->members[i].name, name) == 0)
			return i;
	}
	return -1;
}

/* From the last to the first: of one name the last counts. */
static void prune_members(const struct model_shape *shape, cJSON *object)
{
	uint64_t seen = 0; /* no structure of the model has as many members */
	cJSON *member = object->child ? object->child->prev : NULL;

	while (member) {
		cJSON *before = member == object->child ? NULL : member->prev;
		int place = member_place(shape, member->string);
		uint64_t bit = place < 0 ? 0 : (uint64_t)1 << (place & 63);

		if (place < 0 || (seen & bit))
			cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
		else
			model_prune(shape->members[place].shape, member);
		seen |= bit;
		member = before;
	}
}

void model_prune(const struct model_shape *shape, cJSON *value)
{
	bool structure = !shape || shape->type == SHAPE_STRUCTURE;
	cJSON *element;

	if (structure && cJSON_IsObject(value)) {
		prune_members(shape, value);
	} else if (!structure && (shape->type == SHAPE_LIST || shape->type == SHAPE_MAP)) {
		cJSON_ArrayForEach(element, value)
			model_prune(shape->element, element);
	}
}
