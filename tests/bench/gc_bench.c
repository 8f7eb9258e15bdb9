/*
 * What a collection costs, and what pushes beside it wait: storage alone, in a folder of its own.
 *
 *	gc_bench [--blobs 100000] [--large 200] [--data DIR]
 *
 * First blobs that no image holds are uploaded (large: those of 1 MiB, files, that are among them). Then one
 * client pushes small images, one after another, with nothing beside it, with a collection that finds
 * all of them within their grace time, and with one that frees them all; each push is timed.
 */
#include "storage/blobs/gc.h"
#include "storage/blobs/upload.h"
#include "storage/images/image.h"
#include "storage/store.h"

#include <getopt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SMALL = 4096, LARGE = 1024 * 1024, PUSHES_MAX = 1000000, DEPTH = 64 };

static struct store *store;
static struct store_reader *reader;
static const struct repository_key key = {
    SLICE("000000000000"), SLICE("us-east-1"), SLICE("bench/app")};
static char bytes[LARGE];
static unsigned long stamp, pushed_again;

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "gc_bench: %s failed\n", what);
	exit(1);
}

static void post(struct store_job *job)
{
	sem_post(job->owner);
}

/* Another content each time. */
static struct slice next_bytes(size_t len, struct digest *digest)
{
	snprintf(bytes, 32, "%031lu", stamp++);
	memset(digest, 0, sizeof(*digest));
	digest_compute(DIGEST_SHA256, slice_of(bytes, len), digest);
	return slice_of(bytes, len);
}

static void begin_upload(struct upload_finish *finish, size_t len, sem_t *over, struct arena *a)
{
	uint8_t id[16];
	struct upload *u = NULL;
	struct digest digest;
	struct slice content = next_bytes(len, &digest);
	if (upload_begin(store, reader, &key, DIGEST_NONE, id) != ERR_NONE ||
	    upload_acquire(store, reader, &key, id, &u) != ERR_NONE ||
	    upload_append(u, content) != ERR_NONE)
		die("an upload");
	*finish = (struct upload_finish){
	    .job = {.done = post, .owner = over, .arena = a}, .upload = u, .digest = digest};
	upload_finish_submit(store, finish);
}

static void wait_for(sem_t *over)
{
	while (sem_wait(over) != 0)
		;
}

static void fill(unsigned long blobs, unsigned long large)
{
	static struct upload_finish finishes[DEPTH];
	struct arena a;
	sem_t over;
	arena_init(&a);
	sem_init(&over, 0, 0);
	for (unsigned long n = 0; n < blobs; n += DEPTH) {
		for (unsigned i = 0; i < DEPTH; i++)
			begin_upload(&finishes[i], n + i < large ? LARGE : SMALL, &over, &a);
		for (unsigned i = 0; i < DEPTH; i++) {
			wait_for(&over);
			if (finishes[i].job.error.code != ERR_NONE)
				die("filling");
		}
	}
	sem_destroy(&over);
	arena_release(&a);
}

/* An image of one layer. */
static enum error_code push_once(void)
{
	struct arena a;
	struct upload_finish finish;
	sem_t over;
	arena_init(&a);
	sem_init(&over, 0, 0);
	begin_upload(&finish, SMALL, &over, &a);
	wait_for(&over);
	struct descriptor layer = {.digest = finish.digest, .size = SMALL};
	struct manifest manifest = {.kind = MANIFEST_IMAGE,
	    .media_type = SLICE(MEDIA_OCI_MANIFEST),
	    .layers = &layer,
	    .layer_count = 1};
	struct image_put put = {.job = {.done = post, .owner = &over, .arena = &a},
	    .key = key,
	    .manifest = arena_slicef(&a, "{\"%lu\":1}", stamp),
	    .parsed = &manifest};
	digest_compute(DIGEST_SHA256, put.manifest, &put.digest);
	image_put_submit(store, &put);
	wait_for(&over);
	if (finish.job.error.code != ERR_NONE)
		die("an upload");
	sem_destroy(&over);
	arena_release(&a);
	return put.job.error.code;
}

