/*
 * The power is cut. The scenario is played once while every change to the folder is recorded; then the folder is made
 * as it may be after a cut behind some change (recorder.h), by a machine that boots anew, and must hold what had been
 * acknowledged by then.
 *
 * DRYDOCK_CUTS=N tries N cuts (300), beginning with seed DRYDOCK_CUTS_SEED (1); with DRYDOCK_CUTS=1 the folder is kept.
 */
#include "folder.h"
#include "recorder.h"

#include "storage/db/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void record(const char *path, struct world *world)
{
	char folder[64];
	int status;
	pid_t pid;

	folder_make(folder);
	pid = fork();
	if (pid == 0) {
		recorder_begin(path, world);
		scenario_play(folder, world, AFTER_REFUSAL_RETRY);
		recorder_end();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	folder_remove(folder);
	if (status != 0 || !world->complete || world->refusals) {
		printf("without a cut: %u refusals; %s\n", world->refusals, world->complaint);
		exit(1);
	}
}

/* In a process of its own, so that one cut's crash is not the end of the others. */
static bool cut(struct recording *recording, unsigned seed, bool keep)
{
	struct world *world = world_new();
	size_t changes = (size_t)(seed * 2654435761u) % (recording_changes(recording) + 1);
	char folder[64],
	    *said = mmap(NULL, 160, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	bool good;
	pid_t pid;

	folder_make(folder);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		recording_cut(recording, changes, seed, folder, world, said);
		fault_arm("same-boot:1");
		invariants_hold(folder, world);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		complain(world, "the process ended with status %#x", status);
	good = !world->complaint[0];
	if (!good)
		printf("%s (step %u): %s\n", said, world->steps, world->complaint);
	if (keep)
		printf("its folder: %s\n", folder);
	else
		folder_remove(folder);
	munmap(said, 160);
	world_free(world);
	return good;
}

int main(void)
{
	unsigned cuts = number_of("DRYDOCK_CUTS", 300), seed = number_of("DRYDOCK_CUTS_SEED", 1),
		 failed = 0;
	struct world *world = world_new();
	struct recording *recording;
	char path[64];

	snprintf(path, sizeof(path), "%s/drydock-recording-%ld", folder_base(), (long)getpid());
	record(path, world);
	recording = recording_open(path);
	for (unsigned i = 0; i < cuts; i++)
		failed += !cut(recording, seed + i, cuts == 1);
	printf("%zu changes recorded; %u cuts from seed %u on, %u failed\n",
	    recording_changes(recording), cuts, seed, failed);
	recording_close(recording);
	unlink(path);
	return failed ? 1 : 0;
}
