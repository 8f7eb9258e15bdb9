/*
 * Patterns with '*', as ECR's filters have them: any run of bytes, none included. Everything else,
 * '?' and '[' too, stands for itself. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_WILDCARD_H
#define DRYDOCK_PROTOCOL_WILDCARD_H

#include "protocol/slice.h"

/*
 * True when the pattern matches the whole text. Each piece between stars is searched for once, in what
 * the one before it has left: the time is that of memmem over the text, whatever the pattern.
 */
bool wildcard_match(struct slice pattern, struct slice text);

#endif
