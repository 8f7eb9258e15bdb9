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
    struct slice region, struct arena *a, struct replication_rules *out);
/* The same within a job's run function. */
enum error_code replication_rules_tx(struct store_tx *tx, struct slice account, struct slice region,
    struct arena *a, struct replication_rules *out);

/* True when pulls by this principal (an ARN) are not to be noted (RegisterPullTimeUpdateExclusion).
 */
bool pull_time_excluded(
    struct store_reader *reader, struct slice account, struct slice region, struct slice principal);

#endif
