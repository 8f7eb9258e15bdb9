/*
 * What storage alone costs: CPU time of this process per small image, per read, per page.
 *
 *	store_bench push [--ephemeral] [--clients 16] [--threads 2] [--images 2000] [--data DIR]
 *	store_bench read [--fill N] [--data DIR]
 *	store_bench large [--mib 512] [--data DIR]
 *
 * A small image is what the load generator pushes: a config and six layers of 2 to 20 KiB, each by
 * HEAD, POST, PATCH, PUT, then HEAD and PUT of the manifest. Each thread drives its clients as a
 * server's loop would.
 */
#include "storage/blobs/upload.h"
#include "storage/images/image.h"
#include "storage/store.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { BLOBS = 7 };
static const size_t blob_bytes[BLOBS] = {2048, 20480, 16384, 12288, 10240, 6144, 4096};

static struct store *store;
static const struct repository_key key = {
    SLICE("000000000000"), SLICE("us-east-1"), SLICE("bench/app")};
static unsigned long images = 2000;
static int clients = 16, threads = 2;
static bool ephemeral;
static const char *data;
static unsigned long fill = 10, mib = 512;

static double now_s(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct error *e)
{
	struct slice detail = e ? e->detail : slice_str("");
	fprintf(stderr, "%s: error %d %.*s\n", what, e ? (int)e->code : 0, SLICE_ARG(detail));
	exit(1);
}

/* one loop thread and its clients */

struct loop {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct client *ready;
	bool asleep;
	unsigned long todo, made;
	int number;
};

enum step { STEP_FINISH, STEP_PUT };

struct client {
	struct client *next;
	struct loop *loop;
	struct store_reader *reader;
	struct arena arena;
	int number;
	unsigned long image;
	int blob;
	enum step step;
	struct digest digests[BLOBS];
	char *bytes;
	struct upload_finish finish;
	struct image_put put;
	struct manifest manifest;
	struct descriptor layers[BLOBS];
	struct slice tag;
	char tag_text[40], text[2048];
};

static void done(struct store_job *job)
{
	struct client *c = job->owner;
	struct loop *l = c->loop;
	if (job->error.code != ERR_NONE)
		die("job", &job->error);
	pthread_mutex_lock(&l->lock);
	c->next = l->ready;
	l->ready = c;
	bool wake = l->asleep;
	l->asleep = false;
	pthread_mutex_unlock(&l->lock);
	if (wake)
		pthread_cond_signal(&l->wake);
}

static struct store_job job_of(struct client *c)
{
	return (struct store_job){.done = done, .owner = c, .arena = &c->arena};
}

static struct upload *acquire(struct client *c, const uint8_t id[16])
{
	struct upload *u = NULL;
	if (upload_acquire(store, c->reader, &key, id, &u) != ERR_NONE)
		die("acquire", NULL);
	return u;
}

/* HEAD, POST, PATCH and PUT of one blob; only the last has to wait. */
static void next_blob(struct client *c)
{
	struct blob found;
	uint8_t id[16];
	uint64_t size;
	char *stamp = c->bytes + blob_bytes[c->blob] - 34;
	struct slice bytes = slice_of(c->bytes, blob_bytes[c->blob]);
	snprintf(stamp, 34, "%03d-%09lu-%d", c->number, c->image, c->blob);
	digest_compute(DIGEST_SHA256, bytes, &c->digests[c->blob]);
	if (blob_stat(c->reader, &key, &c->digests[c->blob], &found) != ERR_BLOB_UNKNOWN)
		die("stat", NULL);
	if (upload_begin(store, c->reader, &key, DIGEST_NONE, id) != ERR_NONE)
		die("begin", NULL);
	struct upload *u = acquire(c, id);
	if (upload_append(u, bytes) != ERR_NONE || upload_keep(u, &size) != ERR_NONE)
		die("append", NULL);
	c->finish = (struct upload_finish){
	    .job = job_of(c), .upload = acquire(c, id), .digest = c->digests[c->blob]};
	c->step = STEP_FINISH;
	upload_finish_submit(store, &c->finish);
}