/*
 * How long a push took. A collection without any grace time may take a layer between its upload and its manifest:
 * the client pushes again, as part of that time.
 */
static double push(void)
{
	double began = now_s();
	enum error_code code;
	while ((code = push_once()) == ERR_LAYERS_NOT_FOUND)
		pushed_again++;
	if (code != ERR_NONE)
		die("a push");
	return now_s() - began;
}

static int compare(const void *a, const void *b)
{
	double one = *(const double *)a, other = *(const double *)b;
	return one < other ? -1 : one > other;
}

static void say(const char *what, double *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare);
	printf("  %-38s %6zu pushes, p50 %6.2f ms, p99 %6.2f ms, longest %6.2f ms\n", what, count,
	    times[count / 2] * 1e3, times[count * 99 / 100] * 1e3, times[count - 1] * 1e3);
}

/* Pushes until the collection is over; or, without one, for two seconds. */
static void measure(const char *what, struct gc_run *run)
{
	static double times[PUSHES_MAX];
	struct arena a;
	size_t count = 0;
	sem_t over;
	double began = now_s();
	pushed_again = 0;
	arena_init(&a);
	sem_init(&over, 0, 0);
	if (run) {
		run->job = (struct store_job){.done = post, .owner = &over, .arena = &a};
		gc_submit(store, run);
	}
	do
		times[count++] = push();
	while (count < PUSHES_MAX && (run ? sem_trywait(&over) != 0 : now_s() - began < 2));
	if (run)
		printf("  collection: %.0f ms, %llu blobs freed, %llu waiting\n",
		    (now_s() - began) * 1e3, (unsigned long long)run->result.blobs,
		    (unsigned long long)run->result.waiting_blobs);
	say(what, times, count);
	if (pushed_again)
		printf("  %lu pushes lost a layer to it, and were made again\n", pushed_again);
	sem_destroy(&over);
	arena_release(&a);
}

static void create_repository(void)
{
	struct arena a;
	sem_t over;
	struct repository_create create = {.job = {.done = post, .owner = &over, .arena = &a},
	    .repository = {.account = key.account,
		.region = key.region,
		.name = key.name,
		.encryption_type = SLICE("AES256")}};
	arena_init(&a);
	sem_init(&over, 0, 0);
	repository_create_submit(store, &create);
	wait_for(&over);
	if (create.job.error.code != ERR_NONE)
		die("making the repository");
	sem_destroy(&over);
	arena_release(&a);
}

int main(int argc, char **argv)
{
	static const struct option words[] = {{"blobs", required_argument, NULL, 'b'},
	    {"large", required_argument, NULL, 'l'}, {"data", required_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0}};
	struct store_options options = {.quotas = {{[QUOTA_IMAGES] = 100000000}}};
	unsigned long blobs = 100000, large = 200;
	struct err err = {""};
	for (int o; (o = getopt_long(argc, argv, "", words, NULL)) != -1;) {
		if (o == '?')
			return 2;
		if (o == 'd')
			options.path = optarg;
		else
			*(o == 'b' ? &blobs : &large) = strtoul(optarg, NULL, 10);
	}
	options.ephemeral = !options.path;
	store = store_open(&options, &err);
	reader = store ? store_reader_open(store, &err) : NULL;
	if (!reader) {
		fprintf(stderr, "gc_bench: %s\n", err.text);
		return 1;
	}
	create_repository();
	fill(blobs, large);
	printf("collection: %lu blobs that no image holds, %lu of them files of 1 MiB, %s\n", blobs,
	    large, options.ephemeral ? "ephemeral" : "durable");
	struct gc_run waiting = {.grace_ms = GC_STORES_GRACE}, all = {.grace_ms = 0};
	measure("without a collection", NULL);
	measure("beside one that finds them waiting", &waiting);
	measure("beside one that frees them", &all);
	store_reader_close(reader);
	store_close(store);
	return 0;
}
