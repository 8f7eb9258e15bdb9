/* What the load generator sends.  See load_data.h. */
#include "load_data.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#define BLOCK_BYTES ((size_t)512 * 1024)
#define TAIL_LEN 34 /* the end of a small blob: what makes it unique */

struct pattern {
	uint64_t seed;
	uint64_t index; /* of the repetition that block holds now */
	char block[BLOCK_BYTES];
};

void data_random(void *data, size_t n, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du;
	unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		p[i] = (unsigned char)(x >> 32);
	}
}

static void digest_print(EVP_MD_CTX *ctx, char digest[DIGEST_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];

	EVP_DigestFinal_ex(ctx, md, NULL);
	memcpy(digest, "sha256:", 7);
	for (int i = 0; i < 32; i++) {
		digest[7 + 2 * i] = hex[md[i] >> 4];
		digest[8 + 2 * i] = hex[md[i] & 15];
	}
	digest[DIGEST_LEN] = '\0';
}

void data_digest(const void *data, size_t n, char digest[DIGEST_LEN + 1])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	EVP_DigestUpdate(ctx, data, n);
	digest_print(ctx, digest);
	EVP_MD_CTX_free(ctx);
}

/* ---- large bodies ---- */

static void pattern_stamp(struct pattern *p, uint64_t index)
{
	uint64_t stamp[2] = {p->seed, index};

	memcpy(p->block, stamp, sizeof(stamp));
	p->index = index;
}

struct pattern *pattern_new(uint64_t seed)
{
	struct pattern *p = malloc(sizeof(*p));

	if (!p)
		abort();
	p->seed = seed;
	data_random(p->block, sizeof(p->block), seed);
	pattern_stamp(p, 0);
	return p;
}

void pattern_free(struct pattern *p)
{
	free(p);
}

const char *pattern_at(struct pattern *p, uint64_t off, size_t *n)
{
	uint64_t index = off / BLOCK_BYTES;
	size_t in_block = (size_t)(off % BLOCK_BYTES);

	if (index != p->index)
		pattern_stamp(p, index);
	if (*n > BLOCK_BYTES - in_block)
		*n = BLOCK_BYTES - in_block;
	return p->block + in_block;
}

void pattern_digest(struct pattern *p, uint64_t len, char digest[DIGEST_LEN + 1])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint64_t off = 0;

	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	while (off < len) {
		size_t n = len - off < BLOCK_BYTES ? (size_t)(len - off) : BLOCK_BYTES;
		const char *at = pattern_at(p, off, &n);

		EVP_DigestUpdate(ctx, at, n);
		off += n;
	}
	digest_print(ctx, digest);
	EVP_MD_CTX_free(ctx);
}

/* ---- small images ---- */

static const size_t blob_bytes[IMAGE_BLOBS] = {2048, 20480, 16384, 12288, 10240, 6144, 4096};

struct image_mold {
	uint64_t seed;
	char *data[IMAGE_BLOBS];         /* the blobs without their tails */
	EVP_MD_CTX *hashed[IMAGE_BLOBS]; /* and their hash so far */
};

/* A config is JSON; its tail closes it. */
static void mold_config(char *data, size_t n)
{
	int used = snprintf(data, n + 1,
	    "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":"
	    "{\"type\":\"layers\",\"diff_ids\":[]},\"history\":[{\"created_by\":\"");

	memset(data + used, 'x', n - (size_t)used);
	memcpy(data + n - 11, "\"}],\"load\":\"", 12);
}

struct image_mold *image_mold_new(uint64_t seed)
{
	struct image_mold *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->seed = seed;
	for (size_t i = 0; i < IMAGE_BLOBS; i++) {
		size_t n = blob_bytes[i] - TAIL_LEN;

		m->data[i] = malloc(n + 1);
		m->hashed[i] = EVP_MD_CTX_new();
		if (!m->data[i] || !m->hashed[i])
			abort();
		if (i == 0)
			mold_config(m->data[i], n);
		else
			data_random(m->data[i], n, seed + i);
		EVP_DigestInit_ex(m->hashed[i], EVP_sha256(), NULL);
		EVP_DigestUpdate(m->hashed[i], m->data[i], n);
	}
	return m;
}

void image_mold_free(struct image_mold *m)
{
	for (size_t i = 0; m && i < IMAGE_BLOBS; i++) {
		free(m->data[i]);
		EVP_MD_CTX_free(m->hashed[i]);
	}
	free(m);
}

struct image *image_new(const struct image_mold *m)
{
	struct image *im = calloc(1, sizeof(*im));

	if (!im)
		abort();
	for (size_t i = 0; i < IMAGE_BLOBS; i++) {
		im->blobs[i].len = blob_bytes[i];
		im->blobs[i].data = malloc(blob_bytes[i]);
		if (!im->blobs[i].data)
			abort();
		memcpy(im->blobs[i].data, m->data[i], blob_bytes[i] - TAIL_LEN);
	}
	return im;
}

void image_free(struct image *im)
{
	for (size_t i = 0; im && i < IMAGE_BLOBS; i++)
		free(im->blobs[i].data);
	free(im);
}

size_t manifest_print(char *buf, size_t size, const struct image_blob *blobs, size_t n)
{
	size_t used = (size_t)snprintf(buf, size,
	    "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_TYPE "\",\"config\":"
	    "{\"mediaType\":\"application/"
	    "vnd.docker.container.image.v1+json\",\"size\":%zu,\"digest\":\"%s\"},\"layers\":[",
	    blobs[0].len, blobs[0].digest);

	for (size_t i = 1; i < n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used,
		    "%s{\"mediaType\":\"application/vnd.docker.image.rootfs.diff."
		    "tar.gzip\",\"size\":%zu,\"digest\":\"%s\"}",
		    i > 1 ? "," : "", blobs[i].len, blobs[i].digest);
	if (used + 3 > size)
		abort();
	memcpy(buf + used, "]}", 3);
	return used + 2;
}

void image_make(struct image *im, const struct image_mold *m, uint64_t seq, unsigned shared)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	for (size_t i = 0; i < IMAGE_BLOBS; i++) {
		struct image_blob *b = &im->blobs[i];
		char tail[TAIL_LEN + 1];

		snprintf(tail, sizeof(tail), "%016" PRIx64 "%016" PRIx64 "\"}", m->seed,
		    i > 0 && i <= shared ? UINT64_MAX : seq);
		memcpy(b->data + b->len - TAIL_LEN, tail, TAIL_LEN);
		EVP_MD_CTX_copy_ex(ctx, m->hashed[i]);
		EVP_DigestUpdate(ctx, tail, TAIL_LEN);
		digest_print(ctx, b->digest);
	}
	EVP_MD_CTX_free(ctx);
	im->manifest_len =
	    manifest_print(im->manifest, sizeof(im->manifest), im->blobs, IMAGE_BLOBS);
}
