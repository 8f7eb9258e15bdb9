/* The verb: options in, policies and images found, the engine asked. */
#include "server/explain/explain.h"

#include "protocol/buf.h"
#include "protocol/names.h"
#include "protocol/timestamp.h"
#include "server/config.h"
#include "server/verbs.h"
#include "storage/lifecycle/lifecycle.h"
#include "storage/repositories/document.h"
#include "storage/upkeep/peek.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	POLICY_BYTES_MAX = 1024 * 1024,
	IMAGES_BYTES_MAX = 512 * 1024 * 1024,
	PIECE = 64 * 1024,
	PAGE = 100
};

struct verb {
	const char *policy, *repository, *images; /* NULL: not given */
	bool json, at_given;
	int64_t at_ms;
	struct config config;
	struct arena arena;   /* of the whole run */
	struct arena scratch; /* of the image at hand */
	struct peek *peek;
	struct lifecycle_policy given; /* --policy's */
	size_t shown;
	struct err err;
};

static bool fail(struct verb *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct verb *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(v->err.text, sizeof(v->err.text), format, args);
	va_end(args);
	return false;
}

static bool fail_error(struct verb *v, const struct error *e)
{
	return fail(v, "%.*s", SLICE_ARG(error_message(e, &v->arena)));
}

/* ---- options ---- */

static void usage(FILE *out)
{
	fputs(
	    "usage: drydock lifecycle explain [OPTION]...\n\n"
	    "says of each image what a lifecycle policy would do to it, and why; changes nothing\n\n"
	    "  --policy FILE      the policy; without it, each repository's own\n"
	    "  --repository NAME  one repository; without it, all with a policy (with --policy: all)\n"
	    "  --data DIR         the data folder, whether a server runs on it or not\n"
	    "  --images FILE      in place of a data folder: images described in JSON, or as\n"
	    "                     aws ecr describe-images prints them\n"
	    "  --at TIME          as if it were 2026-01-01T00:00:00Z; default: now, by Drydock's clock\n"
	    "  --account ID, --region NAME\n"
	    "                     whose registry\n"
	    "  --json             for programs\n",
	    out);
}

enum {
	OPT_POLICY,
	OPT_REPOSITORY,
	OPT_IMAGES,
	OPT_AT,
	OPT_JSON,
	OPT_DATA,
	OPT_ACCOUNT,
	OPT_REGION
};

static const struct option options[] = {
    {"policy", required_argument, NULL, OPT_POLICY},
    {"repository", required_argument, NULL, OPT_REPOSITORY},
    {"images", required_argument, NULL, OPT_IMAGES},
    {"at", required_argument, NULL, OPT_AT},
    {"json", no_argument, NULL, OPT_JSON},
    {"data", required_argument, NULL, OPT_DATA},
    {"account", required_argument, NULL, OPT_ACCOUNT},
    {"region", required_argument, NULL, OPT_REGION},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct verb *v, int option)
{
	switch (option) {
	case OPT_POLICY:
		v->policy = optarg;
		return true;
	case OPT_REPOSITORY:
		v->repository = optarg;
		return repository_name_valid(slice_str(optarg)) ||
		    fail(v, "--repository \"%.200s\" is no repository's name, such as team/app",
			optarg);
	case OPT_IMAGES:
		v->images = optarg;
		return true;
	case OPT_AT:
		v->at_given = timestamp_parse(slice_str(optarg), &v->at_ms);
		return v->at_given ||
		    fail(v, "--at \"%.60s\" is no time such as 2026-01-01T00:00:00Z", optarg);
	case OPT_JSON:
		v->json = true;
		return true;
	default:
		return fail(v, "an option is not known, or lacks its value: see --help");
	}
}

/* Those that serve has too are read by its table. argv[0] is not looked at. */
static bool read_options(struct verb *v, int argc, char **argv)
{
	char *forwarded[16];
	int count = 0, option, index = 0;

	optind = 1;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (option < OPT_DATA || option > OPT_REGION) {
			if (!take_option(v, option))
				return false;
			continue;
		}
		if (count + 2 > (int)(sizeof(forwarded) / sizeof(forwarded[0])))
			return fail(v, "there are too many options");
		forwarded[count++] = arena_printf(&v->arena, "--%s", options[index].name);
		forwarded[count++] = optarg;
	}
	if (optind < argc)
		return fail(v, "\"%.200s\" is one word too many", argv[optind]);
	if (v->images && !v->policy)
		return fail(v, "--images needs --policy: a file of images holds none");
	if (v->images && v->repository)
		return fail(v, "--images and --repository exclude each other");
	if (!config_read(&v->config, count, forwarded, v->err.text, sizeof(v->err.text)))
		return false;
	return v->images || !v->config.ephemeral ||
	    fail(v, "an ephemeral server keeps nothing: name a data folder with --data");
}

