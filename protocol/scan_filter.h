/*
 * Which repositories a registry's scanning rules speak of (ecr-behaviour 8.4). Pure.
 */
#ifndef DRYDOCK_PROTOCOL_SCAN_FILTER_H
#define DRYDOCK_PROTOCOL_SCAN_FILTER_H

#include "protocol/slice.h"

/* A filter without '*' is looked for anywhere in the name; one with it must match the whole. */
bool scan_filter_matches(struct slice filter, struct slice repository);
/*
 * Whether a push to the repository starts a scan by configuration, the JSON text of a
 * RegistryScanningConfiguration (absent: the default one). of_repository: its own scanOnPush, which counts
 * with BASIC scanning.
 */
bool scan_follows_push(struct slice configuration, bool of_repository, struct slice repository);

#endif
