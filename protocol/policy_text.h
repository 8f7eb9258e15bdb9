/*
 * Strings of a policy: wildcards, and variables in policies of version 2012-10-17 (IAM User Guide, "Policy
 * elements: Variables and tags").
 *
 * ${aws:username} becomes the request's value, ${aws:username, 'nobody'} has one for requests without it;
 * ${*}, ${?} and ${$} are the characters themselves. What comes of a variable has no wildcards. "${"
 * without its brace is text. Pure.
 */
#ifndef DRYDOCK_PROTOCOL_POLICY_TEXT_H
#define DRYDOCK_PROTOCOL_POLICY_TEXT_H

#include "protocol/arena.h"
#include "protocol/policy_context.h"

/* A pattern may hold a NUL, which takes away the meaning of the character after it. */
enum { POLICY_PATTERN_ESCAPE = '\0', POLICY_TEXT_EXPANDED_MAX = 2048 };

struct policy_text {
	struct slice text; /* as written, without NUL */
	bool variables;    /* it has some that mean something */
};

struct policy_text policy_text_of(struct slice text, bool variables_mean_something);

enum policy_text_use { POLICY_TEXT_PLAIN, POLICY_TEXT_PATTERN };

/*
 * With its variables replaced, in the arena when there are any. False when one has no value (or several, or
 * all comes to more than POLICY_TEXT_EXPANDED_MAX): *variable is its name.
 */
bool policy_text_expand(const struct policy_text *text, const struct policy_context *context,
    enum policy_text_use use, struct arena *a, struct slice *out, struct slice *variable);

/*
 * '*' is any run of bytes, '?' one character (of UTF-8). Time is linear for patterns without
 * '?', and at most the product of the lengths whatever the pattern.
 */
bool policy_pattern_match(struct slice pattern, struct slice text);
/* The same in any (ASCII) case. */
bool policy_pattern_match_nocase(struct slice pattern, struct slice text);

#endif
