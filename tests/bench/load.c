/*
 * load: a light load generator for registries and ECR endpoints.
 *
 *	load SCENARIO --to ADDRESS:PORT [option...]
 *
 * Prints one line of JSON: operations done, the time they took, errors, bytes received or sent, the
 *median and 99th percentile of an operation's time; retries counts requests sent again because the
 *kept connection had been closed without an answer.  Exits 1 when an operation failed.  `load`
 *alone lists scenarios and options.
 */
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load_http.h"
#include "load_scenarios.h"

#define MIB ((double)(1 << 20))

static const struct scenario *const scenarios[] = {
    &scenario_push_large,
    &scenario_put,
    &scenario_push_small,
    &scenario_pull_large,
    &scenario_pull_small,
    &scenario_manifest,
    &scenario_get,
    &scenario_api,
};

static const struct option options[] = {
    {"to", required_argument, NULL, 't'},
    {"auth", required_argument, NULL, 'a'},
    {"accept", required_argument, NULL, 'A'},
    {"repo", required_argument, NULL, 'r'},
    {"tag", required_argument, NULL, 'T'},
    {"path", required_argument, NULL, 'p'},
    {"digest", required_argument, NULL, 'd'},
    {"target", required_argument, NULL, 'x'},
    {"body", required_argument, NULL, 'b'},
    {"seconds", required_argument, NULL, 's'},
    {"count", required_argument, NULL, 'n'},
    {"connections", required_argument, NULL, 'c'},
    {"threads", required_argument, NULL, 'j'},
    {"size", required_argument, NULL, 'm'},
    {"chunk", required_argument, NULL, 'k'},
    {"seed", required_argument, NULL, 'S'},
    {"first", required_argument, NULL, 'f'},
    {"shared", required_argument, NULL, 'h'},
    {"images", required_argument, NULL, 'i'},
    {"head", no_argument, NULL, 'H'},
    {"verify", no_argument, NULL, 'v'},
    {"tls", no_argument, NULL, 'L'},
    {NULL, 0, NULL, 0},
};

/* clang-format off */
static const char option_help[] =
	"  --to ADDRESS:PORT   the server                --connections N  (default 1)\n"
	"  --seconds S         for how long              --threads N      (default 1)\n"
	"  --count N           or how many operations    --seed N         what content is made from\n"
	"  --auth VALUE        Authorization header      --accept VALUE   Accept header\n"
	"  --repo NAME  --tag NAME  --digest DIGEST  --path PATH\n"
	"  --size MIB          of a large layer          --chunk MIB      of its PATCHes\n"
	"  --shared N          layers all images share   --verify         hash what is pulled\n"
	"  --target OPERATION  for api                   --body FILE      its request\n"
	"  --first N           where its counter starts  --head           HEAD every other time\n"
	"  --images N          how many pull-small pulls in turn\n"
	"  --tls               over TLS, whatever the certificate\n";
/* clang-format on */

static int usage(void)
{
	fprintf(stderr, "usage: load SCENARIO --to ADDRESS:PORT [option...]\n\n");
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		fprintf(stderr, "  %-12s %s\n", scenarios[i]->name, scenarios[i]->help);
	fprintf(stderr, "  %-12s %s\n\n%s", "start",
	    "-- COMMAND...: the time until it answers --path, then SIGTERM", option_help);
	return 2;
}

static bool option_take(struct run *run, int option, const char *value)
{
	/* clang-format off */
	switch (option) {
	case 't': run->host = value; break;
	case 'a': run->auth = value; break;
	case 'A': run->accept = value; break;
	case 'r': run->repo = value; break;
	case 'T': run->tag = value; break;
	case 'p': run->path = value; break;
	case 'd': run->digest = value; break;
	case 'x': run->target = value; break;
	case 'b': run->body_file = value; break;
	case 's': run->seconds = atof(value); break;
	case 'n': run->count = strtoull(value, NULL, 10); break;
	case 'c': run->connections = (unsigned)strtoul(value, NULL, 10); break;
	case 'j': run->threads = (unsigned)strtoul(value, NULL, 10); break;
	case 'm': run->size_bytes = (uint64_t)(atof(value) * MIB + 0.5); break;
	case 'k': run->chunk_bytes = (uint64_t)(atof(value) * MIB + 0.5); break;
	case 'S': run->seed = strtoull(value, NULL, 10); break;
	case 'f': run->first = strtoull(value, NULL, 10); break;
	case 'h': run->shared = (unsigned)strtoul(value, NULL, 10); break;
	case 'i': run->images = strtoull(value, NULL, 10); break;
	case 'H': run->alternate_head = true; break;
	case 'v': run->verify = true; break;
	case 'L': run->secure = true; break;
	default: return false;
	}
	/* clang-format on */
	return true;
}

