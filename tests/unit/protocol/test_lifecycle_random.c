/*
 * The engine against a second one, which is as simple and as slow as the rules' text (ecr-behaviour 4.4),
 * and shares nothing with it but the parsed policy: on random policies and repositories, both must
 * decide the same of each image, in the same order. A failure names the seed that shows it again.
 */
#include "support.h"

#include "protocol/buf.h"
#include "protocol/lifecycle.h"

enum { CASES = 30000, IMAGES_MAX = 48, TAGS_MAX = 4, CHILDREN_MAX = 4 };

static const int64_t now_ms = 1767225600000, day_ms = 86400000;

/* ---- chance ---- */

static uint64_t chance_state;

/* A number below n (splitmix64). */
static uint64_t below(uint64_t n)
{
	uint64_t z = chance_state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % n;
}

static bool once_in(uint64_t n)
{
	return below(n) == 0;
}

/* ---- a random policy ---- */

static const char *const prefix_words[] = {
    "a", "ab", "prod", "prod-", "dev", "v1", "v", "l", "x", "e", "A", "p"};
static const char *const pattern_words[] = {"*", "a*", "*a", "*b*", "a*b", "ab*ab", "a**b", "prod*",
    "*eu", "p*d-*", "v*-rc*", "latest", "*1", "?", "[a]*", "x", "*-*", "d*v*", "*a*b*a*", "A*"};

enum { PATTERNS = COUNT(pattern_words), PREFIXES = COUNT(prefix_words) };

struct policy_writer {
	struct buf out;
	uint64_t used[50]; /* lists of words, with whether they are prefixes, that are there */
	size_t used_count;
};

/* One to three words as a JSON array; false when another rule has the same. */
static bool write_words(struct policy_writer *w)
{
	bool prefixes = once_in(2), comma = false;
	uint64_t words = 0, number = prefixes ? PREFIXES : PATTERNS;

	for (uint64_t i = below(3) + 1; i > 0; i--)
		words |= UINT64_C(1) << below(number);
	for (size_t i = 0; i < w->used_count; i++)
		if (w->used[i] == (words << 1 | prefixes))
			return false;
	w->used[w->used_count++] = words << 1 | prefixes;
	buf_printf(&w->out, "\"tagStatus\":\"tagged\",\"%s\":[",
	    prefixes ? "tagPrefixList" : "tagPatternList");
	for (uint64_t i = 0; i < number; i++) {
		if (!(words >> i & 1))
			continue;
		buf_printf(&w->out, "%s\"%s\"", comma ? "," : "",
		    (prefixes ? prefix_words : pattern_words)[i]);
		comma = true;
	}
	buf_puts(&w->out, "],");
	return true;
}

/* The end of a rule: what it counts, and the action. */
static void write_count(struct policy_writer *w, bool archive)
{
	static const char *const types[] = {
	    "imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"};
	size_t type = archive ? 3 : below(3);
	bool transition = type == 2 || (type < 2 && once_in(3));

	buf_printf(&w->out, "\"countType\":\"%s\",\"countNumber\":%d%s%s},", types[type],
	    (int)(archive ? 90 + below(4) : 1 + below(5)),
	    type == 0 ? "" : ",\"countUnit\":\"days\"",
	    archive ? ",\"storageClass\":\"archive\"" : "");
	buf_puts(&w->out,
	    transition ? "\"action\":{\"type\":\"transition\",\"targetStorageClass\":\"archive\"}}"
		       : "\"action\":{\"type\":\"expire\"}}");
}

/* Rules by number: those for any image come last, and each of these once at most for a class. */
static void write_rule(struct policy_writer *w, int number, int last, bool untagged[2])
{
	bool archive = once_in(5);

	buf_printf(
	    &w->out, "%s{\"rulePriority\":%d,\"selection\":{", number > 1 ? "," : "", number);
	if (number == last && once_in(2)) {
		buf_puts(&w->out, "\"tagStatus\":\"any\",");
	} else if (!untagged[archive] && once_in(4)) {
		untagged[archive] = true;
		buf_puts(&w->out, "\"tagStatus\":\"untagged\",");
	} else {
		while (!write_words(w))
			;
	}
	write_count(w, archive);
}

static void make_policy(struct arena *a, struct lifecycle_policy *policy)
{
	struct policy_writer w = {.used_count = 0};
	bool untagged[2] = {false, false};
	struct slice why = {NULL, 0};
	int count = (int)(once_in(8) ? 1 + below(LIFECYCLE_RULES_MAX) : 1 + below(5));

	buf_init(&w.out, a, SIZE_MAX, 1024);
	buf_puts(&w.out, "{\"rules\":[");
	for (int i = 1; i <= count; i++)
		write_rule(&w, i, count, untagged);
	buf_puts(&w.out, "]}");
	if (!lifecycle_policy_parse(buf_slice(&w.out), LIFECYCLE_RULES_MAX, a, policy, &why))
		fail_msg("%.*s\n%.*s", SLICE_ARG(why), SLICE_ARG(buf_slice(&w.out)));
}

