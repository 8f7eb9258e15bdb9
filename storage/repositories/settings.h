/*
 * A registry's settings as those who act on them need them; what nobody has set has ECR's default.
 * On the calling thread, but for replication_rules_tx.
 */
#ifndef DRYDOCK_STORAGE_SETTINGS_H
#define DRYDOCK_STORAGE_SETTINGS_H

#include "protocol/replication.h"
#include "storage/repositories/document.h"

/* The rules of PutReplicationConfiguration; none when there are none. */
enum error_code replication_rules(struct store_reader *reader, struct slice account,
    struct slice region, struct arena *a, struct replication_rules *out)
    __attribute__((warn_unused_result));
/* The same within a job's run function. */
enum error_code replication_rules_tx(struct store_tx *tx, struct slice account, struct slice region,
    struct arena *a, struct replication_rules *out) __attribute__((warn_unused_result));

/*
 * Whether pulls by this principal (an ARN; absent: nobody's are) are not to be noted
 * (RegisterPullTimeUpdateExclusion). Another code than ERR_NONE: a failure of storage, and *excluded says nothing.
 */
enum error_code pull_time_excluded(struct store_reader *reader, struct slice account,
    struct slice region, struct slice principal, bool *excluded)
    __attribute__((warn_unused_result));

#endif
