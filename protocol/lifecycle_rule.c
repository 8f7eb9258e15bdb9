/*
 * One rule and one image: its class, whether it has tags, then every entry of the rule's list, each of which some
 * tag must match.
 *
 * Ages are whole milliseconds. What would overflow is an age that no clock can tell, or a limit that no image
 * reaches: then the image is not due, as nothing is to be deleted by a slip of arithmetic.
 */
#include "protocol/lifecycle_rule.h"

#include "protocol/wildcard.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

int64_t lifecycle_pushed_ms(const struct lifecycle_image *image)
{
	return image->activated_ms ? image->activated_ms : image->pushed_ms;
}

/* ACTIVATING is in neither class. */
static bool in_class(enum lifecycle_class class, enum lifecycle_status status)
{
	return status == (class == LIFECYCLE_ARCHIVE ? LIFECYCLE_ARCHIVED : LIFECYCLE_ACTIVE);
}

/* One of the tags does. */
static bool is_matched(const struct lifecycle_rule *rule, struct slice entry, struct slice tags)
{
	while (tags.len > 0) {
		struct slice tag = slice_cut(&tags, '\0');

		if (rule->prefixes ? slice_starts(tag, entry) : wildcard_match(entry, tag))
			return true;
	}
	return false;
}

bool lifecycle_rule_selects(const struct lifecycle_rule *rule, const struct lifecycle_image *image)
{
	bool tagged = image->tags.len > 0;

	if (!in_class(rule->storage_class, image->status))
		return false;
	if (rule->tags != LIFECYCLE_ANY && tagged != (rule->tags == LIFECYCLE_TAGGED))
		return false;
	for (size_t i = 0; i < rule->match_count; i++)
		if (!is_matched(rule, rule->matches[i], image->tags))
			return false;
	return true;
}

/* A pull from before the image was restored does not count. */
static int64_t last_used_ms(const struct lifecycle_image *image)
{
	return image->pulled_ms > image->activated_ms ? image->pulled_ms
						      : lifecycle_pushed_ms(image);
}

bool lifecycle_rule_since(
    const struct lifecycle_rule *rule, const struct lifecycle_image *image, int64_t *since_ms)
{
	switch (rule->count_type) {
	case LIFECYCLE_SINCE_PUSHED:
		*since_ms = lifecycle_pushed_ms(image);
		return true;
	case LIFECYCLE_SINCE_PULLED:
		*since_ms = last_used_ms(image);
		return true;
	case LIFECYCLE_SINCE_TRANSITIONED:
		*since_ms = image->archived_ms;
		return image->archived_ms != 0;
	case LIFECYCLE_COUNT_MORE_THAN:
		break;
	}
	return false;
}

bool lifecycle_rule_is_due(
    const struct lifecycle_rule *rule, const struct lifecycle_image *image, int64_t now_ms)
{
	int64_t since_ms, age_ms, limit_ms;

	/* what does not fit is a limit no image can reach, or an age no clock can tell */
	return lifecycle_rule_since(rule, image, &since_ms) &&
	    !__builtin_sub_overflow(now_ms, since_ms, &age_ms) &&
	    !__builtin_mul_overflow(rule->count, (int64_t)DAY_MS, &limit_ms) && age_ms > limit_ms;
}
