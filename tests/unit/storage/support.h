/*
 * What the unit tests of storage/ share: a store in a folder of its own, and jobs that are waited
 * for.
 */
#ifndef DRYDOCK_TESTS_UNIT_STORAGE_SUPPORT_H
#define DRYDOCK_TESTS_UNIT_STORAGE_SUPPORT_H

#include "storage/blobs/upload.h"
#include "storage/images/image.h"
#include "storage/repositories/document.h"
#include "storage/store.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
	char folder[64];
	struct store_options options;
	struct store *store;
	struct store_reader *reader;
	struct arena arena;
	struct arena *job_arenas[4096]; /* one each: jobs fill theirs on other threads */
	size_t job_count;
	struct repository_key key; /* "team/app", there from the start */
	int64_t repository_id;
};

/* setup and teardown give each test a fixture as *state. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
#define store_test(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

/* Closing and opening again, as a restart does. */
void fixture_close(struct fixture *f);
void fixture_open(struct fixture *f);
/* A path in the folder; borrowed until the next call. */
const char *fixture_path(struct fixture *f, const char *name);

/* Runs a job and waits for it: JOB is filled but for its job member. */
#define RUN(f, request, submit)                                                                    \
	(job_begin((f), &(request)->job), submit((f)->store, (request)), job_end(&(request)->job))
void job_begin(struct fixture *f, struct store_job *job);
enum error_code job_end(struct store_job *job);
/* The same in two steps, for jobs that run at once. */
#define SUBMIT(f, request, submit) (job_begin((f), &(request)->job), submit((f)->store, (request)))

struct repository_key key_of(const char *name);
enum error_code create_repository(
    struct fixture *f, const char *name, enum mutability mutability, const char *filters);
enum error_code delete_repository(struct fixture *f, const char *name, bool force);

struct digest sha256_of(const char *text);
struct digest digest_of(struct slice bytes);
/* len bytes that depend on seed, in the arena. */
struct slice noise(struct arena *a, size_t len, unsigned seed);
/* Uploads bytes as a blob of the fixture's repository; asserts that it works. */
struct digest push_blob(struct fixture *f, struct slice bytes);
/* Holds a new session. */
struct upload *open_upload(struct fixture *f, uint8_t id[16]);
enum error_code finish_upload(struct fixture *f, struct upload *u, const struct digest *digest);
bool blob_exists(struct fixture *f, const struct digest *digest);

/* A manifest for image_put, whose bytes are made of what it names and the text. */
struct sample {
	struct image_put put;
	struct manifest manifest;
	struct slice tags[8];
};
/* An image of one blob, made of text; tags: NULL-terminated. In the arena. */
struct sample *image_sample(struct fixture *f, const char *text, ...) __attribute__((sentinel));
/* An index over images. */
struct sample *index_sample(struct fixture *f, const char *text, struct sample *const *children,
    size_t count, const char *tag);
enum error_code put(struct fixture *f, struct sample *sample);
/* put, which must work. */
struct digest put_ok(struct fixture *f, struct sample *sample);

/* Makes the manifest's bytes those of a real one, with a config of its own, and the digest theirs. */
struct sample *real(struct fixture *f, struct sample *sample);
/* Moves the store's clock forward. */
void clock_forward(struct fixture *f, int64_t ms);
/* Puts a document of the fixture's registry. */
void put_document(struct fixture *f, enum document_kind kind, const char *name, const char *text);
/* An image of the fixture's repository, which must be there. */
struct image image_of(struct fixture *f, const struct digest *digest);

/* The tags of an image, "a,b"; "(none)" when it is not there. In the arena. */
const char *tags_of(struct fixture *f, const struct digest *digest);
void assert_slice(struct slice s, const char *expected);

/* How many rows a table has, by the reader. */
int64_t count_rows(struct fixture *f, const char *table);

#endif
