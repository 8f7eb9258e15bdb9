/*
 * A certificate authority of this machine's own, kept in a folder: DIR/key.pem (mode 0600) and DIR/ca.pem.
 * Made once, by whoever comes first; then trusted by clients (drydock ca), and good for ten years.
 *
 * It signs for ECR's and STS's names in each region of AWS, for localhost, and for the names it was made with; its
 * certificate says so, and clients hold it to that. (One that an earlier version made signs for all of amazonaws.com.)
 *
 * Constant once opened: any thread may call. No OpenSSL type is in this header, so that the program's verbs may use it.
 */
#ifndef DRYDOCK_SERVER_HTTP_AUTHORITY_H
#define DRYDOCK_SERVER_HTTP_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

struct authority;

/*
 * The authority in folder; makes folder and authority when there is none. names: further host names or numeric
 * addresses that it is to sign for, `count` of them. NULL on failure, with a sentence in why: the folder cannot be
 * written, its files are damaged, the authority has expired, or was made without one of the names.
 */
struct authority *authority_open(
    const char *folder, const char *const *names, unsigned count, char *why, size_t why_len);
/* NULL allowed. */
void authority_free(struct authority *a);

/* Its certificate in PEM. Borrowed. */
const char *authority_pem(const struct authority *a);
/* The path of DIR/ca.pem. Borrowed. */
const char *authority_file(const struct authority *a);

/* A host name (letters in lower case, digits, hyphens, dots; at most 253 bytes) or a numeric address. */
bool authority_name_valid(const char *name);
/* Whether it is a numeric address. */
bool authority_name_is_address(const char *name);

/* Whether its certificate lets it sign for a name in lower case. */
bool authority_may_sign(const struct authority *a, const char *name);

/* In certificate.h's types, for server/http alone. */
struct x509_st;
struct evp_pkey_st;
/* A server's certificate for names as certificate_issue takes them; NULL when it cannot be had. The caller frees. */
struct x509_st *authority_issue(
    const struct authority *a, struct evp_pkey_st *key, const char *names);

#endif