static void put_image(struct client *c)
{
	struct stored_manifest found;
	snprintf(c->tag_text, sizeof(c->tag_text), "t%d-%lu", c->number, c->image);
	c->tag = slice_str(c->tag_text);
	struct image_id id = {.tag = c->tag};
	if (manifest_read(c->reader, &key, &id, false, &c->arena, &found) != ERR_MANIFEST_UNKNOWN)
		die("manifest", NULL);
	for (int i = 0; i < BLOBS; i++)
		c->layers[i] = (struct descriptor){.digest = c->digests[i], .size = blob_bytes[i]};
	memset(c->text, ' ', 1500);
	snprintf(c->text, sizeof(c->text), "{\"%s\":1}", c->tag_text);
	c->manifest = (struct manifest){.kind = MANIFEST_IMAGE,
	    .media_type = SLICE(MEDIA_OCI_MANIFEST),
	    .artifact_type = SLICE("application/vnd.oci.image.config.v1+json"),
	    .config = c->layers[0],
	    .layers = c->layers + 1,
	    .layer_count = BLOBS - 1};
	c->put = (struct image_put){.job = job_of(c),
	    .key = key,
	    .manifest = slice_of(c->text, 1500),
	    .parsed = &c->manifest,
	    .tags = &c->tag,
	    .tag_count = 1};
	digest_compute(DIGEST_SHA256, c->put.manifest, &c->put.digest);
	c->step = STEP_PUT;
	image_put_submit(store, &c->put);
}

/* False when this client has nothing more to do. */
static bool advance(struct client *c)
{
	switch (c->step) {
	case STEP_FINISH:
		if (++c->blob < BLOBS)
			next_blob(c);
		else
			put_image(c);
		return true;
	case STEP_PUT:
		c->loop->made++;
		arena_reset(&c->arena);
		if (c->loop->todo == 0)
			return false;
		c->loop->todo--;
		c->image++;
		c->blob = 0;
		next_blob(c);
		return true;
	}
	return false;
}

static struct client *take(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	while (!l->ready) {
		l->asleep = true;
		pthread_cond_wait(&l->wake, &l->lock);
	}
	l->asleep = false;
	struct client *c = l->ready;
	l->ready = NULL;
	pthread_mutex_unlock(&l->lock);
	return c;
}

static void *loop_main(void *arg)
{
	struct loop *l = arg;
	struct err err;
	struct store_reader *reader = store_reader_open(store, &err);
	int mine = clients / threads, running = 0;
	struct client *all = calloc((size_t)mine, sizeof(*all));
	for (int i = 0; i < mine && l->todo > 0; i++, running++) {
		struct client *c = &all[i];
		c->loop = l;
		c->reader = reader;
		c->number = l->number * 100 + i;
		c->bytes = calloc(1, 32768);
		arena_init(&c->arena);
		l->todo--;
		next_blob(c);
	}
	while (running > 0) {
		for (struct client *c = take(l), *next; c; c = next) {
			next = c->next;
			running -= !advance(c);
		}
	}
	store_reader_close(reader);
	return NULL;
}

static void open_store(void)
{
	struct store_options options = {
	    .path = data, .ephemeral = ephemeral, .quotas = {{[QUOTA_IMAGES] = 100000000}}};
	struct err err;
	store = store_open(&options, &err);
	if (!store) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned long left;
};

static void done_waiter(struct store_job *job)
{
	struct waiter *w = job->owner;
	if (job->error.code != ERR_NONE && job->error.code != ERR_REPOSITORY_EXISTS)
		die("fill", &job->error);
	pthread_mutex_lock(&w->lock);
	w->left--;
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->wake);
}

static struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void wait_for_jobs(unsigned long most)
{
	pthread_mutex_lock(&waiter.lock);
	while (waiter.left > most)
		pthread_cond_wait(&waiter.wake, &waiter.lock);
	pthread_mutex_unlock(&waiter.lock);
}

static void create_repository(struct arena *a)
{
	struct repository_create create = {
	    .job = {.done = done_waiter, .owner = &waiter, .arena = a},
	    .repository = {.account = key.account,
		.region = key.region,
		.name = key.name,
		.encryption_type = SLICE("AES256")}};
	waiter.left = 1;
	repository_create_submit(store, &create);
	wait_for_jobs(0);
}

static void bench_push(void)
{
	struct loop *loops = calloc((size_t)threads, sizeof(*loops));
	double wall = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < threads; i++) {
		struct loop *l = &loops[i];
		pthread_mutex_init(&l->lock, NULL);
		pthread_cond_init(&l->wake, NULL);
		l->number = i;
		l->todo = images / (unsigned long)threads;
		pthread_create(&l->thread, NULL, loop_main, l);
	}
	unsigned long made = 0;
	for (int i = 0; i < threads; i++) {
		pthread_join(loops[i].thread, NULL);
		made += loops[i].made;
	}
	wall = now_s(CLOCK_MONOTONIC) - wall;
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	printf("push: %lu images, %d clients, %s: %.0f /s, %.0f us CPU an image, peak %ld KiB\n",
	    made, clients, ephemeral ? "ephemeral" : "durable", (double)made / wall,
	    cpu / (double)made * 1e6, usage.ru_maxrss);
}

