/*
 * What a collection did, as the door /_drydock/gc and the verb gc say it.
 */
#ifndef DRYDOCK_SERVER_GC_REPORT_H
#define DRYDOCK_SERVER_GC_REPORT_H

#include "protocol/json.h"
#include "storage/blobs/gc.h"

/* The members of an object that was begun. */
void gc_report_write(struct json_writer *w, const struct gc_result *result);
/* From such an object. False when it is none. */
bool gc_report_read(const cJSON *in, struct gc_result *result);

#endif
