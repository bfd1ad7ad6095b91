/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_ANOMALY_STATE_H
#define LEAT_PLUGINS_ANOMALY_STATE_H

#include <leat/plugin.h>

#include "estimate.h"

/*
 * What is kept of a key, one table for each method. Where options say how much that is, a method has tables of several sizes and
 * takes the smallest that does: an entry of a table has one size. All begin with the shape (see anomaly.h).
 */

enum { MAX_FIELDS = 8, FOREST_MASSES = 32256 /* of the largest table */ };
enum { SCORE, EXPECTED, DEVIATION, IS_ANOMALY, N_FIGURES };
enum { METHOD, FIELD, VALUE, REASON_EXPECTED, REASON_DEVIATION, REASON_SCORE, THRESHOLD, SIDE, AVERAGE, N_REASONS };

enum {
	ZSCORE_TABLE,
	EWMA_TABLE,
	CUSUM_TABLE,
	MAD_TABLES,
	SEASONAL_TABLES = MAD_TABLES + 4,
	FOREST_TABLES = SEASONAL_TABLES + 4,
	N_TABLES = FOREST_TABLES + 3
};

struct zscore_state {
	int64_t shape;
	struct estimate values;
};

struct ewma_state {
	int64_t shape;
	struct estimate values;
	double average;
	double decay; /* (1 - lambda)^(2 t), t values after the chart was begun */
	bool is_begun;
};

struct cusum_state {
	int64_t shape;
	struct estimate values;
	double above;
	double below;
};

struct mad_state {
	int64_t shape;
	int64_t learned; /* values in all */
	double value[];  /* the last `window` of them, the n-th at n mod window */
};

struct seasonal_state {
	int64_t shape;
	int64_t first;   /* slot of the first event, and later of one far ahead that awaits a second; slots are counted from 1970 */
	int64_t slot;    /* the one that values are gathered for */
	int64_t closed;  /* the last one that was learned */
	int64_t n;       /* values of the slot, and their sum */
	double sum;
	double level;
	double trend;
	int64_t n_errors;
	double square; /* mean of the squared errors */
	bool is_begun; /* there was an event */
	bool is_ready; /* a whole season has been seen */
	double season[]; /* n_day and then n_week slots; not a number: nothing was ever in the slot */
};

struct range {
	double expected[MAX_FIELDS];
	double deviation[MAX_FIELDS];
};

struct forest_state {
	int64_t shape;
	int64_t stage; /* 0: no range yet; 1: no masses to score by yet; 2 */
	int64_t n;     /* events of the window */
	double mean;   /* of what the events of the window before are scored by */
	struct range latest;    /* that masses are counted in, and what it will be in the next window */
	struct range reference; /* that the masses scored by were counted in */
	struct estimate gathered[MAX_FIELDS];
	uint16_t mass[]; /* trees * nodes to score by, and as many that are being counted */
};

extern const struct leat_table_spec anomaly_tables[];

#endif