/* filling and reading */

struct filler {
	struct image_put put;
	struct manifest manifest;
	struct slice tag;
	char text[400], tag_text[24];
	struct arena arena;
	bool busy;
};

static void filled(struct store_job *job)
{
	struct filler *f = (struct filler *)job;
	if (job->error.code != ERR_NONE)
		die("fill", &job->error);
	arena_reset(&f->arena);
	__atomic_store_n(&f->busy, false, __ATOMIC_RELEASE);
	done_waiter(job);
}

static void fill_one(struct filler *f, unsigned long n)
{
	memset(f->text, ' ', sizeof(f->text));
	snprintf(f->tag_text, sizeof(f->tag_text), "tag-%lu", n);
	snprintf(f->text, sizeof(f->text), "{\"n\":%lu}", n);
	f->tag = slice_str(f->tag_text);
	f->manifest = (struct manifest){.kind = MANIFEST_IMAGE,
	    .media_type = SLICE(MEDIA_OCI_MANIFEST),
	    .artifact_type = SLICE("application/vnd.oci.image.config.v1+json")};
	f->put = (struct image_put){.job = {.done = filled, .owner = &waiter, .arena = &f->arena},
	    .key = key,
	    .manifest = slice_of(f->text, sizeof(f->text)),
	    .parsed = &f->manifest,
	    .tags = &f->tag,
	    .tag_count = 1};
	digest_compute(DIGEST_SHA256, f->put.manifest, &f->put.digest);
	image_put_submit(store, &f->put);
}

static void fill_repository(unsigned long from, unsigned long count, const char *what)
{
	enum { DEPTH = 256 };
	static struct filler *f;
	if (!f)
		f = calloc(DEPTH, sizeof(*f));
	double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned long n = 0; n < count; n++) {
		struct filler *one = &f[n % DEPTH];
		while (__atomic_load_n(&one->busy, __ATOMIC_ACQUIRE))
			wait_for_jobs(DEPTH - 2);
		one->busy = true;
		pthread_mutex_lock(&waiter.lock);
		waiter.left++;
		pthread_mutex_unlock(&waiter.lock);
		fill_one(one, from + n);
	}
	wait_for_jobs(0);
	if (what)
		printf("%s: %.1f us CPU each\n", what,
		    (now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)count * 1e6);
}

#define TIMED(times, what, call)                                                                   \
	do {                                                                                       \
		double begin_ = now_s(CLOCK_PROCESS_CPUTIME_ID);                                   \
		for (int i_ = 0; i_ < (times); i_++) {                                             \
			call;                                                                      \
			arena_reset(&a);                                                           \
		}                                                                                  \
		printf("  %-28s %7.2f us\n", what,                                                 \
		    (now_s(CLOCK_PROCESS_CPUTIME_ID) - begin_) / (times)*1e6);                     \
	} while (0)

static void bench_read(void)
{
	struct arena a;
	struct err err;
	struct repository repository;
	struct stored_manifest m;
	struct image_page page;
	struct image_id_page ids;
	struct tag_page tags;
	arena_init(&a);
	fill_repository(0, fill, "put of a new image, tagged");
	fill_repository(fill, 2000, "2000 more");
	struct store_reader *r = store_reader_open(store, &err);
	repository_find(r, &key, &a, &repository);
	int64_t id = repository.id;
	struct image_id by_tag = {.tag = SLICE("tag-7")}, by_digest = {.tag = {NULL, 0}};
	manifest_read(r, &key, &by_tag, true, &a, &m);
	by_digest.digest = m.digest;
	printf("reads, %lu images:\n", fill + 2000);
	TIMED(20000, "repository_find", repository_find(r, &key, &a, &repository));
	TIMED(20000, "manifest_read by tag", manifest_read(r, &key, &by_tag, true, &a, &m));
	TIMED(20000, "manifest_read by digest", manifest_read(r, &key, &by_digest, true, &a, &m));
	TIMED(20000, "  its size only, by tag", manifest_read(r, &key, &by_tag, false, &a, &m));
	struct image image;
	TIMED(20000, "image_find by tag", image_find(r, id, &by_tag, &a, &image));
	TIMED(2000, "image_list 100, any",
	    image_list(r, id, TAG_STATUS_ANY, &m.digest, 100, &a, &page));
	TIMED(2000, "image_list 100, tagged",
	    image_list(r, id, TAG_STATUS_TAGGED, &m.digest, 100, &a, &page));
	TIMED(2000, "image_id_list 100", image_id_list(r, id, TAG_STATUS_ANY, NULL, 100, &a, &ids));
	TIMED(2000, "tag_list 100", tag_list(r, id, by_tag.tag, 100, &a, &tags));
	struct repository_page repositories;
	TIMED(2000, "repository_list 100",
	    repository_list(r, key.account, key.region, slice_of(NULL, 0), 100, &a, &repositories));
	store_reader_close(r);
	arena_release(&a);
}

