/*
 * What the fuzz targets share: the entry point, and a check that stops the run in every build.
 *
 * A target copies nothing: libFuzzer's input is a heap block of its exact size, so that reading
 * past its end is caught.
 */
#ifndef DRYDOCK_TESTS_FUZZ_FUZZ_H
#define DRYDOCK_TESTS_FUZZ_FUZZ_H

#include "protocol/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The first byte of the input, cut off it; 0 when it is empty. */
static inline uint8_t take_byte(struct slice *input)
{
	if (input->len == 0)
		return 0;
	uint8_t byte = (uint8_t)input->at[0];
	*input = slice_skip(*input, 1);
	return byte;
}

/* True when part lies within whole (or is absent). */
static inline bool is_within(struct slice part, struct slice whole)
{
	return !part.at || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

#endif
