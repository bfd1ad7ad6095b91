/* SPDX-License-Identifier: Apache-2.0 */
#include "run/event_time.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "data/path.h"
#include "data/time_text.h"

/* How often event time moves on by the wall clock. */
enum { QUIET_STEP_US = 200000 };

bool leat_merge_end(const struct leat_merge *merge, struct leat_mark *mark)
{
	struct leat_mark was = *mark;
	bool have_all_ended = merge->n_ended > 0 && merge->n + merge->n_idle == 0;
	int64_t us = have_all_ended ? INT64_MAX : merge->n > 0 ? merge->least_us : merge->most_us;

	mark->is_idle = merge->n == 0 && !have_all_ended;
	if (us > mark->us) /* T1 */
		mark->us = us;
	return mark->us != was.us || mark->is_idle != was.is_idle;
}

/* ---- a source's shard --------------------------------------------------------------------------------------------- */

void leat_source_time_init(struct leat_source_time *t, const struct leat_time_spec *spec, int64_t us, int64_t now_us)
{
	*t = (struct leat_source_time){ .spec = spec, .us = us, .base_us = us, .heard_us = now_us };
}

void leat_source_time_finish(struct leat_source_time *t)
{
	free(t->cut);
}

static int64_t less(int64_t us, int64_t by_us)
{
	return us < INT64_MIN + 1 + by_us ? INT64_MIN + 1 : us - by_us;
}

/* T4: once for all that is late after the same records. */
static void add_cut(struct leat_source_time *t, size_t at, int64_t us)
{
	if (t->n_cuts > 0 && t->cut[t->n_cuts - 1].us == us)
		return;
	t->cut = leat_grow(t->cut, t->n_cuts, &t->cut_capacity, sizeof *t->cut);
	t->cut[t->n_cuts++] = (struct leat_cut){ .at = at, .us = us };
}

bool leat_source_time_read(struct leat_source_time *t, const struct leat_record *record, size_t n, int64_t arrival_us, int64_t now_us)
{
	int64_t us = t->us, most_us = t->spec->future_us > 0 ? arrival_us + t->spec->future_us : INT64_MAX;
	bool has_time = false;

	t->n_cuts = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t time_us = record[i].time_us;

		/* INT64_MAX is the end (T6). A tombstone has no field, and its own time goes by another clock. */
		if (time_us == LEAT_NO_TIME || time_us > most_us || time_us == INT64_MAX ||
		    (t->spec->field != NULL && record[i].value.type == LEAT_NULL))
			continue;
		has_time = true;
		if (time_us < us) {
			t->n_late++;
			if (us > t->us && !LEAT_BUG("late-seen-by-batch"))
				add_cut(t, i, us);
			continue;
		}
		if (less(time_us, t->spec->disorder_us) > us)
			us = less(time_us, t->spec->disorder_us);
	}
	if (!has_time)
		return false;
	t->us = us;
	t->base_us = us;
	t->heard_us = now_us;
	t->is_idle = false;
	return true;
}

static bool is_quiet(const struct leat_source_time *t, int64_t all_us, int64_t now_us)
{
	return t->spec->quiet_us > 0 && t->base_us != LEAT_NO_TIME && now_us - all_us >= t->spec->quiet_us;
}

bool leat_source_time_wait(struct leat_source_time *t, int64_t all_us, int64_t now_us)
{
	int64_t us = t->us;
	bool is_idle = t->is_idle || (t->spec->idle_us > 0 && now_us - t->heard_us >= t->spec->idle_us);
	bool has_changed;

	if (is_quiet(t, all_us, now_us)) {
		int64_t by_us = now_us - all_us - t->spec->quiet_us;

		us = t->base_us > INT64_MAX - 1 - by_us ? INT64_MAX - 1 : t->base_us + by_us;
		is_idle = false;
	}
	if (us < t->us) /* T1 */
		us = t->us;
	has_changed = us != t->us || is_idle != t->is_idle;
	t->us = us;
	t->is_idle = is_idle;
	return has_changed;
}

void leat_source_time_hold(struct leat_source_time *t, int64_t now_us)
{
	t->heard_us = now_us;
}

