/*
 * What the load generator sends: endless reproducible bytes for large layers, and small images each
 * unlike any other. Both are made so that a new digest costs next to nothing while the clock runs.
 */
#ifndef LOAD_DATA_H
#define LOAD_DATA_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_LEN 71 /* "sha256:" and 64 hex digits */

/*
 * A large body: one random block repeated, its first 16 bytes changed with each repetition, so that
 * it stays in the CPU's cache and yet never repeats.  One user at a time.
 */
struct pattern;
struct pattern *pattern_new(uint64_t seed);
void pattern_free(struct pattern *p);
/* The bytes at off; *n is lowered to how many are contiguous.  Valid until the next call. */
const char *pattern_at(struct pattern *p, uint64_t off, size_t *n);
/* The digest of the first len bytes. */
void pattern_digest(struct pattern *p, uint64_t len, char digest[DIGEST_LEN + 1]);

/* The digest of n bytes. */
void data_digest(const void *data, size_t n, char digest[DIGEST_LEN + 1]);
/* Fill n bytes reproducibly. */
void data_random(void *data, size_t n, uint64_t seed);

#define IMAGE_BLOBS 7 /* a config, then six layers of 4 to 20 KiB */
#define IMAGE_MANIFEST_MAX 4096

/* What all small images of a run have in common; read-only once made. */
struct image_mold;
struct image_mold *image_mold_new(uint64_t seed);
void image_mold_free(struct image_mold *m);

struct image_blob {
	char *data;
	size_t len;
	char digest[DIGEST_LEN + 1];
};

struct image {
	struct image_blob blobs[IMAGE_BLOBS];
	char manifest[IMAGE_MANIFEST_MAX];
	size_t manifest_len;
};

#define MANIFEST_TYPE "application/vnd.docker.distribution.manifest.v2+json"

/* Buffers for one image at a time; image_make turns them into number seq, whose first `shared`
 * layers all images share. */
struct image *image_new(const struct image_mold *m);
void image_make(struct image *im, const struct image_mold *m, uint64_t seq, unsigned shared);
void image_free(struct image *im);

/* A schema 2 manifest of one config and n layers.  Returns its length. */
size_t manifest_print(char *buf, size_t size, const struct image_blob *blobs, size_t n);

#endif
