/*
 * Content digests: "sha256:<64 hex>" and "sha512:<128 hex>", and computing them as bytes arrive.
 *
 * OCI image-spec "Digests". Only lower-case hex is a digest here, as the specification demands.
 * Pure; a struct hasher belongs to one thread at a time.
 */
#ifndef DRYDOCK_PROTOCOL_DIGEST_H
#define DRYDOCK_PROTOCOL_DIGEST_H

#include "protocol/slice.h"

#include <stdint.h>

enum digest_algorithm { DIGEST_NONE = 0, DIGEST_SHA256 = 1, DIGEST_SHA512 = 2 };

enum {
	DIGEST_RAW_MAX = 64,                 /* bytes of the longest digest */
	DIGEST_KEY_MAX = 1 + DIGEST_RAW_MAX, /* algorithm byte + raw, the form stored as a key */
	DIGEST_TEXT_MAX = 7 + 128 + 1,       /* "sha512:" + hex + NUL */
};

struct digest {
	uint8_t algorithm; /* enum digest_algorithm; DIGEST_NONE: no digest */
	uint8_t raw[DIGEST_RAW_MAX];
};

/* Raw bytes of an algorithm: 32, 64, or 0 for DIGEST_NONE. */
size_t digest_raw_len(enum digest_algorithm algorithm);
/* "sha256" -> DIGEST_SHA256; DIGEST_NONE for what is not supported. */
enum digest_algorithm digest_algorithm_named(struct slice name);

enum digest_parse {
	DIGEST_OK,
	DIGEST_MALFORMED,   /* not algorithm:hex, or the wrong length */
	DIGEST_UNSUPPORTED, /* well-formed by the grammar, of an algorithm not known here */
};
enum digest_parse digest_parse(struct slice text, struct digest *out);

/* Writes "algorithm:hex" and a NUL to text, returns the slice over it (without the NUL). */
struct slice digest_format(const struct digest *d, char text[DIGEST_TEXT_MAX]);
bool digest_eq(const struct digest *a, const struct digest *b);

/* The stored key: algorithm byte, then the raw bytes; returns its length (33 or 65). */
size_t digest_to_key(const struct digest *d, uint8_t key[DIGEST_KEY_MAX]);
/* The reverse; false when key is not one. */
bool digest_from_key(const void *key, size_t len, struct digest *out);

/* Whole-buffer digest. */
void digest_compute(enum digest_algorithm algorithm, struct slice bytes, struct digest *out);

/*
 * Incremental hashing: hasher_new, hasher_update as bytes come, then hasher_peek for the digest so far
 * (which may go on growing) and hasher_free (NULL allowed).
 */
struct hasher;
struct hasher *hasher_new(enum digest_algorithm algorithm);
void hasher_update(struct hasher *h, const void *at, size_t len);
void hasher_peek(const struct hasher *h, struct digest *out);
void hasher_free(struct hasher *h);

#endif