int64_t leat_source_time_deadline(const struct leat_source_time *t, int64_t all_us, int64_t now_us)
{
	int64_t next_us = INT64_MAX;

	if (t->spec->idle_us > 0 && !t->is_idle)
		next_us = t->heard_us + t->spec->idle_us;
	if (is_quiet(t, all_us, now_us))
		return now_us + QUIET_STEP_US;
	if (t->spec->quiet_us > 0 && t->base_us != LEAT_NO_TIME && all_us + t->spec->quiet_us < next_us)
		next_us = all_us + t->spec->quiet_us;
	return next_us;
}

/* ---- the field ---------------------------------------------------------------------------------------------------- */

static enum leat_status refuse(const struct leat_time_spec *spec, const char *what, struct leat_error *err)
{
	return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" %s, and it is the time", spec->field->text, what);
}

/* Within what 64 bits of microseconds can hold, but for the ends, which mean something else. */
static bool scale_integer(const struct leat_time_spec *spec, int64_t count, int64_t *us)
{
	int64_t scaled;

	if (__builtin_mul_overflow(count, spec->unit_us_numerator, &scaled))
		return false;
	/* Downwards, as times before 1970 are later than what is cut off. */
	*us = scaled / spec->unit_us_denominator - (scaled % spec->unit_us_denominator < 0);
	return *us != INT64_MIN && *us != INT64_MAX;
}

static bool scale_real(const struct leat_time_spec *spec, double count, int64_t *us)
{
	double scaled = floor(count * (double)spec->unit_us_numerator / (double)spec->unit_us_denominator);

	if (!(scaled > -9.2e18 && scaled < 9.2e18))
		return false;
	*us = (int64_t)scaled;
	return true;
}

static enum leat_status read_number(const struct leat_time_spec *spec, const struct leat_value *value, int64_t *us, struct leat_error *err)
{
	double real = 0;
	bool fits;

	(void)leat_as_real(value, &real);
	fits = value->type == LEAT_INTEGER ? scale_integer(spec, value->as.integer, us) : scale_real(spec, real, us);
	return fits ? LEAT_OK : refuse(spec, "is beyond any time", err);
}

static enum leat_status read_field(const struct leat_time_spec *spec, const struct leat_value *value, int64_t *us, struct leat_error *err)
{
	if (value == NULL || value->type == LEAT_NULL)
		return refuse(spec, "is missing or null", err);
	if (value->type == LEAT_TIME) {
		*us = value->as.time_us;
		return *us != INT64_MIN && *us != INT64_MAX ? LEAT_OK : refuse(spec, "is beyond any time", err);
	}
	if (spec->is_text && value->type != LEAT_TEXT)
		return refuse(spec, "is no text such as 2026-01-31T12:00:00Z", err);
	if (spec->is_text)
		return leat_time_read(value, us) ? LEAT_OK : refuse(spec, "is no time such as 2026-01-31T12:00:00Z", err);
	if (value->type != LEAT_INTEGER && value->type != LEAT_REAL)
		return refuse(spec, "is not a number", err);
	return read_number(spec, value, us, err);
}

static enum leat_status judge_future(const struct leat_time_spec *spec, const struct leat_record *record, struct leat_error *err)
{
	char time[LEAT_TIME_TEXT];

	if (spec->future_us == 0 || record->time_us <= record->arrival_us || record->time_us - spec->future_us <= record->arrival_us)
		return LEAT_OK;
	time[leat_time_print(time, record->time_us)] = '\0';
	return leat_error_set(err, LEAT_REJECT, 0, "%s%s%s is %s, further ahead of its arrival than time.future, %" PRId64 " s",
	                      spec->field == NULL ? "its time" : "field \"", spec->field == NULL ? "" : spec->field->text,
	                      spec->field == NULL ? "" : "\"", time, spec->future_us / 1000000);
}

enum leat_status leat_time_of(const struct leat_time_spec *spec, struct leat_record *record, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	/* A tombstone has no fields. */
	if (spec->field != NULL && record->value.type != LEAT_NULL)
		status = read_field(spec, leat_path_get(spec->field, &record->value), &record->time_us, err);
	return status == LEAT_OK ? judge_future(spec, record, err) : status;
}
