/*
 * Failpoints: in a development build any step of storage can be made to fail, or to kill the process, by its name and
 * count. A release build contains none of it: DRYDOCK_FAULTS is defined where the tests are built.
 *
 *	DRYDOCK_FAIL=sql.COMMIT:3             the third commit fails
 *	DRYDOCK_FAIL=flush-log:1=ENOSPC       the first flush of the log does, as on a full disk
 *	DRYDOCK_FAIL=write:5-,kill@rename:2   every write from the fifth on fails; the second rename kills
 *
 * A development build also takes such a plan while it runs (server/admin/failpoints.c).
 *
 * A step is named where it is taken: disk.h has those of the file system, "sql.NAME" is each step of a statement of
 * sql.h, "wal-write" and the like are what SQLite does with its files (disk_vfs.c). An entry for "sql" means every
 * "sql.…", one for "*" every step. Several entries may stand side by side; the first that fits decides.
 *
 * Any thread. Counting takes a lock, and only while something is armed or counted.
 */
#ifndef DRYDOCK_STORAGE_FAULT_H
#define DRYDOCK_STORAGE_FAULT_H

#include <stdbool.h>

#ifdef DRYDOCK_FAULTS

/* 0: the step is to be taken. Else the errno with which it fails instead. May not return at all. name lives as long as the process. */
int fault(const char *name);

/*
 * Replaces what is armed by a plan as above; NULL: nothing fails, and nothing is counted; "": everything is counted.
 * Counts begin anew. False (and nothing armed) when the plan cannot be read.
 */
bool fault_arm(const char *plan);
/* How often a step that the plan names was made to fail since. */
unsigned fault_fired(void);
/* Calls back for each name that was passed since, with how often. */
void fault_each(void (*each)(void *arg, const char *name, unsigned passed), void *arg);

#else

static inline int fault(const char *name)
{
	(void)name;
	return 0;
}

#endif
#endif
