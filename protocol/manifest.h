/*
 * What a manifest says, as far as a registry must know it: its media type and what it names.
 *
 * OCI image-spec manifest.md and image-index.md, Docker image manifest V2 schema 2 and manifest list.
 * The bytes themselves are kept as they came; this is only a reading of them. Pure. Everything in a
 * struct manifest lives in the arena it was parsed into.
 */
#ifndef DRYDOCK_PROTOCOL_MANIFEST_H
#define DRYDOCK_PROTOCOL_MANIFEST_H

#include "protocol/arena.h"
#include "protocol/digest.h"

enum { MANIFEST_BYTES_MAX = 4 * 1024 * 1024 };

#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_INDEX };

struct descriptor {
	struct digest digest;
	uint64_t size;
	struct slice media_type;
	struct slice artifact_type;
	bool foreign; /* a non-distributable layer: its bytes need not be here */
};

struct manifest {
	enum manifest_kind kind;
	struct slice media_type; /* of the manifest itself */
	struct slice
	    artifact_type; /* artifactType, else the config's media type; absent for an index without */
	struct descriptor config;  /* digest.algorithm is DIGEST_NONE when there is none */
	struct descriptor *layers; /* an image's layers */
	size_t layer_count;
	struct descriptor *children; /* an index's manifests */
	size_t child_count;
	struct descriptor subject; /* digest.algorithm is DIGEST_NONE when there is none */
	struct slice
	    annotations;       /* the annotations object as JSON text; absent when there is none */
	uint64_t layers_bytes; /* sum of the layers' sizes, saturating */
};

enum manifest_fault {
	MANIFEST_OK,
	MANIFEST_NOT_JSON,      /* not one JSON object in valid UTF-8 */
	MANIFEST_NOT_ACCEPTED,  /* JSON, but no manifest of a kind that ECR takes */
	MANIFEST_TYPE_MISMATCH, /* mediaType and the Content-Type disagree */
	MANIFEST_TOO_LARGE,
};

/*
 * Reads bytes as a manifest. content_type is the Content-Type of the PUT or imageManifestMediaType
 * (parameters after ';' ignored), absent when none was given: then the manifest's own mediaType
 * decides. why (may be NULL) gets one sentence naming the fault's place.
 */
enum manifest_fault manifest_parse(struct slice bytes, struct slice content_type, struct arena *a,
    struct manifest *out, struct slice *why);

#endif