/* one large layer and its image */

static void bench_large(void)
{
	enum { SLICE_BYTES = 256 * 1024 };
	struct arena a;
	struct err err;
	struct upload *u = NULL;
	uint8_t id[16];
	char *bytes = malloc(SLICE_BYTES);
	struct hasher *hasher = hasher_new(DIGEST_SHA256);
	struct upload_finish finish = {.job = {.done = done_waiter, .owner = &waiter, .arena = &a}};
	struct store_reader *reader = store_reader_open(store, &err);
	arena_init(&a);
	memset(bytes, 'x', SLICE_BYTES);
	for (unsigned long i = 0; i < mib * 4; i++)
		hasher_update(hasher, bytes, SLICE_BYTES);
	hasher_peek(hasher, &finish.digest);
	hasher_free(hasher);
	double wall = now_s(CLOCK_MONOTONIC), cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
	if (upload_begin(store, reader, &key, DIGEST_NONE, id) != ERR_NONE ||
	    upload_acquire(store, reader, &key, id, &u) != ERR_NONE)
		die("begin", NULL);
	for (unsigned long i = 0; i < mib * 4; i++) {
		if (upload_append(u, slice_of(bytes, SLICE_BYTES)) != ERR_NONE)
			die("append", NULL);
	}
	finish.upload = u;
	waiter.left = 1;
	upload_finish_submit(store, &finish);
	wait_for_jobs(0);
	double acknowledged = now_s(CLOCK_MONOTONIC) - wall;
	struct descriptor layer = {.digest = finish.digest, .size = mib << 20};
	struct manifest manifest = {.kind = MANIFEST_IMAGE,
	    .media_type = SLICE(MEDIA_OCI_MANIFEST),
	    .layers = &layer,
	    .layer_count = 1};
	struct image_put put = {.job = {.done = done_waiter, .owner = &waiter, .arena = &a},
	    .key = key,
	    .manifest = SLICE("{}"),
	    .parsed = &manifest};
	digest_compute(DIGEST_SHA256, put.manifest, &put.digest);
	waiter.left = 1;
	image_put_submit(store, &put);
	wait_for_jobs(0);
	wall = now_s(CLOCK_MONOTONIC) - wall;
	cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("large: %lu MiB, %s: blob %.3f s (%.0f MB/s), image %.3f s, %.3f s CPU\n", mib,
	    ephemeral ? "ephemeral" : "durable", acknowledged,
	    (double)(mib << 20) / acknowledged / 1e6, wall, cpu);
	store_reader_close(reader);
	arena_release(&a);
	free(bytes);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"ephemeral", no_argument, NULL, 'e'},
	    {"clients", required_argument, NULL, 'c'}, {"threads", required_argument, NULL, 't'},
	    {"images", required_argument, NULL, 'n'}, {"data", required_argument, NULL, 'd'},
	    {"fill", required_argument, NULL, 'f'}, {"mib", required_argument, NULL, 'm'},
	    {NULL, 0, NULL, 0}};
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'e':
			ephemeral = true;
			break;
		case 'c':
			clients = (int)strtol(optarg, NULL, 10);
			break;
		case 't':
			threads = (int)strtol(optarg, NULL, 10);
			break;
		case 'n':
			images = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			data = optarg;
			break;
		case 'f':
			fill = strtoul(optarg, NULL, 10);
			break;
		case 'm':
			mib = strtoul(optarg, NULL, 10);
			break;
		default:
			return 2;
		}
	}
	const char *verb = optind < argc ? argv[optind] : "push";
	if (!data)
		ephemeral = true;
	struct arena a;
	arena_init(&a);
	double begin = now_s(CLOCK_MONOTONIC);
	open_store();
	printf("open: %.2f ms\n", (now_s(CLOCK_MONOTONIC) - begin) * 1e3);
	create_repository(&a);
	if (strcmp(verb, "read") == 0)
		bench_read();
	else if (strcmp(verb, "large") == 0)
		bench_large();
	else
		bench_push();
	store_close(store);
	arena_release(&a);
	return 0;
}
