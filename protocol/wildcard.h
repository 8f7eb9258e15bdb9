/*
 * Patterns with '*', as ECR's filters have them: any run of bytes, none included. Everything else,
 * '?' and '[' too, stands for itself. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_WILDCARD_H
#define DRYDOCK_PROTOCOL_WILDCARD_H

#include "protocol/slice.h"

/*
 * True when the pattern matches the whole text. Time is at most the product of the lengths,
 * whatever the pattern (no backtracking beyond the last star), and linear for patterns of one star.
 */
bool wildcard_match(struct slice pattern, struct slice text);

#endif