/* ---- a random repository ---- */

static const char *const tag_words[] = {"a", "b", "ab", "ba", "aa", "abab", "prod", "prod-1",
    "prod-eu", "eu", "dev-1", "v1", "v1.2-rc1", "latest", "x", "A"};

struct image {
	struct lifecycle_image image;
	const char *tags[TAGS_MAX];
	size_t tag_count;
	struct digest children[CHILDREN_MAX];
	size_t child_count;

	/* what the slow engine makes of it */
	uint64_t selected, marked;
	int claimed_by, rule;
	struct image *subject;
	enum lifecycle_action action;
	bool wanted, goes, emitted;
};

struct repository {
	struct image images[IMAGES_MAX];
	size_t count;
	struct image *order[IMAGES_MAX];
	size_t order_count, going_count;
};

/* In no order that their numbers have. Some are longer. */
static struct digest digest_number(uint64_t number)
{
	struct digest d = {.algorithm = number % 5 == 4 ? DIGEST_SHA512 : DIGEST_SHA256};

	d.raw[0] = (uint8_t)(number * 83);
	d.raw[20] = (uint8_t)number;
	return d;
}

/* Whole days ago, or a millisecond beside that; many are the same. */
static int64_t some_time(int days)
{
	return now_ms - (int64_t)below((uint64_t)days) * day_ms + (int64_t)below(3) - 1;
}

static void give_tags(struct arena *a, struct image *image)
{
	struct buf b;

	buf_init(&b, a, SIZE_MAX, 32);
	image->tag_count = once_in(3) ? 0 : 1 + below(TAGS_MAX);
	for (size_t i = 0; i < image->tag_count; i++) {
		image->tags[i] = tag_words[below(COUNT(tag_words))];
		buf_put(&b, image->tags[i], strlen(image->tags[i]) + 1);
	}
	image->image.tags = buf_slice(&b);
}

static void give_times(struct lifecycle_image *image)
{
	image->status = (enum lifecycle_status)(once_in(3) ? below(3) : 0);
	image->pushed_ms = some_time(9);
	if (once_in(2))
		image->pulled_ms = some_time(9);
	if (image->status != LIFECYCLE_ACTIVE || once_in(5))
		image->archived_ms = once_in(9) ? 0 : some_time(9) - 87 * day_ms;
	if (once_in(5))
		image->activated_ms = some_time(9);
}

/* Mostly of images made before, as clients do; now and then of any, of itself, of none that is here. */
static struct digest some_digest(size_t number, size_t count)
{
	if (number > 0 && !once_in(20))
		return digest_number(below(number));
	return digest_number(below(count + 2));
}

static void make_image(struct arena *a, struct repository *r, size_t number)
{
	struct image *image = &r->images[number];

	*image = (struct image){.image.id = (int64_t)number};
	image->image.digest = digest_number(number);
	give_tags(a, image);
	give_times(&image->image);
	if (once_in(5))
		image->image.subject = some_digest(number, r->count);
	image->child_count = once_in(4) ? 1 + below(CHILDREN_MAX) : 0;
	for (size_t i = 0; i < image->child_count; i++)
		image->children[i] = some_digest(number, r->count);
}

/* ---- the slow engine ---- */

static bool slow_match(const char *pattern, const char *tag)
{
	if (*pattern == '*')
		return slow_match(pattern + 1, tag) || (*tag && slow_match(pattern, tag + 1));
	if (*pattern == '\0' || *tag == '\0')
		return *pattern == *tag;
	return *pattern == *tag && slow_match(pattern + 1, tag + 1);
}

/* Entries of rules come from arena_dup: a NUL follows them. */
static bool slow_entry(const struct lifecycle_rule *rule, const char *entry, const struct image *i)
{
	for (size_t t = 0; t < i->tag_count; t++) {
		if (rule->prefixes ? strncmp(i->tags[t], entry, strlen(entry)) == 0
				   : slow_match(entry, i->tags[t]))
			return true;
	}
	return false;
}

static bool slow_selects(const struct lifecycle_rule *rule, const struct image *i)
{
	if (i->subject)
		return false;
	if (rule->storage_class == LIFECYCLE_STANDARD && i->image.status != LIFECYCLE_ACTIVE)
		return false;
	if (rule->storage_class == LIFECYCLE_ARCHIVE && i->image.status != LIFECYCLE_ARCHIVED)
		return false;
	if (rule->tags == LIFECYCLE_UNTAGGED)
		return i->tag_count == 0;
	if (rule->tags == LIFECYCLE_ANY)
		return true;
	for (size_t m = 0; m < rule->match_count; m++)
		if (!slow_entry(rule, rule->matches[m].at, i))
			return false;
	return i->tag_count > 0;
}

