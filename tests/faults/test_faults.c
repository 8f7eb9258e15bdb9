/*
 * Every failure of storage, one after another. The scenario is played once to count the steps that can fail
 * (storage/db/fault.h); then once for each of them
 *
 *	failing once       the client is told, tries again, and that must succeed
 *	failing from then on, for as long as the process lives: every request is answered, and the store closes
 *	killing the process there
 *
 * and after each the folder is opened again and must hold what was acknowledged (scenario.h: invariants_hold).
 *
 * DRYDOCK_FAULTS_SHARE=N plays every N-th of them only, beginning with DRYDOCK_FAULTS_FIRST; DRYDOCK_FAULTS_ONLY=PLAN
 * plays one, and keeps its folder.
 */
#include "folder.h"
#include "scenario.h"

#include "storage/db/fault.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PLACES_MAX = 512, AT_ONCE = 2, RUN_SECONDS = 90 };

enum manner { FAILS_ONCE, FAILS_ON, KILLS, MANNERS };
static const char *const plans[MANNERS] = {"%s:%u", "%s:%u-", "kill@%s:%u"};

/* In memory that the counting child shares. */
struct places {
	size_t count;
	struct {
		char name[48];
		unsigned passed;
	} at[PLACES_MAX];
};

struct run {
	pid_t pid;
	char plan[96], folder[64];
	bool kills, looks; /* looks: its second child, which holds the invariants */
	struct world *world;
	time_t until;
};

static unsigned failures, played, fired;

/* ---- counting ---- */

static void note_place(void *arg, const char *name, unsigned passed)
{
	struct places *places = arg;

	if (places->count == PLACES_MAX)
		abort();
	snprintf(places->at[places->count].name, sizeof(places->at[0].name), "%s", name);
	places->at[places->count++].passed = passed;
}

static int compare_places(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct places *count_places(void)
{
	struct places *places =
	    mmap(NULL, sizeof(*places), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct world *world = world_new();
	char folder[64];
	int status;
	pid_t pid;

	folder_make(folder);
	pid = fork();
	if (pid == 0) {
		fault_arm("");
		scenario_play(folder, world, AFTER_REFUSAL_RETRY);
		fault_each(note_place, places);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (!world->complete || world->refusals || !invariants_hold(folder, world)) {
		printf("without any failure: %u refusals; %s\n", world->refusals, world->complaint);
		exit(1);
	}
	folder_remove(folder);
	world_free(world);
	qsort(places->at, places->count, sizeof(places->at[0]), compare_places);
	return places;
}

/* ---- running ---- */

static void run_child(struct run *run)
{
	fflush(stdout);
	run->until = time(NULL) + RUN_SECONDS;
	run->pid = fork();
	if (run->pid != 0)
		return;
	if (run->looks) {
		invariants_hold(run->folder, run->world);
	} else {
		bool on = run->plan[strlen(run->plan) - 1] == '-';

		if (!fault_arm(run->plan))
			complain(run->world, "the plan cannot be read");
		scenario_play(
		    run->folder, run->world, on ? AFTER_REFUSAL_GO_ON : AFTER_REFUSAL_RETRY);
	}
	_exit(0);
}

static void run_begin(struct run *run, const char *plan)
{
	*run = (struct run){.world = world_new()};
	snprintf(run->plan, sizeof(run->plan), "%s", plan);
	run->kills = strncmp(plan, "kill@", 5) == 0;
	folder_make(run->folder);
	played++;
	run_child(run);
}

/* True when it is over. */
static bool run_advance(struct run *run, int status)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	if (killed && run->kills && !run->looks)
		fired++;
	else if (WIFSIGNALED(status) ||
	    (WIFEXITED(status) && WEXITSTATUS(status) != 0 && !run->world->complaint[0]))
		complain(run->world, "%s: the process ended with status %#x, in step %u",
		    run->looks ? "afterwards" : "playing", status, run->world->steps);
	if (!run->looks && !run->world->complaint[0]) {
		run->looks = true;
		run_child(run);
		return false;
	}
	if (run->world->complaint[0]) {
		failures++;
		printf("%s: %s\n", run->plan, run->world->complaint);
	}
	if (run->world->complaint[0] && getenv("DRYDOCK_FAULTS_ONLY"))
		printf("its folder: %s\n", run->folder);
	else
		folder_remove(run->folder);
	world_free(run->world);
	run->pid = 0;
	return true;
}

static struct run runs[AT_ONCE];

static void runs_wait(void)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		for (size_t i = 0; i < AT_ONCE; i++) {
			if (runs[i].pid && time(NULL) > runs[i].until) {
				complain(runs[i].world, "%s hangs, in step %u",
				    runs[i].looks ? "looking" : "playing", runs[i].world->steps);
				kill(runs[i].pid, SIGKILL);
			}
		}
		return;
	}
	for (size_t i = 0; i < AT_ONCE; i++) {
		if (runs[i].pid == pid)
			run_advance(&runs[i], status);
	}
}

static struct run *run_free(void)
{
	for (;;) {
		for (size_t i = 0; i < AT_ONCE; i++) {
			if (!runs[i].pid)
				return &runs[i];
		}
		runs_wait();
	}
}

static void runs_end(void)
{
	for (size_t i = 0; i < AT_ONCE; i++) {
		while (runs[i].pid)
			runs_wait();
	}
}

int main(void)
{
	const char *only = getenv("DRYDOCK_FAULTS_ONLY");
	unsigned share = number_of("DRYDOCK_FAULTS_SHARE", 1),
		 first = number_of("DRYDOCK_FAULTS_FIRST", 0);
	struct places *places;
	unsigned long all = 0;

	if (only) {
		run_begin(run_free(), only);
		runs_end();
		return failures ? 1 : 0;
	}
	places = count_places();
	for (size_t i = 0; i < places->count; i++) {
		for (unsigned n = 1; n <= places->at[i].passed; n++) {
			for (int manner = 0; manner < MANNERS; manner++) {
				char plan[96];

				if (all++ % share != first % share)
					continue;
				snprintf(plan, sizeof(plan), plans[manner], places->at[i].name, n);
				run_begin(run_free(), plan);
			}
		}
	}
	runs_end();
	printf(
	    "%zu kinds of steps, %lu places with their manners; %u played, %u killed, %u failed\n",
	    places->count, all, played, fired, failures);
	return failures ? 1 : 0;
}
