/* Decisions in words. Numbers of rules are their priorities, as people know them. */
#include "server/explain/explain.h"

#include "protocol/buf.h"
#include "protocol/lifecycle_rule.h"

#include <stdlib.h>

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS, LABEL_HEX = 12 };

static const struct lifecycle_rule *rule_at(const struct explain *e, size_t rule)
{
	return &e->policy->rules[rule];
}

static long long priority(const struct explain *e, size_t rule)
{
	return (long long)rule_at(e, rule)->priority;
}

static const struct lifecycle_image *image_of(
    const struct explain *e, const struct lifecycle_outcome *o)
{
	return &e->images.at[o->id].image;
}

/* ---- a rule ---- */

static void put_selection(struct buf *b, const struct lifecycle_rule *r)
{
	static const char *const tags[] = {"all", "tagged", "untagged"};

	buf_printf(b, "%s%s images", tags[r->tags],
	    r->storage_class == LIFECYCLE_ARCHIVE ? " archived" : "");
	for (size_t i = 0; i < r->match_count; i++)
		buf_printf(b, "%s %.*s%s", i == 0 ? " with" : " and", SLICE_ARG(r->matches[i]),
		    r->prefixes ? "..." : "");
}

static void put_condition(struct buf *b, const struct lifecycle_rule *r)
{
	static const char *const since[] = {[LIFECYCLE_SINCE_PULLED] = "not pulled for",
	    [LIFECYCLE_SINCE_PUSHED] = "pushed",
	    [LIFECYCLE_SINCE_TRANSITIONED] = "in the archive for"};
	long long count = (long long)r->count;

	if (r->count_type == LIFECYCLE_COUNT_MORE_THAN && count == 1)
		buf_puts(b, ", all but the newest");
	else if (r->count_type == LIFECYCLE_COUNT_MORE_THAN)
		buf_printf(b, ", all but the newest %lld", count);
	else
		buf_printf(b, " %s more than %lld day%s%s", since[r->count_type], count,
		    count == 1 ? "" : "s", r->count_type == LIFECYCLE_SINCE_PUSHED ? " ago" : "");
}

struct slice explain_rule(const struct explain *e, size_t rule)
{
	const struct lifecycle_rule *r = rule_at(e, rule);
	struct buf b;

	buf_init(&b, e->scratch, SIZE_MAX, 128);
	put_selection(&b, r);
	put_condition(&b, r);
	buf_puts(&b, r->action == LIFECYCLE_EXPIRE ? ": expire" : ": archive");
	return buf_slice(&b);
}

/* ---- ages ---- */

static void put_unit(struct buf *b, int64_t count, const char *unit)
{
	buf_printf(
	    b, "%s%lld %s%s", b->len ? " " : "", (long long)count, unit, count == 1 ? "" : "s");
}

/* Days; when there are none, or exact, the hours and minutes too. */
static struct slice duration(const struct explain *e, int64_t ms, bool exact)
{
	int64_t days = ms / DAY_MS, hours = ms % DAY_MS / HOUR_MS,
		minutes = ms % HOUR_MS / MINUTE_MS;
	struct buf b;

	if (ms < 0)
		return slice_str("a time to come");
	buf_init(&b, e->scratch, SIZE_MAX, 32);
	if (days > 0)
		put_unit(&b, days, "day");
	if (hours > 0 && (days == 0 || exact))
		put_unit(&b, hours, "hour");
	if (minutes > 0 && ((days == 0 && hours == 0) || exact))
		put_unit(&b, minutes, "minute");
	if (b.len == 0 || (exact && ms % MINUTE_MS > 0 && hours == 0 && minutes == 0))
		put_unit(&b, ms % MINUTE_MS / 1000, "second");
	return buf_slice(&b);
}

struct slice explain_age(const struct explain *e, const struct lifecycle_image *image)
{
	return duration(e, e->now_ms - lifecycle_pushed_ms(image), false);
}

/* What happened at the time that a rule counts from. */
static const char *since_what(
    const struct lifecycle_rule *r, const struct lifecycle_image *image, int64_t since_ms)
{
	if (r->count_type == LIFECYCLE_SINCE_TRANSITIONED)
		return "archived";
	if (r->count_type == LIFECYCLE_SINCE_PULLED) {
		if (since_ms == image->pulled_ms && image->pulled_ms > image->activated_ms)
			return "last pulled";
		return image->activated_ms ? "not pulled since it was restored"
					   : "never pulled, pushed";
	}
	return image->activated_ms ? "restored" : "pushed";
}

static struct slice count_condition(
    const struct explain *e, const struct lifecycle_rule *r, bool marked)
{
	if (r->count == 1)
		return arena_slicef(e->scratch, "%s the newest", marked ? "not" : "it is");
	return arena_slicef(
	    e->scratch, "%s the %lld newest", marked ? "not among" : "among", (long long)r->count);
}

struct slice explain_condition(
    const struct explain *e, size_t rule, const struct lifecycle_outcome *o)
{
	const struct lifecycle_rule *r = rule_at(e, rule);
	const struct lifecycle_image *image = image_of(e, o);
	bool marked = o->marked >> rule & 1;
	int64_t since_ms, age_ms;

	if (r->count_type == LIFECYCLE_COUNT_MORE_THAN)
		return count_condition(e, r, marked);
	if (!lifecycle_rule_since(r, image, &since_ms))
		return slice_str("nobody knows when it was archived");
	age_ms = e->now_ms - since_ms;
	return arena_slicef(e->scratch, "%s %.*s ago, %s than %lld", since_what(r, image, since_ms),
	    SLICE_ARG(duration(e, age_ms, age_ms / DAY_MS == r->count)),
	    marked ? "more" : "not more", (long long)r->count);
}

