/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holt-Winters with additive seasons (Holt 1957, Winters 1960; in the error-correction form of Hyndman and Athanasopoulos, chapter
 * 8.5), one for the time of day, one for the time of week, or both (Taylor 2003, there multiplicative).
 *
 * Events come when they come, the method wants a series at even steps: a step is a slot, and its value the mean of the slot's events.
 * It is learned when an event of a later slot comes; slots without events are passed over. So an event is judged by what is known
 * from the slots before its own:
 *
 *     expected = level + trend + day[slot mod n_day] + week[slot mod n_week]
 *     error = mean of the slot - expected
 *     level += trend + alpha error,  trend += alpha beta error,  day += gamma error,  week += gamma error
 *
 * The first season is only gathered: the level becomes the mean of its slots, day and week what they differ by. A slot in which
 * there was never an event is learned when it first has some, and its events have no score.
 */
#include <stdlib.h>

#include "anomaly.h"

#define BOUND (10 * VALUE_MAX)

enum { FAR_DAYS = 28 };

static const int64_t day_us = INT64_C(86400000000);

/* ---- slots ------------------------------------------------------------------------------------------------------- */

static int64_t divide_down(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t wrap(int64_t slot, int64_t n)
{
	return slot - divide_down(slot, n) * n;
}

static double *day_of(const struct anomaly *self, struct seasonal_state *s, int64_t slot)
{
	return self->n_day > 0 ? &s->season[wrap(slot, self->n_day)] : NULL;
}

static double *week_of(const struct anomaly *self, struct seasonal_state *s, int64_t slot)
{
	return self->n_week > 0 ? &s->season[self->n_day + wrap(slot, self->n_week)] : NULL;
}

/* Where the longer season has the slot: all slots of the first season have a place of their own there. */
static double *longest_of(const struct anomaly *self, struct seasonal_state *s, int64_t slot)
{
	return self->n_week > 0 ? week_of(self, s, slot) : day_of(self, s, slot);
}

/* False when the slot was never seen. With both seasons that is up to the day: a week that lacks the slot differs by 0. */
static bool expect(const struct anomaly *self, struct seasonal_state *s, int64_t slot, double *out)
{
	const double *day = day_of(self, s, slot), *week = week_of(self, s, slot);
	double expected = s->level + (slot > s->closed ? s->trend : 0);

	if (day != NULL)
		expected += *day;
	if (week != NULL && (day == NULL || !isnan(*week)))
		expected += *week;
	if (isnan(expected))
		return false;
	*out = expected;
	return true;
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

/* Where gaps and trend make errors grow all the same, they end here. */
static double bound(double x)
{
	return x > BOUND ? BOUND : x < -BOUND ? -BOUND : x;
}

static void correct(double *season, double by)
{
	if (season != NULL)
		*season = bound((isnan(*season) ? 0 : *season) + by);
}

static void close_slot(const struct anomaly *self, struct seasonal_state *s)
{
	double value = s->sum / (double)s->n, expected, error;
	double *longest = longest_of(self, s, s->slot);

	if (!s->is_ready) {
		*longest = value;
	} else if (expect(self, s, s->slot, &expected)) {
		error = value - expected;
		s->level = bound(s->level + s->trend + self->alpha * error);
		s->trend = bound(s->trend + self->alpha * self->beta * error);
		correct(day_of(self, s, s->slot), self->gamma * error);
		correct(week_of(self, s, s->slot), self->gamma * error);
	} else {
		s->level = bound(s->level + s->trend);
		correct(self->n_day > 0 ? day_of(self, s, s->slot) : longest, value - s->level);
	}
	s->closed = s->slot;
}

/* The mean of those of n values, `step` apart, that are numbers; not a number when none is. */
static double mean_of(const double *v, int64_t n, int64_t step)
{
	double sum = 0;
	int64_t seen = 0;

	for (int64_t i = 0; i < n; i++) {
		if (isnan(v[i * step]))
			continue;
		sum += v[i * step];
		seen++;
	}
	return seen > 0 ? sum / (double)seen : (double)NAN;
}

/* The first season is there, slot by slot where the longer season belongs: splits it into level, day and week. */
static void begin_seasons(const struct anomaly *self, struct seasonal_state *s)
{
	double *week = s->season + self->n_day;

	s->level = self->n_week > 0 ? mean_of(week, self->n_week, 1) : mean_of(s->season, self->n_day, 1);
	if (self->n_week == 0)
		for (int64_t i = 0; i < self->n_day; i++)
			s->season[i] -= s->level;
	for (int64_t i = 0; i < self->n_day && self->n_week > 0; i++)
		s->season[i] = mean_of(week + i, 7, self->n_day) - s->level;
	for (int64_t i = 0; i < self->n_week; i++)
		week[i] -= s->level + (self->n_day > 0 ? s->season[wrap(i, self->n_day)] : 0);
	s->is_ready = true;
}

/* What lies weeks away from the events before it may be a wrong time, and no step to take: all later events would be of slots that
 * are over. */
static bool is_far(const struct anomaly *self, int64_t slot, int64_t from)
{
	return llabs(slot - from) > FAR_DAYS * (day_us / self->slot_us);
}

static void begin_gathering(const struct anomaly *self, struct seasonal_state *s, int64_t slot)
{
	for (int64_t i = 0; i < self->n_day + self->n_week; i++)
		s->season[i] = (double)NAN;
	s->first = s->slot = s->closed = slot;
	s->n = 0;
	s->sum = 0;
	s->is_begun = true;
}

/* A far step is taken when a second event confirms it. `first` keeps the slot of the one that waits for that; an older one is none,
 * as nothing that is ahead is near it. */
static bool is_confirmed(const struct anomaly *self, struct seasonal_state *s, int64_t slot)
{
	bool is_ahead = slot > s->slot && is_far(self, slot, s->slot);
	bool is_good = !is_ahead || !is_far(self, slot, s->first);

	s->first = is_good ? s->slot : slot;
	return is_good;
}

/* Goes on to the slot of an event: the one before it is complete. */
static void advance(const struct anomaly *self, struct seasonal_state *s, int64_t slot)
{
	int64_t n_season = self->n_week > 0 ? self->n_week : self->n_day;

	/* Until there is a season little is lost, so that a far step either way, after a wrong time or to one, is taken at once. */
	if (!s->is_begun || (!s->is_ready && is_far(self, slot, s->slot)))
		begin_gathering(self, s, slot);
	if (s->is_ready && !is_confirmed(self, s, slot))
		return;
	if (slot <= s->slot)
		return;
	if (s->n > 0)
		close_slot(self, s);
	s->slot = slot;
	s->n = 0;
	s->sum = 0;
	if (!s->is_ready && slot - s->first >= n_season)
		begin_seasons(self, s);
}

/* ---- the detector ------------------------------------------------------------------------------------------------ */

static void judge(const struct anomaly *self, void *state, const struct observation *seen, struct verdict *out)
{
	struct seasonal_state *s = state;
	int64_t slot = divide_down(seen->time_us, self->slot_us);
	double deviation, expected;

	advance(self, s, slot);
	if (!s->is_ready || !expect(self, s, slot, &expected) || s->n_errors < self->warmup)
		return;
	deviation = raise_to_floor(self, sqrt(s->square), expected);
	set_verdict(self, out, count_deviations(seen->value[0], expected, deviation), expected, deviation);
	out->is_below = seen->value[0] < expected;
}

/* An event that comes when its slot is over is judged, but not learned, and so is one that is far ahead. */
static void learn(const struct anomaly *self, void *state, const struct observation *seen)
{
	struct seasonal_state *s = state;
	int64_t slot = divide_down(seen->time_us, self->slot_us);
	double expected, error;

	if (slot != s->slot)
		return;
	s->n++;
	s->sum += seen->value[0];
	if (s->is_ready && expect(self, s, slot, &expected)) {
		error = seen->value[0] - expected;
		s->n_errors++;
		s->square += estimate_share(s->n_errors, self->memory) * (error * error - s->square);
	}
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

/* The largest forecast of slots that all have a value of 0. */
static double run_seasons(const struct anomaly *self, struct seasonal_state *s, int64_t n)
{
	double largest = 0, expected = 0;

	for (int64_t i = 0; i < n * (self->n_day + self->n_week); i++) {
		s->slot++;
		s->n = 1;
		(void)expect(self, s, s->slot, &expected);
		close_slot(self, s);
		largest = fmax(largest, fabs(expected));
	}
	return largest;
}

/* With a trend, and the more so the more slots there are, an error can come back larger in the next season: what is allowed is no
 * simple range (Hyndman, Akram and Archibald 2008, "The admissible parameter space for exponential smoothing models"). So it is tried:
 * of a level that is off, less has to be left after a while. */
static enum leat_status check_growth(const struct anomaly *self, struct leat_error *err)
{
	enum { SEASONS = 25 };
	struct seasonal_state *s = calloc(1, anomaly_tables[self->table].size);
	double before, after;

	if (s == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "could not get memory for %lld slots", (long long)(self->n_day + self->n_week));
	s->level = 1;
	s->is_ready = true;
	before = run_seasons(self, s, SEASONS);
	after = run_seasons(self, s, SEASONS);
	free(s);
	if (self->beta == 0 || after < before)
		return LEAT_OK;
	leat_error_set(err, LEAT_FATAL, 0, "with alpha %g and gamma %g, a beta of %g makes errors grow from season to season", self->alpha,
	               self->gamma, self->beta);
	return leat_error_at(err, "beta");
}

static enum leat_status create(struct anomaly *self, struct leat_error *err)
{
	int64_t n_day = day_us / self->slot_us, n_seasons = self->season == SEASON_BOTH ? 2 : 1;

	if (day_us % self->slot_us != 0) {
		leat_error_set(err, LEAT_FATAL, 0, "slots of %lld s do not divide a day evenly", (long long)(self->slot_us / 1000000));
		return leat_error_at(err, "slot");
	}
	if (self->alpha + (double)n_seasons * self->gamma > 1) {
		leat_error_set(err, LEAT_FATAL, 0, "alpha and %sgamma come to more than 1", n_seasons == 2 ? "two times " : "");
		return leat_error_at(err, "gamma");
	}
	self->n_day = self->season == SEASON_WEEK ? 0 : n_day;
	self->n_week = self->season == SEASON_DAY ? 0 : 7 * n_day;
	(void)choose_table(self, SEASONAL_TABLES, FOREST_TABLES,
	                   sizeof(struct seasonal_state) + (size_t)(self->n_day + self->n_week) * sizeof(double));
	add_to_shape(self, self->season);
	add_to_shape(self, self->slot_us);
	return check_growth(self, err);
}

const struct detector seasonal = {
	.name = "seasonal", .threshold = 5, .needs_time = true, .most_fields = 1, .create = create, .judge = judge, .learn = learn,
};
