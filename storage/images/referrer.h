/*
 * Referrers: the images of a repository whose manifest has a given `subject`.
 *
 * OCI distribution-spec "Listing Referrers"; the ECR API's ListImageReferrers. The subject itself
 * need not be there.
 */
#ifndef DRYDOCK_STORAGE_REFERRER_H
#define DRYDOCK_STORAGE_REFERRER_H

#include "storage/images/image.h"

enum { REFERRER_TYPES_MAX = 5 };

struct referrer {
	struct digest digest;
	struct slice media_type;
	struct slice
	    artifact_type;     /* artifactType, else the config's media type; absent when neither */
	struct slice manifest; /* its bytes: referrer_annotations reads them */
	uint64_t size;         /* of the manifest */
	enum image_status status;
};

/* A page, by digest key order. All slices are in the arena. */
struct referrer_page {
	struct referrer *at;
	size_t count;
	bool more; /* the next page starts after the last digest here */
};

struct referrer_query {
	struct repository_key key;
	struct digest subject;
	const struct slice *types; /* artifact types to keep; type_count 0: all */
	size_t type_count;
	enum image_status status; /* zeroed: ACTIVE */
	struct digest after;      /* DIGEST_NONE: from the first */
	size_t limit;
};

/*
 * Reads no more than its page, and with types no more than a page of each. Ends it early once it has some MiB of
 * manifests (their annotations are in the answer), so that its cost has a bound. ERR_REPOSITORY_NOT_FOUND.
 */
enum error_code referrer_list(struct store_reader *reader, const struct referrer_query *query,
    struct arena *a, struct referrer_page *out) __attribute__((warn_unused_result));
/* Of the manifest, a JSON object; absent when none. Parses the manifest, which may be MiB. Pure. */
struct slice referrer_annotations(const struct referrer *referrer, struct arena *a);
/* Bytes that referrer_annotations of the whole page goes through. */
uint64_t referrer_page_bytes(const struct referrer_page *page);

#endif