/* ---- decisions ---- */

static int compare_listed(const void *a, const void *b)
{
	const struct lifecycle_listed *const *one = a, *const *other = b;

	return memcmp(&(*one)->image.digest, &(*other)->image.digest, sizeof(struct digest));
}

void explain_sort(struct explain *e)
{
	e->by_digest = calloc(e->images.count + 1, sizeof(struct lifecycle_listed *));
	if (!e->by_digest)
		abort();
	for (size_t i = 0; i < e->images.count; i++)
		e->by_digest[i] = &e->images.at[i];
	qsort(e->by_digest, e->images.count, sizeof(struct lifecycle_listed *), compare_listed);
}

static const struct lifecycle_listed *find(const struct explain *e, const struct digest *digest)
{
	struct lifecycle_listed wanted = {.image.digest = *digest};
	const struct lifecycle_listed *key = &wanted, **found;

	found = e->images.count
	    ? bsearch(&key, e->by_digest, e->images.count, sizeof(key), compare_listed)
	    : NULL;
	return found ? *found : NULL;
}

struct slice explain_label(const struct explain *e, const struct digest *digest)
{
	const struct lifecycle_listed *listed = find(e, digest);
	char text[DIGEST_TEXT_MAX];
	struct slice whole = digest_format(digest, text);

	if (listed && listed->name.at)
		return listed->name;
	return arena_dup(e->scratch, slice_of(whole.at, strlen("sha256:") + LABEL_HEX));
}

static const char *verb_of(enum lifecycle_action action)
{
	return action == LIFECYCLE_EXPIRE ? "expires" : "is archived";
}

static const char *would(enum lifecycle_action action)
{
	return action == LIFECYCLE_EXPIRE ? "would expire it" : "would archive it";
}

static struct slice acted(const struct explain *e, const struct lifecycle_outcome *o)
{
	return arena_slicef(e->scratch, "%s by rule %lld: %.*s", verb_of(o->action),
	    priority(e, o->rule), SLICE_ARG(explain_condition(e, o->rule, o)));
}

static struct slice protected(const struct explain *e, const struct lifecycle_outcome *o)
{
	struct slice index = explain_label(e, &o->index);

	if (o->subject.algorithm != DIGEST_NONE)
		return arena_slicef(e->scratch,
		    "protected: index %.*s names it (it would follow its subject %.*s)",
		    SLICE_ARG(index), SLICE_ARG(explain_label(e, &o->subject)));
	return arena_slicef(e->scratch, "protected: index %.*s names it (rule %lld %s: %.*s)",
	    SLICE_ARG(index), priority(e, o->rule), would(o->action),
	    SLICE_ARG(explain_condition(e, o->rule, o)));
}

static struct slice kept(const struct explain *e, const struct lifecycle_outcome *o)
{
	static const char *const by_status[] = {[LIFECYCLE_ACTIVE] = "kept: no rule selects it",
	    [LIFECYCLE_ARCHIVED] = "kept: it is archived, and no rule selects it there",
	    [LIFECYCLE_ACTIVATING] = "kept: it is being restored"};

	if (o->subject.algorithm != DIGEST_NONE)
		return arena_slicef(e->scratch, "kept: follows its subject %.*s",
		    SLICE_ARG(explain_label(e, &o->subject)));
	if (o->claimed_by >= 0)
		return arena_slicef(e->scratch, "kept by rule %lld: %.*s",
		    priority(e, (size_t)o->claimed_by),
		    SLICE_ARG(explain_condition(e, (size_t)o->claimed_by, o)));
	return slice_str(by_status[image_of(e, o)->status]);
}

struct slice explain_decision(const struct explain *e, const struct lifecycle_outcome *o)
{
	switch (o->decision) {
	case LIFECYCLE_ACTED:
		return acted(e, o);
	case LIFECYCLE_FOLLOWS:
		return arena_slicef(e->scratch, "%s with its subject %.*s (rule %lld)",
		    verb_of(o->action), SLICE_ARG(explain_label(e, &o->subject)),
		    priority(e, o->rule));
	case LIFECYCLE_PROTECTED:
		return protected(e, o);
	case LIFECYCLE_KEPT:
		break;
	}
	return kept(e, o);
}

struct slice explain_other(const struct explain *e, size_t rule, const struct lifecycle_outcome *o)
{
	struct slice condition = explain_condition(e, rule, o);

	if (o->marked >> rule & 1)
		return arena_slicef(e->scratch, "rule %lld %s (%.*s), but rule %lld claims it",
		    priority(e, rule), would(rule_at(e, rule)->action), SLICE_ARG(condition),
		    priority(e, (size_t)o->claimed_by));
	return arena_slicef(
	    e->scratch, "rule %lld would keep it (%.*s)", priority(e, rule), SLICE_ARG(condition));
}

void explain_summarize(const struct explain *e, struct explain_summary *out)
{
	struct lifecycle_outcome o;

	*out = (struct explain_summary){.images = lifecycle_count(e->engine)};
	for (size_t i = 0; i < out->images; i++) {
		lifecycle_outcome(e->engine, i, &o);
		if (o.decision == LIFECYCLE_PROTECTED)
			out->protected ++;
		else if (o.decision == LIFECYCLE_KEPT)
			out->kept++;
		else if (o.action == LIFECYCLE_EXPIRE)
			out->expire++;
		else
			out->transition++;
	}
}
