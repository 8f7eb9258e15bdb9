/* The words of import and export: options in, progress and failures out. */
#include "server/archive/archive.h"

#include "protocol/buf.h"
#include "protocol/digest.h"
#include "protocol/json.h"
#include "protocol/names.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A bar is shown after this, and drawn again after each of these. */
enum { SHOW_AFTER_MS = 700, SHOW_EVERY_MS = 100, BAR_WIDTH = 30, FORWARDED_MAX = 32 };

bool archive_fail(struct err *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return false;
}

int archive_say_failure(const struct archive_options *o, const char *verb, const struct err *err)
{
	struct json_writer w;
	struct arena a;
	struct buf b;

	fprintf(stderr, "drydock %s: %s\n", verb, err->text);
	if (!o->json)
		return 1;
	arena_init(&a);
	buf_init(&b, &a, 8192, 0);
	json_begin(&w, &b);
	json_object(&w);
	json_put_cstr(&w, "error", utf8_valid(slice_str(err->text)) ? err->text : "failed");
	json_object_end(&w);
	printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
	arena_release(&a);
	return 1;
}

bool archive_wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

/* REPOSITORY, REPOSITORY:TAG or REPOSITORY@DIGEST. */
static bool read_name(struct archive_options *o, const char *word, struct arena *a, struct err *err)
{
	struct slice rest = slice_str(word);
	bool by_digest = strchr(word, '@') != NULL;
	struct digest digest;
	struct slice name = slice_cut(&rest, by_digest ? '@' : ':');

	if (!repository_name_valid(name))
		return archive_fail(err,
		    "\"%.200s\" is no repository's name, which is lower-case, such as team/app:v1",
		    word);
	o->repository = arena_strdup(a, name);
	if (name.len == strlen(word))
		return true;
	if (by_digest ? digest_parse(rest, &digest) != DIGEST_OK : !tag_valid(rest))
		return archive_fail(
		    err, "\"%.*s\" is no %s", SLICE_ARG(rest), by_digest ? "digest" : "tag");
	o->reference = arena_strdup(a, rest);
	return true;
}

/* "--name VALUE" or "--name=VALUE" at argv[*i]: its value; NULL when it is another word. */
static const char *option_value(const char *name, int argc, char **argv, int *i)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return argv[*i] + len + 1;
	return argv[*i][len] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

/* Sorts the words; those of the configuration go on to the table that serve has. */
static bool sort_words(struct archive_options *o, int argc, char **argv, const char *url_option,
    char **forwarded, int *forwarded_count, struct err *err)
{
	size_t words = 0;

	for (int i = 0; i < argc; i++) {
		const char *value;

		if (strcmp(argv[i], "--json") == 0) {
			o->json = true;
		} else if ((value = option_value(url_option, argc, argv, &i))) {
			o->url = value;
		} else if ((value = option_value("--image", argc, argv, &i))) {
			o->image = value;
		} else if (strncmp(argv[i], "--", 2) == 0) {
			if (*forwarded_count + 2 > FORWARDED_MAX)
				return archive_fail(err, "there are too many options");
			forwarded[(*forwarded_count)++] = argv[i];
			if (!strchr(argv[i], '=') && strcmp(argv[i], "--ephemeral") != 0 &&
			    i + 1 < argc)
				forwarded[(*forwarded_count)++] = argv[++i];
		} else if (words == 2) {
			return archive_fail(err, "\"%.200s\" is one word too many", argv[i]);
		} else {
			o->words[words++] = argv[i];
		}
	}
	return words == 2 || archive_fail(err, "two words are needed: see --help");
}

bool archive_options_read(struct archive_options *o, int argc, char **argv, const char *url_option,
    int name_word, struct arena *a, struct err *err)
{
	char *forwarded[FORWARDED_MAX];
	int count = 0;

	*o = (struct archive_options){.url = NULL};
	if (!sort_words(o, argc, argv, url_option, forwarded, &count, err) ||
	    !config_read(&o->config, count, forwarded, err->text, sizeof(err->text)) ||
	    !read_name(o, o->words[name_word], a, err))
		return false;
	if (o->config.ephemeral && !o->url)
		return archive_fail(err,
		    "an ephemeral server keeps nothing: name a data folder with --data, or a "
		    "running server with %s",
		    url_option);
	return true;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_init(struct progress *p, const struct archive_options *o, uint64_t total)
{
	*p = (struct progress){
	    .total = total, .started_ms = now_ms(), .wanted = !o->json && isatty(STDERR_FILENO)};
}

static void show(struct progress *p)
{
	unsigned long long done = p->done >> 20, total = p->total >> 20;
	int filled = p->total ? (int)(p->done * BAR_WIDTH / p->total) : 0;

	if (p->done <= p->total && p->total)
		fprintf(stderr, "\r[%.*s%*s] %llu of %llu MiB", filled,
		    "##############################", BAR_WIDTH - filled, "", done, total);
	else
		fprintf(stderr, "\r%llu MiB", done);
	p->shown = true;
}

void progress_add(struct progress *p, uint64_t bytes)
{
	int64_t now;

	p->done += bytes;
	if (!p->wanted)
		return;
	now = now_ms();
	if (now - p->started_ms < SHOW_AFTER_MS || now - p->shown_ms < SHOW_EVERY_MS)
		return;
	p->shown_ms = now;
	show(p);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
}
