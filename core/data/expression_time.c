/* SPDX-License-Identifier: Apache-2.0 */
/* Times in expressions: microseconds since 1970 in UTC. The calendar is Howard Hinnant's days_from_civil and its inverse. */
#include "data/expression_node.h"
#include "data/value.h"

static const int64_t second_us = 1000000, day_us = INT64_C(86400) * 1000000;

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t era, day_of_era, year_of_era, day_of_year, shifted;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = days - era * 146097;
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	shifted = (5 * day_of_year + 2) / 153;
	*day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

size_t leat_time_print(char out[LEAT_TIME_TEXT], int64_t time_us)
{
	int64_t days = divide_down(time_us, day_us), left = time_us - days * day_us, year;
	int64_t second = left / second_us;
	int month, day;

	civil_from_days(days, &year, &month, &day);
	return (size_t)snprintf(out, LEAT_TIME_TEXT, "%04lld-%02d-%02dT%02d:%02d:%02d.%06dZ", (long long)year, month, day,
	                        (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60), (int)(left % second_us));
}

/* ---- reading RFC 3339 -------------------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
};

static bool read_digits(struct reader *r, int n, int64_t most, int64_t *out)
{
	*out = 0;
	for (; n > 0; n--, r->at++) {
		if (r->at == r->end || *r->at < '0' || *r->at > '9')
			return false;
		*out = *out * 10 + (*r->at - '0');
	}
	return *out <= most;
}

static bool read_one_of(struct reader *r, const char *these)
{
	return r->at < r->end && *r->at != '\0' && strchr(these, *r->at++) != NULL;
}

/* More digits than six are cut off, not rounded: a time never moves into the next second. */
static bool read_fraction(struct reader *r, int64_t *us)
{
	int64_t unit = second_us;

	*us = 0;
	if (r->at == r->end || *r->at != '.')
		return true;
	for (r->at++; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		unit /= 10;
		*us += (*r->at - '0') * unit;
	}
	return r->at[-1] != '.';
}

static bool read_zone(struct reader *r, int64_t *east_us)
{
	int64_t hours, minutes;
	bool is_west;

	*east_us = 0;
	if (!read_one_of(r, "Zz+-"))
		return false;
	if (r->at[-1] == 'Z' || r->at[-1] == 'z')
		return true;
	is_west = r->at[-1] == '-';
	if (!read_digits(r, 2, 23, &hours) || !read_one_of(r, ":") || !read_digits(r, 2, 59, &minutes))
		return false;
	*east_us = (hours * 60 + minutes) * 60 * second_us * (is_west ? -1 : 1);
	return true;
}

static bool has_day(int64_t year, int64_t month, int64_t day)
{
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t days = month == 2 ? 28 + is_leap : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;

	return month >= 1 && day >= 1 && day <= days;
}

bool leat_time_read(const struct leat_value *text, int64_t *time_us)
{
	struct reader r = { text->as.text, text->as.text + text->n };
	int64_t year, month, day, hour, minute, second, us, east_us;

	if (!read_digits(&r, 4, 9999, &year) || !read_one_of(&r, "-") || !read_digits(&r, 2, 12, &month) || !read_one_of(&r, "-") ||
	    !read_digits(&r, 2, 31, &day) || !has_day(year, month, day))
		return false;
	if (!read_one_of(&r, "Tt ") || !read_digits(&r, 2, 23, &hour) || !read_one_of(&r, ":") || !read_digits(&r, 2, 59, &minute) ||
	    !read_one_of(&r, ":") || !read_digits(&r, 2, 60, &second))
		return false;
	if (!read_fraction(&r, &us) || !read_zone(&r, &east_us) || r.at != r.end)
		return false;
	*time_us = days_from_civil(year, month, day) * day_us + ((hour * 60 + minute) * 60 + second) * second_us + us - east_us;
	return true;
}

/* ---- functions --------------------------------------------------------------------------------------------------- */

/* time(integer, unit): a number of that unit since 1970. */
static enum leat_status from_integer(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	int64_t time_us = arg[0].as.integer;

	if (n == 1 || leat_text_equals(&arg[1], "us")) {
		*out = leat_time(time_us);
		return LEAT_OK;
	}
	if (leat_text_equals(&arg[1], "ns")) {
		*out = leat_time(divide_down(time_us, 1000));
		return LEAT_OK;
	}
	if (!leat_text_equals(&arg[1], "ms") && !leat_text_equals(&arg[1], "s"))
		return leat_evaluation_reject(e, "time() knows the units s, ms, us and ns");
	if (__builtin_mul_overflow(time_us, arg[1].as.text[0] == 's' ? second_us : 1000, &time_us))
		return leat_evaluation_reject(e, "time() overflows an integer of 64 bits");
	*out = leat_time(time_us);
	return LEAT_OK;
}

enum leat_status leat_apply_time(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	int64_t time_us;

	if (arg->type == LEAT_INTEGER)
		return from_integer(e, arg, n, out);
	if (n == 1 && arg->type == LEAT_TIME) {
		*out = *arg;
		return LEAT_OK;
	}
	if (n != 1 || arg->type != LEAT_TEXT)
		return leat_evaluation_reject(e, "time() takes no %s%s", leat_type_name(arg->type), n == 1 ? "" : " with a unit");
	if (!leat_time_read(arg, &time_us))
		return leat_evaluation_reject(e, "time() cannot read the text \"%.*s\", expected one like 2026-01-31T12:00:00Z",
		                              (int)(arg->n > 40 ? 40 : arg->n), arg->as.text);
	*out = leat_time(time_us);
	return LEAT_OK;
}

enum leat_status leat_apply_hour(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	(void)n;
	if (arg->type != LEAT_TIME)
		return leat_evaluation_reject(e, "hour() takes no %s", leat_type_name(arg->type));
	*out = leat_integer((arg->as.time_us - divide_down(arg->as.time_us, day_us) * day_us) / (3600 * second_us));
	return LEAT_OK;
}

/* Monday is 1, Sunday 7 (ISO 8601). 1970 began on a Thursday. */
enum leat_status leat_apply_weekday(struct leat_evaluation *e, const struct leat_value *arg, size_t n, struct leat_value *out)
{
	int64_t days;

	(void)n;
	if (arg->type != LEAT_TIME)
		return leat_evaluation_reject(e, "weekday() takes no %s", leat_type_name(arg->type));
	days = divide_down(arg->as.time_us, day_us) + 3;
	*out = leat_integer(days - divide_down(days, 7) * 7 + 1);
	return LEAT_OK;
}
