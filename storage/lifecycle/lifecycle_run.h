/*
 * Running lifecycle policies: what the engine decides is carried out (ecr-behaviour 4.4).
 *
 * A run goes through repositories one by one, on a thread of its own. Each is decided as of one moment, from a
 * read that holds up nobody, and carried out in small transactions between those of others. In these each
 * decision is held against the image as it is by then: what was pushed, pulled, re-tagged, archived or restored
 * meanwhile is left alone until the next run, and the rest is left when the policy itself has changed. A run that
 * is cut off has done a part; the next one does the rest.
 *
 * The store runs all policies every lifecycle_interval_ms of its clock (store.h). Runs do not overlap.
 */
#ifndef DRYDOCK_STORAGE_LIFECYCLE_RUN_H
#define DRYDOCK_STORAGE_LIFECYCLE_RUN_H

#include "protocol/lifecycle.h"
#include "storage/repositories/repository.h"

/* Why an image is to go. */
enum lifecycle_cause {
	LIFECYCLE_BY_RULE,
	LIFECYCLE_WITH_SUBJECT,    /* its subject goes by that rule */
	LIFECYCLE_SUBJECT_DELETED, /* its subject was deleted earlier, by whatever */
};
enum lifecycle_result {
	LIFECYCLE_CARRIED_OUT,
	LIFECYCLE_REFERENCED, /* an index that stays names it: parents */
	LIFECYCLE_OVERTAKEN,  /* it, or what it depends on, has changed since */
};

struct lifecycle_deed {
	struct lifecycle_deed *next;
	struct digest digest;
	struct slice tags; /* each followed by a NUL */
	enum lifecycle_cause cause;
	enum lifecycle_action action;
	int64_t priority; /* of the rule; 0: LIFECYCLE_SUBJECT_DELETED */
	enum lifecycle_result result;
	struct slice parents; /* LIFECYCLE_REFERENCED: "sha256:.., sha256:.." */
};

struct lifecycle_report {
	struct lifecycle_report *next;
	struct repository_key key;
	int64_t repository_id;
	bool has_policy;
	/* The rest was left: its policy, the repository or the clock changed, or the run failed. */
	bool stopped;
	uint64_t expired, archived, referenced, overtaken;
	struct lifecycle_deed *first, *last; /* in the order of carrying out */
};

/*
 * ERR_REPOSITORY_NOT_FOUND of a repository that is named; ERR_SHUTTING_DOWN: cut off by store_wind_down;
 * ERR_STORAGE_*. In each case what was done stays done.
 */
struct lifecycle_run {
	struct store_job job;      /* its arena must be set */
	struct repository_key key; /* name absent: all repositories of all registries */
	size_t report_max; /* about how many bytes of reports to keep, and as many of deeds */
	/* Called with each repository's report, kept or not, on a thread of the store's; NULL: nobody is. */
	void (*each)(const struct lifecycle_report *report);
	/* out, in the arena: by account, region and name, then those without a policy that had orphans */
	struct lifecycle_report *first, *last;
	bool whole;     /* out: every report was kept, with every deed */
	int64_t now_ms; /* out: when it began */
};
void lifecycle_run_submit(struct store *store, struct lifecycle_run *run);
/* Storage-internal: the same as the work of a job of one's own, on the pool for it. */
void lifecycle_run_work(struct store *store, struct store_job *job);

#endif
