/*
 * Digests by OpenSSL's EVP. The algorithms are fetched once: a fetch for each digest, as
 * EVP_sha256() does behind the scenes, takes a lock and a lookup that cost as much as hashing a
 * small manifest.
 */
#include "protocol/digest.h"

#include "protocol/hex.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

static const struct {
	struct slice name;
	const char *fetch;
	size_t raw_len;
} algorithms[] = {
    [DIGEST_SHA256] = {SLICE("sha256"), "SHA2-256", 32},
    [DIGEST_SHA512] = {SLICE("sha512"), "SHA2-512", 64},
};

enum { ALGORITHMS = sizeof(algorithms) / sizeof(algorithms[0]) };

static EVP_MD *fetched[ALGORITHMS];
static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
	for (int i = DIGEST_SHA256; i < ALGORITHMS; i++) {
		fetched[i] = EVP_MD_fetch(NULL, algorithms[i].fetch, NULL);
		if (!fetched[i])
			abort();
	}
}

static const EVP_MD *digest_md(enum digest_algorithm algorithm)
{
	pthread_once(&fetch_once, fetch_all);
	return fetched[algorithm];
}

size_t digest_raw_len(enum digest_algorithm algorithm)
{
	return (unsigned)algorithm < ALGORITHMS ? algorithms[algorithm].raw_len : 0;
}

enum digest_algorithm digest_algorithm_named(struct slice name)
{
	for (int i = DIGEST_SHA256; i < ALGORITHMS; i++) {
		if (slice_eq(name, algorithms[i].name))
			return (enum digest_algorithm)i;
	}
	return DIGEST_NONE;
}

/* OCI image-spec: algorithm-component *( [+._-] algorithm-component ), components of [a-z0-9]+ */
static bool algorithm_well_formed(struct slice name)
{
	bool in_component = false;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			in_component = true;
		else if (in_component && c != '\0' && strchr("+._-", c))
			in_component = false;
		else
			return false;
	}
	return in_component;
}

/* OCI image-spec: [a-zA-Z0-9=_-]+ */
static bool encoded_well_formed(struct slice encoded)
{
	for (size_t i = 0; i < encoded.len; i++) {
		char c = encoded.at[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '=' && c != '_' && c != '-')
			return false;
	}
	return encoded.len > 0;
}

enum digest_parse digest_parse(struct slice text, struct digest *out)
{
	const char *colon = text.len ? memchr(text.at, ':', text.len) : NULL;

	if (!colon)
		return DIGEST_MALFORMED;
	struct slice name = slice_of(text.at, (size_t)(colon - text.at));
	struct slice encoded = slice_skip(text, name.len + 1);
	enum digest_algorithm algorithm = digest_algorithm_named(name);
	if (algorithm == DIGEST_NONE)
		return algorithm_well_formed(name) && encoded_well_formed(encoded)
		    ? DIGEST_UNSUPPORTED
		    : DIGEST_MALFORMED;

	struct digest parsed = {.algorithm = (uint8_t)algorithm};
	size_t raw_len = digest_raw_len(algorithm);
	if (encoded.len != 2 * raw_len || !hex_decode_lower(encoded, parsed.raw))
		return DIGEST_MALFORMED;
	*out = parsed;
	return DIGEST_OK;
}

struct slice digest_format(const struct digest *d, char text[DIGEST_TEXT_MAX])
{
	size_t raw_len = digest_raw_len((enum digest_algorithm)d->algorithm);

	if (raw_len == 0) {
		text[0] = '\0';
		return slice_of(text, 0);
	}
	struct slice name = algorithms[d->algorithm].name;
	memcpy(text, name.at, name.len);
	text[name.len] = ':';
	hex_encode(d->raw, raw_len, text + name.len + 1);
	size_t len = name.len + 1 + 2 * raw_len;
	text[len] = '\0';
	return slice_of(text, len);
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return a->algorithm == b->algorithm &&
	    memcmp(a->raw, b->raw, digest_raw_len((enum digest_algorithm)a->algorithm)) == 0;
}

size_t digest_to_key(const struct digest *d, uint8_t key[DIGEST_KEY_MAX])
{
	size_t raw_len = digest_raw_len((enum digest_algorithm)d->algorithm);

	key[0] = d->algorithm;
	memcpy(key + 1, d->raw, raw_len);
	return 1 + raw_len;
}

bool digest_from_key(const void *key, size_t len, struct digest *out)
{
	const uint8_t *bytes = key;

	if (len < 1)
		return false;
	size_t raw_len = digest_raw_len((enum digest_algorithm)bytes[0]);
	if (raw_len == 0 || len != 1 + raw_len)
		return false;
	*out = (struct digest){.algorithm = bytes[0]};
	memcpy(out->raw, bytes + 1, raw_len);
	return true;
}

/* Of OpenSSL's calls only those that allocate can fail here, and out of memory aborts. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

void digest_compute(enum digest_algorithm algorithm, struct slice bytes, struct digest *out)
{
	*out = (struct digest){.algorithm = (uint8_t)algorithm};
	must(EVP_Digest(bytes.at, bytes.len, out->raw, NULL, digest_md(algorithm), NULL));
}

struct hasher {
	enum digest_algorithm algorithm;
	EVP_MD_CTX *running;
	EVP_MD_CTX *copy; /* for hasher_peek: finishing a context ends it */
};

struct hasher *hasher_new(enum digest_algorithm algorithm)
{
	struct hasher *h = calloc(1, sizeof(*h));

	if (!h)
		abort();
	h->algorithm = algorithm;
	h->running = EVP_MD_CTX_new();
	h->copy = EVP_MD_CTX_new();
	if (!h->running || !h->copy)
		abort();
	must(EVP_DigestInit_ex2(h->running, digest_md(algorithm), NULL));
	return h;
}

void hasher_update(struct hasher *h, const void *at, size_t len)
{
	must(EVP_DigestUpdate(h->running, at, len));
}

void hasher_peek(const struct hasher *h, struct digest *out)
{
	*out = (struct digest){.algorithm = (uint8_t)h->algorithm};
	must(EVP_MD_CTX_copy_ex(h->copy, h->running));
	must(EVP_DigestFinal_ex(h->copy, out->raw, NULL));
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->running);
	EVP_MD_CTX_free(h->copy);
	free(h);
}