/* ---- files ---- */

/* The whole of a file of at most max bytes; "-": standard input. */
static bool read_file(struct verb *v, const char *path, size_t max, struct slice *out)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
	struct buf b;
	char *piece;
	size_t len = 0;

	if (!in)
		return fail(v, "%.300s cannot be read: %s", path, strerror(errno));
	buf_init(&b, &v->arena, max + 2 * PIECE, PIECE);
	while ((piece = buf_reserve(&b, PIECE)) && (len = fread(piece, 1, PIECE, in)) > 0)
		b.len += len;
	*out = slice_of(b.at ? b.at : "", b.len);
	bool failed = ferror(in) != 0;
	if (in != stdin)
		fclose(in);
	if (failed)
		return fail(v, "%.300s cannot be read", path);
	return b.len <= max || fail(v, "%.300s is larger than %zu bytes", path, max);
}

static bool read_policy(struct verb *v, struct slice text, struct lifecycle_policy *out)
{
	struct error e;

	return lifecycle_policy_check(text, LIFECYCLE_RULES_MOST, &v->arena, out, &e) ||
	    fail_error(v, &e);
}

/* ---- one repository ---- */

/* Decides and prints what was gathered; frees the engine. */
static void show(struct verb *v, struct explain *e)
{
	explain_sort(e);
	lifecycle_decide(e->engine);
	if (v->json) {
		explain_print_json(e, v->shown == 0);
	} else {
		if (v->shown > 0)
			putchar('\n');
		explain_print_table(e);
	}
	v->shown++;
	free(e->by_digest);
	lifecycle_free(e->engine);
}

static struct explain begin(
    struct verb *v, const struct lifecycle_policy *policy, struct slice name)
{
	return (struct explain){.account = slice_str(v->config.account),
	    .region = slice_str(v->config.region),
	    .repository = name,
	    .now_ms = v->at_ms,
	    .policy = policy,
	    .engine = lifecycle_new(policy, v->at_ms),
	    .scratch = &v->scratch};
}

static bool explain_file(struct verb *v)
{
	struct explain e = {.engine = NULL};
	struct lifecycle_images images;
	struct slice text, why;

	if (!read_file(v, v->images, IMAGES_BYTES_MAX, &text))
		return false;
	if (!lifecycle_images_parse(text, v->at_ms, &v->arena, &images, &why))
		return fail(
		    v, "%.300s: %.*s", v->images, why.len > 400 ? 400 : (int)why.len, why.at);
	e = begin(v, &v->given, slice_str(NULL));
	e.account = e.region = slice_str(NULL);
	e.images = images;
	lifecycle_images_add(e.engine, &images);
	show(v, &e);
	return true;
}

/* ---- a data folder ---- */

struct gather {
	struct explain *e;
	struct arena *arena;
	size_t room;
};

static void gather_image(void *user, const struct lifecycle_image *image)
{
	struct gather *g = user;
	struct lifecycle_images *images = &g->e->images;
	struct lifecycle_listed *listed;

	if (images->count == g->room) {
		g->room = g->room ? 2 * g->room : 64;
		images->at = realloc(images->at, g->room * sizeof(*images->at));
		if (!images->at)
			abort();
	}
	listed = &images->at[images->count];
	*listed = (struct lifecycle_listed){.image = *image};
	listed->image.id = (int64_t)images->count++;
	listed->image.tags = arena_dup(g->arena, image->tags);
	lifecycle_add(g->e->engine, &listed->image);
}

static void gather_child(void *user, const struct digest *index, const struct digest *child)
{
	struct gather *g = user;

	lifecycle_add_child(g->e->engine, index, child);
}

static bool explain_repository(
    struct verb *v, const struct lifecycle_policy *policy, struct slice name)
{
	struct explain e = begin(v, policy, name);
	struct repository_key key = {e.account, e.region, name};
	struct repository found;
	struct arena arena;
	struct gather g = {&e, &arena, 0};
	struct lifecycle_visit visit = {gather_image, gather_child, &g};
	struct error error = {.registry = e.account, .repository = name};

