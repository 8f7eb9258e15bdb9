/*
 * One rule and one image: does the rule select it, and since when does its age count
 * (ecr-behaviour 4.3, 4.4). Pure; linear in the tags and patterns.
 */
#ifndef DRYDOCK_PROTOCOL_LIFECYCLE_RULE_H
#define DRYDOCK_PROTOCOL_LIFECYCLE_RULE_H

#include "protocol/lifecycle.h"

/* When the image came into the standard class: restored, or else pushed. Rankings go by it. */
int64_t lifecycle_pushed_ms(const struct lifecycle_image *image);
/* By storage class, tag status and lists. Whether it has a subject is not looked at. */
bool lifecycle_rule_selects(const struct lifecycle_rule *rule, const struct lifecycle_image *image);
/*
 * The time from which a rule that counts days counts them for an image that it selects; false: there is
 * none, and the image's age is not more than any (it was never archived, or the rule counts images).
 */
bool lifecycle_rule_since(
    const struct lifecycle_rule *rule, const struct lifecycle_image *image, int64_t *since_ms);
/* True when that is strictly more than the rule's days ago. */
bool lifecycle_rule_is_due(
    const struct lifecycle_rule *rule, const struct lifecycle_image *image, int64_t now_ms);

#endif
