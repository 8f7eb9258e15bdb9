/*
 * Failpoints of development builds. One table counts how often each step was passed; a plan of a few entries is held
 * against name and count.
 */
#include "storage/db/fault.h"

#ifdef DRYDOCK_FAULTS

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 1024, ENTRIES_MAX = 16, NAME_LEN_MAX = 47 };

struct entry {
	char name[NAME_LEN_MAX + 1];
	unsigned from, to; /* counts, both included */
	bool kills;
	int failure;
	unsigned seen; /* steps that its name fits */
};

static struct {
	pthread_mutex_t lock;
	atomic_bool active;
	struct entry entries[ENTRIES_MAX];
	size_t entry_count;
	const char *names[NAMES_MAX];
	unsigned passed[NAMES_MAX];
	size_t name_count;
	unsigned fired;
} faults = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct {
	const char *name;
	int number;
} errnos[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EFBIG", EFBIG},
    {"EMFILE", EMFILE}, {"EACCES", EACCES}, {"EROFS", EROFS}, {"ENOMEM", ENOMEM}};

/* ---- reading a plan ---- */

static bool read_errno(const char *text, int *out)
{
	for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
		if (strcmp(errnos[i].name, text) == 0) {
			*out = errnos[i].number;
			return true;
		}
	}
	return false;
}

/* "3", "3-7" or "3-" */
static bool read_counts(const char *text, struct entry *entry)
{
	char *end;
	unsigned long from = strtoul(text, &end, 10), to = from;

	if (end == text || from == 0)
		return false;
	if (*end == '-' && end[1] == '\0') {
		to = UINT_MAX;
	} else if (*end == '-') {
		text = end + 1;
		to = strtoul(text, &end, 10);
	}
	entry->from = (unsigned)from;
	entry->to = (unsigned)to;
	return *end == '\0' || (*end == '-' && end[1] == '\0');
}

/* "[kill@]name:counts[=errno]"; text is taken apart. */
static bool read_entry(char *text, struct entry *entry)
{
	char *failure = strchr(text, '='), *counts;

	*entry = (struct entry){.failure = EIO};
	if (failure)
		*failure++ = '\0';
	if (strncmp(text, "kill@", 5) == 0) {
		entry->kills = true;
		text += 5;
	}
	counts = strchr(text, ':');
	if (!counts || counts == text || counts - text > NAME_LEN_MAX)
		return false;
	*counts++ = '\0';
	memcpy(entry->name, text, strlen(text) + 1);
	return read_counts(counts, entry) && (!failure || read_errno(failure, &entry->failure));
}

static bool read_plan(const char *plan)
{
	char *copy = strdup(plan), *rest = NULL;
	bool good = copy != NULL;

	faults.entry_count = 0;
	for (char *text = copy ? strtok_r(copy, ",", &rest) : NULL; text && good;
	     text = strtok_r(NULL, ",", &rest))
		good = faults.entry_count < ENTRIES_MAX &&
		    read_entry(text, &faults.entries[faults.entry_count++]);
	free(copy);
	if (!good)
		faults.entry_count = 0;
	return good;
}

bool fault_arm(const char *plan)
{
	bool good;

	pthread_mutex_lock(&faults.lock);
	faults.name_count = 0;
	faults.fired = 0;
	good = read_plan(plan ? plan : "");
	atomic_store(&faults.active, plan && good);
	pthread_mutex_unlock(&faults.lock);
	return good;
}

static void arm_by_environment(void)
{
	const char *plan = getenv("DRYDOCK_FAIL");

	if (plan && !fault_arm(plan)) {
		fprintf(stderr,
		    "drydock: DRYDOCK_FAIL=%s: not name:count[,…], as storage/db/fault.h has it\n",
		    plan);
		_exit(2);
	}
}

/* ---- passing a step ---- */

static void count(const char *name)
{
	size_t i = 0;

	while (
	    i < faults.name_count && faults.names[i] != name && strcmp(faults.names[i], name) != 0)
		i++;
	if (i == NAMES_MAX)
		abort();
	if (i == faults.name_count) {
		faults.names[faults.name_count++] = name;
		faults.passed[i] = 0;
	}
	faults.passed[i]++;
}

static bool fits(const struct entry *entry, const char *name)
{
	size_t len = strlen(entry->name);

	if (strcmp(entry->name, "*") == 0)
		return true;
	return strncmp(entry->name, name, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

int fault(const char *name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int failure = 0;

	pthread_once(&once, arm_by_environment);
	if (!atomic_load(&faults.active))
		return 0;
	pthread_mutex_lock(&faults.lock);
	count(name);
	for (size_t i = 0; i < faults.entry_count && !failure; i++) {
		struct entry *entry = &faults.entries[i];

		if (!fits(entry, name) || ++entry->seen < entry->from || entry->seen > entry->to)
			continue;
		if (entry->kills)
			kill(getpid(), SIGKILL);
		failure = entry->failure;
		faults.fired++;
	}
	pthread_mutex_unlock(&faults.lock);
	return failure;
}

unsigned fault_fired(void)
{
	unsigned fired;

	pthread_mutex_lock(&faults.lock);
	fired = faults.fired;
	pthread_mutex_unlock(&faults.lock);
	return fired;
}

void fault_each(void (*each)(void *arg, const char *name, unsigned passed), void *arg)
{
	/* The table only grows while it is armed, and the caller has no jobs running. */
	for (size_t i = 0; i < faults.name_count; i++)
		each(arg, faults.names[i], faults.passed[i]);
}

#endif
