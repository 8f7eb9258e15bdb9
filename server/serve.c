/* drydock serve: open the store, listen, wait for a signal, finish. */
#include "server/app.h"
#include "server/iam_file.h"
#include "server/log.h"
#include "server/log_out.h"
#include "server/memory_limit.h"
#include "server/verbs.h"
#include "storage/lifecycle/lifecycle_run.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* How long running requests may go on after the first signal. */
enum { GRACE_MS = 10000 };

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static void exit_at_once(int signal)
{
	(void)signal;
	_exit(1);
}

/* SIGINT and SIGTERM are taken by sigwait in this thread; no other thread may see them. */
static void block_signals(sigset_t *stop)
{
	sigemptyset(stop);
	sigaddset(stop, SIGINT);
	sigaddset(stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, stop, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* From here on a further signal ends the process, whatever still runs. */
static void arm_second_signal(const sigset_t *stop)
{
	struct sigaction action = {.sa_handler = exit_at_once};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, stop, NULL);
}

/*
 * What a large request needed goes back to the system at once, however often such requests come. Where addresses are few,
 * threads share one heap: glibc would map 64 MiB for each one's own.
 */
static void keep_memory_flat(const struct memory_limit *limit)
{
#ifdef M_ARENA_MAX
	if (limit->addresses_limited)
		mallopt(M_ARENA_MAX, 1);
#endif
#ifdef M_MMAP_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
#endif
}

/* Each connection is a descriptor, and each download of a large layer one more. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* For a person at a terminal: the four commands with which to try it. */
static void print_first_steps(const struct app *app)
{
	const char *host = config_local_host(app->config),
		   *scheme = app_port(app) ? "http" : "https";
	unsigned port = app_port(app) ? app_port(app) : app_tls_port(app);
	char at[300];

	snprintf(at, sizeof(at), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	printf("\nTry it from another terminal:\n\n"
	       "  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=%s "
	       "AWS_ENDPOINT_URL=%s://%s\n\n"
	       "  aws ecr create-repository --repository-name hello\n"
	       "  aws ecr get-login-password | docker login --username AWS --password-stdin %s\n"
	       "  docker tag IMAGE %s/hello:v1 && docker push %s/hello:v1\n"
	       "  docker pull %s/hello:v1\n\n"
	       "%sCtrl-C stops it.\n",
	    app->config->region, scheme, at, at, at, at, at,
	    app->ca ? "drydock ca: how clients come to trust its certificates. " : "");
}

/* Whoever reads the first line may connect, over TLS as well. */
static void announce(const struct app *app)
{
	if (app->authority[0])
		printf("drydock ready on http://%s\n", app->authority);
	if (app->tls_authority[0])
		printf("drydock ready on https://%s\n", app->tls_authority);
	if (isatty(STDOUT_FILENO))
		print_first_steps(app);
	fflush(stdout);
}

/* What a run of the schedule has done to a repository, where that is anything. */
static void log_lifecycle(const struct lifecycle_report *r)
{
	uint64_t failed = r->referenced + r->overtaken;

	if (r->expired + r->archived + failed == 0 && !r->stopped)
		return;
	log_say(LOG_LEVEL_INFO,
	    "lifecycle run: %.*s in %.*s, %.*s: %llu expired, %llu archived, %llu kept after all%s",
	    SLICE_ARG(r->key.name), SLICE_ARG(r->key.account), SLICE_ARG(r->key.region),
	    (unsigned long long)r->expired, (unsigned long long)r->archived,
	    (unsigned long long)failed, r->stopped ? ", the rest left to the next run" : "");
}

static void log_checkpoint(const char *cause)
{
	log_say(LOG_LEVEL_ERROR,
	    "the database cannot take in its log, which grows from now on: %s; see to the disk",
	    cause);
}

static int serve(const struct config *config, const struct iam_config *iam)
{
	struct gc_settings gc = {config->gc_grace_s * 1000LL, config->gc_interval_s * 1000LL};
	struct store_options options = {.path = config->ephemeral ? NULL : config->data,
	    .ephemeral = config->ephemeral,
	    .quotas = config->quotas,
	    .gc = &gc,
	    .lifecycle_interval_ms =
		config->lifecycle_interval_s ? config->lifecycle_interval_s * 1000LL : -1,
	    .keep_orphans = !quirk_on(&config->quirks, QUIRK_ORPHANED_REFERRERS_GO),
	    .enforce_policies = config->auth == AUTH_IAM,
	    .lifecycle_ran = log_lifecycle,
	    .checkpoint_failed = log_checkpoint};
	struct memory_limit memory = memory_limit_find();
	struct err err = {""};
	struct store *store;
	struct app app;
	sigset_t stop;
	int signal;

	block_signals(&stop);
	raise_descriptor_limit();
	keep_memory_flat(&memory);
	log_out_start();
	store = store_open(&options, &err);
	if (!store) {
		fprintf(stderr, "drydock: %s\n", err.text);
		return 1;
	}
	if (!app_start(&app, config, &memory, store, iam, &err)) {
		store_close(store);
		log_out_end();
		fprintf(stderr, "drydock: %s\n", err.text);
		return 1;
	}
	announce(&app);
	malloc_trim(0); /* what starting took */
	sigwait(&stop, &signal);
	arm_second_signal(&stop);
	store_wind_down(store);
	app_stop(&app, GRACE_MS);
	store_close(store);
	log_out_end();
	return 0;
}

/* --auth iam: the file is read before anything else is done. */
static int serve_with_iam(const struct config *config)
{
	struct err err = {""};
	struct iam_config iam;
	struct arena arena;
	int code = 2;

	arena_init(&arena);
	if (iam_file_read(config->iam, &arena, &iam, &err))
		code = serve(config, &iam);
	else
		fprintf(stderr, "drydock: %s\n", err.text);
	arena_release(&arena);
	return code;
}

int verb_serve(int argc, char **argv)
{
	struct config config;
	char why[512];

	if (wants_help(argc, argv)) {
		puts("usage: drydock serve [OPTION]...\n");
		config_usage(stdout);
		return 0;
	}
	if (!config_read(&config, argc, argv, why, sizeof(why))) {
		fprintf(stderr, "drydock: %s\n", why);
		return 2;
	}
	log_setup(config.log_level, config.log_format);
	return config.auth == AUTH_IAM ? serve_with_iam(&config) : serve(&config, NULL);
}