static void *worker_thread(void *arg)
{
	worker_loop(arg);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const struct run *run, const struct worker *workers)
{
	uint64_t ops = 0, requests = 0, retries = 0, in = 0, out = 0, last = run->started_us;
	size_t n = 0, at = 0;
	struct rusage usage;
	uint32_t *all;

	for (unsigned i = 0; i < run->threads; i++)
		n += workers[i].latency_len;
	all = malloc((n + 1) * sizeof(*all));
	if (!all)
		abort();
	all[0] = 0;
	for (unsigned i = 0; i < run->threads; i++) {
		const struct worker *w = &workers[i];

		if (w->latency_len > 0)
			memcpy(all + at, w->latency_us, w->latency_len * sizeof(*all));
		at += w->latency_len;
		ops += w->ops, requests += w->requests, retries += w->retries, in += w->bytes_in,
		    out += w->bytes_out;
		if (w->last_us > last)
			last = w->last_us;
	}
	qsort(all, n, sizeof(*all), by_value);
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"ops\":%" PRIu64 ",\"seconds\":%.6f,\"errors\":%u,\"bytes\":%" PRIu64
	       ",\"p50_us\":%u,\"p99_us\":%u,"
	       "\"requests\":%" PRIu64 ",\"retries\":%" PRIu64 ",\"bytes_in\":%" PRIu64
	       ",\"bytes_out\":%" PRIu64 ",\"load_cpu_seconds\":%.3f",
	    ops, (double)(last - run->started_us) / 1e6, atomic_load(&run->errors),
	    in > out ? in : out, all[n / 2], all[n * 99 / 100], requests, retries, in, out,
	    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	if (run->digest_out[0])
		printf(",\"digest\":\"%s\"", run->digest_out);
	printf("}\n");
	free(all);
}

static int run_all(struct run *run)
{
	struct worker *workers = calloc(run->threads, sizeof(*workers));
	pthread_t *threads = calloc(run->threads, sizeof(*threads));
	unsigned first = 0;

	if (!workers || !threads || (run->scenario->init && run->scenario->init(run) != 0))
		return 2;
	for (unsigned i = 0; i < run->threads; i++) {
		unsigned n = (run->connections - first) / (run->threads - i);

		if (worker_init(&workers[i], run, first, n) != 0)
			return 1;
		first += n;
	}
	run->started_us = now_us();
	if (run->seconds > 0)
		run->deadline_us = run->started_us + (uint64_t)(run->seconds * 1e6);
	for (unsigned i = 1; i < run->threads; i++)
		pthread_create(&threads[i], NULL, worker_thread, &workers[i]);
	worker_loop(&workers[0]);
	for (unsigned i = 1; i < run->threads; i++)
		pthread_join(threads[i], NULL);
	report(run, workers);
	for (unsigned i = 0; i < run->threads; i++)
		worker_release(&workers[i]);
	free(workers);
	free(threads);
	return atomic_load(&run->errors) > 0;
}

static int run_check(struct run *run)
{
	if (!run->host || run_resolve(run) != 0 || run_tls(run) != 0)
		return usage();
	if (run->seconds <= 0 && run->count == 0)
		run->count = 1;
	if (run->images == 0)
		return usage();
	if (run->connections == 0 || run->threads == 0 || run->threads > run->connections) {
		fprintf(stderr,
		    "load: --threads and --connections must be at least 1, and not "
		    "more threads than connections\n");
		return 2;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct run run = {.repo = "bench/load",
	    .tag = "v",
	    .connections = 1,
	    .threads = 1,
	    .seed = 1,
	    .images = 1};
	int option;

	if (argc < 2)
		return usage();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(argv[1], scenarios[i]->name) == 0)
			run.scenario = scenarios[i];
	if (!run.scenario && strcmp(argv[1], "start") != 0)
		return usage();
	optind = 2;
	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
		if (!option_take(&run, option, optarg))
			return usage();
	if (!run.scenario)
		return run.host && optind < argc ? start_main(run.host, run.path, argv + optind)
						 : usage();
	return run_check(&run) ? 2 : run_all(&run);
}
