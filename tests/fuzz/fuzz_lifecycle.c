/*
 * The lifecycle engine, with a policy's text (up to the first NUL) and images made of the bytes behind it:
 * whatever they are to each other, each has one outcome, the order of carrying out holds, and nothing
 * goes that an index keeps.
 */
#include "fuzz.h"

#include "protocol/lifecycle.h"
#include "protocol/lifecycle_rule.h"

enum { IMAGES_MAX = 64, IMAGE_BYTES = 8 };

static const int64_t now_ms = 1767225600000, day_ms = 86400000;

struct repository {
	struct lifecycle_image images[IMAGES_MAX];
	unsigned children[IMAGES_MAX][2]; /* IMAGES_MAX and above: none here */
	size_t count;
	size_t place[IMAGES_MAX]; /* where its outcome stands */
	struct lifecycle_outcome outcomes[IMAGES_MAX];
	size_t going;
};

static struct digest digest_number(unsigned number)
{
	struct digest d = {.algorithm = DIGEST_SHA256};

	d.raw[31] = (uint8_t)number;
	return d;
}

static struct slice tags_of(uint8_t byte)
{
	static const struct slice tags[] = {SLICE(""), SLICE("a\0"), SLICE("b\0"), SLICE("a\0b\0"),
	    SLICE("prod-1\0"), SLICE("v1.0\0latest\0"), SLICE("x*y\0"), SLICE("dev\0")};

	return tags[byte % 8];
}

/* A number of days before now, with the odd millisecond; 0: never. */
static int64_t time_of(uint8_t byte)
{
	return byte == 0 ? 0 : now_ms - (byte / 2) * day_ms - byte % 2;
}

static void read_image(struct repository *r, struct slice *input)
{
	unsigned number = (unsigned)r->count++;
	struct lifecycle_image *image = &r->images[number];
	uint8_t kind = take_byte(input);

	image->id = number;
	image->digest = digest_number(number);
	image->status = (enum lifecycle_status)(kind >> 3) % 3;
	image->tags = tags_of(kind);
	image->pushed_ms = time_of(take_byte(input));
	image->pulled_ms = time_of(take_byte(input));
	image->archived_ms = time_of(take_byte(input));
	image->activated_ms = time_of(take_byte(input));
	kind = take_byte(input);
	if (kind < 2 * IMAGES_MAX)
		image->subject = digest_number(kind);
	for (int i = 0; i < 2; i++)
		r->children[number][i] = take_byte(input);
}

static void add_all(struct lifecycle *l, const struct repository *r)
{
	for (size_t i = 0; i < r->count; i++) {
		for (int c = 0; c < 2; c++) {
			struct digest child = digest_number(r->children[i][c]);

			if (r->children[i][c] < 2 * IMAGES_MAX)
				lifecycle_add_child(l, &r->images[i].digest, &child);
		}
		lifecycle_add(l, &r->images[i]);
	}
}

static bool names(const struct repository *r, int64_t index, int64_t child)
{
	return r->children[index][0] == child || r->children[index][1] == child;
}

static void check_rules(
    const struct lifecycle_policy *p, const struct repository *r, const struct lifecycle_outcome *o)
{
	const struct lifecycle_image *image = &r->images[o->id];
	bool refers = o->subject.algorithm != DIGEST_NONE;

	CHECK((o->marked & ~o->selected) == 0);
	CHECK(p->count == 64 || o->selected >> p->count == 0);
	CHECK(o->claimed_by == (o->selected ? __builtin_ctzll(o->selected) : -1));
	for (size_t n = 0; n < p->count; n++)
		CHECK((o->selected >> n & 1) ==
		    (!refers && lifecycle_rule_selects(&p->rules[n], image)));
	if (o->decision == LIFECYCLE_KEPT)
		return;
	CHECK(o->rule < p->count && o->action == p->rules[o->rule].action);
	CHECK(refers || (o->claimed_by == (int)o->rule && (o->marked >> o->rule & 1)));
	CHECK(o->action == LIFECYCLE_EXPIRE || image->status != LIFECYCLE_ARCHIVED);
}

