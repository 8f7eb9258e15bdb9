/* drydock gc: collects now, on a running server or in a data folder. */
#include "server/upkeep/upkeep.h"

#include "server/admin/doors.h"
#include "server/archive/client.h"
#include "server/verbs.h"

#include <semaphore.h>
#include <stdio.h>

enum { ANSWER_MAX = 64 * 1024 };

static void wake(struct store_job *job)
{
	sem_post(job->owner);
}

static bool read_grace(const struct upkeep_options *o, int64_t *grace_ms, struct err *err)
{
	unsigned long long seconds = o->config.gc_grace_s;

	if (o->grace &&
	    (!slice_to_u64(slice_str(o->grace), &seconds) || seconds > 3650ULL * 24 * 3600))
		return archive_fail(
		    err, "--grace expects a number of seconds, not \"%.100s\"", o->grace);
	*grace_ms = (int64_t)seconds * 1000;
	return true;
}

static bool collect_folder(
    const struct upkeep_options *o, int64_t grace_ms, struct gc_result *result, struct err *err)
{
	struct gc_settings never_by_itself = {.grace_ms = grace_ms};
	struct store_options options = {
	    .path = o->config.data, .gc = &never_by_itself, .lifecycle_interval_ms = -1};
	struct gc_run run = {.grace_ms = grace_ms};
	struct arena a;
	struct err why;
	sem_t over;
	struct store *store = store_open(&options, &why);

	if (!store)
		return archive_fail(err,
		    "%.300s (while a server runs on that folder, it collects: --to "
		    "http://127.0.0.1:5001)",
		    why.text);
	arena_init(&a);
	sem_init(&over, 0, 0);
	run.job = (struct store_job){.done = wake, .owner = &over, .arena = &a};
	gc_submit(store, &run);
	while (sem_wait(&over) != 0)
		;
	sem_destroy(&over);
	if (run.job.error.code != ERR_NONE)
		archive_fail(err, "%.*s", SLICE_ARG(run.job.error.detail));
	arena_release(&a);
	store_close(store);
	*result = run.result;
	return run.job.error.code == ERR_NONE;
}

static bool is_this_machine(const char *host)
{
	return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "localhost") == 0 ||
	    strcmp(host, "::1") == 0;
}

/* The server's answer; absent with *err filled. */
static struct slice ask(const struct upkeep_options *o, struct client *http, int64_t grace_ms,
    struct arena *a, struct err *err)
{
	struct slice body = slice_str("{}"), answer;
	char token[DOORS_TOKEN_MAX];
	const char *fields = "Content-Type: application/json\r\n";

	if (o->grace)
		body = arena_slicef(a, "{\"grace_seconds\":%lld}", (long long)(grace_ms / 1000));
	if (!client_init(http, o->url, err))
		return slice_of(NULL, 0);
	/* A token that was not given for this server goes to this machine's only. */
	doors_token_find(
	    is_this_machine(http->host) ? o->config.data : "", o->config.doors_token, token);
	if (token[0])
		fields = arena_printf(a, "%sX-Drydock-Token: %s\r\n", fields, token);
	if (!client_begin(http, "POST", "/_drydock/gc", fields, (int64_t)body.len, err) ||
	    !client_write(http, body.at, body.len, err) || !client_finish(http, err))
		return slice_of(NULL, 0);
	answer = client_text(http, ANSWER_MAX, a, err);
	if (http->status == 200 || !answer.at)
		return answer;
	archive_fail(err, "%s answers %d: %.*s", o->url, http->status, SLICE_ARG(answer));
	return slice_of(NULL, 0);
}

static bool collect_there(
    const struct upkeep_options *o, int64_t grace_ms, struct gc_result *result, struct err *err)
{
	struct client http = {.fd = -1};
	struct arena a;
	bool good;

	arena_init(&a);
	struct slice answer = ask(o, &http, grace_ms, &a, err);
	cJSON *in = answer.at ? json_parse(answer) : NULL;
	good = in && gc_report_read(in, result);
	if (answer.at && !good)
		archive_fail(err, "%s does not answer as Drydock does", o->url);
	cJSON_Delete(in);
	client_release(&http);
	arena_release(&a);
	return good;
}

static void say_json(const struct gc_result *r)
{
	struct json_writer w;
	struct arena a;
	struct buf b;

	arena_init(&a);
	buf_init(&b, &a, 8192, 0);
	json_begin(&w, &b);
	json_object(&w);
	gc_report_write(&w, r);
	json_object_end(&w);
	printf("%.*s\n", SLICE_ARG(buf_slice(&b)));
	arena_release(&a);
}

static const char *blobs(uint64_t n)
{
	return n == 1 ? "blob" : "blobs";
}

static void say(const struct gc_result *r)
{
	char bytes[32];

	printf("freed %llu %s, %s\n", (unsigned long long)r->blobs, blobs(r->blobs),
	    upkeep_bytes(r->bytes, bytes));
	if (r->waiting_blobs)
		printf("%llu %s, %s, that no image holds are in their grace time\n",
		    (unsigned long long)r->waiting_blobs, blobs(r->waiting_blobs),
		    upkeep_bytes(r->waiting_bytes, bytes));
	if (r->files)
		printf("removed %llu %s, %s, that a crash had left\n", (unsigned long long)r->files,
		    r->files == 1 ? "file" : "files", upkeep_bytes(r->file_bytes, bytes));
	if (r->uploads)
		printf("gave up %llu %s that nobody went on with\n", (unsigned long long)r->uploads,
		    r->uploads == 1 ? "upload" : "uploads");
}

static void usage(void)
{
	puts(
	    "usage: drydock gc [OPTION]...\n\n"
	    "Collects what no image holds, and says how much was freed. A server does so by itself.\n\n"
	    "  --data DIR       in a data folder that no server runs on (default: serve's own)\n"
	    "  --to URL         on a running server, such as http://127.0.0.1:5001\n"
	    "  --grace SECONDS  for this time: how long a layer is kept after somebody last relied on it\n"
	    "                   (default: --gc-grace, which is a day; 0: at once, also from under a push)\n"
	    "  --doors-token TOKEN  that of the running server (default, at 127.0.0.1: what doors-token in\n"
	    "                   the data folder says)\n"
	    "  --json           say what was done as JSON");
}

int verb_gc(int argc, char **argv)
{
	struct upkeep_options o = {.url = NULL};
	struct archive_options words = {.url = NULL}; /* how failures are said */
	struct gc_result result = {0};
	struct err err = {""};
	int64_t grace_ms = 0;
	const struct upkeep_word own[] = {{"--json", &o.json, NULL}, {"--to", NULL, &o.url},
	    {"--grace", NULL, &o.grace}, {NULL, NULL, NULL}};

	if (archive_wants_help(argc, argv)) {
		usage();
		return 0;
	}
	bool read =
	    upkeep_read(&o.config, own, argc, argv, &err) && read_grace(&o, &grace_ms, &err);
	words.json = o.json;
	if (read && !o.url && o.config.ephemeral)
		read = archive_fail(
		    &err, "an ephemeral server keeps nothing: name a running one with --to");
	if (!read)
		return archive_say_failure(&words, "gc", &err) + 1;
	if (!(o.url ? collect_there : collect_folder)(&o, grace_ms, &result, &err))
		return archive_say_failure(&words, "gc", &err);
	if (o.json)
		say_json(&result);
	else
		say(&result);
	return 0;
}