	arena_init(&arena);
	error.code = repository_find(peek_reader(v->peek), &key, &arena, &found);
	if (error.code == ERR_NONE)
		error.code = lifecycle_read(peek_reader(v->peek), found.id, &visit);
	if (error.code == ERR_NONE)
		show(v, &e);
	else
		lifecycle_free(e.engine);
	free(e.images.at);
	arena_release(&arena);
	return error.code == ERR_NONE || fail_error(v, &error);
}

/* Under the policy given, or else under the repository's own. */
static bool explain_named(struct verb *v, struct slice name)
{
	struct document_key key = {slice_str(v->config.account), slice_str(v->config.region),
	    DOCUMENT_LIFECYCLE_POLICY, name};
	struct error error = {.registry = key.account, .repository = name};
	struct lifecycle_policy own;
	struct document document;

	if (v->policy)
		return explain_repository(v, &v->given, name);
	error.code = document_get(peek_reader(v->peek), &key, &v->arena, &document);
	if (error.code != ERR_NONE)
		return fail_error(v, &error);
	return read_policy(v, document.text, &own) && explain_repository(v, &own, name);
}

/* The names of a page: those with a policy, or all when one was given. False: it cannot be read. */
static bool read_page(
    struct verb *v, struct slice after, struct slice names[PAGE], size_t *count, bool *more)
{
	struct store_reader *reader = peek_reader(v->peek);
	struct document_key kind = {slice_str(v->config.account), slice_str(v->config.region),
	    DOCUMENT_LIFECYCLE_POLICY, slice_str("")};
	struct repository_page repositories = {.count = 0};
	struct document_page documents = {.count = 0};
	struct error e = {.code = v->policy
		? repository_list(
		      reader, kind.account, kind.region, after, PAGE, &v->arena, &repositories)
		: document_list(reader, &kind, after, PAGE, &v->arena, &documents)};

	*count = v->policy ? repositories.count : documents.count;
	*more = v->policy ? repositories.more : documents.more;
	for (size_t i = 0; i < *count; i++)
		names[i] = v->policy ? repositories.at[i].name : documents.at[i].name;
	return e.code == ERR_NONE || fail_error(v, &e);
}

static bool explain_all(struct verb *v)
{
	struct slice names[PAGE], after = slice_str(NULL);
	size_t count;
	bool more = true;

	while (more) {
		if (!read_page(v, after, names, &count, &more))
			return false;
		for (size_t i = 0; i < count; i++)
			if (!explain_named(v, names[i]))
				return false;
		if (count > 0)
			after = names[count - 1];
	}
	return true;
}

static bool explain_folder(struct verb *v)
{
	if (v->repository)
		return explain_named(v, slice_str(v->repository));
	if (!explain_all(v))
		return false;
	if (v->shown == 0 && !v->json)
		printf("no repository of %s in %s%s\n", v->config.account, v->config.region,
		    v->policy ? "" : " has a lifecycle policy");
	return true;
}

/* ---- the verb ---- */

static int64_t real_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool run(struct verb *v)
{
	struct slice text;
	bool good;

	if (v->policy &&
	    (!read_file(v, v->policy, POLICY_BYTES_MAX, &text) || !read_policy(v, text, &v->given)))
		return false;
	if (!v->images && !(v->peek = peek_open(v->config.data, &v->err)))
		return false;
	if (!v->at_given)
		v->at_ms = v->peek ? peek_now_ms(v->peek) : real_now_ms();
	if (v->json)
		explain_print_json_begin(v->at_ms);
	good = v->images ? explain_file(v) : explain_folder(v);
	if (v->json && good)
		explain_print_json_end();
	peek_close(v->peek);
	if (good && (fflush(stdout) != 0 || ferror(stdout)))
		return fail(v, "standard output cannot be written: %s", strerror(errno));
	return good;
}

int verb_lifecycle(int argc, char **argv)
{
	struct verb v = {.policy = NULL};
	int code = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			usage(stdout);
			return 0;
		}
	}
	if (argc == 0 || strcmp(argv[0], "explain") != 0) {
		fputs("drydock lifecycle: there is one thing to do with it: explain\n\n", stderr);
		usage(stderr);
		return 2;
	}
	arena_init(&v.arena);
	arena_init(&v.scratch);
	if (!read_options(&v, argc, argv))
		code = 2;
	else if (!run(&v))
		code = 1;
	if (code != 0)
		fprintf(stderr, "drydock lifecycle explain: %s\n", v.err.text);
	arena_release(&v.scratch);
	arena_release(&v.arena);
	return code;
}
