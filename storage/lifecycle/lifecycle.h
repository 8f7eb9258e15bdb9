/*
 * A repository as the lifecycle engine (protocol/lifecycle.h) wants to see it: all its images and what its
 * indexes name, each once, in no order that means anything.
 */
#ifndef DRYDOCK_STORAGE_LIFECYCLE_H
#define DRYDOCK_STORAGE_LIFECYCLE_H

#include "protocol/lifecycle.h"
#include "storage/repositories/repository.h"

/* What is shown is borrowed during the call only. Neither function may use the reader. */
struct lifecycle_visit {
	void (*image)(void *user, const struct lifecycle_image *image); /* id: the image's own */
	void (*child)(void *user, const struct digest *index, const struct digest *child);
	void *user;
};

/*
 * Shows every image of a repository, then every child that an index there names, all as of one moment. Rows are
 * read one by one: memory does not grow with the repository. ERR_STORAGE_*; a repository that is not there has
 * no images. Any thread, with its own reader.
 */
enum error_code lifecycle_read(struct store_reader *reader, int64_t repository_id,
    const struct lifecycle_visit *visit) __attribute__((warn_unused_result));

#endif
