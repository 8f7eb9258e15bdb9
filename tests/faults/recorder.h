/*
 * What was asked of the disk, in order, and what it may hold when the power is cut after any of it.
 *
 * Recording: every change that storage makes to its folder (storage/db/disk.h) is appended to a log, together with what
 * the client knew at that moment. Replaying: up to a point in the log, what was flushed is there. Of what was not,
 * any part may be: of the bytes of files each sector by itself, of names (made, linked, renamed, removed) the first
 * few in their order. That is what POSIX allows and journaling file systems do: a file's flush says nothing of its
 * name, a folder's flush says nothing of the bytes.
 */
#ifndef DRYDOCK_TESTS_FAULTS_RECORDER_H
#define DRYDOCK_TESTS_FAULTS_RECORDER_H

#include "scenario.h"

/* Records into the file from now on, for one store at a time; the world is copied whenever recorder_note is called. */
void recorder_begin(const char *path, const struct world *world);
/* The client's knowledge has changed: before it asks, and after it was answered. */
void recorder_note(void);
void recorder_end(void);

/* A log, read. */
struct recording;
struct recording *recording_open(const char *path);
void recording_close(struct recording *recording);
/* How many changes were recorded: a cut may come after 0 to so many. */
size_t recording_changes(const struct recording *recording);
/*
 * Makes the folder as it may be after a cut behind `changes` of them, and fills the world with what the client knew
 * then. The same seed makes the same folder. Says in words what was kept.
 */
void recording_cut(struct recording *recording, size_t changes, unsigned seed, const char *folder,
    struct world *world, char said[160]);

#endif
