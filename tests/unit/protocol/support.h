/*
 * What the unit tests of protocol/ share: cmocka, and slices over memory that ends where they do,
 * so that reading one byte too far is caught.
 */
#ifndef DRYDOCK_TESTS_UNIT_PROTOCOL_SUPPORT_H
#define DRYDOCK_TESTS_UNIT_PROTOCOL_SUPPORT_H

#include "protocol/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A test's arena: x_setup and x_teardown give it one as *state. */
int arena_setup(void **state);
int arena_teardown(void **state);
#define arena_test(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

/* The bytes alone, without a NUL behind them. */
struct slice exactly(struct arena *a, const char *text, size_t len);
struct slice exact(struct arena *a, const char *text);

/* Fails with both texts when they differ; expected NULL: s must be absent. */
void assert_slice(struct slice s, const char *expected);
/* The whole of testdata/NAME. */
struct slice testdata(struct arena *a, const char *name);

#endif
