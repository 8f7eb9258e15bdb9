/*
 * JSON in and out.
 *
 * Reading: cJSON behind the checks it lacks (valid UTF-8, no embedded NUL, nothing after the value, a
 * bound on depth). Writing: straight into a buffer, because an answer of a thousand items should not be
 * built as a tree first. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_JSON_H
#define DRYDOCK_PROTOCOL_JSON_H

#include "protocol/buf.h"

#include <cjson/cJSON.h>
#include <stdint.h>

/*
 * How deep a text may nest, and how many values it may hold: each costs cJSON about 80 bytes, however
 * short its text, so that without a bound a body of a few MiB could ask for a hundred times as much.
 */
enum { JSON_DEPTH_MAX = 64, JSON_VALUES_MAX = 128 * 1024 };

/*
 * The value, to be freed with cJSON_Delete; NULL when text is not exactly one JSON value by RFC 8259,
 * goes beyond the bounds above, or has a NUL in a string (as \u0000 too: C strings could not hold it).
 */
cJSON *json_parse(struct slice text);
/* The same with another bound on values, for texts that no client sends. */
cJSON *json_parse_up_to(struct slice text, size_t values_max);
/* The most that json_parse's tree of this text takes of memory, in bytes: never less than that. */
size_t json_cost(struct slice text);
/* True when text is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates). */
bool utf8_valid(struct slice text);
/* Characters (code points) in well-formed UTF-8. */
size_t utf8_length(struct slice text);

/*
 * Members of an object, absent or of another type -> absent slice / fallback. Borrowed from the tree. Of
 * several members with one name the last counts, as it does for ECR's clients and for docker.
 */
struct slice json_string(const cJSON *object, const char *name);
/* null counts as absent, as AWS has it; json_has tells them apart. */
const cJSON *json_member(const cJSON *object, const char *name);
bool json_has(const cJSON *object, const char *name);
bool json_bool(const cJSON *object, const char *name, bool fallback);
int64_t json_int(const cJSON *object, const char *name, int64_t fallback);
/* The value of a number without a fraction, of at most 2^53 either way; false for everything else. */
bool json_integer(const cJSON *value, int64_t *out);

/*
 * The writer keeps the commas: inside an object call json_key before each value, or one of the
 * json_put_* shorthands, which do both and write nothing when the value is absent.
 */
struct json_writer {
	struct buf *out;
	bool comma;
};
/*
 * True once the buffer has overflowed: nothing is written any more, and whoever writes many values stops. Each
 * function below does next to nothing from then on, however long its value is.
 */
static inline bool json_full(const struct json_writer *w)
{
	return w->out->overflow;
}

void json_begin(struct json_writer *w, struct buf *out);
void json_object(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *name);
void json_str(struct json_writer *w, struct slice value); /* escapes; value is UTF-8 */
void json_num(struct json_writer *w, int64_t value);
void json_boolean(struct json_writer *w, bool value);
/* Epoch seconds with up to three decimals, as ECR's timestamps: 1563223656.123 */
void json_time(struct json_writer *w, int64_t unix_ms);
/* text is JSON already */
void json_raw(struct json_writer *w, struct slice text);

void json_put_str(struct json_writer *w, const char *name, struct slice value);
void json_put_cstr(struct json_writer *w, const char *name, const char *value);
void json_put_num(struct json_writer *w, const char *name, int64_t value);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_time(struct json_writer *w, const char *name, int64_t unix_ms);
void json_put_array(struct json_writer *w, const char *name);  /* then values, json_array_end */
void json_put_object(struct json_writer *w, const char *name); /* then members, json_object_end */

#endif
