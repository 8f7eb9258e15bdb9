/* For people: the rules, a line for each image and each further rule that looked at it, a sum. */
#include "server/explain/explain.h"

#include "protocol/json.h"
#include "protocol/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TAGS_MAX = 28, LABEL_MAX = 40, AGE_MAX = 10 };

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

struct table {
	const struct explain *e;
	bool colour;
	int label_width, tags_width;
};

static const char *colour(const struct table *t, const char *code)
{
	return t->colour ? code : "";
}

static bool wants_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

/* Text from a file, which must not steer the terminal. */
static void print_text(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		putchar((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f ? '?' : text.at[i]);
}

/* In a column of its own, two blanks behind it. */
static void print_column(struct slice text, int width)
{
	int blanks = width - (int)utf8_length(text) + 2;

	print_text(text);
	printf("%*s", blanks > 2 ? blanks : 2, "");
}

/* The first tags, as many as fit, and how many more there are. */
static struct slice show_tags(const struct explain *e, const struct lifecycle_image *image)
{
	struct slice tags = image->tags;
	struct buf b;
	size_t more = 0;

	if (tags.len == 0)
		return slice_str("-");
	buf_init(&b, e->scratch, SIZE_MAX, TAGS_MAX);
	while (tags.len > 0) {
		struct slice tag = slice_cut(&tags, '\0');

		if (b.len > 0 && b.len + 2 + tag.len > TAGS_MAX - 4)
			more++;
		else
			buf_printf(&b, "%s%.*s", b.len ? ", " : "", SLICE_ARG(tag));
	}
	if (more > 0)
		buf_printf(&b, " +%zu", more);
	return buf_slice(&b);
}

static int wider(int width, struct slice text, int most)
{
	int len = (int)utf8_length(text);

	return len <= width ? width : len < most ? len : most;
}

static void measure(struct table *t)
{
	const struct explain *e = t->e;

	t->label_width = (int)strlen("IMAGE");
	t->tags_width = (int)strlen("TAGS");
	for (size_t i = 0; i < e->images.count; i++) {
		const struct lifecycle_image *image = &e->images.at[i].image;

		arena_reset(e->scratch);
		t->label_width = wider(t->label_width, explain_label(e, &image->digest), LABEL_MAX);
		t->tags_width = wider(t->tags_width, show_tags(e, image), TAGS_MAX);
	}
}

static void print_head(const struct table *t)
{
	const struct explain *e = t->e;
	char at[TIMESTAMP_TEXT_MAX];
	struct slice now = timestamp_format(e->now_ms, at);

	if (e->repository.at)
		printf("%s%.*s%s of %.*s in %.*s, at %.*s\n\n", colour(t, BOLD),
		    SLICE_ARG(e->repository), colour(t, PLAIN), SLICE_ARG(e->account),
		    SLICE_ARG(e->region), SLICE_ARG(now));
	else
		printf("At %.*s\n\n", SLICE_ARG(now));
	for (size_t r = 0; r < e->policy->count; r++) {
		struct slice description = e->policy->rules[r].description;

		arena_reset(e->scratch);
		printf("rule %lld: ", (long long)e->policy->rules[r].priority);
		print_text(explain_rule(e, r));
		if (description.len > 0) {
			printf("%s  # ", colour(t, DIM));
			print_text(description);
			fputs(colour(t, PLAIN), stdout);
		}
		putchar('\n');
	}
	printf("\n%s%-*s  %-*s  %-*s  OUTCOME%s\n", colour(t, BOLD), t->label_width, "IMAGE",
	    t->tags_width, "TAGS", AGE_MAX, "AGE", colour(t, PLAIN));
}

static const char *colour_of(const struct lifecycle_outcome *o)
{
	if (o->decision == LIFECYCLE_KEPT)
		return "";
	if (o->decision == LIFECYCLE_PROTECTED)
		return CYAN;
	return o->action == LIFECYCLE_EXPIRE ? RED : YELLOW;
}

/* The rules that had no say: all that select it, but for the one that decides. */
static void print_others(const struct table *t, const struct lifecycle_outcome *o)
{
	for (size_t r = 0; r < t->e->policy->count; r++) {
		if (!(o->selected >> r & 1) || (int)r == o->claimed_by)
			continue;
		printf("%*s%s", t->label_width + t->tags_width + AGE_MAX + 6, "", colour(t, DIM));
		print_text(explain_other(t->e, r, o));
		printf("%s\n", colour(t, PLAIN));
	}
}

static void print_image(const struct table *t, const struct lifecycle_outcome *o)
{
	const struct explain *e = t->e;
	const struct lifecycle_image *image = &e->images.at[o->id].image;

	arena_reset(e->scratch);
	print_column(explain_label(e, &o->digest), t->label_width);
	print_column(show_tags(e, image), t->tags_width);
	print_column(explain_age(e, image), AGE_MAX);
	fputs(colour(t, colour_of(o)), stdout);
	print_text(explain_decision(e, o));
	printf("%s\n", *colour_of(o) ? colour(t, PLAIN) : "");
	print_others(t, o);
}

static void print_sum(const struct explain *e)
{
	struct explain_summary sum;

	explain_summarize(e, &sum);
	printf("\n%zu image%s: %zu to expire, %zu to archive, %zu protected, %zu kept\n",
	    sum.images, sum.images == 1 ? "" : "s", sum.expire, sum.transition, sum.protected,
	    sum.kept);
}

void explain_print_table(const struct explain *e)
{
	struct table t = {.e = e, .colour = wants_colour()};
	struct lifecycle_outcome o;

	measure(&t);
	print_head(&t);
	for (size_t i = 0; i < lifecycle_count(e->engine); i++) {
		lifecycle_outcome(e->engine, i, &o);
		print_image(&t, &o);
	}
	print_sum(e);
}