/* Every index that names an image which goes lets it go, and goes before it when it goes. */
static void check_indexes(const struct repository *r, const struct lifecycle_outcome *o)
{
	bool goes = r->place[o->id] < r->going, kept = false;

	for (size_t i = 0; i < r->count; i++) {
		const struct lifecycle_outcome *index = &r->outcomes[r->place[i]];
		bool index_goes = r->place[i] < r->going;

		if (!names(r, (int64_t)i, o->id))
			continue;
		if (goes && index_goes)
			CHECK(r->place[i] < r->place[o->id]);
		if (o->action == LIFECYCLE_EXPIRE)
			kept = kept || !index_goes || index->action != LIFECYCLE_EXPIRE;
		else
			kept = kept || (!index_goes && r->images[i].status != LIFECYCLE_ARCHIVED);
	}
	CHECK(!goes || !kept);
	CHECK(o->decision != LIFECYCLE_PROTECTED || kept);
	CHECK((o->decision == LIFECYCLE_PROTECTED) == (o->index.algorithm != DIGEST_NONE));
	if (o->decision == LIFECYCLE_PROTECTED)
		CHECK(names(r, o->index.raw[31], o->id));
}

static void check_subject(const struct repository *r, const struct lifecycle_outcome *o)
{
	unsigned subject = r->images[o->id].subject.raw[31];
	const struct lifecycle_outcome *of_subject;

	if (o->subject.algorithm == DIGEST_NONE) {
		CHECK(o->decision != LIFECYCLE_FOLLOWS);
		CHECK(r->images[o->id].subject.algorithm == DIGEST_NONE || subject >= r->count);
		return;
	}
	CHECK(subject < r->count && o->decision != LIFECYCLE_ACTED);
	of_subject = &r->outcomes[r->place[subject]];
	if (o->decision == LIFECYCLE_KEPT)
		return;
	CHECK(r->place[subject] < r->going && of_subject->rule == o->rule);
	CHECK(of_subject->action == o->action && r->place[subject] < r->place[o->id]);
}

/* Those that go, the protected, the kept. */
static void read_outcomes(struct repository *r, const struct lifecycle *l)
{
	bool seen[IMAGES_MAX] = {false};
	int turn = 0;

	CHECK(lifecycle_count(l) == r->count);
	r->going = lifecycle_action_count(l);
	CHECK(r->going <= r->count);
	for (size_t i = 0; i < r->count; i++) {
		static const int turns[] = {[LIFECYCLE_KEPT] = 2,
		    [LIFECYCLE_ACTED] = 0,
		    [LIFECYCLE_FOLLOWS] = 0,
		    [LIFECYCLE_PROTECTED] = 1};
		struct lifecycle_outcome *o = &r->outcomes[i];

		lifecycle_outcome(l, i, o);
		CHECK(o->id >= 0 && (size_t)o->id < r->count && !seen[o->id]);
		seen[o->id] = true;
		r->place[o->id] = i;
		CHECK(digest_eq(&o->digest, &r->images[o->id].digest));
		CHECK(turns[o->decision] >= turn && (i < r->going) == (turns[o->decision] == 0));
		turn = turns[o->decision];
	}
}

static void decide(const struct lifecycle_policy *policy, struct slice input)
{
	struct repository r = {.count = 0};
	struct lifecycle *l = lifecycle_new(policy, now_ms);

	while (input.len >= IMAGE_BYTES && r.count < IMAGES_MAX)
		read_image(&r, &input);
	add_all(l, &r);
	lifecycle_decide(l);
	read_outcomes(&r, l);
	lifecycle_free(l);
	for (size_t i = 0; i < r.count; i++) {
		check_rules(policy, &r, &r.outcomes[i]);
		check_indexes(&r, &r.outcomes[i]);
		check_subject(&r, &r.outcomes[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice images = slice_of((const char *)at, len), text = slice_cut(&images, '\0'), why;
	struct lifecycle_policy policy;
	struct arena a;

	arena_init(&a);
	if (lifecycle_policy_parse(text, LIFECYCLE_RULES_MOST, &a, &policy, &why))
		decide(&policy, images);
	arena_release(&a);
	return 0;
}
