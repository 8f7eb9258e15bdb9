/*
 * drydock check: looks through a data folder, and repairs it when asked.
 *
 * What is found is said as it is found, in JSON as well: the one object is written finding by finding, so that
 * however much is wrong with a folder, memory holds one finding and the answer is whole.
 */
#include "storage/upkeep/check.h"

#include "server/upkeep/upkeep.h"
#include "server/verbs.h"

#include <stdio.h>

struct report {
	const struct upkeep_options *options;
	struct progress progress;
	bool begun;
	struct arena arena;
	struct buf out; /* the part of the JSON answer that is not written yet */
	struct json_writer w;
	bool answering; /* the answer has begun */
};

enum { FINDING_MAX = 64 * 1024 * 1024 };

static void write_tags(struct json_writer *w, struct slice tags)
{
	json_put_array(w, "tags");
	while (tags.len > 0) {
		json_str(w, slice_cut(&tags, ','));
		if (tags.len > 0)
			tags = slice_skip(tags, 1); /* ", " */
	}
	json_array_end(w);
}

static void write_finding(struct json_writer *w, const struct check_finding *f)
{
	json_object(w);
	json_put_cstr(w, "kind", f->kind);
	json_put_cstr(w, "text", utf8_valid(slice_str(f->text)) ? f->text : "a name is not UTF-8");
	json_put_bool(w, "repaired", f->mended);
	if (f->image.at) {
		json_put_str(w, "registryId", f->account);
		json_put_str(w, "region", f->region);
		json_put_str(w, "repositoryName", f->repository);
		json_put_str(w, "imageDigest", f->image);
		write_tags(w, f->tags);
	}
	json_object_end(w);
}

static void begin_part(struct report *r)
{
	arena_reset(&r->arena);
	buf_init(&r->out, &r->arena, FINDING_MAX, 4096);
}

static void end_part(struct report *r)
{
	fwrite(r->out.at, 1, r->out.len, stdout);
}

static void begin_answer(struct report *r)
{
	if (r->answering)
		return;
	r->answering = true;
	begin_part(r);
	json_begin(&r->w, &r->out);
	json_object(&r->w);
	json_put_array(&r->w, "findings");
	end_part(r);
}

static void say_finding(struct report *r, const struct check_finding *f)
{
	struct json_writer before;

	begin_answer(r);
	begin_part(r);
	before = r->w;
	write_finding(&r->w, f);
	if (r->out.overflow) {
		struct check_finding bare = {.kind = f->kind, .text = "it is too long to be said"};

		begin_part(r);
		r->w = before;
		bare.mended = f->mended;
		write_finding(&r->w, &bare);
	}
	end_part(r);
}

static void take_finding(void *arg, const struct check_finding *f)
{
	struct report *r = arg;

	if (r->options->json) {
		say_finding(r, f);
		return;
	}
	progress_end(&r->progress);
	printf("%s: %s\n", f->kind, f->text);
}

static void take_progress(void *arg, uint64_t done, uint64_t total)
{
	struct report *r = arg;
	struct archive_options words = {.json = r->options->json};

	if (!r->begun)
		progress_init(&r->progress, &words, total);
	r->begun = true;
	progress_add(&r->progress, done - r->progress.done);
}

static void say(const struct check_result *result, bool repair)
{
	unsigned long long left = result->findings - result->mended;
	char bytes[32];

	printf("looked at %llu repositories, %llu images, %llu blobs, %s: ",
	    (unsigned long long)result->repositories, (unsigned long long)result->images,
	    (unsigned long long)result->blobs, upkeep_bytes(result->bytes, bytes));
	if (result->findings == 0)
		puts("nothing is wrong");
	else if (!repair)
		printf("%llu %s wrong; --repair mends what can be\n", left,
		    left == 1 ? "thing is" : "things are");
	else
		printf("%llu mended, %llu left\n", (unsigned long long)result->mended, left);
}

/* The answer's end. A check that broke off says so in the object that it has begun. */
static void say_json(struct report *r, const struct check_result *result, const char *error)
{
	begin_answer(r);
	begin_part(r);
	json_array_end(&r->w);
	if (error)
		json_put_cstr(
		    &r->w, "error", utf8_valid(slice_str(error)) ? error : "it has failed");
	json_put_num(&r->w, "repositories", (int64_t)result->repositories);
	json_put_num(&r->w, "images", (int64_t)result->images);
	json_put_num(&r->w, "blobs", (int64_t)result->blobs);
	json_put_num(&r->w, "bytes", (int64_t)result->bytes);
	json_put_num(&r->w, "repaired", (int64_t)result->mended);
	json_put_num(&r->w, "left", (int64_t)(result->findings - result->mended));
	json_object_end(&r->w);
	buf_putc(&r->out, '\n');
	end_part(r);
}

static bool look(struct report *r, struct check_result *result, struct err *err)
{
	const struct upkeep_options *o = r->options;
	struct check_options options = {.path = o->config.data,
	    .repair = o->repair,
	    .finding = take_finding,
	    .progress = take_progress,
	    .arg = r};

	bool done = store_check(&options, result, err);
	progress_end(&r->progress);
	if (o->json && (done || r->answering))
		say_json(r, result, done ? NULL : err->text);
	else if (done)
		say(result, o->repair);
	return done;
}

static void usage(void)
{
	puts(
	    "usage: drydock check [OPTION]...\n\n"
	    "Verifies a data folder that no server runs on: hashes every blob, follows every reference, "
	    "compares\neverything that is said twice. Exit code 1 when something is wrong. Writes "
	    "nothing without --repair.\n\n"
	    "  --data DIR   the data folder (default: serve's own)\n"
	    "  --repair     mend what can be: drop blobs that are not whole, so that clients upload them "
	    "again; make\n               anew what follows from manifests; remove what belongs to "
	    "nothing\n"
	    "  --json       say what was found as JSON");
}

int verb_check(int argc, char **argv)
{
	struct upkeep_options o = {.url = NULL};
	struct archive_options words = {.url = NULL}; /* how failures are said */
	struct report report = {.options = &o};
	struct check_result result = {0};
	struct err err = {""};
	const struct upkeep_word own[] = {
	    {"--json", &o.json, NULL}, {"--repair", &o.repair, NULL}, {NULL, NULL, NULL}};

	if (archive_wants_help(argc, argv)) {
		usage();
		return 0;
	}
	bool read = upkeep_read(&o.config, own, argc, argv, &err);
	words.json = o.json;
	if (read && o.config.ephemeral)
		read = archive_fail(
		    &err, "an ephemeral server keeps nothing: name a folder with --data");
	if (!read)
		return archive_say_failure(&words, "check", &err) + 1;
	arena_init(&report.arena);
	bool done = look(&report, &result, &err);
	arena_release(&report.arena);
	words.json = o.json && !report.answering;
	if (!done)
		return archive_say_failure(&words, "check", &err);
	return result.findings > result.mended ? 1 : 0;
}