static int64_t slow_push(const struct image *i)
{
	return i->image.activated_ms != 0 ? i->image.activated_ms : i->image.pushed_ms;
}

static bool is_older(const struct image *one, const struct image *other)
{
	if (slow_push(one) != slow_push(other))
		return slow_push(one) < slow_push(other);
	if (one->image.digest.algorithm != other->image.digest.algorithm)
		return one->image.digest.algorithm < other->image.digest.algorithm;
	return memcmp(one->image.digest.raw, other->image.digest.raw, DIGEST_RAW_MAX) < 0;
}

static int64_t slow_newer(struct repository *r, int rule, const struct image *than)
{
	int64_t count = 0;

	for (size_t i = 0; i < r->count; i++)
		count += (r->images[i].selected >> rule & 1) && is_older(than, &r->images[i]);
	return count;
}

static bool slow_marks(
    struct repository *r, const struct lifecycle_rule *rule, int number, const struct image *i)
{
	int64_t t;

	if (rule->count_type == LIFECYCLE_COUNT_MORE_THAN)
		return slow_newer(r, number, i) >= rule->count;
	if (rule->count_type == LIFECYCLE_SINCE_PUSHED) {
		t = slow_push(i);
	} else if (rule->count_type == LIFECYCLE_SINCE_PULLED) {
		bool restored = i->image.activated_ms != 0, pulled = i->image.pulled_ms != 0;

		if (pulled && (!restored || i->image.pulled_ms > i->image.activated_ms))
			t = i->image.pulled_ms;
		else if (restored)
			t = i->image.activated_ms;
		else
			t = i->image.pushed_ms;
	} else {
		if (i->image.archived_ms == 0)
			return false;
		t = i->image.archived_ms;
	}
	return now_ms - t > rule->count * day_ms;
}

static struct image *find(struct repository *r, const struct digest *digest)
{
	for (size_t i = 0; i < r->count; i++)
		if (digest_eq(&r->images[i].image.digest, digest))
			return &r->images[i];
	return NULL;
}

/* One rule after the other, as the text has it. */
static void slow_rules(struct repository *r, const struct lifecycle_policy *p)
{
	for (size_t i = 0; i < r->count; i++) {
		r->images[i].claimed_by = -1;
		r->images[i].subject = find(r, &r->images[i].image.subject);
	}
	for (int n = 0; n < (int)p->count; n++) {
		for (size_t i = 0; i < r->count; i++)
			if (slow_selects(&p->rules[n], &r->images[i]))
				r->images[i].selected |= UINT64_C(1) << n;
		for (size_t i = 0; i < r->count; i++) {
			struct image *image = &r->images[i];

			if (!(image->selected >> n & 1))
				continue;
			if (slow_marks(r, &p->rules[n], n, image)) {
				image->marked |= UINT64_C(1) << n;
				if (image->claimed_by < 0) {
					image->wanted = true;
					image->rule = n;
					image->action = p->rules[n].action;
				}
			}
			if (image->claimed_by < 0)
				image->claimed_by = n;
		}
	}
}

static bool names(const struct image *index, const struct image *child)
{
	for (size_t i = 0; i < index->child_count; i++)
		if (digest_eq(&index->children[i], &child->image.digest))
			return true;
	return false;
}

static bool keeps(const struct image *index, const struct image *child)
{
	if (!names(index, child))
		return false;
	if (child->action == LIFECYCLE_EXPIRE)
		return !index->goes || index->action != LIFECYCLE_EXPIRE;
	return !index->goes && index->image.status != LIFECYCLE_ARCHIVED;
}

static void slow_follow(struct image *i)
{
	if (!i->subject || !i->subject->goes)
		return;
	if (i->subject->action == LIFECYCLE_TRANSITION && i->image.status == LIFECYCLE_ARCHIVED)
		return;
	i->wanted = true;
	i->rule = i->subject->rule;
	i->action = i->subject->action;
}

/* Lets go what nothing keeps, until nothing changes. */
static void slow_spread(struct repository *r)
{
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = 0; i < r->count; i++) {
			struct image *image = &r->images[i];
			bool kept = false;

			slow_follow(image);
			for (size_t j = 0; j < r->count; j++)
				kept = kept || keeps(&r->images[j], image);
			if (!image->wanted || image->goes || kept)
				continue;
			image->goes = changed = true;
		}
	}
}

static bool waits(struct repository *r, const struct image *i)
{
	if (i->subject && i->subject->goes && !i->subject->emitted)
		return true;
	for (size_t j = 0; j < r->count; j++)
		if (r->images[j].goes && !r->images[j].emitted && names(&r->images[j], i))
			return true;
	return false;
}

