/*
 * Removing, in the background, what was set aside. Storage-internal; see files_set_aside.
 */
#ifndef DRYDOCK_STORAGE_RESET_H
#define DRYDOCK_STORAGE_RESET_H

#include "storage/store.h"

void clear_aside_submit(struct store *store);

#endif
