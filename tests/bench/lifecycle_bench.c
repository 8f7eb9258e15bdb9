/*
 * What the lifecycle engine alone costs: time and memory of deciding one repository.
 *
 *	lifecycle_bench [--images 100000]
 *
 * A third of the images is untagged children of indexes, some are archived, some are referrers. Once
 * with a policy as people write them, once with 50 rules.
 */
#include "protocol/arena.h"
#include "protocol/lifecycle.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static const int64_t now_ms = 1767225600000, day_ms = 86400000;
static unsigned long images = 100000;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long peak_kib(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return use.ru_maxrss;
}

static struct digest digest_number(unsigned long n)
{
	struct digest d;
	char text[32];

	snprintf(text, sizeof(text), "%lu", n);
	digest_compute(DIGEST_SHA256, slice_str(text), &d);
	return d;
}

/* Every sixth: an index; the two before it: its children; now and then a referrer. */
static void add_image(struct lifecycle *l, unsigned long n, const struct digest *digests)
{
	char tags[64];
	struct lifecycle_image image = {.id = (int64_t)n,
	    .digest = digests[n],
	    .pushed_ms = now_ms - (int64_t)(n * 7919 % images) * day_ms * 400 / (int64_t)images};

	if (n % 6 < 4) {
		snprintf(tags, sizeof(tags), "%s-%lu", n % 2 ? "dev" : "prod", n);
		image.tags = slice_of(tags, strlen(tags) + 1);
	}
	if (n % 10 == 9) {
		image.status = LIFECYCLE_ARCHIVED;
		image.archived_ms = image.pushed_ms;
	}
	if (n % 16 == 15)
		image.subject = digests[n - 8];
	lifecycle_add(l, &image);
	if (n % 6 == 0 && n > 0) {
		lifecycle_add_child(l, &digests[n], &digests[n - 1]);
		lifecycle_add_child(l, &digests[n], &digests[n - 2]);
	}
}

static void measure(
    const char *what, const struct lifecycle_policy *policy, const struct digest *digests)
{
	long before_kib = peak_kib();
	double start_s = now_s(), added_s, decided_s;
	struct lifecycle *l = lifecycle_new(policy, now_ms);

	for (unsigned long n = 0; n < images; n++)
		add_image(l, n, digests);
	added_s = now_s();
	lifecycle_decide(l);
	decided_s = now_s();
	printf(
	    "lifecycle, %s: %lu images in %.0f ms CPU (matched in %.0f, decided in %.0f), %zu go, "
	    "%.1f MiB\n",
	    what, images, (decided_s - start_s) * 1e3, (added_s - start_s) * 1e3,
	    (decided_s - added_s) * 1e3, lifecycle_action_count(l),
	    (double)(peak_kib() - before_kib) / 1024);
	lifecycle_free(l);
}

static void parse(struct arena *a, struct slice text, struct lifecycle_policy *policy)
{
	struct slice why;

	if (lifecycle_policy_parse(text, LIFECYCLE_RULES_MAX, a, policy, &why))
		return;
	fprintf(stderr, "%.*s\n", SLICE_ARG(why));
	exit(1);
}

#define RULE(priority, selection)                                                                  \
	"{\"rulePriority\":" priority ",\"selection\":{" selection                                 \
	"},\"action\":{\"type\":\"expire\"}}"
#define COUNT_OF(n) "\"countType\":\"imageCountMoreThan\",\"countNumber\":" n
#define DAYS_OF(n) "\"countType\":\"sinceImagePushed\",\"countUnit\":\"days\",\"countNumber\":" n

static void usual(struct arena *a, struct lifecycle_policy *policy)
{
	parse(a,
	    slice_str("{\"rules\":[" RULE("1",
		"\"tagStatus\":\"tagged\",\"tagPrefixList\":[\"prod\"]," COUNT_OF(
		    "30000")) "," RULE("2",
		"\"tagStatus\":\"untagged\"," DAYS_OF("14")) "," RULE("3",
		"\"tagStatus\":\"any\"," DAYS_OF("90")) "]}"),
	    policy);
}

static void many(struct arena *a, struct lifecycle_policy *policy)
{
	char *text = arena_alloc(a, 16384);
	size_t len = 0;

	len += (size_t)snprintf(text, 16384, "{\"rules\":[");
	for (int i = 1; i < LIFECYCLE_RULES_MAX; i++)
		len += (size_t)snprintf(text + len, 16384 - len,
		    "{\"rulePriority\":%d,\"selection\":{\"tagStatus\":\"tagged\",\"tagPatternList\":"
		    "[\"*%d*\"]," COUNT_OF("1000") "},\"action\":{\"type\":\"expire\"}},",
		    i, i);
	len += (size_t)snprintf(
	    text + len, 16384 - len, RULE("50", "\"tagStatus\":\"any\"," COUNT_OF("50000")) "]}");
	parse(a, slice_of(text, len), policy);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"images", required_argument, NULL, 'i'}, {NULL, 0, NULL, 0}};
	struct lifecycle_policy policy;
	struct digest *digests;
	struct arena a;

	while (getopt_long(argc, argv, "", options, NULL) == 'i')
		images = strtoul(optarg, NULL, 10);
	digests = calloc(images + 1, sizeof(*digests));
	if (!digests || images == 0)
		return 1;
	for (unsigned long n = 0; n < images; n++)
		digests[n] = digest_number(n);
	arena_init(&a);
	usual(&a, &policy);
	measure("3 rules", &policy, digests);
	many(&a, &policy);
	measure("50 rules", &policy, digests);
	arena_release(&a);
	free(digests);
	return 0;
}
