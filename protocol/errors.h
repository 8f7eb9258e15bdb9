/*
 * The one table of everything Drydock can answer when it does not do what was asked.
 *
 * An entry knows how both APIs say it: the ECR exception and its HTTP status, the registry's error
 * code and its HTTP status, and the message, whose {placeholders} are filled from a struct error.
 * Storage and the handlers return codes; two writers (server/ecr, server/registry) render them.
 * The table itself, with the provenance of every text, is errors.c. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_ERRORS_H
#define DRYDOCK_PROTOCOL_ERRORS_H

#include "protocol/arena.h"

#include <stdint.h>

enum error_code {
	ERR_NONE = 0,

	/* the request itself */
	ERR_INVALID_PARAMETER, /* {member} {detail}: Invalid parameter at '..' failed to satisfy .. */
	ERR_VALIDATION,    /* the newer operations' ValidationException; {detail} is the message */
	ERR_SERIALIZATION, /* body is not JSON, or a member has the wrong JSON type */
	ERR_UNKNOWN_OPERATION,
	ERR_OPERATION_NOT_OFFERED, /* in ECR's model, honestly not done by this version */
	ERR_MISSING_AUTHENTICATION,
	ERR_UNRECOGNIZED_CLIENT,
	ERR_INCOMPLETE_SIGNATURE, /* {detail}: what is missing, or has not SigV4's form */
	ERR_INVALID_SIGNATURE,    /* {detail}: what should have been signed */
	ERR_SIGNATURE_REFUSED,   /* {detail} is the message: its time or scope, or what it covers */
	ERR_CREDENTIALS_EXPIRED, /* temporary ones */
	ERR_TOKEN_EXPIRED,       /* the registry's authorization token */
	ERR_NOT_AUTHORIZED,      /* no, or a garbled, registry token: 401 in plain text */
	ERR_ACCESS_DENIED,       /* {detail} is the message */
	ERR_THROTTLED,
	ERR_BODY_TOO_LARGE,
	ERR_METHOD_NOT_ALLOWED,
	ERR_ROUTE_UNKNOWN,
	ERR_REFERENCE_INVALID, /* a tag or digest in a path that is neither */
	ERR_NAME_INVALID,
	ERR_DIGEST_INVALID_TEXT, /* malformed or unsupported digest in a path or query */
	ERR_STS_ACTION,          /* {detail} is the message, as the next one's */
	ERR_POLICY_MALFORMED,

	/* repositories */
	ERR_REPOSITORY_NOT_FOUND,
	ERR_REPOSITORY_EXISTS,
	ERR_REPOSITORY_NOT_EMPTY,
	ERR_INVALID_TAG_PARAMETER,
	ERR_TOO_MANY_TAGS,  /* {detail} is the quota */
	ERR_LIMIT_EXCEEDED, /* {detail} is the message */

	/* settings of repositories and registries; {detail} is the name of what is (not) there */
	ERR_REPOSITORY_POLICY_NOT_FOUND,
	ERR_LIFECYCLE_POLICY_NOT_FOUND,
	ERR_PREVIEW_NOT_FOUND, /* of a lifecycle policy, as the next one */
	ERR_PREVIEW_IN_PROGRESS,
	ERR_REGISTRY_POLICY_NOT_FOUND,
	ERR_SIGNING_NOT_FOUND,
	ERR_TEMPLATE_NOT_FOUND,
	ERR_TEMPLATE_EXISTS,
	ERR_PULL_THROUGH_RULE_NOT_FOUND,
	ERR_PULL_THROUGH_RULE_EXISTS,
	ERR_UPSTREAM_UNSUPPORTED, /* {detail} is the message */
	ERR_SECRET_INACCESSIBLE,  /* {detail} is the message */
	ERR_EXCLUSION_NOT_FOUND,
	ERR_EXCLUSION_EXISTS,
	ERR_SETTING_NOT_FOUND, /* of one with a default: never an answer */

	/* images */
	ERR_IMAGE_NOT_FOUND,  /* API: ecr-behaviour 2, S4, by {digest} and {tag} */
	ERR_MANIFEST_UNKNOWN, /* registry: Requested image not found */
	ERR_MANIFEST_INVALID, /* Invalid JSON syntax at 'ImageManifest' */
	ERR_MANIFEST_DIGEST_MISMATCH,
	ERR_IMAGE_EXISTS,
	ERR_IMAGE_TAG_EXISTS,
	ERR_LAYERS_NOT_FOUND,            /* PutImage; {digests} */
	ERR_REFERENCED_IMAGES_NOT_FOUND, /* PutImage; {digests} */
	ERR_IMAGE_REFERENCED,            /* delete of a child; {digests} are the parents */

	ERR_STORAGE_CLASS_UPDATE, /* {detail} is the message */
	ERR_IMAGE_ARCHIVED,
	ERR_IMAGE_UNSUPPORTED, /* no image that could be scanned */
	ERR_SCAN_NOT_FOUND,    /* ecr-behaviour 2, S8 */

	/* layers and uploads */
	ERR_BLOB_UNKNOWN,
	ERR_LAYER_NOT_FOUND, /* GetDownloadUrlForLayer: ecr-behaviour 2, S12b */
	ERR_LAYER_INACCESSIBLE,
	ERR_LAYER_EXISTS,
	ERR_LAYER_DIGEST_MISMATCH, /* the bytes are not what the digest says */
	ERR_UPLOAD_UNKNOWN,
	ERR_UPLOAD_EMPTY,
	ERR_UPLOAD_BUSY,        /* another request is writing to it */
	ERR_UPLOAD_RANGE,       /* not contiguous; registry 416 */
	ERR_LAYER_PART_INVALID, /* the API's InvalidLayerPart, with last_valid_byte */
	ERR_LAYER_PART_TOO_SMALL,
	ERR_LAYER_TOO_LARGE,
	ERR_RANGE_NOT_SATISFIABLE, /* a Range beyond the blob's end; registry 416 */

	/* ourselves */
	ERR_STORAGE_FULL,
	ERR_STORAGE_FAILED, /* I/O or database error; the cause is in {detail} for the log, not said */
	ERR_SHUTTING_DOWN,
	ERR_MEMORY_SHORT, /* what clients choose takes all there is (memory.h); later there may be some */

	ERR_COUNT
};

