/*
 * ECR's interface, as data: operations, shapes, constraints, errors.
 *
 * The files in protocol/model are turned into constant tables at build time (model_gen.c); patterns become
 * deterministic automata there (by re2c), so that no input makes one slow. model_check holds a decoded
 * request against its shape and says the first fault in ECR's words (ecr-behaviour 1.3). Pure.
 */
#ifndef DRYDOCK_PROTOCOL_MODEL_H
#define DRYDOCK_PROTOCOL_MODEL_H

#include "protocol/errors.h"
#include "protocol/json.h"

enum shape_type {
	SHAPE_STRUCTURE,
	SHAPE_LIST,
	SHAPE_MAP,
	SHAPE_STRING,
	SHAPE_INTEGER,
	SHAPE_LONG,
	SHAPE_DOUBLE,
	SHAPE_BOOLEAN,
	SHAPE_TIMESTAMP,
	SHAPE_BLOB,
};

struct model_member {
	const char *name;
	const struct model_shape *shape;
	bool required;
};

struct model_shape {
	const char *name;
	enum shape_type type;
	bool has_min, has_max;
	int64_t min, max;    /* length of strings, lists, blobs; value of numbers */
	const char *pattern; /* as the model spells it; NULL: none */
	bool (*matches)(const char *at, size_t len); /* the whole string against pattern */
	const char *const *values;                   /* enumeration, NULL-terminated; NULL: none */
	const struct model_member *members;          /* structure; ended by name == NULL */
	const struct model_shape *element;           /* list element, map value */
};

struct model_operation {
	const char *name;
	const struct model_shape *input, *output; /* NULL: none */
	const char *const *errors;                /* exception names, NULL-terminated */
};

struct model {
	const char *target_prefix; /* "AmazonEC2ContainerRegistry_V20150921" */
	const char *signing_name;
	const struct model_operation *operations; /* sorted by name */
	size_t operation_count;
};

extern const struct model model_ecr, model_ecr_public;

/* By exact name; NULL when the model has no such operation. */
const struct model_operation *model_find(const struct model *m, struct slice name);
/* True when the operation declares that exception. */
bool model_declares(const struct model_operation *op, const char *exception);

/*
 * Holds value (the parsed request body) against a shape, depth first in the model's member order.
 * True: it fits. False: *out is ERR_INVALID_PARAMETER (member and constraint) or ERR_SERIALIZATION (a
 * member of the wrong JSON type), its slices in the arena. Unknown members are ignored.
 */
bool model_check(
    const struct model_shape *shape, const cJSON *value, struct arena *a, struct error *out);
/*
 * Takes away what the shape (NULL: one without members) does not have, at every depth, and of members said twice all
 * but the last. What remains of a checked request is what its operation takes, and no longer than that: nothing else
 * in it can mean anything, and looking a member up costs no more than the model has members.
 */
void model_prune(const struct model_shape *shape, cJSON *value);

#endif
