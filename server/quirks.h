/*
 * Quirks: where Amazon ECR's registry does something else than the OCI distribution-spec asks for
 * or leaves free. One table (quirks.c) says of each where that is known from, and whether it is in
 * force in
 * --profile ecr and --profile oci; --quirk NAME=on|off switches one by itself, whatever the
 * profile.
 *
 * Set up once at start, constant afterwards; any thread may ask.
 */
#ifndef DRYDOCK_SERVER_QUIRKS_H
#define DRYDOCK_SERVER_QUIRKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum profile { PROFILE_ECR, PROFILE_OCI };

enum quirk {
	QUIRK_REPOSITORY_MUST_EXIST,
	QUIRK_MOUNT_NEEDS_IMAGE,
	QUIRK_INVALID_PARAMETER_405,
	QUIRK_OPAQUE_PAGING,
	QUIRK_BLOB_DELETE_REFUSED,
	QUIRK_CHILDREN_FIRST,
	QUIRK_CHILDREN_KEPT,
	QUIRK_TAG_DELETE_TAKES_IMAGE,
	QUIRK_ORPHANED_REFERRERS_GO,
	QUIRK_CHUNK_MINIMUM,
	QUIRK_CACHE_INDEX_REFUSED,
	QUIRK_ACCEPT_CONVERSION,
	QUIRK_PATCH_201,
	QUIRK_ABSOLUTE_LOCATION,
	QUIRK_COUNT
};

struct quirk_entry {
	const char *name;     /* as in --quirk */
	const char *evidence; /* the section of the notes on ECR's behaviour, or "ours" */
	const char *text;     /* what happens when it is on, in one line */
	bool in_ecr, in_oci;
};

/* What was chosen on the command line. All zero: profile ecr, nothing switched. */
struct quirks {
	enum profile profile;
	uint32_t switched; /* a bit per quirk: by itself ... */
	uint32_t value;    /* ... to this */
};

bool quirk_on(const struct quirks *quirks, enum quirk quirk);
/* Switches quirks, "NAME=on" or "NAME=off", several with commas between; false when it is something
 * else. */
bool quirks_switch(struct quirks *quirks, const char *list);
/* Walks the table, for tests and documentation: NULL past the last. */
const struct quirk_entry *quirk_entry_at(size_t index);

#endif