/*
 * What went wrong, with the facts its message names. Slices borrow from the request's arena. Absent
 * facts render as ECR does ("null" in image ids), or as nothing.
 */
struct error {
	enum error_code code;
	struct slice registry; /* account id */
	struct slice repository;
	struct slice digest;
	struct slice tag;
	struct slice digests; /* "d1, d2": a comma-separated list */
	struct slice member;  /* the parameter's name, in the spelling that is to be shown */
	struct slice detail;  /* the constraint, the cause, or a whole message; see the code */
	struct slice upload;  /* InvalidLayerPartException's extra members */
	int64_t last_valid_byte;
};

enum error_evidence { SAID_BY_ECR, SAID_BY_PEERS, SAID_BY_US };

struct error_entry {
	const char *exception; /* AWS JSON __type */
	int api_status;
	const char *registry_code; /* NULL: plain text body of the message */
	int registry_status;
	const char *message; /* with {placeholders}; "" renders no message */
	enum error_evidence evidence;
};

/* The entry of a code; never NULL for ERR_NONE < code < ERR_COUNT. */
const struct error_entry *error_entry(enum error_code code);
/* Of what could not be written: ERR_STORAGE_FULL for a full disk, quota or limit, ERR_STORAGE_FAILED for anything else. */
enum error_code error_of_errno(int failure);
/*
 * How the registry says an error: as ECR does, or, where that is not what the OCI distribution-spec asks for,
 * by_spec. code NULL: plain text.
 */
struct registry_face {
	const char *code;
	int status;
};
struct registry_face error_registry_face(enum error_code code, bool by_spec);
/* How STS says an error: its code and status. */
struct sts_face {
	const char *code;
	int status;
};
struct sts_face error_sts_face(enum error_code code);
/* The message with its placeholders filled, in the arena. */
struct slice error_message(const struct error *e, struct arena *a);

#endif
