/*
 * Times by hand, because strptime() and its kin follow the locale, take more than the grammar has, and say nothing
 * of what is behind.
 *
 * Dates are counted in days, exactly, over the years 1970 to 9999.
 */
#include "protocol/timestamp.h"

#include <stdio.h>

enum { DAY_SECONDS = 86400, DAYS_0000_TO_1970 = 719468 };

static const int64_t last_ms = 253402300799999; /* of the year 9999 */

/* Days since 1970-01-01 of a civil date, and back: Howard Hinnant's algorithms, years from March. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
	    DAYS_0000_TO_1970;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + DAYS_0000_TO_1970, era = z / 146097, d = z - era * 146097;
	int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	int64_t of_year = d - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	*day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

/* Reads `len` digits at *at and moves past them; -1 when they are not digits. */
static int take(struct slice *s, size_t len)
{
	unsigned long long value;

	if (s->len < len || !slice_to_u64(slice_of(s->at, len), &value))
		return -1;
	*s = slice_skip(*s, len);
	return (int)value;
}

static bool take_char(struct slice *s, char c)
{
	if (s->len == 0 || s->at[0] != c)
		return false;
	*s = slice_skip(*s, 1);
	return true;
}

/* ".250" -> 250, any number of digits up to nine; no dot -> 0; -1 when malformed. */
static int take_fraction_ms(struct slice *s)
{
	size_t digits = 0;
	int ms = 0;

	if (!take_char(s, '.'))
		return 0;
	while (digits < s->len && s->at[digits] >= '0' && s->at[digits] <= '9' && digits < 9)
		digits++;
	if (digits == 0)
		return -1;
	for (size_t i = 0; i < 3; i++)
		ms = ms * 10 + (i < digits ? s->at[i] - '0' : 0);
	*s = slice_skip(*s, digits);
	return ms;
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct slice *s, int64_t *days)
{
	int year = take(s, 4), month, day;

	if (year < 1970 || !take_char(s, '-'))
		return false;
	month = take(s, 2);
	if (month < 1 || month > 12 || !take_char(s, '-'))
		return false;
	day = take(s, 2);
	if (day < 1 || day > month_days(year, month))
		return false;
	*days = days_of(year, month, day);
	return true;
}

static bool take_time(struct slice *s, int64_t *ms)
{
	int hour = take(s, 2), minute, second, fraction;

	if (hour < 0 || hour > 23 || !take_char(s, ':'))
		return false;
	minute = take(s, 2);
	if (minute < 0 || minute > 59 || !take_char(s, ':'))
		return false;
	second = take(s, 2);
	fraction = take_fraction_ms(s);
	if (second < 0 || second > 59 || fraction < 0)
		return false;
	*ms = ((hour * 60 + minute) * 60 + second) * 1000LL + fraction;
	return true;
}

/* "Z", "+01:00", "-09:30": how much the time is ahead of UTC. */
static bool take_offset(struct slice *s, int64_t *ms)
{
	int sign, hours, minutes;

	*ms = 0;
	if (take_char(s, 'Z'))
		return true;
	sign = take_char(s, '+') ? 1 : take_char(s, '-') ? -1 : 0;
	hours = sign ? take(s, 2) : -1;
	if (hours < 0 || hours > 23 || !take_char(s, ':'))
		return false;
	minutes = take(s, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*ms = sign * (hours * 60 + minutes) * 60000LL;
	return true;
}

bool timestamp_parse(struct slice text, int64_t *unix_ms)
{
	int64_t days, ms, ahead_ms;

	if (!take_date(&text, &days) || !take_char(&text, 'T') || !take_time(&text, &ms) ||
	    !take_offset(&text, &ahead_ms) || text.len > 0)
		return false;
	ms += days * DAY_SECONDS * 1000LL - ahead_ms;
	if (ms < 0 || ms > last_ms)
		return false;
	*unix_ms = ms;
	return true;
}

/* "2026", "2026-01" and "2026-01-02" are their first moment; *s is what is behind them. */
static bool take_partial_date(struct slice *s, int64_t *days)
{
	struct slice rest = *s;
	int year = take(&rest, 4), month = 1;

	if (take_date(s, days))
		return true;
	if (year < 1970)
		return false;
	if (take_char(&rest, '-')) {
		month = take(&rest, 2);
		if (month < 1 || month > 12)
			return false;
	}
	*s = rest;
	*days = days_of(year, month, 1);
	return rest.len == 0;
}

/* "10:30" is without seconds, which take_time wants. */
static bool take_short_time(struct slice *s, int64_t *ms)
{
	struct slice rest = *s;
	int hour = take(&rest, 2), minute;

	if (take_time(s, ms))
		return true;
	if (hour < 0 || hour > 23 || !take_char(&rest, ':'))
		return false;
	minute = take(&rest, 2);
	*s = rest;
	*ms = (hour * 60 + minute) * 60 * 1000LL;
	return minute >= 0 && minute <= 59;
}

bool timestamp_parse_w3c(struct slice text, int64_t *unix_ms)
{
	unsigned long long seconds;
	int64_t days, ms = 0, ahead_ms = 0;

	if (text.len != 4 && text.len <= 12 && slice_to_u64(text, &seconds)) {
		*unix_ms = (int64_t)seconds * 1000;
		return true;
	}
	if (!take_partial_date(&text, &days))
		return false;
	if (text.len &&
	    (!take_char(&text, 'T') || !take_short_time(&text, &ms) ||
		!take_offset(&text, &ahead_ms) || text.len))
		return false;
	*unix_ms = days * DAY_SECONDS * 1000LL + ms - ahead_ms;
	return true;
}

struct slice timestamp_format(int64_t unix_ms, char text[TIMESTAMP_TEXT_MAX])
{
	int64_t seconds = unix_ms / 1000, of_day = seconds % DAY_SECONDS, year;
	int ms = (int)(unix_ms % 1000), month, day, len;

	date_of(seconds / DAY_SECONDS, &year, &month, &day);
	len = snprintf(text, TIMESTAMP_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year % 10000,
	    month, day, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
	if (ms)
		len += snprintf(text + len, TIMESTAMP_TEXT_MAX - (size_t)len, ".%03d", ms);
	len += snprintf(text + len, TIMESTAMP_TEXT_MAX - (size_t)len, "Z");
	return slice_of(text, (size_t)len);
}
