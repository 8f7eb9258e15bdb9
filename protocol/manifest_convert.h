/*
 * An image manifest said in the other media type: Docker's schema 2 as OCI, OCI as Docker's schema 2.
 *
 * ECR converts so for clients that ask by tag and do not accept what is stored (ecr-behaviour 6.6). What both
 * formats can say is carried over: the config and the layers with their digests, sizes and urls. What only one
 * of them knows (annotations, data, platform, unknown members) is left out. An image is not converted when the
 * other format could not mean the same: when it has a subject or an artifactType, when its config is not that
 * of a container image, or when a layer is of a type that has no counterpart (zstd, encrypted layers,
 * artifacts). Lists and indexes are not converted, nor is anything to or from schema 1. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_MANIFEST_CONVERT_H
#define DRYDOCK_PROTOCOL_MANIFEST_CONVERT_H

#include "protocol/manifest.h"

/* The type that manifests of this media type may be converted to; absent when there is none. */
struct slice manifest_convert_target(struct slice media_type);
/*
 * The manifest in the type that manifest_convert_target names, in the arena; the same bytes for the same input,
 * always. Absent when this one cannot be converted. bytes is a manifest that manifest_parse took as media_type;
 * the result is one that it takes as the other type.
 */
struct slice manifest_convert(struct slice bytes, struct slice media_type, struct arena *a);

#endif