/* The oldest of those that are next: to go and waiting for none, or would go, or are kept. */
static struct image *next_of(struct repository *r, bool goes, bool wanted)
{
	struct image *next = NULL;

	for (size_t i = 0; i < r->count; i++) {
		struct image *image = &r->images[i];

		if (image->emitted || image->goes != goes || image->wanted != wanted ||
		    (goes && waits(r, image)))
			continue;
		if (!next || is_older(image, next))
			next = image;
	}
	return next;
}

static void slow_order(struct repository *r)
{
	struct image *next;

	for (int turn = 0; turn < 3; turn++) {
		while ((next = next_of(r, turn == 0, turn < 2))) {
			next->emitted = true;
			r->order[r->order_count++] = next;
			r->going_count += turn == 0;
		}
	}
}

/* ---- both ---- */

static size_t seen[2][4]; /* by action and decision, so that the test is known to have seen them */

static enum lifecycle_decision slow_decision(const struct image *i)
{
	if (!i->wanted)
		return LIFECYCLE_KEPT;
	if (!i->goes)
		return LIFECYCLE_PROTECTED;
	return i->subject ? LIFECYCLE_FOLLOWS : LIFECYCLE_ACTED;
}

#define SAME(one, other)                                                                           \
	do {                                                                                       \
		if ((one) != (other))                                                              \
			fail_msg("case %d, image %d: %s differs", number, (int)o->id, #one);       \
	} while (0)

static void compare(
    int number, struct repository *r, const struct lifecycle_outcome *o, const struct image *slow)
{
	struct digest none = {.algorithm = DIGEST_NONE};
	struct image *index = find(r, &o->index);

	SAME(o->id, slow->image.id);
	SAME(o->decision, slow_decision(slow));
	SAME(o->selected, slow->selected);
	SAME(o->marked, slow->marked);
	SAME(o->claimed_by, slow->claimed_by);
	SAME(digest_eq(&o->digest, &slow->image.digest), true);
	SAME(digest_eq(&o->subject, slow->subject ? &slow->subject->image.digest : &none), true);
	SAME(index != NULL, o->decision == LIFECYCLE_PROTECTED);
	seen[o->action][o->decision]++;
	if (o->decision == LIFECYCLE_KEPT)
		return;
	SAME(o->action, slow->action);
	SAME(o->rule, (unsigned)slow->rule);
	if (index)
		SAME(keeps(index, slow), true);
}

/* Children before all images, or behind them; images in any order. */
static void feed(struct lifecycle *l, const struct repository *r)
{
	bool children_first = once_in(2);
	size_t first = below(r->count + 1);

	for (int turn = 0; turn < 2; turn++) {
		for (size_t k = 0; k < r->count; k++) {
			const struct image *i = &r->images[(first + k) % r->count];

			if ((turn == 0) != children_first) {
				lifecycle_add(l, &i->image);
				continue;
			}
			for (size_t c = 0; c < i->child_count; c++)
				lifecycle_add_child(l, &i->image.digest, &i->children[c]);
		}
	}
}

static void run_case(struct arena *a, int number)
{
	struct repository *r = arena_zalloc(a, sizeof(*r));
	struct lifecycle_policy policy;
	struct lifecycle_outcome o;

	chance_state = (uint64_t)number * 7919;
	make_policy(a, &policy);
	r->count = once_in(6) ? below(IMAGES_MAX + 1) : below(14);
	for (size_t i = 0; i < r->count; i++)
		make_image(a, r, i);
	slow_rules(r, &policy);
	slow_spread(r);
	slow_order(r);

	struct lifecycle *l = lifecycle_new(&policy, now_ms);
	feed(l, r);
	lifecycle_decide(l);
	assert_int_equal(lifecycle_count(l), r->count);
	assert_int_equal(r->order_count, r->count);
	if (lifecycle_action_count(l) != r->going_count)
		fail_msg(
		    "case %d: %zu go, not %zu", number, lifecycle_action_count(l), r->going_count);
	for (size_t i = 0; i < r->count; i++) {
		lifecycle_outcome(l, i, &o);
		compare(number, r, &o, r->order[i]);
	}
	lifecycle_free(l);
}

static void both_engines_agree(void **state)
{
	for (int number = 1; number <= CASES; number++) {
		run_case(*state, number);
		arena_reset(*state);
	}
	for (int action = LIFECYCLE_EXPIRE; action <= LIFECYCLE_TRANSITION; action++)
		for (int decision = LIFECYCLE_ACTED; decision <= LIFECYCLE_PROTECTED; decision++) {
			print_message("action %d, decision %d: %zu images\n", action, decision,
			    seen[action][decision]);
			assert_true(seen[action][decision] > CASES / 50);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(both_engines_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
