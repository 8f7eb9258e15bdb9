/*
 * Times as text, RFC 3339: "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.250Z", and read also
 * "2026-01-01T01:00:00+01:00". Pure.
 */
#ifndef DRYDOCK_PROTOCOL_TIMESTAMP_H
#define DRYDOCK_PROTOCOL_TIMESTAMP_H

#include "protocol/slice.h"

#include <stdint.h>

enum { TIMESTAMP_TEXT_MAX = 32 };

/* Years 1970 to 9999 in UTC. False when text is not of that form. */
bool timestamp_parse(struct slice text, int64_t *unix_ms);
/*
 * W3C's forms of ISO 8601 (NOTE-datetime): a year, with a month, a day, and then hours and minutes, seconds, a
 * fraction, with Z or an offset such as +02:00. Other runs of digits than a year's four are seconds since 1970.
 */
bool timestamp_parse_w3c(struct slice text, int64_t *unix_ms);
/* With milliseconds only where there are any. unix_ms within the years above. */
struct slice timestamp_format(int64_t unix_ms, char text[TIMESTAMP_TEXT_MAX]);

#endif
