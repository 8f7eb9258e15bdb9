/*
 * The names that appear in paths and parameters: repositories, tags, accounts, regions, upload ids.
 *
 * Grammar of RepositoryName in ECR's model and the OCI distribution-spec's reference. Pure, constant time
 * per byte.
 */
#ifndef DRYDOCK_PROTOCOL_NAMES_H
#define DRYDOCK_PROTOCOL_NAMES_H

#include "protocol/slice.h"

#include <stdint.h>

enum { REPOSITORY_NAME_MIN = 2, REPOSITORY_NAME_MAX = 256, TAG_MAX = 128, UUID_TEXT_LEN = 36 };

/* Components of [a-z0-9] runs joined by one ".", "_", "__" or any number of "-"; 2 to 256 bytes. */
bool repository_name_valid(struct slice name);
/* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */
bool tag_valid(struct slice tag);
/* Twelve digits. */
bool account_id_valid(struct slice id);
/* [0-9a-z-]{2,25} */
bool region_valid(struct slice region);
/* "aws", "aws-cn" or "aws-us-gov", by the region. */
const char *partition_of_region(struct slice region);
/* "amazonaws.com" or "amazonaws.com.cn". */
const char *dns_suffix_of_region(struct slice region);

/* 8-4-4-4-12 hex digits, either case -> 16 bytes. */
bool uuid_parse(struct slice text, uint8_t out[16]);
/* Lower-case text and a NUL. */
void uuid_format(const uint8_t id[16], char text[UUID_TEXT_LEN + 1]);

#endif
