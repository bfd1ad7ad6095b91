/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_ANOMALY_H
#define LEAT_PLUGINS_ANOMALY_H

#include <math.h>

#include <leat/plugin.h>

#include "estimate.h"
#include "state.h"

/*
 * What the operator and its detectors share. For each event the operator opens the state of its key, has the detector judge the
 * value by what it has learned from those before, damps the value where it was an anomaly, and has the detector learn it.
 *
 * Nothing that is not finite comes out: values are at most VALUE_MAX in size, so that sums of their squares stay finite, and scores
 * at most SCORE_MAX, which is also what stands for a distance over a deviation of 0.
 */

#define VALUE_MAX 1e100
#define SCORE_MAX 1e6
#define ROUNDING 1e-12

enum { LEARN_DAMPED, LEARN_ALL, LEARN_NONE };
enum { SEASON_DAY, SEASON_WEEK, SEASON_BOTH };

struct anomaly {
	/* Options. */
	struct leat_paths fields;
	int method, learn, season;
	int64_t warmup, memory, window, slot_us, trees, depth, seed, forget_us;
	double threshold, floor, lambda, slack, alpha, beta, gamma;
	struct leat_pairs figures;
	const char *prefix;

	/* Made of them in create(). */
	const struct detector *detector;
	uint32_t table; /* that has the state of keys, an entry of state_size bytes */
	size_t state_size;
	int64_t shape;         /* what the state belongs to: made with other options, it is begun anew */
	int64_t n_day, n_week; /* seasonal: slots of each season, 0 for one that is not used */
	void *work;            /* the detector's own, one allocation */

	size_t n_added;
	struct leat_member added[N_FIGURES];
	int figure[N_FIGURES];
	struct leat_member why;               /* in alerts only */
	struct leat_member reason[N_REASONS]; /* the members of why */
};

struct observation {
	double value[MAX_FIELDS];
	int64_t time_us;
};

/* What a detector says of an event. Zeroed: nothing yet, it warms up. */
struct verdict {
	bool has_score; /* and all that follows */
	bool is_anomaly;
	bool is_below; /* the side on which it lies */
	bool has_average;
	double score;
	double expected;
	double deviation;
	double average; /* ewma */
	size_t field;   /* that expected and deviation are of */
};

struct detector {
	const char *name;
	double threshold;   /* unless the option says otherwise */
	double limit;       /* an anomaly is damped to so many deviations; 0: to the threshold */
	bool needs_time;    /* of the event */
	size_t most_fields; /* that it takes */
	/* Checks options together, chooses the table, makes what it needs. */
	enum leat_status (*create)(struct anomaly *self, struct leat_error *err);
	/* The state is that of the key, zeroed but for its shape when new. */
	void (*judge)(const struct anomaly *self, void *state, const struct observation *seen, struct verdict *out);
	/* Makes less of an anomaly before it is learned. NULL: pulls the value back to `limit` deviations. */
	void (*damp)(const struct anomaly *self, const void *state, const struct verdict *verdict, struct observation *seen);
	void (*learn)(const struct anomaly *self, void *state, const struct observation *seen);
};

extern const struct detector zscore, ewma, mad, cusum, seasonal, forest;

/* In create(): what gives the state a meaning of its own. */
void add_to_shape(struct anomaly *self, int64_t part);
/* In create(): the first of the tables [from, until) whose entries have `size` bytes at least; false when none has. */
bool choose_table(struct anomaly *self, uint32_t from, uint32_t until, size_t size);
/* The steps of splitmix64 (Steele, Lea, Flood 2014). */
uint64_t mix(uint64_t x);

/* What stands beside `expected` is rounding, and no difference. A mean of equal values is not quite one of them. */
static inline bool is_rounding(double difference, double expected)
{
	return fabs(difference) <= ROUNDING * fabs(expected);
}

/* How many deviations the value is away. */
static inline double count_deviations(double value, double expected, double deviation)
{
	double n;

	if (value == expected || is_rounding(value - expected, expected))
		return 0;
	n = deviation > 0 ? fabs(value - expected) / deviation : SCORE_MAX;
	return n < SCORE_MAX ? n : SCORE_MAX;
}

/* No farther from what was expected. From a constant, whose deviation is 0, one could never come away: that stays. */
static inline double pull_back(double value, double expected, double reach)
{
	if (reach <= 0)
		return value;
	return value > expected + reach ? expected + reach : value < expected - reach ? expected - reach : value;
}

static inline double raise_to_floor(const struct anomaly *self, double deviation, double expected)
{
	if (is_rounding(deviation, expected))
		deviation = 0;
	return deviation > self->floor ? deviation : self->floor;
}

static inline void set_verdict(const struct anomaly *self, struct verdict *out, double score, double expected, double deviation)
{
	out->has_score = true;
	out->score = score < SCORE_MAX ? score : SCORE_MAX;
	out->is_anomaly = out->score > self->threshold;
	out->expected = expected;
	out->deviation = deviation;
}

#endif
